"""Key Management Service."""

import json
from typing import Any

from moto.kms import responses
from moto.kms.exceptions import NotFoundException
from moto.kms.models import Key, KmsBackend
from moto.kms.responses import KmsResponse

from embedded_aws.control_plane.policies import without_lists_of_one

_ROTATION_DAYS = 365


def apply() -> None:
    _keys_have_what_requests_leave_out()
    _keys_of_services_are_managed_by_aws()
    _policies_are_rewritten()
    _rotation_has_a_period()


def _keys_have_what_requests_leave_out() -> None:
    # https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html
    make = Key.__init__

    def key(self: Any, policy: str | None, key_usage: str | None, *args: Any, **named: Any) -> None:
        make(self, policy, key_usage or "ENCRYPT_DECRYPT", *args, **named)
        self.multi_region = bool(self.multi_region)

    Key.__init__ = key


def _keys_of_services_are_managed_by_aws() -> None:
    # Such as that of `alias/aws/rds`, which is made when it is first needed and rotates each year.
    # https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk
    name = "_generate_default_keys"  # private to moto
    make = getattr(KmsBackend, name)

    def generate_default_keys(self: Any, alias_name: str) -> str | None:
        key_id: str | None = make(self, alias_name)
        if key_id:
            key = self.keys[key_id]
            key.key_manager = "AWS"
            key.key_rotation_status = True
        return key_id

    setattr(KmsBackend, name, generate_default_keys)


def _policies_are_rewritten() -> None:
    # https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html
    get = KmsResponse.get_key_policy

    def get_key_policy(self: Any) -> str:
        policy = json.loads(json.loads(get(self))["Policy"])
        text = json.dumps(without_lists_of_one(policy), indent=2, separators=(",", " : "))
        return json.dumps({"Policy": text, "PolicyName": "default"})

    def check(policy_name: str | None) -> None:
        if policy_name not in (None, "default"):
            raise NotFoundException("No such policy exists")

    KmsResponse.get_key_policy = get_key_policy
    # The only name that there is may be left out.
    setattr(responses, "_assert_default_policy", check)  # noqa: B010 private to moto


def _rotation_has_a_period() -> None:
    # https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyRotationStatus.html
    status = KmsResponse.get_key_rotation_status

    def get_key_rotation_status(self: Any) -> str:
        answer = json.loads(status(self))
        if answer["KeyRotationEnabled"]:
            answer["RotationPeriodInDays"] = _ROTATION_DAYS
        return json.dumps(answer)

    KmsResponse.get_key_rotation_status = get_key_rotation_status
