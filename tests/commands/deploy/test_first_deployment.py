"""The first deployment of an image that does not start, with real processes on the embedded AWS."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from tests.embedded.world import write_source
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider, pytest.mark.timeout(1_800)]

TERRAFORMS_OWN_PATIENCE_SECONDS = 20 * 60

SETTINGS = TINY.replace('build = "external"', 'build = "external"\nstartup_seconds = 20')


# Terraform takes a service for steady as soon as its tasks run, if only for a moment: these do not.
PREPARED = """
def extend(stacks: "prod_e.EnvironmentStacks") -> None:
    stacks.main.services["backend"].add_init_container("prepare", command=["sh", "prepare.sh"])


"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "app"
    write_source(source, "first")
    (source / "prepare.sh").write_text("echo 'it cannot start'; exit 3")
    return source


def make_prepared_project(folder: Path) -> Path:
    make_project(folder, tiny=SETTINGS)
    main = (folder / "main.py").read_text()
    assert "def main() -> int:" in main
    (folder / "main.py").write_text(
        main.replace("def main() -> int:", f"{PREPARED}def main() -> int:")
    )
    return folder


@pytest.fixture
def aws(source: Path, tmp_path: Path) -> Iterator[EmbeddedAws]:
    data_plane = DataPlane(
        sources={"tiny-e-backend": source}, runtime="process", cache_folder=tmp_path / "builds"
    )
    with EmbeddedAws(data_plane=data_plane) as server:
        yield server


def test_it_ends_when_ecs_gives_up_and_the_service_is_kept_for_a_repaired_image(
    aws: EmbeddedAws, source: Path, tmp_path: Path
) -> None:
    folder = make_prepared_project(tmp_path / "project")
    variables = aws.environment()

    begun = time.monotonic()
    failed = prod_e(folder, "deploy", "--yes", variables=variables, timeout_seconds=1_500)
    assert failed.returncode == 1, failed.stderr
    assert time.monotonic() - begun < TERRAFORMS_OWN_PATIENCE_SECONDS / 2
    assert "ECS has given up on tiny-e-backend" in failed.stderr
    assert "The first deployment of tiny-e-backend failed" in failed.stderr
    assert "exited with 3" in failed.stderr
    assert "it cannot start" in failed.stderr
    assert "There is nothing to go back to" in failed.stderr
    assert "push backend -e tiny-e --wait" in failed.stderr

    planned = prod_e(folder, "plan", "--json", variables=variables)
    main = json.loads(planned.stdout)["stacks"][-1]
    assert main["stack"] == "tiny-e"
    assert (main["replaced"], main["changed"], main["destroyed"]) == ([], [], []), main

    (source / "prepare.sh").write_text("echo 'prepared'")
    again = prod_e(folder, "redeploy", "backend", "--environment", "tiny-e", variables=variables)
    assert again.returncode == 0, again.stderr
    rest = prod_e(folder, "deploy", "--yes", variables=variables)
    assert rest.returncode == 0, rest.stderr
    assert "runs 2 of 2 tasks" in rest.stderr
