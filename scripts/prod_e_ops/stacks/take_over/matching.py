"""Which of the things that AWS has a planned resource would be made beside, or instead of."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prod_e.names import ENVIRONMENT_TAG
from prod_e_ops.stacks.take_over.inventory import Inventory
from prod_e_ops.stacks.take_over.kind_table import (
    EGRESS_RULE,
    IDENTITY_PROVIDER,
    INGRESS_RULE,
    KIND_OF,
    LISTENER,
    LISTENER_RULE,
    ROLE,
)
from prod_e_ops.stacks.take_over.kinds import Thing
from prod_e_ops.terraform.plans.plan_changes import Change


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is there of a resource that a plan creates.

    `id`: what Terraform imports it by; empty where it may not be taken over. `why_not`: a sentence
    without its subject, which then says why, and what to do.
    """

    address: str
    id: str = ""
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class Matching:
    """What AWS has of one environment, for finding planned resources in it.

    `tagged`: what has the environment's tag, or is a rule of a security group that has. `held`: the
    ids and ARNs in the states of the project, and in which. `leaving`: those of them that the plans
    themselves destroy.
    """

    environment: str
    inventory: Inventory
    tagged: Sequence[Thing]
    held: Mapping[str, str]
    leaving: Collection[str] = ()

    def find(self, created: Sequence[Change]) -> Iterator[Found]:
        """What is there of these; nothing of those that are not."""
        networks = set(self.held)
        # What a network consists of belongs to one that is held, or taken over itself.
        for change in sorted(created, key=lambda change: change.type != "aws_vpc"):
            for found in self._find(change, networks):
                if found.id:
                    networks.add(found.id)
                yield found

    def _find(self, change: Change, networks: Collection[str]) -> Iterator[Found]:
        if change.type in _CHILDREN:
            for id in _CHILDREN[change.type](self, change.after):
                yield Found(address=change.address, id=id)
            return
        there = [
            thing
            for thing in self._named(change)
            if thing.arn not in self.leaving and self._belongs(thing, change, networks)
        ]
        ours = [each for each in there if each.tags.get(ENVIRONMENT_TAG) == self.environment]
        free = [thing for thing in ours if thing.arn not in self.held]
        if len(free) == 1 and len(there) == 1:
            yield Found(address=change.address, id=free[0].id)
        elif len(free) > 1:
            yield Found(
                address=change.address,
                why_not=f"is there {len(free)} times: {', '.join(thing.arn for thing in free)};"
                " delete all but the one that is to stay",
            )
        elif ours and not free:
            yield Found(
                address=change.address,
                why_not=f"is there, as {ours[0].arn}, in the state {self.held[ours[0].arn]}: rename"
                " one of the two, or move it with `terraform state mv`",
            )
        elif there and not ours:
            yield Found(
                address=change.address,
                why_not=f"is there, as {there[0].arn}, and its tag {ENVIRONMENT_TAG} does not name"
                f" {self.environment}: rename or delete it, or give it that tag if it is",
            )

    def _named(self, change: Change) -> Iterator[Thing]:
        kind = KIND_OF.get(change.type)
        if kind is None:
            return
        tags = change.after.get("tags_all") or change.after.get("tags") or {}
        name = change.after.get(kind.named_by) if kind.named_by else tags.get("Name")
        if not name:
            return
        if change.type in (ROLE, IDENTITY_PROVIDER):
            thing = self.inventory.of_iam(change.type, name)
            yield from [thing] if thing else []
            return
        for thing in self.tagged:
            if thing.kind is kind and thing.name == name and self.inventory.look(thing) is not None:
                yield thing

    def _belongs(self, thing: Thing, change: Change, networks: Collection[str]) -> bool:
        """Whether something of EC2's is in the VPC that the planned one is to be in."""
        its = self.inventory.look(thing) or {}
        attachments = its.get("Attachments") or [{}]
        vpc = its.get("VpcId") or attachments[0].get("VpcId")
        if not thing.in_a_vpc or vpc is None or thing.kind.type == "aws_vpc":
            return True
        planned = change.after.get("vpc_id")
        return vpc == planned if planned else vpc in networks

    def below(self, parent: str, type: str) -> Iterator[tuple[Thing, Mapping[str, Any]]]:
        """What of a type no state holds, whose ARN begins with that, and what AWS says of it."""
        for thing in self.tagged:
            is_free = thing.kind.type == type and thing.arn not in self.held
            if is_free and thing.arn.startswith(parent) and (its := self.inventory.look(thing)):
                yield thing, its

    def is_ours(self, id: str | None) -> bool:
        """Whether something that cannot be created twice has the environment's tag."""
        return id is not None and any(thing.arn == id for thing in self.tagged)


def _listeners(matching: Matching, after: Mapping[str, Any]) -> Iterator[str]:
    if balancer := after.get("load_balancer_arn"):
        parent = balancer.replace(":loadbalancer/", ":listener/") + "/"
        for thing, its in matching.below(parent, LISTENER):
            if its["Port"] == after["port"]:
                yield thing.id


def _listener_rules(matching: Matching, after: Mapping[str, Any]) -> Iterator[str]:
    if listener := after.get("listener_arn"):
        parent = listener.replace(":listener/", ":listener-rule/") + "/"
        for thing, its in matching.below(parent, LISTENER_RULE):
            if its["Priority"] == str(after["priority"]):
                yield thing.id


def _security_group_rules(matching: Matching, after: Mapping[str, Any], type: str) -> Iterator[str]:
    for thing, its in matching.below("sgr-", type):
        is_in_it = its["GroupId"] == after.get("security_group_id")
        if is_in_it and _peer_and_ports(its) == _planned_peer_and_ports(after):
            yield thing.id


def _peer_and_ports(rule: Mapping[str, Any]) -> tuple[Any, ...]:
    protocol = str(rule["IpProtocol"])
    ports = (None, None) if protocol == "-1" else (rule.get("FromPort"), rule.get("ToPort"))
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return (protocol, *ports, group, rule.get("CidrIpv4"), rule.get("PrefixListId"))


def _planned_peer_and_ports(after: Mapping[str, Any]) -> tuple[Any, ...]:
    keys = ("referenced_security_group_id", "cidr_ipv4", "prefix_list_id")
    ports = (after.get("from_port"), after.get("to_port"))
    return (str(after.get("ip_protocol")), *ports, *(after.get(key) for key in keys))


def _route_table(matching: Matching, after: Mapping[str, Any]) -> Mapping[str, Any]:
    table = after.get("route_table_id")
    for thing in matching.tagged:
        if thing.arn == table:
            return matching.inventory.look(thing) or {}
    return {}


def _routes(matching: Matching, after: Mapping[str, Any]) -> Iterator[str]:
    table, destination = after.get("route_table_id"), after.get("destination_cidr_block")
    for route in _route_table(matching, after).get("Routes", ()):
        if route.get("DestinationCidrBlock") == destination:
            yield f"{table}_{destination}"


def _route_table_associations(matching: Matching, after: Mapping[str, Any]) -> Iterator[str]:
    subnet = after.get("subnet_id")
    for association in _route_table(matching, after).get("Associations", ()):
        if matching.is_ours(subnet) and association.get("SubnetId") == subnet:
            yield f"{subnet}/{after['route_table_id']}"


def _key_aliases(matching: Matching, after: Mapping[str, Any]) -> Iterator[str]:
    key = matching.inventory.ask("kms", "describe_key", KeyId=after["name"])
    if key and matching.is_ours(key["KeyMetadata"]["Arn"]):
        yield after["name"]


def _saved_queries(matching: Matching, after: Mapping[str, Any]) -> Iterator[str]:
    """Those of the same log groups: AWS gives them no tags, and lets several have one name."""
    name, groups = after["name"], set(after.get("log_group_names") or ())
    found = matching.inventory.ask(
        "logs", "describe_query_definitions", queryDefinitionNamePrefix=name
    )
    for query in (found or {}).get("queryDefinitions", ()):
        id = query["queryDefinitionId"]
        is_it = query["name"] == name and set(query.get("logGroupNames", ())) == groups
        if is_it and id not in matching.held:
            yield matching.inventory.arn("logs", f"query-definition:{id}")
            return


def _event_targets(matching: Matching, after: Mapping[str, Any]) -> Iterator[str]:
    """The rule's that lead to the same: Terraform gives each that it makes another id."""
    rule = after["rule"]
    found = matching.inventory.ask("events", "list_targets_by_rule", Rule=rule)
    for target in (found or {}).get("Targets", ()):
        if target["Arn"] == after.get("arn") and f"{rule}-{target['Id']}" not in matching.held:
            yield f"{rule}/{target['Id']}"
            return


def _alias_records(matching: Matching, after: Mapping[str, Any]) -> Iterator[str]:
    """Those that point to the same load balancer: that is what makes one ours."""
    zone, type = after.get("zone_id"), after.get("type")
    aliases = [alias["name"] for alias in after.get("alias") or () if alias.get("name")]
    name = after.get("name")
    if not (zone and name and aliases):
        return
    id = f"{zone}_{name}_{type}"
    found = matching.inventory.ask(
        "route53",
        "list_resource_record_sets",
        HostedZoneId=zone,
        StartRecordName=name,
        StartRecordType=type,
        MaxItems="1",
    )
    for record in (found or {}).get("ResourceRecordSets", ()):
        is_it = (_domain(record["Name"]), record["Type"]) == (_domain(name), type)
        target = record.get("AliasTarget", {}).get("DNSName", "")
        if is_it and _domain(target) == _domain(aliases[0]) and id not in matching.held:
            yield id


def _domain(name: str) -> str:
    """As it is compared: Route 53 and its console write the same one in several ways."""
    return name.lower().removesuffix(".").removeprefix("dualstack.")


_CHILDREN = {
    LISTENER: _listeners,
    LISTENER_RULE: _listener_rules,
    INGRESS_RULE: lambda m, after: _security_group_rules(m, after, INGRESS_RULE),
    EGRESS_RULE: lambda m, after: _security_group_rules(m, after, EGRESS_RULE),
    "aws_route": _routes,
    "aws_route_table_association": _route_table_associations,
    "aws_kms_alias": _key_aliases,
    "aws_cloudwatch_event_target": _event_targets,
    "aws_cloudwatch_query_definition": _saved_queries,
    "aws_route53_record": _alias_records,
}
"""What has no name of its own, or no tags, and is found by what it is a part of."""

WRITTEN_ANEW = frozenset(
    {
        "aws_acm_certificate_validation",
        "aws_appautoscaling_policy",
        "aws_appautoscaling_target",
        "aws_cloudwatch_dashboard",
        "aws_cloudwatch_log_metric_filter",
        "aws_default_security_group",
        "aws_ecr_lifecycle_policy",
        "aws_ecs_cluster_capacity_providers",
        "aws_ecs_task_definition",
        "aws_iam_role_policy",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_sns_topic_policy",
        "aws_sns_topic_subscription",
        "aws_wafv2_web_acl_association",
        "docker_image",
        "docker_registry_image",
        "docker_tag",
    }
)
"""What needs no finding: AWS writes it over what is there, or leaves that as it is.

Or it may have any number of it: revisions of task definitions.
"""

FOUND = frozenset({*KIND_OF, *_CHILDREN})
"""The types that are looked for before one is created."""
