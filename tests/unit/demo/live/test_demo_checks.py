"""The demo asks AWS whether it holds what the settings promise: each promise can be broken."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from prod_e.settings import Environment, load_environments
from prod_e_ops.demo.checks import Check, check_environment

SETTINGS = """\
name = "tiny-e"
[services.backend]
port = 8080
database = true
[services.worker]
source = "backend"
path = "/jobs/*"
database = false
image_tag = "v1.0.0"
min_tasks = 1
desired_tasks = 1
max_tasks = 1
[database]
"""

NAMED = [{"Name": "tag:Name", "Values": ["tiny-e"]}]
IN_VPC = [{"Name": "vpc-id", "Values": ["vpc-1"]}]

Arguments = Mapping[str, Any]
Calls = dict[tuple[str, str, str], Any]
"""What AWS answers, by service, call and what the call names."""


def named(arguments: Arguments) -> str:
    """What a call asks for, in short."""
    return ",".join(str(value) for value in arguments.values())


def repository() -> dict[str, Any]:
    return {
        "imageScanningConfiguration": {"scanOnPush": True},
        "imageTagMutability": "MUTABLE",
    }


def service(key: str, tasks: int) -> dict[str, Any]:
    return {
        "status": "ACTIVE",
        "runningCount": tasks,
        "desiredCount": tasks,
        "taskDefinition": f"{key}:1",
        "loadBalancers": [{"targetGroupArn": f"targets of {key}"}],
    }


def task(key: str, port: int) -> dict[str, Any]:
    return {
        "family": f"tiny-e-{key}",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [
            {
                "name": f"tiny-e-{key}",
                "essential": True,
                "portMappings": [{"containerPort": port}],
            },
            {"name": f"tiny-e-{key}-database-migration", "essential": False, "portMappings": []},
        ],
    }


def rule(*groups: str, blocks: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "UserIdGroupPairs": [{"GroupId": group} for group in groups],
        "IpRanges": [{"CidrIp": block} for block in blocks],
    }


def target(state: str) -> dict[str, Any]:
    return {"TargetHealth": {"State": state}}


def as_promised() -> Calls:
    """What AWS answers where all is well."""
    cluster = "tiny-e-cluster"
    return {
        ("ec2", "describe_vpcs", str(NAMED)): {
            "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]
        },
        ("ec2", "describe_subnets", str(IN_VPC)): {
            "Subnets": [
                {"AvailabilityZone": zone, "Tags": [{"Key": "Tier", "Value": tier}]}
                for tier in ("public", "private", "isolated")
                for zone in ("us-west-2a", "us-west-2b", "us-west-2b")
            ]
        },
        ("ec2", "describe_nat_gateways", str(IN_VPC)): {
            "NatGateways": [{"State": state} for state in ("available", "deleted")]
        },
        ("ec2", "describe_security_groups", str(IN_VPC)): {
            "SecurityGroups": [
                {
                    "GroupId": "sg-1",
                    "GroupName": "tiny-e-load-balancer",
                    "IpPermissions": [rule(blocks=("0.0.0.0/0",))],
                },
                {
                    "GroupId": "sg-2",
                    "GroupName": "tiny-e-backend-service",
                    "IpPermissions": [rule("sg-1")],
                },
                {
                    "GroupId": "sg-3",
                    "GroupName": "tiny-e-worker-service",
                    "IpPermissions": [rule("sg-1")],
                },
                {
                    "GroupId": "sg-4",
                    "GroupName": "tiny-e-database",
                    "IpPermissions": [rule("sg-2")],
                },
            ]
        },
        ("elbv2", "describe_load_balancers", "['tiny-e-alb']"): {
            "LoadBalancers": [{"Scheme": "internet-facing", "State": {"Code": "active"}}]
        },
        ("elbv2", "describe_target_health", "targets of backend"): {
            "TargetHealthDescriptions": [target("healthy"), target("healthy")]
        },
        ("elbv2", "describe_target_health", "targets of worker"): {
            "TargetHealthDescriptions": [target("healthy")]
        },
        ("ecr", "describe_repositories", "['tiny-e-backend']"): {"repositories": [repository()]},
        ("ecr", "describe_repositories", "['tiny-e-worker']"): {"repositories": [repository()]},
        ("ecs", "describe_services", f"{cluster},['tiny-e-backend']"): {
            "services": [service("backend", 2)]
        },
        ("ecs", "describe_services", f"{cluster},['tiny-e-worker']"): {
            "services": [service("worker", 1)]
        },
        ("ecs", "describe_task_definition", "backend:1"): {"taskDefinition": task("backend", 8080)},
        ("ecs", "describe_task_definition", "worker:1"): {"taskDefinition": task("worker", 3000)},
        ("logs", "describe_log_groups", "/ecs/tiny-e-backend"): {
            "logGroups": [
                {"logGroupName": "/ecs/tiny-e-backend", "retentionInDays": 30},
                {"logGroupName": "/ecs/tiny-e-backend-two", "retentionInDays": 1},
            ]
        },
        ("logs", "describe_log_groups", "/ecs/tiny-e-worker"): {
            "logGroups": [{"logGroupName": "/ecs/tiny-e-worker", "retentionInDays": 30}]
        },
        (
            "application-autoscaling",
            "describe_scalable_targets",
            f"ecs,['service/{cluster}/tiny-e-backend']",
        ): {"ScalableTargets": [{"MinCapacity": 2, "MaxCapacity": 10}]},
        ("events", "list_targets_by_rule", "tiny-e-backend-redeploy"): {
            "Targets": [
                {
                    "Arn": "arn:aws:states:us-west-2:123456789012:"
                    "stateMachine:tiny-e-backend-redeploy"
                }
            ]
        },
        ("rds", "describe_db_instances", "tiny-e-database"): {
            "DBInstances": [
                {
                    "Engine": "postgres",
                    "DBInstanceStatus": "available",
                    "StorageEncrypted": True,
                    "PubliclyAccessible": False,
                    "MasterUserSecret": {"SecretArn": "arn"},
                    "BackupRetentionPeriod": 7,
                }
            ]
        },
        ("cloudwatch", "describe_alarms", "tiny-e-"): {
            "MetricAlarms": [
                {"AlarmName": f"tiny-e-{key}-cpu", "AlarmActions": ["a topic"]}
                for key in ("backend", "database", "worker")
            ]
            + [{"AlarmName": "tiny-e-backend-quiet", "AlarmActions": []}]
        },
        ("cloudwatch", "list_dashboards", "tiny-e"): {
            "DashboardEntries": [{"DashboardName": "tiny-e"}, {"DashboardName": "tiny-e-two"}]
        },
    }


def asked(calls: Calls, environment: Environment) -> dict[str, Check]:
    """The checks of an environment by what they promise."""

    class Client:
        def __init__(self, service: str) -> None:
            self.service = service

        def __getattr__(self, call: str) -> Callable[..., Any]:
            def answer(**arguments: Any) -> Any:
                found = calls[self.service, call, named(arguments)]
                if found is None:
                    raise ClientError({"Error": {"Code": "NotFound"}}, call)
                return found

            return answer

    checks = list(check_environment(environment, Client))
    assert len({check.promise for check in checks}) == len(checks)
    return {check.promise: check for check in checks}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    (tmp_path / "tiny-e.toml").write_text(SETTINGS)
    (loaded,) = load_environments(tmp_path)
    return loaded


PROMISES = [
    "The VPC has the addresses 10.0.0.0/16",
    "Each tier of subnets spans 2 zones",
    "1 NAT gateways are available",
    "The load balancer faces the internet",
    "The repository tiny-e-backend scans every image that is pushed",
    "tiny-e-backend runs 2 tasks in tiny-e-cluster",
    "tiny-e-backend has 256 CPU units and 512 MiB, and listens on port 8080",
    "The load balancer finds 2 healthy tasks of tiny-e-backend at /health",
    "/ecs/tiny-e-backend keeps 30 days of logs",
    "tiny-e-backend scales from 2 to 10 tasks",
    "A push of latest to tiny-e-backend deploys tiny-e-backend",
    "The repository tiny-e-worker scans every image that is pushed",
    "tiny-e-worker runs 1 tasks in tiny-e-cluster",
    "tiny-e-worker has 256 CPU units and 512 MiB, and listens on port 3000",
    "The load balancer finds 1 healthy tasks of tiny-e-worker at /health",
    "/ecs/tiny-e-worker keeps 30 days of logs",
    "The PostgreSQL database tiny-e-database is available and encrypted",
    "The database is not reachable from the internet",
    "RDS keeps the master password in Secrets Manager",
    "Backups are kept for 7 days",
    "Only the load balancer reaches the tasks of backend",
    "Only the load balancer reaches the tasks of worker",
    "Only tasks reach the database",
    "Alarms that tell a topic watch backend, worker, database",
    "The dashboard tiny-e shows it",
]


def test_what_is_as_the_settings_say_is_promised_and_holds(environment: Environment) -> None:
    checks = asked(as_promised(), environment)
    assert list(checks) == PROMISES
    for promise, check in checks.items():
        assert str(check) == f"✓ {promise}"


def test_tasks_that_autoscaling_has_added_run_too(environment: Environment) -> None:
    calls = as_promised()
    for (_, call, about), answer in calls.items():
        if call == "describe_services" and "backend" in about:
            answer["services"][0].update(desiredCount=3, runningCount=3)
        if call == "describe_target_health" and "backend" in about:
            answer["TargetHealthDescriptions"].append(target("healthy"))
    checks = asked(calls, environment)
    assert checks["tiny-e-backend runs 3 tasks in tiny-e-cluster"].holds
    assert checks["The load balancer finds 3 healthy tasks of tiny-e-backend at /health"].holds
    assert all(check.holds for check in checks.values())


def test_a_broken_promise_says_what_should_be_and_what_is() -> None:
    check = Check(promise="It is three", expected=3, found=4)
    assert str(check) == "✗ It is three: expected 3, found 4"


BREAKS = [
    (0, "describe_vpcs", lambda a: a["Vpcs"][0].update(CidrBlock="10.9.0.0/16")),
    (1, "describe_subnets", lambda a: a["Subnets"].pop(0)),
    (2, "describe_nat_gateways", lambda a: a["NatGateways"][0].update(State="pending")),
    (3, "describe_load_balancers", lambda a: a["LoadBalancers"][0].update(Scheme="internal")),
    (
        3,
        "describe_load_balancers",
        lambda a: a["LoadBalancers"][0].update(State={"Code": "provisioning"}),
    ),
    (4, "describe_repositories", lambda a: a["repositories"][0].pop("imageScanningConfiguration")),
    (
        4,
        "describe_repositories",
        lambda a: a["repositories"][0].update(imageTagMutability="IMMUTABLE"),
    ),
    (5, "describe_services", lambda a: a["services"][0].update(status="DRAINING")),
    (5, "describe_services", lambda a: a["services"][0].update(runningCount=1)),
    *(
        (6, "describe_task_definition", lambda a, key=key: a["taskDefinition"].update({key: "x"}))
        for key in ("family", "cpu", "memory")
    ),
    (6, "describe_task_definition", lambda a: a["taskDefinition"].pop("containerDefinitions")),
    (
        6,
        "describe_task_definition",
        lambda a: a["taskDefinition"]["containerDefinitions"][0].update(name="other"),
    ),
    (
        6,
        "describe_task_definition",
        lambda a: a["taskDefinition"]["containerDefinitions"][0].pop("portMappings"),
    ),
    (7, "describe_target_health", lambda a: a["TargetHealthDescriptions"].pop()),
    (
        7,
        "describe_target_health",
        lambda a: a["TargetHealthDescriptions"][0].update(target("unhealthy")),
    ),
    (8, "describe_log_groups", lambda a: a["logGroups"][0].update(retentionInDays=7)),
    (8, "describe_log_groups", lambda a: a["logGroups"].pop(0)),
    (9, "describe_scalable_targets", lambda a: a["ScalableTargets"][0].update(MaxCapacity=2)),
    (9, "describe_scalable_targets", lambda a: a["ScalableTargets"][0].update(MinCapacity=1)),
    (10, "list_targets_by_rule", lambda a: a["Targets"].clear()),
    *(
        (16, "describe_db_instances", lambda a, key=key: a["DBInstances"][0].pop(key))
        for key in ("Engine", "DBInstanceStatus", "StorageEncrypted")
    ),
    (17, "describe_db_instances", lambda a: a["DBInstances"][0].update(PubliclyAccessible=True)),
    (18, "describe_db_instances", lambda a: a["DBInstances"][0].pop("MasterUserSecret")),
    (19, "describe_db_instances", lambda a: a["DBInstances"][0].update(BackupRetentionPeriod=1)),
    (
        20,
        "describe_security_groups",
        lambda a: a["SecurityGroups"][1]["IpPermissions"].append(rule(blocks=("0.0.0.0/0",))),
    ),
    (
        21,
        "describe_security_groups",
        lambda a: a["SecurityGroups"][2]["IpPermissions"].append(rule("sg-2")),
    ),
    (
        22,
        "describe_security_groups",
        lambda a: a["SecurityGroups"][3]["IpPermissions"].append(rule("sg-3")),
    ),
    (23, "describe_alarms", lambda a: a["MetricAlarms"][0].update(AlarmActions=[])),
    (24, "list_dashboards", lambda a: a["DashboardEntries"].pop(0)),
]


@pytest.mark.parametrize(("broken", "call", "breaking"), BREAKS)
def test_each_promise_is_broken_by_what_breaks_it_and_nothing_else(
    environment: Environment, broken: int, call: str, breaking: Callable[[Any], Any]
) -> None:
    calls = copy.deepcopy(as_promised())
    # The first of its kind: the backend's.
    breaking(next(answer for (_, name, _), answer in calls.items() if name == call))
    checks = asked(calls, environment)
    assert [promise for promise, check in checks.items() if not check.holds] == [PROMISES[broken]]


def test_what_is_not_there_breaks_every_promise_of_it(environment: Environment) -> None:
    calls: Calls = as_promised()
    for service_, call, of in list(calls):
        if call in ("describe_db_instances", "describe_repositories", "describe_load_balancers"):
            calls[service_, call, of] = None
    calls["ecs", "describe_services", "tiny-e-cluster,['tiny-e-backend']"] = None
    checks = asked(calls, environment)
    assert [promise for promise, check in checks.items() if not check.holds] == [
        PROMISES[number] for number in (3, 4, 5, 6, 7, 11, 16, 17, 18, 19)
    ]


def test_an_environment_without_nat_and_database_promises_neither(tmp_path: Path) -> None:
    (tmp_path / "tiny-e.toml").write_text(
        'name = "tiny-e"\n[services.backend]\nport = 8080\n[network]\negress = "endpoints"\n'
    )
    (environment,) = load_environments(tmp_path)
    calls = as_promised()
    checks = asked(calls, environment)
    assert not checks["0 NAT gateways are available"].holds
    assert not any("database" in promise or "Backups" in promise for promise in checks)
    calls["ec2", "describe_nat_gateways", str(IN_VPC)]["NatGateways"].clear()
    assert asked(calls, environment)["0 NAT gateways are available"].holds


@pytest.mark.parametrize(("settings", "count"), [("single", 1), ("per_zone", 3)])
def test_nat_gateways_are_counted_by_the_settings(
    tmp_path: Path, settings: str, count: int
) -> None:
    (tmp_path / "tiny-e.toml").write_text(
        f'name = "tiny-e"\n[services.backend]\nport = 8080\n'
        f'[network]\navailability_zones = 3\nnat_gateways = "{settings}"\n'
    )
    (environment,) = load_environments(tmp_path)
    assert f"{count} NAT gateways are available" in asked(as_promised(), environment)
