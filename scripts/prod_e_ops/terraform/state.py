"""What Terraform's state holds, as it keeps it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


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
            address=_address(resource, instance),
            values=instance["attributes"],
            is_tainted=instance.get("status") == "tainted",
        )
        for resource in state.get("resources", ())
        if resource["mode"] == "managed"
        for instance in resource["instances"]
    ]


def _address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    parts = (resource.get("module"), resource["type"], resource["name"])
    key = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    return ".".join(part for part in parts if part) + key
