"""What the backend's image is made from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prod_e.delivery.build_context import included_files, read_build_context
from tests.docker.backend_image.building import BACKEND, PLANTED, working_copy
from tests.support.docker_engine import (
    DockerEngine,
)

pytestmark = pytest.mark.slow


def test_the_same_input_has_the_same_content_hash(source: Path, tmp_path: Path) -> None:
    copy = working_copy(tmp_path / "elsewhere")
    for number, path in enumerate(sorted(copy.rglob("*"))):
        os.utime(path, (number, number))
    original = read_build_context(source, architecture="x86_64")
    assert read_build_context(copy, architecture="x86_64").content_hash == original.content_hash


def test_a_change_of_what_is_built_changes_the_content_hash(source: Path, tmp_path: Path) -> None:
    copy = working_copy(tmp_path / "changed")
    with (copy / "src/main.ts").open("a") as file:
        file.write("// changed\n")
    original = read_build_context(source, architecture="x86_64")
    assert read_build_context(copy, architecture="x86_64").content_hash != original.content_hash


def test_the_content_hash_covers_exactly_what_docker_sees(
    docker: DockerEngine, tmp_path: Path
) -> None:
    folder = working_copy(tmp_path / "everything")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    with docker.built(folder) as image:
        seen = {file.path for file in docker.layer_files(image) if not file.is_folder}
    assert seen == set(included_files(folder))
    assert seen & set(PLANTED) == set()


def test_hadolint_has_no_complaint_about_the_dockerfile() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), BACKEND / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
