"""An AWS that has something of an environment, and is asked what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from prod_e_ops.stacks.take_over.inventory import Inventory

TAG = {"Key": "prod-e:environment", "Value": "tiny-e"}
ARN = "arn:aws:{service}:us-west-2:123456789012:{rest}"
BALANCER = ARN.format(
    service="elasticloadbalancing", rest="loadbalancer/app/tiny-e-alb/0123456789abcdef"
)
LISTENER = f"{BALANCER.replace(':loadbalancer/', ':listener/')}/fedcba9876543210"
RULE = f"{LISTENER.replace(':listener/', ':listener-rule/')}/00ff00ff00ff00ff"
ROLE = "arn:aws:iam::123456789012:role/tiny-e-task"


@dataclass
class RecordedAws:
    """Answers as AWS gives them.

    `ec2`: each resource by its id, as its describe call has it. `arns`: those that AWS lists by
    tags. `described`: what the other calls say, by operation and the ARN or name that they ask for.
    """

    ec2: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    arns: Sequence[str] = ()
    described: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def inventory(self) -> Inventory:
        return Inventory(
            region="us-west-2", account="123456789012", client=lambda _: RecordedClient(self)
        )


class RecordedClient:
    """boto3's client of any service, in any region of AWS's largest partition."""

    meta = SimpleNamespace(partition="aws")

    class exceptions:  # noqa: N801 - boto3's name
        ClientError = ClientError

    def __init__(self, aws: RecordedAws) -> None:
        self._aws = aws
        self._paged = ""

    def get_paginator(self, operation: str) -> "RecordedClient":
        self._paged = operation
        return self

    def paginate(self, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        if self._paged == "get_resources":
            (asked,) = arguments["TagFilters"]
            assert asked == {"Key": TAG["Key"], "Values": [TAG["Value"]]}
            listed = [{"ResourceARN": arn, "Tags": [TAG]} for arn in self._aws.arns]
            # One on each page.
            yield from ({"ResourceTagMappingList": [each]} for each in listed)
            return
        wanted = {each["Name"]: each["Values"] for each in arguments["Filters"]}
        if self._paged == "describe_security_group_rules":
            for id, resource in self._aws.ec2.items():
                asked = {"security-group-rule-id": id, "group-id": resource.get("GroupId")}
                if id.startswith("sgr-") and all(asked[n] in v for n, v in wanted.items()):
                    yield {"SecurityGroupRules": [{"SecurityGroupRuleId": id, **resource}]}
            return
        assert self._paged == "describe_tags"
        for id, resource in self._aws.ec2.items():
            for tag in resource.get("Tags", ()):
                asked = {"key": tag["Key"], "value": tag["Value"], "resource-id": id}
                if all(asked[name] in values for name, values in wanted.items()):
                    yield {"Tags": [{**tag, "ResourceId": id}]}

    def __getattr__(self, operation: str) -> Any:
        def ask(**arguments: Any) -> Mapping[str, Any]:
            (asked, *_) = [v[0] if isinstance(v, list) else v for v in arguments.values()]
            if asked in self._aws.ec2 and operation.startswith("describe_"):
                words = operation.removeprefix("describe_").split("_")
                return {"".join(map(str.capitalize, words)): [self._aws.ec2[asked]]}
            try:
                return self._aws.described[operation, asked]
            except KeyError:
                error = {"Error": {"Code": "ResourceNotFoundException"}}
                raise ClientError(error, operation) from None  # type: ignore[arg-type]

        return ask


def in_ec2(name: str, *, environment: str = "tiny-e", **values: Any) -> Mapping[str, Any]:
    tags = [{"Key": "Name", "Value": name}, {"Key": "prod-e:environment", "Value": environment}]
    return {**values, "Tags": tags}


def rule(group: str, **values: Any) -> Mapping[str, Any]:
    """One as AWS gives it to a new security group, but for the values: without a tag."""
    default = {"IsEgress": True, "IpProtocol": "-1", "FromPort": -1, "ToPort": -1}
    return {"GroupId": group, **default, "CidrIpv4": "0.0.0.0/0", **values}
