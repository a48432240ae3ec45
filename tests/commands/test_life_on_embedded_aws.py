"""Real Terraform and the real AWS provider on the embedded AWS."""

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from prod_e_ops.demo.live.front_door import CLIENTS
from tests.support.aws.put_images import put_images
from tests.support.command.processes import processes_with
from tests.support.command.running_command import running
from tests.support.docker_engine import docker_or_skip
from tests.support.project.project_folder import (
    ENVIRONMENTS,
    TINY,
    WITH_DATABASE,
    make_project,
    prod_e,
)
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider]


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as server:
        yield server


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for `TMPDIR`, which PostgreSQL, where it runs as somebody else, may go through."""
    with tempfile.TemporaryDirectory(prefix="demo-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def seed_project(folder: Path) -> Path:
    return make_project(folder, **{"prod-e": (ENVIRONMENTS / "prod-e.toml").read_text()})


UNDER_LOAD = {
    "Deploy a new version under load": 0,
    "Deploy a version that crashes": 0,
    "Kill a task": CLIENTS,
    "Roll back, with new passwords": 0,
}
"""The steps while which requests are sent, and how many of them may be lost."""

TOLD = {
    "Deploy a version that answers 500": r"alarm\(s\) detected: prod-e-backend-5xx\), .*;"
    r" (\d+) answers were 500, no other was lost",
    "Fail the database over": r"(\d+) answers were 503, no other was lost; the \d+ tasks run on",
}
"""The steps that are about answers of one status, and how they tell how many there were."""


@pytest.mark.timeout(1_260)
@pytest.mark.parametrize("runtime", ["process", "docker"])
def test_the_demo_shows_the_life_of_the_seed_system(
    tmp_path: Path, temporary: Path, runtime: str
) -> None:
    if runtime == "docker":
        docker_or_skip("node:16-slim")
    finished = prod_e(
        seed_project(tmp_path / "project"),
        *("demo", "--json", "--runtime", runtime),
        variables={**os.environ, "TMPDIR": str(temporary)},
        timeout_seconds=1_200,
    )
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert (report["passed"], report["runtime"]) == (True, runtime)
    assert report["resources_created"] == report["resources_destroyed"] > 80
    steps = {step["step"]: step for step in report["steps"]}
    assert steps["Plan again"]["result"] == "no changes"
    assert "GET /health 200" in steps["Ask through the load balancer"]["result"]
    assert "written and read" in steps["Ask through the load balancer"]["result"]
    for name, may_lose in UNDER_LOAD.items():
        assert steps[name]["requests"]["sent"] > 100, name
        assert steps[name]["requests"]["lost"] <= may_lose, name
    for name, told in TOLD.items():
        found = re.search(told, steps[name]["result"])
        assert found and int(found[1]) == steps[name]["requests"]["lost"] > 0, steps[name]
    joined, left = steps["Add a service"]["result"], steps["Remove it again"]["result"]
    assert (
        "resources created, nothing else replaced; GET /health of guest.example.com 200" in joined
    )
    assert left == f"{joined.split()[0]} resources destroyed, nothing else replaced"
    rolled_back = steps["Roll back, with new passwords"]["result"]
    assert rolled_back.endswith("the service and the master user have other passwords")
    crash = steps["Deploy a version that crashes"]["result"]
    assert crash == "rolled back by ECS (ECS deployment circuit breaker: tasks failed to start)"
    assert "Essential container in task exited" in finished.stderr
    assert list(temporary.iterdir()) == []
    assert not processes_with(temporary)


def test_what_is_deployed_needs_no_more_and_a_change_changes_only_what_it_should(
    tmp_path: Path, aws: EmbeddedAws
) -> None:
    folder = make_project(tmp_path / "project", tiny=TINY)
    variables = aws.environment()

    deployed = prod_e(folder, "deploy", "--yes", "--json", variables=variables)
    assert deployed.returncode == 0, deployed.stderr
    outputs = json.loads(deployed.stdout)["outputs"]
    assert outputs["cluster_name"] == "tiny-e-cluster"
    put_images(aws, "tiny-e-backend")

    again = prod_e(folder, "plan", "--json", variables=variables)
    assert again.returncode == 0, again.stderr
    for stack in json.loads(again.stdout)["stacks"]:
        assert not any(stack[fate] for fate in ("created", "changed", "replaced", "destroyed"))

    (folder / "environments" / "tiny.toml").write_text(
        TINY.replace('build = "external"', 'build = "external"\nmemory_mib = 1024')
    )
    changed = prod_e(folder, "plan", "--json", variables=variables)
    stacks = {stack["stack"]: stack for stack in json.loads(changed.stdout)["stacks"]}
    assert not stacks["tiny-e-registry"]["changed"]
    (service,) = stacks["tiny-e"]["changed"]
    assert service.startswith("aws_ecs_service.")
    (task,) = stacks["tiny-e"]["replaced"]
    assert task.startswith("aws_ecs_task_definition.")
    assert not stacks["tiny-e"]["created"]
    assert not stacks["tiny-e"]["destroyed"]

    (folder / "environments" / "tiny.toml").write_text(
        TINY.replace('build = "external"', 'build = "external"\nspot_weight = 50')
    )
    spot = prod_e(folder, "plan", "--json", variables=variables)
    (main,) = (s for s in json.loads(spot.stdout)["stacks"] if s["stack"] == "tiny-e")
    assert (main["changed"], main["replaced"]) == ([service], [])
    spot = prod_e(folder, "deploy", "--yes", variables=variables)
    assert spot.returncode == 0, spot.stderr
    again = prod_e(folder, "plan", "--json", variables=variables)
    assert not any(
        stack[fate]
        for stack in json.loads(again.stdout)["stacks"]
        for fate in ("created", "changed", "replaced", "destroyed")
    )

    destroyed = prod_e(folder, "destroy", "--yes", variables=variables)
    assert destroyed.returncode == 0, destroyed.stderr
    assert "tiny-e is gone." in destroyed.stderr


def test_three_zones_where_the_region_has_two_are_refused_by_the_plan(tmp_path: Path) -> None:
    toml = TINY.replace('name = "tiny-e"', 'name = "tiny-e"\nregion = "us-west-1"')
    toml = toml.replace("[network]", "[network]\navailability_zones = 3")
    folder = make_project(tmp_path / "project", tiny=toml)
    with EmbeddedAws(region="us-west-1") as aws:
        planned = prod_e(folder, "plan", variables=aws.environment())
    assert planned.returncode == 1
    assert "The network needs 3 availability zones, and the account has 2" in planned.stderr


def test_protection_keeps_an_environment_from_being_destroyed(
    tmp_path: Path, aws: EmbeddedAws
) -> None:
    folder = make_project(
        tmp_path / "project", tiny=TINY.replace("deletion_protection = false", "")
    )
    variables = aws.environment()
    # Something must exist before it can be kept.
    for stack in ("tiny-e-registry",):
        assert prod_e(folder, "plan", variables=variables).returncode == 0
        subprocess.run(
            ["terraform", "apply", "-auto-approve", "-no-color"],
            cwd=folder / "cdktf.out" / "stacks" / stack,
            env=variables,
            check=True,
            capture_output=True,
        )
    refused = prod_e(folder, "destroy", "--yes", variables=variables)
    assert refused.returncode == 2
    assert "[load_balancer] deletion_protection = true" in refused.stderr


def test_a_service_that_cannot_start_ends_the_demo_with_ecs_reasons(
    tmp_path: Path, temporary: Path
) -> None:
    toml = TINY.replace("[services.backend]\nbuild", "[services.broken]\nbuild")
    folder = make_project(tmp_path / "project", tiny=toml)
    source = folder / "broken"
    source.mkdir()
    scripts = {"start": "node start.js"}
    (source / "package.json").write_text(json.dumps({"name": "broken", "scripts": scripts}))
    (source / "start.js").write_text("console.log('nothing here'); process.exit(3);")
    (source / "Dockerfile").write_text("FROM scratch\n")
    failed = prod_e(
        folder,
        *("demo", "--runtime", "process"),
        variables={**os.environ, "TMPDIR": str(temporary)},
        timeout_seconds=600,
    )
    assert failed.returncode == 1, failed.stderr
    assert "does not start: ECS deployment circuit breaker: tasks failed to start" in failed.stderr
    assert "Essential container in task exited; tiny-e-broken exited with 3" in failed.stderr
    assert "nothing here" in failed.stderr
    assert list(temporary.iterdir()) == []
    assert not processes_with(temporary)


def test_without_the_provider_the_demo_says_so_and_does_the_rest(tmp_path: Path) -> None:
    configuration = tmp_path / "empty.tfrc"
    configuration.write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{tmp_path}" }} }}\n'
    )
    variables = {**os.environ, "TF_CLI_CONFIG_FILE": str(configuration)}
    failed = prod_e(seed_project(tmp_path / "project"), "demo", variables=variables)
    assert failed.returncode == 1
    assert "hashicorp/aws cannot be found" in failed.stderr
    assert "resources in 3 stacks" in failed.stdout


@pytest.mark.parametrize(
    "after",
    [
        "Start the embedded AWS",
        "Synthesise",
        "Plan",
        "Apply tiny-e",
        "Deploy a version that crashes",
    ],
)
def test_ctrl_c_ends_the_demo_and_leaves_nothing_behind(
    tmp_path: Path, temporary: Path, after: str
) -> None:
    folder = make_project(tmp_path / "project", tiny=WITH_DATABASE)
    with running(
        folder, "demo", "--runtime", "process", variables=os.environ, temporary=temporary
    ) as command:
        command.wait_for_step(after)
        time.sleep(1)  # In the midst of it.
        command.interrupt()
