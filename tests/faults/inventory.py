"""What an embedded AWS has, and what of it the states of Terraform name."""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from embedded_aws import EmbeddedAws
from prod_e_ops.terraform.states.state import resources_of
from tests.support.aws.aws_clients import client_of

_LISTS = (
    ("VPC", "ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("subnet", "ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("NAT gateway", "ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("address", "ec2", "describe_addresses", "Addresses", "AllocationId"),
    (
        "internet gateway",
        "ec2",
        "describe_internet_gateways",
        "InternetGateways",
        "InternetGatewayId",
    ),
    ("route table", "ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("security group", "ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    (
        "security group rule",
        "ec2",
        "describe_security_group_rules",
        "SecurityGroupRules",
        "SecurityGroupRuleId",
    ),
    ("VPC endpoint", "ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("flow log", "ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    ("load balancer", "elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    ("target group", "elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ("repository", "ecr", "describe_repositories", "repositories", "repositoryName"),
    ("role", "iam", "list_roles", "Roles", "RoleName"),
    ("log group", "logs", "describe_log_groups", "logGroups", "logGroupName"),
    (
        "query definition",
        "logs",
        "describe_query_definitions",
        "queryDefinitions",
        "queryDefinitionId",
    ),
    ("alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("dashboard", "cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("rule", "events", "list_rules", "Rules", "Name"),
    ("state machine", "stepfunctions", "list_state_machines", "stateMachines", "stateMachineArn"),
    ("topic", "sns", "list_topics", "Topics", "TopicArn"),
    ("key alias", "kms", "list_aliases", "Aliases", "AliasName"),
    ("bucket", "s3", "list_buckets", "Buckets", "Name"),
    ("secret", "secretsmanager", "list_secrets", "SecretList", "ARN"),
    ("database", "rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
)
"""What it is, and service, action, result and key of the API that lists it."""

_IDENTITIES = ("id", "arn", "name")
"""The attributes in a state of which one is what AWS lists a resource by."""


def what_aws_has(aws: EmbeddedAws) -> frozenset[tuple[str, str]]:
    """Everything that is made in AWS by whoever asks for it: what it is, and its id, ARN or name.

    Left out is what AWS makes by itself, and takes away with what it belongs to: network
    interfaces, tasks, a VPC's main route table and default security group, a listener's default
    rule, the alarms of a scaling policy. Left out too are revisions of task definitions, which are
    kept for rollbacks.
    """
    with ExitStack() as clients:

        def client(service: str) -> Any:
            made = client_of(aws, service)
            clients.callback(made.close)
            return made

        return frozenset({*_listed(client), *_below(client)})


def _listed(client: Callable[[str], Any]) -> Iterator[tuple[str, str]]:
    """What has a list of its own."""
    made = {service: client(service) for service in {each[1] for each in _LISTS}}
    default_groups = {
        group["GroupId"]
        for group in made["ec2"].describe_security_groups()["SecurityGroups"]
        if group["GroupName"] == "default"
    }
    for what, service, action, result, key in _LISTS:
        for each in pages(made[service], action, result):
            is_main = any(link.get("Main") for link in each.get("Associations", ()))
            is_default = each.get("GroupId") in default_groups
            is_of_aws = str(each.get("AlarmName")).startswith("TargetTracking-")
            if not (is_main or is_default or is_of_aws or each.get("State") in _GONE):
                yield what, each[key]


def _below(client: Callable[[str], Any]) -> Iterator[tuple[str, str]]:
    """What is listed by what it belongs to."""
    elb, iam, events = client("elbv2"), client("iam"), client("events")
    for balancer in pages(elb, "describe_load_balancers", "LoadBalancers"):
        arn = balancer["LoadBalancerArn"]
        for listener in pages(elb, "describe_listeners", "Listeners", LoadBalancerArn=arn):
            yield "listener", listener["ListenerArn"]
            for rule in elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
                if not rule["IsDefault"]:
                    yield "listener rule", rule["RuleArn"]
    for role in pages(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        for policy in pages(iam, "list_role_policies", "PolicyNames", RoleName=name):
            yield "role policy", f"{name}:{policy}"
    for rule in pages(events, "list_rules", "Rules"):
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            yield "target of a rule", f"{rule['Name']}-{target['Id']}"
    ecs, kms, scaling = client("ecs"), client("kms"), client("application-autoscaling")
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    for cluster in clusters:
        arn = cluster["clusterArn"]
        if cluster["status"] == "ACTIVE":
            yield "cluster", arn
            for service in pages(ecs, "list_services", "serviceArns", cluster=arn):
                yield "service", service
    for key in pages(kms, "list_keys", "Keys"):
        if kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] not in _GONE:
            yield "key", key["KeyId"]
    for each in pages(scaling, "describe_scalable_targets", "ScalableTargets", **_OF_ECS):
        yield "scaling target", each["ResourceId"]
    for each in pages(scaling, "describe_scaling_policies", "ScalingPolicies", **_OF_ECS):
        yield "scaling policy", each["PolicyName"]


_OF_ECS = {"ServiceNamespace": "ecs"}
_GONE = ("deleted", "PendingDeletion")


def pages(client: Any, action: str, result: str, **arguments: Any) -> Iterator[Any]:
    """What an action of an API lists, on however many pages."""
    if client.can_paginate(action):
        for page in client.get_paginator(action).paginate(**arguments):
            yield from page[result]
    else:
        yield from getattr(client, action)(**arguments)[result]


def named_in_states(folder: Path) -> Collection[str]:
    """The ids, ARNs and names of all resources in the states below a folder."""
    found = set()
    for file in folder.glob("**/terraform.*.tfstate"):
        for resource in resources_of(json.loads(file.read_text("utf-8"))):
            found |= {resource.values[key] for key in _IDENTITIES if resource.values.get(key)}
    return found
