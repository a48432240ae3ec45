"""AWS's answers about an environment, kept in the form of the embedded AWS's fixtures.

`tests/embedded/control_plane/test_answers.py` says what that form is. What makes the thing that is
asked for (`before`) is for whoever takes an answer over to write.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from prod_e.names import ServiceNames
from prod_e_ops.demo.checks import Clients
from prod_e_ops.prove.environment import TAG
from prod_e_ops.prove.redaction import Redaction

if TYPE_CHECKING:
    from prod_e.settings import Environment


@dataclass(frozen=True, kw_only=True)
class _Question:
    """A call that changes nothing. `case`: tells several of one action apart."""

    service: str
    action: str
    request: dict[str, Any]
    case: str = ""


def record(environment: "Environment", clients: Clients, folder: Path) -> int:
    """Asks AWS for everything of an environment, and writes a fixture for each answer.

    Gives how many there are. What AWS does not answer is left out.
    """
    redact = Redaction(environment=environment.name)
    source = (
        f"Recorded by prod-e prove in an account of AWS's, {environment.region},"
        f" {datetime.now(UTC):%Y-%m-%d}"
    )
    count = 0
    for question in _questions(environment, clients):
        client = clients(question.service)
        try:
            answer = getattr(client, question.action)(**question.request)
        except ClientError:
            continue
        action = client.meta.method_to_api_mapping[question.action]
        file = _free(folder / question.service, f"{action}-{question.case}".rstrip("-"))
        fixture = {
            "source": [source],
            "before": [],
            "request": redact(question.request),
            "answer": redact(answer),
        }
        file.write_text(json.dumps(fixture, indent=2) + "\n", "utf-8")
        count += 1
    return count


def _free(folder: Path, name: str) -> Path:
    """A file of that name which is not there yet, numbered if others are."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    number = 1
    while file.exists():
        number += 1
        file = folder / f"{name}-{number}.json"
    return file


def _questions(environment: "Environment", clients: Clients) -> Iterator[_Question]:
    yield from _of_the_network(environment)
    yield from _of_the_load_balancer(environment, clients)
    for key in environment.services:
        yield from _of_a_service(environment, key, clients)
    if environment.database:
        yield from _of_the_database(environment)
    yield from _of_roles(environment, clients)
    yield from _of_monitoring(environment, clients)


def _of_the_network(environment: "Environment") -> Iterator[_Question]:
    tagged = [{"Name": f"tag:{TAG}", "Values": [environment.name]}]
    for action in (
        "describe_vpcs",
        "describe_subnets",
        "describe_route_tables",
        "describe_internet_gateways",
        "describe_security_groups",
        "describe_security_group_rules",
        "describe_vpc_endpoints",
        "describe_addresses",
    ):
        yield _Question(service="ec2", action=action, request={"Filters": tagged})
    for action in ("describe_nat_gateways", "describe_flow_logs"):
        yield _Question(service="ec2", action=action, request={"Filter": tagged})


def _of_the_load_balancer(environment: "Environment", clients: Clients) -> Iterator[_Question]:
    elb, name = clients("elbv2"), environment.names.load_balancer

    def ask(action: str, /, **request: Any) -> _Question:
        return _Question(service="elbv2", action=action, request=request)

    yield ask("describe_load_balancers", Names=[name])
    (balancer,) = elb.describe_load_balancers(Names=[name])["LoadBalancers"]
    arn = balancer["LoadBalancerArn"]
    yield ask("describe_load_balancer_attributes", LoadBalancerArn=arn)
    yield ask("describe_listeners", LoadBalancerArn=arn)
    yield ask("describe_target_groups", LoadBalancerArn=arn)
    for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
        yield ask("describe_rules", ListenerArn=listener["ListenerArn"])
    for group in elb.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]:
        yield ask("describe_target_group_attributes", TargetGroupArn=group["TargetGroupArn"])
        yield ask("describe_target_health", TargetGroupArn=group["TargetGroupArn"])
    attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    bucket = {each["Key"]: each["Value"] for each in attributes}.get("access_logs.s3.bucket")
    if bucket:
        for action in (
            "get_bucket_encryption",
            "get_bucket_lifecycle_configuration",
            "get_bucket_policy",
            "get_bucket_versioning",
            "get_public_access_block",
        ):
            yield _Question(service="s3", action=action, request={"Bucket": bucket})


def _of_a_service(environment: "Environment", key: str, clients: Clients) -> Iterator[_Question]:
    names = ServiceNames.of(environment.name, key, environment.services[key])
    cluster = environment.names.cluster

    def ask(service: str, action: str, /, **request: Any) -> _Question:
        return _Question(service=service, action=action, request=request, case=key)

    yield ask(
        "ecs", "describe_clusters", clusters=[cluster], include=["SETTINGS", "CONFIGURATIONS"]
    )
    yield ask("ecs", "describe_services", cluster=cluster, services=[names.service])
    yield ask("ecs", "describe_task_definition", taskDefinition=names.task_family)
    yield ask("ecs", "list_service_deployments", cluster=cluster, service=names.service)
    arns = clients("ecs").list_tasks(cluster=cluster, serviceName=names.service)["taskArns"]
    if arns:
        yield ask("ecs", "describe_tasks", cluster=cluster, tasks=arns)
    yield ask("ecr", "describe_repositories", repositoryNames=[names.repository])
    yield ask("ecr", "describe_images", repositoryName=names.repository)
    yield ask("ecr", "get_lifecycle_policy", repositoryName=names.repository)
    yield ask("logs", "describe_log_groups", logGroupNamePrefix=names.log_group)
    scaled = {"ServiceNamespace": "ecs"}
    resource = f"service/{cluster}/{names.service}"
    for action, more in (
        ("describe_scalable_targets", {"ResourceIds": [resource]}),
        ("describe_scaling_policies", {"ResourceId": resource}),
    ):
        yield ask("application-autoscaling", action, **scaled, **more)
    yield ask("events", "describe_rule", Name=names.redeploy)
    yield ask("events", "list_targets_by_rule", Rule=names.redeploy)
    for machine in clients("stepfunctions").list_state_machines()["stateMachines"]:
        if machine["name"] == names.redeploy:
            yield ask(
                "stepfunctions",
                "describe_state_machine",
                stateMachineArn=machine["stateMachineArn"],
            )


def _of_the_database(environment: "Environment") -> Iterator[_Question]:
    identifier = environment.names.database
    for action, request in (
        ("describe_db_instances", {"DBInstanceIdentifier": identifier}),
        ("describe_db_subnet_groups", {"DBSubnetGroupName": identifier}),
    ):
        yield _Question(service="rds", action=action, request=request)


def _of_roles(environment: "Environment", clients: Clients) -> Iterator[_Question]:
    iam = clients("iam")
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            name = role["RoleName"]
            if not name.startswith(f"{environment.name}-"):
                continue
            case = name.removeprefix(f"{environment.name}-")
            yield _Question(service="iam", action="get_role", request={"RoleName": name}, case=case)
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                yield _Question(
                    service="iam",
                    action="get_role_policy",
                    request={"RoleName": name, "PolicyName": policy},
                    case=case,
                )


def _of_monitoring(environment: "Environment", clients: Clients) -> Iterator[_Question]:
    prefix = f"{environment.name}-"
    yield _Question(
        service="cloudwatch", action="describe_alarms", request={"AlarmNamePrefix": prefix}
    )
    yield _Question(
        service="cloudwatch", action="get_dashboard", request={"DashboardName": environment.name}
    )
    for page in clients("sns").get_paginator("list_topics").paginate():
        for topic in page["Topics"]:
            arn = topic["TopicArn"]
            if arn.rpartition(":")[2].startswith(prefix):
                yield _Question(
                    service="sns", action="get_topic_attributes", request={"TopicArn": arn}
                )
    alias = f"alias/{environment.name}-alarms"
    yield _Question(service="kms", action="describe_key", request={"KeyId": alias})
