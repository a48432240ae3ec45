"""Kinds of resources that AWS lets carry tags, and things of these kinds that AWS has."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Look(NamedTuple):
    """How AWS is asked for one resource.

    `service`, `operation`: boto3's names. `answer`: the answer's key with the resource, or with a
    list of them; empty: the whole answer. `arguments`: texts that `Thing.fill_in` completes; one
    whose name is a plural is sent as a list.
    """

    service: str
    operation: str
    answer: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A type of resource.

    `type`: Terraform's, such as `aws_lb`. `pattern`: what its ids look like in EC2, and elsewhere
    its ARNs' service and what follows the account; a group `name` is the resource's name, which
    otherwise is its `Name` tag. `named_by`: the argument with that name; empty: the tag.
    `import_id`: what Terraform imports it by, as the page of the type in the provider's
    documentation says, with the pattern's groups to be filled in. `delete`: the AWS CLI's command
    that deletes it; empty: it goes with another one. `costs`: what it costs while nothing uses it.

    https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs
    """

    type: str
    pattern: str
    look: Look
    named_by: str = ""
    import_id: str = "{arn}"
    delete: str = ""
    costs: str = ""


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something that AWS has.

    `id`: what Terraform imports it by. `arn`: its ARN, or EC2's id. `name`: what tells it from
    others of its kind in an environment; empty where nothing does. `groups`: of the kind's pattern.
    """

    kind: Kind
    id: str
    arn: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)
    groups: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def in_a_vpc(self) -> bool:
        """Whether it is a part of a network, whose ids alone say what belongs together."""
        return self.kind.look.service == "ec2"

    def fill_in(self, text: str) -> str:
        """One of the kind's texts, for this one."""
        return text.format(**{**self.groups, "name": self.name, "id": self.id, "arn": self.arn})


def thing_of(arn: str, tags: Mapping[str, str], kinds: Sequence[Kind]) -> Thing | None:
    """What an ARN, or an id of EC2's, stands for; None if it is of none of the kinds."""
    recognised = arn
    if arn.startswith("arn:"):
        _, _, service, _, _, resource = arn.split(":", 5)
        recognised = f"{service}:{resource}"
    for kind in kinds:
        if found := re.fullmatch(kind.pattern, recognised):
            groups = found.groupdict()
            name = groups.get("name") or tags.get("Name", "")
            id = kind.import_id.format(**{**groups, "name": name, "arn": arn})
            return Thing(kind=kind, id=id, arn=arn, name=name, tags=tags, groups=groups)
    return None
