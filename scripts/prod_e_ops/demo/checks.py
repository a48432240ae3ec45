"""Whether AWS holds what the settings promise, asked of AWS itself."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from prod_e.names import EnvironmentNames, ServiceNames

if TYPE_CHECKING:
    from embedded_aws import EmbeddedAws
    from prod_e.settings import Database, Environment, Service

Clients = Callable[[str], Any]
"""Gives the boto3 client of a service, for example `ecs`."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A promise, what should be and what was found."""

    promise: str
    expected: object
    found: object

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.found == self.expected

    def __str__(self) -> str:
        """One line for people."""
        if self.holds:
            return f"✓ {self.promise}"
        return f"✗ {self.promise}: expected {self.expected}, found {self.found}"


def clients_of(aws: "EmbeddedAws") -> Clients:
    """Clients that reach the embedded AWS and take nothing from the user's profiles."""
    core = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    core.set_credentials("embedded", "embedded")
    session: Any = boto3.Session(botocore_session=core, region_name=aws.region)
    config = Config(retries={"total_max_attempts": 1})
    return lambda service: session.client(service, endpoint_url=aws.endpoint_url, config=config)


def clients_of_account(region: str) -> Clients:
    """Clients that reach AWS with the user's credentials."""
    session: Any = boto3.Session(region_name=region)
    return lambda service: session.client(service)


def check_environment(environment: "Environment", clients: Clients) -> Iterator[Check]:
    """Yields one check for each promise of the environment's settings."""
    name = environment.name
    named = [{"Name": "tag:Name", "Values": [name]}]
    vpc = _one(clients("ec2").describe_vpcs(Filters=named)["Vpcs"])
    yield Check(
        promise=f"The VPC has the addresses {environment.network.cidr}",
        expected=environment.network.cidr,
        found=vpc.get("CidrBlock"),
    )
    yield from _network(environment, vpc.get("VpcId", ""), clients)
    balancer = _one(
        _found(
            clients("elbv2").describe_load_balancers,
            Names=[environment.names.load_balancer],
            key="LoadBalancers",
        )
    )
    yield Check(
        promise="The load balancer faces the internet",
        expected=("internet-facing", "active"),
        found=(balancer.get("Scheme"), balancer.get("State", {}).get("Code")),
    )
    for key, service in environment.services.items():
        yield from _service(environment, key, service, clients)
    if environment.database:
        yield from _database(name, environment.database, clients)
    yield from _who_reaches_whom(environment, vpc.get("VpcId", ""), clients)
    yield from _monitoring(environment, clients)


def _network(environment: "Environment", vpc_id: str, clients: Clients) -> Iterator[Check]:
    ec2 = clients("ec2")
    settings = environment.network
    in_vpc = {"Name": "vpc-id", "Values": [vpc_id]}
    subnets = ec2.describe_subnets(Filters=[in_vpc])["Subnets"]
    zones = {
        tier: len(
            {s["AvailabilityZone"] for s in subnets if {"Key": "Tier", "Value": tier} in s["Tags"]}
        )
        for tier in ("public", "private", "isolated")
    }
    yield Check(
        promise=f"Each tier of subnets spans {settings.availability_zones} zones",
        expected=dict.fromkeys(zones, settings.availability_zones),
        found=zones,
    )
    gateways = ec2.describe_nat_gateways(Filters=[in_vpc])["NatGateways"]
    expected = 0
    if settings.egress == "nat":
        expected = settings.availability_zones if settings.nat_gateways == "per_zone" else 1
    yield Check(
        promise=f"{expected} NAT gateways are available",
        expected=expected,
        found=sum(gateway["State"] == "available" for gateway in gateways),
    )


def _service(
    environment: "Environment", key: str, settings: "Service", clients: Clients
) -> Iterator[Check]:
    names = ServiceNames.of(environment.name, key, settings)
    repository = _one(
        _found(
            clients("ecr").describe_repositories,
            repositoryNames=[names.repository],
            key="repositories",
        )
    )
    yield Check(
        promise=f"The repository {names.repository} scans every image that is pushed",
        expected=(True, settings.immutable_tags),
        found=(
            repository.get("imageScanningConfiguration", {}).get("scanOnPush"),
            repository.get("imageTagMutability", "MUTABLE") != "MUTABLE",
        ),
    )
    ecs = clients("ecs")
    cluster = environment.names.cluster
    service = _one(
        _found(ecs.describe_services, cluster=cluster, services=[names.service], key="services")
    )
    desired_tasks = settings.desired_tasks
    if settings.autoscaling:
        # A busy machine has it add some.
        desired_tasks = max(desired_tasks, service.get("desiredCount", 0))
    yield Check(
        promise=f"{names.service} runs {desired_tasks} tasks in {cluster}",
        expected=("ACTIVE", desired_tasks),
        found=(service.get("status"), service.get("runningCount")),
    )
    task: dict[str, Any] = {}
    if "taskDefinition" in service:
        answer = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
        task = answer["taskDefinition"]
    container = _one(
        [each for each in task.get("containerDefinitions", []) if each.get("essential")]
    )
    yield Check(
        promise=f"{names.task_family} has {settings.cpu_units} CPU units and"
        f" {settings.memory_mib} MiB, and listens on port {settings.port}",
        expected=(
            names.task_family,
            str(settings.cpu_units),
            str(settings.memory_mib),
            names.container,
            [settings.port],
        ),
        found=(
            task.get("family"),
            task.get("cpu"),
            task.get("memory"),
            container.get("name"),
            [port["containerPort"] for port in container.get("portMappings", [])],
        ),
    )
    elb = clients("elbv2")
    groups = [balancer["targetGroupArn"] for balancer in service.get("loadBalancers", [])]
    health = [
        target["TargetHealth"]["State"]
        for group in groups
        for target in elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    ]
    yield Check(
        promise=f"The load balancer finds {desired_tasks} healthy tasks of"
        f" {names.service} at {settings.health_path}",
        expected=["healthy"] * desired_tasks,
        found=health,
    )
    log_groups = clients("logs").describe_log_groups(logGroupNamePrefix=names.log_group)
    yield Check(
        promise=f"{names.log_group} keeps {environment.monitoring.log_retention_days} days of logs",
        expected={names.log_group: environment.monitoring.log_retention_days},
        found={
            group["logGroupName"]: group.get("retentionInDays")
            for group in log_groups["logGroups"]
            if group["logGroupName"] == names.log_group
        },
    )
    if settings.autoscaling:
        targets = clients("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[f"service/{cluster}/{names.service}"]
        )
        yield Check(
            promise=f"{names.service} scales from {settings.min_tasks} to"
            f" {settings.max_tasks} tasks",
            expected=[(settings.min_tasks, settings.max_tasks)],
            found=[(t["MinCapacity"], t["MaxCapacity"]) for t in targets["ScalableTargets"]],
        )
    if settings.image_tag.follows:
        rule = names.redeploy
        answer = clients("events").list_targets_by_rule(Rule=rule)
        yield Check(
            promise=f"A push of latest to {names.repository} deploys {names.service}",
            expected=[f"stateMachine:{rule}"],
            found=[target["Arn"].split(":", 5)[-1] for target in answer["Targets"]],
        )


def _database(name: str, settings: "Database", clients: Clients) -> Iterator[Check]:
    identifier = EnvironmentNames(name).database
    instance = _one(
        _found(
            clients("rds").describe_db_instances,
            DBInstanceIdentifier=identifier,
            key="DBInstances",
        )
    )
    yield Check(
        promise=f"The PostgreSQL database {identifier} is available and encrypted",
        expected=("postgres", "available", True),
        found=(
            instance.get("Engine"),
            instance.get("DBInstanceStatus"),
            instance.get("StorageEncrypted"),
        ),
    )
    yield Check(
        promise="The database is not reachable from the internet",
        expected=False,
        found=instance.get("PubliclyAccessible"),
    )
    yield Check(
        promise="RDS keeps the master password in Secrets Manager",
        expected=True,
        found="SecretArn" in instance.get("MasterUserSecret", {}),
    )
    yield Check(
        promise=f"Backups are kept for {settings.backup_days} days",
        expected=settings.backup_days,
        found=instance.get("BackupRetentionPeriod"),
    )


def _who_reaches_whom(environment: "Environment", vpc_id: str, clients: Clients) -> Iterator[Check]:
    in_vpc = {"Name": "vpc-id", "Values": [vpc_id]}
    groups = clients("ec2").describe_security_groups(Filters=[in_vpc])["SecurityGroups"]
    names = {group["GroupId"]: group["GroupName"] for group in groups}
    sources = {
        group["GroupName"]: sorted(
            source
            for rule in group["IpPermissions"]
            for source in (
                *(names[pair["GroupId"]] for pair in rule["UserIdGroupPairs"]),
                *(block["CidrIp"] for block in rule["IpRanges"]),
            )
        )
        for group in groups
    }
    name = environment.name
    for key in environment.services:
        yield Check(
            promise=f"Only the load balancer reaches the tasks of {key}",
            expected=[f"{name}-load-balancer"],
            found=sources.get(f"{name}-{key}-service"),
        )
    if environment.database:
        yield Check(
            promise="Only tasks reach the database",
            expected=sorted(
                f"{name}-{key}-service"
                for key in environment.services
                if environment.uses_database(key)
            ),
            found=sources.get(f"{name}-database"),
        )


def _monitoring(environment: "Environment", clients: Clients) -> Iterator[Check]:
    name = environment.name
    watched = [*environment.services, *(["database"] if environment.database else [])]
    cloudwatch = clients("cloudwatch")
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix=f"{name}-")["MetricAlarms"]
    telling = [alarm["AlarmName"] for alarm in alarms if alarm["AlarmActions"]]
    yield Check(
        promise="Alarms that tell a topic watch " + ", ".join(watched),
        expected=sorted(watched),
        found=sorted(
            key for key in watched if any(each.startswith(f"{name}-{key}-") for each in telling)
        ),
    )
    boards = cloudwatch.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"]
    yield Check(
        promise=f"The dashboard {name} shows it",
        expected=True,
        found=name in {board["DashboardName"] for board in boards},
    )


def _found(ask: Callable[..., Any], *, key: str, **arguments: object) -> list[dict[str, Any]]:
    """What a call describes; nothing if AWS says that there is no such thing."""
    try:
        described: list[dict[str, Any]] = ask(**arguments)[key]
    except ClientError:
        return []
    return described


def _one(found: list[dict[str, Any]]) -> dict[str, Any]:
    return found[0] if len(found) == 1 else {}
