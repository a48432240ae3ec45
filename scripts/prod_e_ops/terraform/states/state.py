"""What Terraform's state holds, as it keeps it."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

_TAINTED = "tainted"


@dataclass(frozen=True, kw_only=True)
class StateResource:
    """A managed resource. `values`: its attributes, secret ones too.

    `is_tainted`: whether the next plan destroys it and creates it anew.
    """

    address: str
    values: Mapping[str, Any] = field(repr=False)
    is_tainted: bool


def resources_of(state: Mapping[str, Any]) -> Sequence[StateResource]:
    """The managed resources of a state as `terraform state pull` prints it; of `{}`: none.

    https://developer.hashicorp.com/terraform/cli/state/resource-addressing
    """
    return [
        StateResource(
            address=address,
            values=instance["attributes"],
            is_tainted=instance.get("status") == _TAINTED,
        )
        for address, instance in _instances(state)
    ]


def without_taints(state: Mapping[str, Any], addresses: Collection[str]) -> Mapping[str, Any]:
    """The state that follows, in which these resources are not to be made anew."""
    following = {**deepcopy(dict(state)), "serial": state["serial"] + 1}
    for address, instance in _instances(following):
        if address in addresses and instance.get("status") == _TAINTED:
            del instance["status"]
    return following


def _instances(state: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in state.get("resources", ()):
        if resource["mode"] == "managed":
            for instance in resource["instances"]:
                yield _address(resource, instance), instance


def _address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    parts = (resource.get("module"), resource["type"], resource["name"])
    key = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    return ".".join(part for part in parts if part) + key
