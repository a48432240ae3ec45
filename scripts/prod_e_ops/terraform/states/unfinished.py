"""Resources that an interrupted Terraform has made and takes for unfinished."""

import json
from collections.abc import Collection

from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.runner import Terraform
from prod_e_ops.terraform.states.state import without_taints


async def keep_unfinished(terraform: Terraform, stack: Stack, addresses: Collection[str]) -> None:
    """Lets the next plan keep those of these resources that it would destroy and create anew."""
    for resource in await terraform.resources(stack):
        if resource.is_tainted and resource.address in addresses:
            await terraform.untaint(stack, resource.address)


def keep_unfinished_here(stack: Stack, addresses: Collection[str]) -> bool:
    """Does the same to a state on this machine with which nobody else works, without Terraform.

    Each run of that takes a second or more. Returns whether the state is on this machine.
    """
    if not stack.state_files:
        return False
    file, _ = stack.state_files
    kept = without_taints(json.loads(file.read_text("utf-8")), addresses)
    # A state that is cut short is lost.
    partial = file.with_name(f"{file.name}.partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(kept), "utf-8")
    partial.replace(file)
    return True
