"""Resources that an interrupted Terraform has made and takes for unfinished."""

from collections.abc import Collection

from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.runner import Terraform


async def keep_unfinished(terraform: Terraform, stack: Stack, addresses: Collection[str]) -> None:
    """Lets the next plan keep those of these resources that it would destroy and create anew."""
    for resource in await terraform.resources(stack):
        if resource.is_tainted and resource.address in addresses:
            await terraform.untaint(stack, resource.address)
