"""What `prod-e push` builds, uploads and lets tags name."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from prod_e.app.synthesis import synthesise
from prod_e.settings import load_environments
from tests.support.command.asked import Asked
from tests.support.command.forked_command import PROD_E
from tests.support.project.project_folder import PROJECT
from tests.support.project.push_world import PUSH_SECONDS, REPOSITORY, World
from tests.support.terraform.terraform_program import needs_aws_provider


def test_in_an_empty_account_nobody_who_has_not_agreed_gets_a_repository(empty: World) -> None:
    asked = empty.push()
    assert asked.returncode == 2
    assert "has no ECR repository tiny-e-api in us-west-2" in asked.stderr
    assert "Run it again with --yes." in asked.stderr
    assert empty.built == 0


@pytest.mark.slow
@needs_aws_provider
def test_in_an_empty_account_the_first_push_creates_the_repository_when_agreed(
    empty: World,
) -> None:
    done = empty.pushed("--yes")
    assert done["repository"] == f"{empty.network.host}/{REPOSITORY}"
    assert set(empty.tags().values()) == {done["digest"]}

    # What is deployed later knows of it.
    planned = subprocess.run(
        [PROD_E, "plan", "--json"],
        cwd=empty.project,
        env=empty.variables,
        capture_output=True,
        text=True,
        check=True,
    )
    stacks = {stack["stack"]: stack for stack in json.loads(planned.stdout)["stacks"]}
    assert not any(
        stacks["tiny-e-registry"][fate] for fate in ("created", "changed", "replaced", "destroyed")
    )
    assert stacks["tiny-e"]["created"]


def test_declining_changes_nothing(empty: World) -> None:
    with Asked(empty.project, "push", "api", variables=empty.variables) as asked:
        asked.wait_for("Deploy tiny-e-registry now? [y/N]")
        asked.answer("n")
        assert asked.end() == 1
    assert "Nothing was changed." in asked.said
    assert empty.built == 0


def test_every_tag_names_the_image_that_was_built(world: World) -> None:
    world.git("init", "--quiet")
    world.git("add", ".")
    world.git("commit", "--quiet", "--message", "one")
    commit = world.git("rev-parse", "HEAD")

    done = world.pushed("--release", "v1.4.0", "--tag", "canary", "--tag", "canary")

    content = world.content_tag()
    tags = [content, f"git-{commit[:12]}", "v1.4.0", "canary", "latest"]
    assert done["tags"] == tags
    assert (done["built"], done["pushed"]) == (True, True)
    assert world.tags() == dict.fromkeys(tags, done["digest"])
    image = world.registry.image(REPOSITORY, "latest")
    assert image["architecture"] == "amd64"
    assert f"VERSION={content.removeprefix('content-')}" in image["config"]["Env"]
    assert f"COMMIT={commit}" in image["config"]["Env"]


def test_people_get_what_to_pull_and_the_next_step(world: World) -> None:
    done = world.push()
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{world.network.host}/{REPOSITORY}@{world.tags()['latest']}\n"
    assert f"Build api for linux/amd64: {world.content_tag()}" in done.stderr
    assert "Move the tags: latest" in done.stderr
    assert "hint: ECS deploys it by itself now (./prod-e status api" in done.stderr


def test_content_that_ecr_has_is_not_built_again_and_only_its_tags_move(world: World) -> None:
    first = world.pushed()
    world.change("second")
    second = world.pushed()
    assert second["digest"] != first["digest"]
    builds, uploads = world.built, len(world.network.requests)

    world.change("first")
    again = world.pushed("--release", "v1.0.0")

    assert again["digest"] == first["digest"]
    assert (again["built"], again["pushed"]) == (False, False)
    assert world.built == builds
    assert len(world.network.requests) == uploads
    assert world.tags()["latest"] == world.tags()["v1.0.0"] == first["digest"]


def test_a_rebuild_builds_what_ecr_has_and_the_content_tag_moves_too(world: World) -> None:
    world.pushed()
    again = world.pushed("--rebuild")
    assert again["built"] is True
    assert "--no-cache --pull" in world.docker_log
    assert set(world.tags().values()) == {again["digest"]}


def test_changes_that_are_not_committed_are_in_the_commits_tag(world: World) -> None:
    world.git("init", "--quiet")
    world.git("add", ".")
    world.git("commit", "--quiet", "--message", "one")
    commit = world.git("rev-parse", "HEAD")
    world.change("not committed")
    done = world.pushed()
    assert f"git-{commit[:12]}-dirty" in done["tags"]
    released = world.push("--release", "v1.0.0")
    assert released.returncode == 0, released.stderr
    assert "api has uncommitted changes: v1.0.0" in released.stderr
    image = world.registry.image(REPOSITORY, done["digest"])
    assert f"COMMIT={commit}-dirty" in image["config"]["Env"]


@pytest.mark.parametrize("state", ["no repository", "committed", "dirty"])
@pytest.mark.parametrize("image_tag", ["latest", "content", "stable"])
def test_terraform_would_build_the_same_and_give_it_the_same_tags(
    world: World, state: str, image_tag: str
) -> None:
    world.settings(f'name = "tiny-e"\n[services.api]\nimage_tag = "{image_tag}"\n')
    if state != "no repository":
        world.git("init", "--quiet")
        world.git("add", "api")
        world.git("commit", "--quiet", "--message", "one")
    if state == "dirty":
        world.change("not committed")
    synthesise(
        load_environments(world.project / "environments"),
        project_folder=world.project,
        output_folder=world.project / "cdktf.out",
    )
    stack = json.loads((world.project / "cdktf.out/stacks/tiny-e-image/cdk.tf.json").read_text())
    (image,) = stack["resource"]["docker_image"].values()
    pushes = stack["resource"]["docker_registry_image"].values()

    done = world.pushed()

    assert done["tags"] == [push["name"].rsplit(":", 1)[1] for push in pushes]
    assert image["triggers"]["content_hash"] == done["tags"][0].removeprefix("content-")
    build = next(line for line in world.docker_log.splitlines() if line.startswith("build "))
    assert f"--platform={image['build']['platform']} " in build
    for name, value in image["build"]["build_args"].items():
        assert f"--build-arg={name}={value} " in build


def test_an_image_that_the_tasks_could_not_run_is_pushed_without_the_tag_that_they_follow(
    world: World,
) -> None:
    before = world.pushed()
    done = world.push("--platform", "linux/arm64", "--json")
    assert done.returncode == 0, done.stderr
    assert "which cannot run this image" in done.stderr
    result = json.loads(done.stdout)
    assert result["tags"] == [world.content_tag("arm64")]
    assert result["tags"] != before["tags"][:1]
    assert world.registry.image(REPOSITORY, result["digest"])["architecture"] == "arm64"
    assert world.tags()["latest"] == before["digest"]


def test_an_image_that_docker_built_for_another_platform_is_not_pushed(world: World) -> None:
    # The first step makes a layer of the daemon's own platform, whatever was asked for.
    (world.source / "Dockerfile").write_text("FROM scratch\nARG VERSION\nLABEL a=${VERSION}\n")
    failed = world.push("--platform", "linux/arm64")
    if failed.returncode == 0:
        pytest.skip("This Docker can build for linux/arm64.")
    assert failed.returncode == 1
    assert "Building for another kind of machine takes buildx" in failed.stderr
    assert world.tags() == {}


def test_two_pushes_at_once_both_succeed_and_latest_is_one_of_their_images(world: World) -> None:
    elsewhere = world.folder / "elsewhere"
    shutil.copytree(world.project, elsewhere, symlinks=True)
    (elsewhere / "api" / "file").write_text("other")
    with world.pushing("--json") as one:
        other = subprocess.run(
            [PROD_E, "push", "api", "--json"],
            cwd=elsewhere,
            env=world.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        stdout, stderr = one.communicate(timeout=PUSH_SECONDS)
    assert (one.returncode, other.returncode) == (0, 0), stderr + other.stderr
    results = [json.loads(stdout), json.loads(other.stdout)]
    digests = [result["digest"] for result in results]
    assert digests[0] != digests[1]
    assert world.tags()["latest"] in digests
    for result in results:
        assert world.tags()[result["tags"][0]] == result["digest"]
        world.registry.image(REPOSITORY, result["digest"])


def test_the_same_content_pushed_twice_at_once_has_one_digest_in_the_end(world: World) -> None:
    with world.pushing("--json", "--rebuild") as one, world.pushing("--json") as other:
        outputs = [process.communicate(timeout=PUSH_SECONDS) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), outputs
    assert world.tags()["latest"] == world.tags()[world.content_tag()]


def test_the_script_works_from_any_folder(tmp_path: Path) -> None:
    script = PROJECT / "scripts" / "deployment" / "build-and-push.sh"
    refused = subprocess.run(
        [script, "nothing"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "There is no service 'nothing' in the environment prod-e." in refused.stderr
