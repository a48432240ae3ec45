"""Source folders in place of images: what ECR calls by one digest is one content."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from tests.embedded.world import World, eventually, write_source


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A repository with a source folder, and no image yet."""
    source = tmp_path / "app"
    write_source(source, "first")
    data_plane = DataPlane(
        sources={"app": source},
        runtime="process",
        cache_folder=tmp_path / "cache",
        task_environment={"VERSION": "{image_digest}"},
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        world = World(aws, source, repository="app")
        world.client("ecr").create_repository(repositoryName="app")
        yield world


def push(world: World, content: str) -> str:
    """Has `latest` name an image; gives its digest."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": ""},
        "layers": [],
        "annotations": {"content": content},
    }
    answer = world.client("ecr").put_image(
        repositoryName="app", imageManifest=json.dumps(manifest), imageTag="latest"
    )
    digest: str = answer["image"]["imageId"]["imageDigest"]
    return digest


def test_a_tag_that_moves_back_brings_the_earlier_content_back(world: World) -> None:
    first = push(world, "first")
    world.create()
    world.until_steady()
    second = push(world, "second")
    world.deploy("second")
    eventually("the second runs", lambda: world.json("/")["version"] == "second")
    world.until_steady()
    assert {c["imageDigest"] for task in world.tasks() for c in task["containers"]} == {second}

    assert push(world, "first") == first
    world.deploy()
    eventually("the first runs again", lambda: world.json("/")["version"] == "first")
    world.until_steady()
    assert (world.source / "version.txt").read_text() == "second"
    assert {c["imageDigest"] for task in world.tasks() for c in task["containers"]} == {first}


def test_tasks_can_be_told_the_digest_of_their_image(world: World) -> None:
    digest = push(world, "first")
    world.create()
    world.until_steady()
    assert world.json("/env")["VERSION"] == digest


def write_project(source: Path, *, build: str) -> None:
    """Writes the source folder of an app that a script of its own builds."""
    write_source(source, "first")
    project = json.loads((source / "package.json").read_text())
    project["scripts"]["build"] = build
    (source / "package.json").write_text(json.dumps(project))


def build(folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embedded_aws.build", folder, "--cache-folder", cache],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_can_be_built_before_its_first_task(tmp_path: Path) -> None:
    source, cache = tmp_path / "app", tmp_path / "cache"
    write_project(source, build="node -e \"require('fs').appendFileSync('built', 'x')\"")
    built, again = build(source, cache), build(source, cache)
    assert built.returncode == again.returncode == 0, built.stderr
    assert built.stdout == again.stdout
    folder = cache / "sources" / built.stdout.strip().removeprefix("sha256:")
    assert (folder / "built").read_text() == "x"


def test_processes_that_share_a_cache_build_a_content_once(tmp_path: Path) -> None:
    source, cache = tmp_path / "app", tmp_path / "cache"
    write_project(source, build="echo x >> built && sleep 1")
    with ThreadPoolExecutor() as pool:
        builds = list(pool.map(lambda _: build(source, cache), range(3)))
    assert [built.returncode for built in builds] == [0, 0, 0], builds
    (digest,) = {built.stdout.strip().removeprefix("sha256:") for built in builds}
    assert (cache / "sources" / digest / "built").read_text().split() == ["x"]


def test_a_build_that_was_killed_is_built_again(tmp_path: Path) -> None:
    source, cache = tmp_path / "app", tmp_path / "cache"
    write_source(source, "first")
    project = json.loads((source / "package.json").read_text())
    # A package for another system, which npm does not fetch.
    project["optionalDependencies"] = {"elsewhere": "1.0.0"}
    (source / "package.json").write_text(json.dumps(project))
    elsewhere = {"version": "1.0.0", "optional": True, "os": ["aix"]}
    packages = {"": project, "node_modules/elsewhere": elsewhere}
    (source / "package-lock.json").write_text(
        json.dumps({"name": "app", "lockfileVersion": 3, "packages": packages})
    )
    built = build(source, cache)
    assert built.returncode == 0, built.stderr
    (cache / "sources" / built.stdout.strip().removeprefix("sha256:") / ".built").unlink()
    again = build(source, cache)
    assert again.returncode == 0, again.stderr


def test_a_build_that_fails_is_told_with_what_it_wrote(tmp_path: Path) -> None:
    source = tmp_path / "app"
    write_source(source, "first")
    scripts = {"start": "node app.js", "build": "echo it does not compile && exit 3"}
    (source / "package.json").write_text(json.dumps({"name": "app", "scripts": scripts}))
    failed = build(source, tmp_path / "cache")
    assert failed.returncode == 1
    assert "it does not compile" in failed.stderr
    assert "Traceback" not in failed.stderr
