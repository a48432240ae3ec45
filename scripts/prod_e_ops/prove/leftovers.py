"""What AWS still has of an environment, asked service by service and by its tags."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from prod_e.names import ServiceNames
from prod_e_ops.demo.checks import Clients
from prod_e_ops.prove.environment import TAG

if TYPE_CHECKING:
    from prod_e.settings import Environment

_GONE = frozenset({"deleted", "deleting", "DELETED", "INACTIVE", "PendingDeletion"})
"""States of what AWS still shows of what is not there any more, and costs nothing."""


def leftovers(environment: "Environment", clients: Clients) -> list[str]:
    """What is there and should not be, as `what: name`, in order.

    AWS's own list by tags follows late, so what the services themselves do not know is left out of
    it.
    """
    name = environment.name
    found = {
        *_named(clients, name),
        *_in_ec2(clients("ec2"), name),
        *_of_services(environment, clients),
    }
    return sorted(found | set(_tagged(clients, name, known=found)))


def remove_what_stays(environment: "Environment", clients: Clients) -> None:
    """Removes what outlives an environment by design: task definitions, Container Insights' log.

    Terraform keeps revisions of task definitions for roll-backs; CloudWatch makes the log group for
    a cluster. Neither costs anything.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-reference-performance-logs-ECS.html
    """
    logs, ecs = clients("logs"), clients("ecs")
    prefix = f"/aws/ecs/containerinsights/{environment.names.cluster}/"
    for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
        logs.delete_log_group(logGroupName=group["logGroupName"])
    for key, service in environment.services.items():
        family = ServiceNames.of(environment.name, key, service).task_family
        for arn in ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]:
            ecs.deregister_task_definition(taskDefinition=arn)


def _named(clients: Clients, name: str) -> Iterator[str]:
    def listed(what: str, service: str, action: str, result: str, key: str | None) -> Iterator[str]:
        for each in _pages(clients(service), action, result):
            found = each if key is None else each[key]
            if _is_of(name, found):
                yield f"{what}: {found}"

    yield from listed(
        "load balancer", "elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"
    )
    yield from listed(
        "target group", "elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName"
    )
    yield from listed(
        "database", "rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"
    )
    yield from listed(
        "snapshot", "rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"
    )
    yield from listed(
        "subnet group", "rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"
    )
    yield from listed(
        "parameter group",
        "rds",
        "describe_db_parameter_groups",
        "DBParameterGroups",
        "DBParameterGroupName",
    )
    yield from listed("role", "iam", "list_roles", "Roles", "RoleName")
    yield from listed("bucket", "s3", "list_buckets", "Buckets", "Name")
    yield from listed("alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName")
    yield from listed(
        "dashboard", "cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"
    )
    yield from listed("rule", "events", "list_rules", "Rules", "Name")
    yield from listed(
        "state machine", "stepfunctions", "list_state_machines", "stateMachines", "name"
    )
    yield from listed("log group", "logs", "describe_log_groups", "logGroups", "logGroupName")
    yield from listed(
        "repository", "ecr", "describe_repositories", "repositories", "repositoryName"
    )
    yield from listed("secret", "secretsmanager", "list_secrets", "SecretList", "Name")
    yield from listed("key alias", "kms", "list_aliases", "Aliases", "AliasName")
    for each in _pages(clients("sns"), "list_topics", "Topics"):
        topic = each["TopicArn"].rpartition(":")[2]
        if _is_of(name, topic):
            yield f"topic: {topic}"
    for url in clients("sqs").list_queues(QueueNamePrefix=f"{name}-").get("QueueUrls", ()):
        yield f"queue: {url.rpartition('/')[2]}"


def _is_of(environment: str, name: str) -> bool:
    """Whether the environment's name is a part of a name, between anything but letters."""
    before, found, after = name.partition(environment)
    return bool(found) and not before[-1:].isalnum() and not after[:1].isalnum()


def _in_ec2(ec2: Any, name: str) -> Iterator[str]:
    tagged = [{"Name": f"tag:{TAG}", "Values": [name]}]
    for what, action, result, key in (
        ("VPC", "describe_vpcs", "Vpcs", "VpcId"),
        ("subnet", "describe_subnets", "Subnets", "SubnetId"),
        ("NAT gateway", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
        ("VPC endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        ("security group", "describe_security_groups", "SecurityGroups", "GroupId"),
        (
            "network interface",
            "describe_network_interfaces",
            "NetworkInterfaces",
            "NetworkInterfaceId",
        ),
        ("flow log", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    ):
        filters = (
            "Filter" if action in {"describe_nat_gateways", "describe_flow_logs"} else "Filters"
        )
        for each in _pages(ec2, action, result, **{filters: tagged}):
            if str(each.get("State")) not in _GONE:
                yield f"{what}: {each[key]}"
    for each in ec2.describe_addresses(Filters=tagged)["Addresses"]:
        yield f"address: {each['AllocationId']}"


def _of_services(environment: "Environment", clients: Clients) -> Iterator[str]:
    ecs, cluster = clients("ecs"), environment.names.cluster
    for each in ecs.describe_clusters(clusters=[cluster])["clusters"]:
        if each["status"] not in _GONE:
            yield f"cluster: {cluster}"
    for key, service in environment.services.items():
        family = ServiceNames.of(environment.name, key, service).task_family
        for arn in ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]:
            yield f"task definition: {arn.rpartition('/')[2]}"


def _tagged(clients: Clients, name: str, *, known: Iterable[str]) -> Iterator[str]:
    """What carries the tag and no list knows, of the kinds that have no list above."""
    listed = {each.rpartition(": ")[2] for each in known}
    tagging = clients("resourcegroupstaggingapi")
    filters = [{"Key": TAG, "Values": [name]}]
    for each in _pages(tagging, "get_resources", "ResourceTagMappingList", TagFilters=filters):
        arn = each["ResourceARN"]
        _, _, service, _, _, resource = arn.split(":", 5)
        # What these have, was listed; this list shows it for an hour after it is gone.
        if service in _LISTED or resource.rpartition("/")[2] in listed:
            continue
        if service == "kms" and _is_deleted_key(clients("kms"), arn):
            continue
        yield f"tagged: {arn}"


_LISTED = frozenset(
    {
        "cloudwatch",
        "ec2",
        "ecr",
        "ecs",
        "elasticloadbalancing",
        "events",
        "iam",
        "logs",
        "rds",
        "s3",
        "secretsmanager",
        "sns",
        "states",
    }
)
"""The services whose lists are asked; what they do not list is not there."""


def _is_deleted_key(kms: Any, arn: str) -> bool:
    try:
        return kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] in _GONE
    except ClientError:
        return True


def _pages(client: Any, action: str, result: str, **arguments: Any) -> Iterator[Any]:
    if not client.can_paginate(action):
        ask: Callable[..., Any] = getattr(client, action)
        yield from ask(**arguments).get(result, ())
        return
    for page in client.get_paginator(action).paginate(**arguments):
        yield from page.get(result, ())
