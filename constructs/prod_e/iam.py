"""IAM policies in which a wildcard needs a reason."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from prod_e.doc import Doc

_MOST_OF_TRUST = 2_048
"""Characters of a trust policy, white space left out.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of an IAM policy.

    Raises `ValueError` on a wildcard action, or on a `*` resource without its reason.
    """

    actions: Annotated[tuple[str, ...], Doc("exact API actions; a wildcard is refused")]
    resources: Annotated[
        tuple[str, ...], Doc("exact ARNs; * is refused without any_resource_because")
    ] = ()
    effect: Annotated[Literal["Allow", "Deny"], Doc("default Allow")] = "Allow"
    principal: Annotated[
        Mapping[str, str] | None,
        Doc('only in resource policies, as {"Service": "events.amazonaws.com"}'),
    ] = None
    conditions: Annotated[
        Mapping[str, Mapping[str, str | list[str]]],
        Doc(
            "default: none;"
            " https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html"
        ),
    ] = field(default_factory=dict)
    any_resource_because: Annotated[
        str | None, Doc("why AWS allows nothing finer than * as a resource")
    ] = None

    def __post_init__(self) -> None:
        if any("*" in action for action in self.actions):
            raise ValueError(f"wildcard action in {self.actions}")
        if "*" in self.resources and not self.any_resource_because:
            raise ValueError(f"{self.actions} on any resource, without a reason")

    def as_json(self) -> dict[str, Any]:
        """The statement as IAM reads it."""
        rendered: dict[str, Any] = {"Effect": self.effect, "Action": list(self.actions)}
        if self.principal:
            rendered["Principal"] = "*" if self.effect == "Deny" else dict(self.principal)
        if self.resources:
            rendered["Resource"] = list(self.resources)
        if self.conditions:
            rendered["Condition"] = {key: dict(value) for key, value in self.conditions.items()}
        return rendered


def policy_document(*statements: Statement) -> str:
    """The JSON of an IAM policy."""
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [statement.as_json() for statement in statements]}
    )


def trust_policy(statement: Statement) -> str:
    """The JSON of a role's trust policy: who may assume it.

    Raises `ValueError` for one that is longer than AWS takes.
    """
    document = policy_document(statement)
    length = len(re.sub(r"\s", "", document))
    if length > _MOST_OF_TRUST:
        raise ValueError(f"a trust policy of {length} characters; AWS allows {_MOST_OF_TRUST}")
    return document


class ServiceRole(Construct):
    """An IAM role that one AWS service of this account may assume, with an inline policy.

    `name`: at most 64 characters. `service`: its principal, for example `ecs-tasks.amazonaws.com`.
    `account_id`: keeps other accounts from using the service as a confused deputy:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html.
    `statements`: what the role may do; none: the role may do nothing.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        service: str,
        account_id: str,
        statements: tuple[Statement, ...] = (),
    ) -> None:
        super().__init__(scope, id)
        trust = Statement(
            actions=("sts:AssumeRole",),
            principal={"Service": service},
            conditions={"StringEquals": {"aws:SourceAccount": account_id}},
        )
        role = IamRole(self, "role", name=name, assume_role_policy=trust_policy(trust))
        self.arn = role.arn
        self._name = name
        self.name = role.name
        self.resources: list[ITerraformDependable] = [role]
        """What must exist before the role can do what it is for."""
        self._statements: tuple[Statement, ...] = ()
        self._policy: IamRolePolicy | None = None
        if statements:
            self._allow_all_of(statements)

    def allow(self, *statements: Statement) -> None:
        """Lets the role do more; the policy's order does not show the order of such calls."""
        added = [statement for statement in statements if statement not in self._statements]
        if added:
            self._allow_all_of(
                tuple(sorted((*self._statements, *added), key=lambda each: each.actions))
            )

    def _allow_all_of(self, statements: tuple[Statement, ...]) -> None:
        self._statements = statements
        policy = policy_document(*statements)
        if self._policy:
            self._policy.policy = policy
        else:
            self._policy = IamRolePolicy(
                self, "policy", name=self._name, role=self.name, policy=policy
            )
            self.resources.append(self._policy)
