"""A proof's own parts: its settings, its price, what it takes out of AWS's answers, its report."""

import asyncio
import json
import re
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from botocore import xform_name
from botocore.session import get_session
from botocore.validate import validate_parameters

from prod_e.settings import load_environment
from prod_e_ops.analysis.prices import hourly_prices, total
from prod_e_ops.commands.infrastructure import prove
from prod_e_ops.demo.report import DemoStepResult, Report
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.project.project import Project
from prod_e_ops.prove.alarm import _policy
from prod_e_ops.prove.environment import ProofFolder, proof_settings
from prod_e_ops.prove.leftovers import leftovers
from prod_e_ops.prove.redaction import Redaction
from prod_e_ops.prove.report import Proof, write
from tests.support.project.project_folder import ENVIRONMENTS

PROJECT = Path(__file__).resolve().parents[3]
SEED = ENVIRONMENTS / "prod-e.toml"
RICH = """
name = "rich-e"
[tags]
Team = "us"
[services.backend]
repository = "theirs"
database = true
log_group = "/theirs"
[services.jobs]
source = "backend"
database = false
host = "jobs.example.com"
[database]
multi_az = true
[load_balancer]
domain_name = "example.com"
hosted_zone_id = "Z0123"
[monitoring]
alarm_emails = ["one@example.com"]
[delivery]
github_repository = "us/app"
[state]
kind = "s3"
bucket = "ours"
"""


def settings_of(toml: str) -> dict[str, Any]:
    return tomllib.loads(
        proof_settings(toml, name="prove-abc123", account="111122223333", external=False)
    )


def test_a_proof_has_names_of_its_own_and_nothing_that_keeps_it_from_being_destroyed(
    tmp_path: Path,
) -> None:
    settings = settings_of(RICH)
    assert (settings["name"], settings["account"]) == ("prove-abc123", "111122223333")
    assert settings["tags"] == {"Team": "us", "Prove": "prove-abc123"}
    assert settings["services"]["backend"] == {"database": True, "source": "backend"}
    assert "host" not in settings["services"]["jobs"]
    assert settings["state"] == {"kind": "local"}
    assert settings["database"] == {
        "multi_az": True,
        "deletion_protection": False,
        "final_snapshot": False,
    }
    assert settings["load_balancer"] == {"deletion_protection": False}
    assert settings["monitoring"]["alarm_emails"] == []
    assert "delivery" not in settings
    file = tmp_path / "environments" / "prove-abc123.toml"
    file.parent.mkdir()
    file.write_text(
        proof_settings(
            RICH.replace('host = "jobs', 'path = "/jobs/*"\nhost = "jobs'),
            name="prove-abc123",
            account="111122223333",
            external=True,
        )
    )
    environment = load_environment(file)
    assert {service.build for service in environment.services.values()} == {"external"}


@pytest.mark.parametrize("name", ["prod-e", "staging-e"])
def test_each_environment_of_the_project_can_be_proved(name: str, tmp_path: Path) -> None:
    file = tmp_path / "environments" / "prove-abc123.toml"
    file.parent.mkdir()
    toml = (SEED.parent / f"{name}.toml").read_text()
    file.write_text(
        proof_settings(toml, name="prove-abc123", account="111122223333", external=False)
    )
    environment = load_environment(file)
    assert environment.names.cluster == "prove-abc123-cluster"
    assert not environment.load_balancer.deletion_protection


def test_what_is_there_already_is_not_proved_with(tmp_path: Path) -> None:
    file = tmp_path / "environments" / "given.toml"
    file.parent.mkdir()
    file.write_text(
        'name = "given"\n[services.backend]\n[cluster]\n'
        'arn = "arn:aws:ecs:us-west-2:111122223333:cluster/company"\n'
    )
    kept = ProofFolder.new(Project(tmp_path, tmp_path / "cdktf.out"))
    with pytest.raises(UserMistake, match=r"cluster\.arn"):
        kept.copy(
            Project(tmp_path, tmp_path / "cdktf.out"),
            load_environment(file),
            account="111122223333",
            external=False,
        )
    assert not kept.folder.exists()


@pytest.mark.parametrize("external", [False, True])
def test_a_proof_has_a_copy_of_the_project_with_its_own_environment_alone(
    tmp_path: Path, external: bool
) -> None:
    folder = tmp_path / "project"
    for name, text in {
        "environments/tiny-e.toml": 'name = "tiny-e"\n[services.backend]\n',
        "environments/other-e.toml": 'name = "other-e"\n[services.backend]\n',
        "backend/Dockerfile": "FROM scratch\n",
        "terraform.tiny-e.tfstate": "{}",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    project = Project(folder, folder / "cdktf.out")
    kept = ProofFolder.new(project)
    given = load_environment(folder / "environments" / "tiny-e.toml")
    environment = kept.copy(project, given, account="111122223333", external=external)
    assert (environment.name, environment.account) == (kept.name, "111122223333")
    assert environment.services["backend"].build == ("external" if external else "terraform")
    assert kept.folder.stat().st_mode & 0o077 == 0, "the state is in it"
    copy = kept.project.folder
    assert copy.parent == kept.folder == folder / ".prove" / kept.name
    assert kept.project.output_folder == copy / "cdktf.out"
    assert [file.name for file in (copy / "environments").iterdir()] == [f"{kept.name}.toml"]
    assert (copy / "backend" / "Dockerfile").read_text() == "FROM scratch\n"
    assert not list(copy.glob("*.tfstate"))
    assert (kept.scratch.parent, kept.answers.parent) == (kept.folder, kept.folder)
    assert kept.scratch != kept.answers

    assert ProofFolder.of(project, kept.name) == kept
    with pytest.raises(UserMistake, match="no proof 'prove-gone'") as mistake:
        ProofFolder.of(project, "prove-gone")
    assert kept.name in str(mistake.value.next_step)


def test_each_proof_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = {ProofFolder.new(Project(tmp_path, tmp_path)).name for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch("prove-[0-9a-f]{6}", name) for name in names)


def test_a_proof_that_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    project = Project(tmp_path, tmp_path / "cdktf.out")
    with pytest.raises(UserMistake, match="prove-gone"):
        ProofFolder.of(project, "prove-gone")


def test_the_seed_costs_what_the_table_says() -> None:
    items = {each.item: each.dollars_per_hour for each in hourly_prices(load_environment(SEED))}
    assert items["2 NAT gateways"] == pytest.approx(2 * (0.045 + 0.005))
    assert items["2 tasks of backend"] == pytest.approx(
        2 * (0.25 * 0.04048 + 0.5 * 0.004445), abs=1e-4
    )
    assert items["A db.t4g.small database"] == pytest.approx(
        2 * (0.032 + 20 * 0.115 / 730), abs=1e-4
    )
    assert 0.2 < total(hourly_prices(load_environment(SEED))) < 0.35


def test_a_class_of_instance_without_a_price_is_said_to_have_none(tmp_path: Path) -> None:
    file = tmp_path / "environments" / "large.toml"
    file.parent.mkdir()
    file.write_text(
        'name = "large"\n[services.backend]\n[database]\ninstance_class = "db.r7g.16xlarge"\n'
    )
    items = {each.item: each.dollars_per_hour for each in hourly_prices(load_environment(file))}
    assert items["A db.r7g.16xlarge database"] is None


ANSWER = {
    "ResponseMetadata": {"RequestId": "1f0e"},
    "Owner": {"DisplayName": "jane.doe", "ID": "0" * 40 + "abcdefabcdefabcdefabcdef"},
    "Arn": "arn:aws:ecs:us-west-2:998877665544:service/prove-abc123-cluster/prove-abc123-backend",
    "Caller": "arn:aws:sts::998877665544:assumed-role/Admin/jane.doe@corp.example",
    "Image": "998877665544.dkr.ecr.us-west-2.amazonaws.com/prove-abc123-backend:latest",
    "DNSName": "prove-abc123-alb-1234567890.us-west-2.elb.amazonaws.com",
    "Endpoint": {"Address": "prove-abc123-database.cz7xk2lqp9ab.us-west-2.rds.amazonaws.com"},
    "SecretArn": "arn:aws:secretsmanager:us-west-2:998877665544:secret:api-Xy12Zz",
    "SecretString": '{"username": "postgres", "password": "hunter2hunter2"}',
    "MasterUserPassword": "hunter2hunter2",
    "authorizationToken": "ey.abc.def",
    "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "Subnets": ["subnet-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60719", "subnet-0a1b2c3d4e5f60718"],
    "PrivateIpAddress": "10.3.4.5",
    "PublicIp": "54.201.33.7",
    "Block": "10.0.0.0/16",
    "Ipv6": "2600:1f14:0abc:de00:1:2:3:4",
    "Mail": "jane.doe@corp.example",
    "Tags": [{"Key": "DbPassword", "Value": "hunter2hunter2"}, {"Key": "Team", "Value": "us"}],
    "Created": datetime(2026, 3, 4, tzinfo=UTC),
    "KeyId": "5c0c1f2e-6a0b-4d6e-9a57-0d7d3c9e1f10",
    "DbName": "prove_abc123",
    "Port": 5432,
    "Enabled": True,
}
SOMEBODYS = (
    "998877665544",
    "abc123",
    "jane",
    "corp",
    "hunter2",
    "ey.abc",
    "AKIA",
    "0a1b2c3d",
    "10.3.4.5",
    "54.201",
    "2600:",
    "1234567890.us-west-2",
    "cz7xk2lqp9ab",
    "Xy12Zz",
    "5c0c1f2e",
    "RequestId",
    "2026-03-04",
    "abcdefabcdef",
)


def test_answers_are_kept_without_what_is_anybodys() -> None:
    redacted = Redaction(environment="prove-abc123")(ANSWER)
    text = json.dumps(redacted)
    assert [each for each in SOMEBODYS if each in text] == []
    # What matters to whoever reads it stays, and equal things stay equal.
    assert redacted["Arn"] == (
        "arn:aws:ecs:us-west-2:123456789012:service/recorded-e-cluster/recorded-e-backend"
    )
    assert redacted["Subnets"][0] == redacted["Subnets"][2] != redacted["Subnets"][1]
    assert redacted["Block"] == "10.0.0.0/16"
    assert redacted["SecretArn"].endswith(":123456789012:secret:api-AbCdEf")
    assert redacted["Tags"] == [
        {"Key": "DbPassword", "Value": "REDACTED"},
        {"Key": "Team", "Value": "us"},
    ]
    assert (redacted["Port"], redacted["Enabled"], redacted["DbName"]) == (5432, True, "recorded_e")


@pytest.mark.parametrize("name", [path.stem for path in sorted(SEED.parent.glob("*.toml"))])
def test_an_account_with_nothing_of_the_environment_has_no_leftovers(name: str) -> None:
    environment = load_environment(SEED.parent / f"{name}.toml")
    assert leftovers(environment, lambda _: NothingThere()) == []


class NothingThere:
    """A client of a service that has nothing."""

    def can_paginate(self, _: str) -> bool:
        return False

    def __getattr__(self, action: str) -> Any:
        return lambda **_: {"clusters": [], "taskDefinitionArns": [], "Addresses": []}


class OneOfEachThere:
    """A client of a service that has one of everything, whose every text begins with a name.

    It refuses what no client of AWS's would send.
    """

    def __init__(self, service: str, name: str) -> None:
        self._model = get_session().get_service_model(service)
        self._name = name

    def can_paginate(self, _: str) -> bool:
        return False

    def __getattr__(self, action: str) -> Any:
        operation = next(each for each in self._model.operation_names if xform_name(each) == action)
        asked = self._model.operation_model(operation)
        takes = asked.input_shape
        assert takes is not None

        def answer(**arguments: Any) -> Any:
            validate_parameters(arguments, takes)
            return self._one(asked.output_shape, "")

        return answer

    def _one(self, shape: Any, name: str) -> Any:
        match shape.type_name:
            case "structure":
                return {key: self._one(each, key) for key, each in shape.members.items()}
            case "list":
                return [self._one(shape.member, name)]
            case "string":
                is_arn = name.lower().rstrip("s").endswith("arn")
                return f"{'arn:aws:wafv2:us-west-2:1:' if is_arn else ''}{self._name}-{name}"
        return None


def test_whatever_aws_has_of_the_environment_is_left_over() -> None:
    environment = load_environment(SEED)
    left = leftovers(environment, cache(lambda each: OneOfEachThere(each, "prod-e")))
    assert {each.partition(":")[0] for each in left} == {
        *("VPC", "subnet", "NAT gateway", "VPC endpoint", "security group", "network interface"),
        *("address", "flow log", "load balancer", "target group", "database", "snapshot"),
        *("subnet group", "parameter group", "role", "bucket", "alarm", "dashboard", "rule"),
        *("state machine", "log group", "repository", "secret", "key alias", "topic", "queue"),
        *("cluster", "task definition", "tagged"),
    }
    other = cache(lambda each: OneOfEachThere(each, "an-other"))
    assert not any("load balancer" in each for each in leftovers(environment, other))


def test_an_alarms_topic_alone_may_send_to_the_queue_that_hears_it() -> None:
    (statement,) = json.loads(_policy("arn:queue", "arn:topic"))["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "arn:queue",
        "Condition": {"ArnEquals": {"aws:SourceArn": "arn:topic"}},
    }


def test_the_report_says_what_went_wrong_and_not_whose_account_it_was(tmp_path: Path) -> None:
    steps = Report(environment="prove-abc123")
    steps.steps.append(DemoStepResult(step="Plan", result="93 to create", seconds=1.0))
    proof = Proof(region="us-west-2", embedded=False, prices=[], steps=steps)
    proof.versions.append("prod-e 0.1.0")
    proof.failed.append("AccessDenied in 998877665544 | for jane.doe@corp.example")
    proof.left = ["role: prove-abc123-alarms"]
    for file in write(proof.result(), tmp_path):
        text = file.read_text()
        assert "998877665544" not in text
        assert "jane" not in text
        assert "recorded-e-alarms" in text
        assert "93 to create" in text
    assert "did not pass" in (tmp_path / "report.md").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is False


@pytest.mark.parametrize("error", [OpsError("AWS said no"), RuntimeError("a bug")])
def test_a_life_that_ends_early_is_in_the_report_and_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    proof = SimpleNamespace(failed=[], steps=SimpleNamespace(passed=False))
    finished: list[bool] = []

    @asynccontextmanager
    async def life(*_: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(live=AsyncMock(side_effect=error))

    monkeypatch.setattr(prove, "_proof", lambda *_: proof)
    monkeypatch.setattr(prove, "_life", life)
    monkeypatch.setattr(prove, "_finish", lambda *_, is_passed: finished.append(is_passed))
    monkeypatch.setattr(prove, "ProofFolder", MagicMock())
    options = prove.ProveOptions(embedded=True, record=False, yes=True, as_json=False)
    with pytest.raises(type(error), match=str(error)):
        asyncio.run(prove.prove_environment(MagicMock(), None, options=options))
    assert finished == [False]
    assert proof.steps.passed is False
    assert str(error) in proof.failed[0]
