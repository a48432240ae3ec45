"""The backend's image is small and holds nothing that it does not run."""

import json
import subprocess
from pathlib import PurePosixPath

import pytest

from tests.docker.backend_image.building import (
    BACKEND,
    BASE,
    COMMIT,
    SECRET,
    SOURCE,
    VERSION,
    Images,
)
from tests.support.docker_engine import (
    DockerEngine,
    LayerFile,
)

pytestmark = pytest.mark.slow


ADDED_BYTES_MAX = 15_000_000


def test_it_adds_at_most_15_mb_to_its_base(docker: DockerEngine, images: Images) -> None:
    sizes = [docker.inspect("image", name)["Size"] for name in (images.production, BASE)]
    added = sizes[0] - sizes[1]
    assert 0 < added <= ADDED_BYTES_MAX


def test_labels_name_version_commit_and_source(docker: DockerEngine, images: Images) -> None:
    labels = docker.inspect("image", images.production)["Config"]["Labels"]
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}title"] == "prod-e backend"
    assert labels[f"{prefix}version"] == VERSION
    assert labels[f"{prefix}revision"] == COMMIT
    assert labels[f"{prefix}source"] == SOURCE


def test_it_is_built_in_a_stage_that_is_not_shipped(docker: DockerEngine, images: Images) -> None:
    for tool in ("/app/src/main.ts", "/app/tsconfig.build.json", "/usr/local/bin/npm"):
        docker.output_of(images.builder, "ls", tool)
        with pytest.raises(subprocess.CalledProcessError):
            docker.output_of(images.production, "ls", tool)
    for program in ("npm", "npx", "yarn", "corepack"):
        with pytest.raises(subprocess.CalledProcessError):
            docker.output_of(images.production, program, "--version")


def test_no_layer_holds_a_secret(
    docker: DockerEngine, images: Images, layer_files: list[LayerFile]
) -> None:
    assert [file.path for file in layer_files if SECRET.encode() in file.content] == []
    assert SECRET not in json.dumps(docker.inspect("image", images.production))
    assert [path for path in _names(layer_files) if path.name.startswith((".env", ".npmrc"))] == []


def test_no_layer_holds_sources_tests_or_source_maps(layer_files: list[LayerFile]) -> None:
    names = [path for path in _names(layer_files) if path.is_relative_to("app")]
    endings = (".ts", ".mts", ".cts", ".map", ".tsbuildinfo", ".test.js", ".spec.js")
    assert [path for path in names if path.name.endswith(endings)] == []
    assert [path for path in names if {"src", "test", "tests"} & {*path.parts[:2]}] == []
    assert [path for path in names if "planted" in str(path)] == []
    assert PurePosixPath("app/dist/main.js") in names


def test_no_layer_holds_a_development_dependency(layer_files: list[LayerFile]) -> None:
    locked = json.loads((BACKEND / "package-lock.json").read_text())["packages"]
    development = {path for path, package in locked.items() if package.get("dev")}
    needed = {f"node_modules/{name}" for name in locked[""]["dependencies"]}
    folders = {str(path.relative_to("app")) for path in _names(layer_files) if _is_package(path)}
    assert development
    assert needed <= folders
    assert development & folders == set()


def _names(files: list[LayerFile]) -> list[PurePosixPath]:
    return [PurePosixPath(file.path) for file in files]


def _is_package(path: PurePosixPath) -> bool:
    return path.is_relative_to("app/node_modules")
