"""What AWS has with the tag of an environment, asked of AWS."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from prod_e.names import ENVIRONMENT_TAG
from prod_e_ops.aws.clients import aws_client, error_code
from prod_e_ops.stacks.take_over.kind_table import (
    EGRESS_RULE,
    IDENTITY_PROVIDER,
    INGRESS_RULE,
    KIND_OF,
    KINDS,
    ROLE,
)
from prod_e_ops.stacks.take_over.kinds import Thing, thing_of

_NOT_THERE = ("NotFound", "NoSuch", "NotExist", "Nonexistent", "404")
_GONE = frozenset(
    {"deleted", "deleting", "pending-delete", "inactive", "draining", "pendingdeletion", "failed"}
)
"""States of what AWS still shows and is no more, in lower case."""

_STATES = ("State", "status", "KeyState", "DBInstanceStatus")
_MOST_VALUES_OF_A_FILTER = 200
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html"""


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """One look into AWS: what it has said once is not asked again.

    `region`, `account`: where. `client`: gives boto3's client of a service.
    """

    region: str
    account: str
    client: Callable[[str], Any]
    _seen: dict[str, Mapping[str, Any] | None] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(region: str, account: str) -> "Inventory":
        """One that asks AWS."""
        clients: dict[str, Any] = {}

        def client(service: str) -> Any:
            if service not in clients:
                clients[service] = aws_client(service, region=region)
            return clients[service]

        return Inventory(region=region, account=account, client=client)

    def tagged(self, environment: str) -> list[Thing]:
        """What has the environment's tag and is of a kind that prod-e makes; some may be gone.

        EC2 answers for its own at once; AWS's common list follows late, and has no roles. The rules
        of a security group with the tag count, too: one that AWS made by itself has no tags.
        """
        return [*self._in_ec2(environment), *self._in_other_services(environment)]

    def _in_ec2(self, environment: str) -> Iterator[Thing]:
        ec2 = self.client("ec2")
        pages = ec2.get_paginator("describe_tags")

        def tags(**filters: Sequence[str]) -> Iterator[Mapping[str, str]]:
            named = [{"Name": n.replace("_", "-"), "Values": [*v]} for n, v in filters.items()]
            for page in pages.paginate(Filters=named):
                yield from page["Tags"]

        ids = [t["ResourceId"] for t in tags(key=[ENVIRONMENT_TAG], value=[environment])]
        found: dict[str, dict[str, str]] = {id: {ENVIRONMENT_TAG: environment} for id in ids}
        for some in _parts(ids):
            for tag in tags(key=["Name"], resource_id=some):
                found[tag["ResourceId"]]["Name"] = tag["Value"]
        for id, its in found.items():
            if not id.startswith("sgr-") and (thing := thing_of(id, its, KINDS)):
                yield thing
        yield from self._security_group_rules(found)

    def _security_group_rules(self, tags: Mapping[str, Mapping[str, str]]) -> Iterator[Thing]:
        """Those with these ids, and all of the groups with these ids; both with their tags."""
        pages = self.client("ec2").get_paginator("describe_security_group_rules")
        found: dict[str, Mapping[str, Any]] = {}
        for name, prefix in (("group-id", "sg-"), ("security-group-rule-id", "sgr-")):
            for some in _parts([id for id in tags if id.startswith(prefix) and id not in found]):
                for page in pages.paginate(Filters=[{"Name": name, "Values": some}]):
                    found |= {r["SecurityGroupRuleId"]: r for r in page["SecurityGroupRules"]}
        self._seen.update(found)
        for id, rule in found.items():
            yield _rule(rule, tags.get(id, {}))

    def _in_other_services(self, environment: str) -> Iterator[Thing]:
        pages = self.client("resourcegroupstaggingapi").get_paginator("get_resources")
        for page in pages.paginate(TagFilters=[{"Key": ENVIRONMENT_TAG, "Values": [environment]}]):
            for each in page["ResourceTagMappingList"]:
                tags = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
                if thing := thing_of(each["ResourceARN"], tags, KINDS):
                    yield thing

    def of_iam(self, type_name: str, name: str) -> Thing | None:
        """A role, or an identity provider by its URL, whatever its tags."""
        bare = name.removeprefix("https://")
        path = {ROLE: "role", IDENTITY_PROVIDER: "oidc-provider"}[type_name]
        asked = thing_of(self.arn("iam", f"{path}/{bare}"), {}, KINDS)
        found = self.look(asked) if asked else None
        if asked is None or found is None:
            return None
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
        return replace(asked, name=name, tags=tags)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something of the account; IAM has one region for all."""
        partition = self.client(service).meta.partition
        region = "" if service == "iam" else self.region
        return f"arn:{partition}:{service}:{region}:{self.account}:{resource}"

    def look(self, thing: Thing) -> Mapping[str, Any] | None:
        """What AWS says of it now; None if it is gone."""
        if thing.arn not in self._seen:
            look = thing.kind.look
            arguments = {
                name: [thing.fill_in(text)] if name.endswith("s") else thing.fill_in(text)
                for name, text in look.arguments.items()
            }
            found = self.ask(look.service, look.operation, **arguments)
            self._seen[thing.arn] = None if found is None else _of(found, look.answer)
        return self._seen[thing.arn]

    def ask(self, service: str, operation: str, **arguments: Any) -> Mapping[str, Any] | None:
        """An answer of AWS; None if what is asked for is not there."""
        client = self.client(service)
        try:
            answer: Mapping[str, Any] = getattr(client, operation)(**arguments)
        except client.exceptions.ClientError as error:
            if any(word in error_code(error) for word in _NOT_THERE):
                return None
            raise
        return answer


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(ids), _MOST_VALUES_OF_A_FILTER):
        yield ids[first : first + _MOST_VALUES_OF_A_FILTER]


def _rule(rule: Mapping[str, Any], tags: Mapping[str, str]) -> Thing:
    id = rule["SecurityGroupRuleId"]
    kind = KIND_OF[EGRESS_RULE if rule["IsEgress"] else INGRESS_RULE]
    return Thing(kind=kind, id=id, arn=id, name="", tags=tags, groups={"group": rule["GroupId"]})


def _of(answer: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    found = answer[key] if key else answer
    if isinstance(found, list):
        found = found[0] if found else None
    if found is None or found.get("DeletedDate"):
        return None
    is_gone = any(str(found.get(state)).lower() in _GONE for state in _STATES)
    return None if is_gone else dict(found)
