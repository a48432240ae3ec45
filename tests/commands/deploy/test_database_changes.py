"""What changes of a database do, by real Terraform on the embedded AWS."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.aws_clients import client_of
from tests.support.aws.put_images import put_images
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider, pytest.mark.timeout(2_400)]


class Environment:
    """tiny-e with a database on an embedded AWS without a data plane."""

    def __init__(self, folder: Path, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.folder = make_project(folder, tiny=TINY)
        self.variables = aws.environment()
        self.rds = client_of(aws, "rds")

    def write(self, *sections: str, **lines: object) -> None:
        """Sets what `[database]` says, with its deletion protection off; then come `sections`."""
        of_database = {"deletion_protection": False, **lines}
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in of_database.items())
        file = self.folder / "environments" / "tiny.toml"
        file.write_text(f"{TINY}[database]\n{text}" + "".join(sections))

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = prod_e(self.folder, *arguments, variables=self.variables, timeout_seconds=900)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def main_plan(self) -> dict[str, Any]:
        stacks = json.loads(self.run("plan", "--json").stdout)["stacks"]
        (found,) = (each for each in stacks if each["stack"] == "tiny-e")
        return dict(found)

    def parameter_groups(self) -> set[str]:
        groups = self.rds.describe_db_parameter_groups()["DBParameterGroups"]
        return {each["DBParameterGroupName"] for each in groups}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    with EmbeddedAws() as aws:
        yield Environment(tmp_path / "project", aws)


def test_a_database_is_upgraded_changed_later_and_kept_in_a_snapshot(
    environment: Environment,
) -> None:
    environment.write(engine_version="15", final_snapshot=False)
    environment.run("deploy", "--yes")
    put_images(environment.aws, "tiny-e-backend")
    assert environment.parameter_groups() == {"tiny-e-postgres15"}

    # The window is no time for a major upgrade: the old parameter group would still be in use.
    environment.write(engine_version="16", final_snapshot=False)
    (late,) = (n for n in environment.main_plan()["notes"] if "maintenance window" in n)
    assert "engine_version" in late
    refused = environment.run("deploy", "--yes", status=2)
    assert "tiny-e-database would use its old parameter group until then" in refused.stderr

    environment.write(engine_version="16", apply="immediately", final_snapshot=True)
    environment.run("deploy", "--yes")
    (instance,) = environment.rds.describe_db_instances()["DBInstances"]
    assert instance["EngineVersion"].startswith("16.")
    assert environment.parameter_groups() == {"tiny-e-postgres16"}

    environment.write(engine_version="16", instance_class="db.t4g.small")
    deployed = environment.run("deploy", "--yes")
    assert "tiny-e-database: instance_class waits for the maintenance window" in deployed.stderr
    (instance,) = environment.rds.describe_db_instances()["DBInstances"]
    assert instance["DBInstanceClass"] == "db.t4g.micro"
    assert instance["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.small"}
    (again,) = environment.main_plan()["changed"]
    assert again.startswith("aws_db_instance.")

    environment.run("destroy", "--yes")
    (snapshot,) = environment.rds.describe_db_snapshots()["DBSnapshots"]
    assert snapshot["DBSnapshotIdentifier"].startswith("tiny-e-database-")
    assert snapshot["EngineVersion"].startswith("16.")


def test_what_is_restored_keeps_its_data_when_its_origin_is_taken_out(
    environment: Environment,
) -> None:
    environment.write()
    environment.run("deploy", "--yes")
    put_images(environment.aws, "tiny-e-backend")
    environment.rds.create_db_snapshot(
        DBInstanceIdentifier="tiny-e-database", DBSnapshotIdentifier="before"
    )
    restored = '[database.restored]\nidentifier = "tiny-e-2"\n'
    environment.write(f'{restored}snapshot = "before"\n')
    environment.run("deploy", "--yes")
    instances = environment.rds.describe_db_instances()["DBInstances"]
    assert {each["DBInstanceIdentifier"] for each in instances} == {"tiny-e-database", "tiny-e-2"}

    environment.write(f"{restored}serves = true\n")
    plan = environment.main_plan()
    assert not [
        address
        for fate in ("created", "changed", "destroyed", "replaced")
        for address in plan[fate]
        if address.startswith("aws_db_instance.")
    ]
    assert [each for each in plan["changed"] if each.startswith("aws_ecs_service.")]
