"""The Terraform or OpenTofu on this machine, made ready to be run."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from prod_e.dependency_lock import OPENTOFU_REGISTRY, TERRAFORM_REGISTRY
from prod_e_ops.errors import UserMistake
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terraform.program import quiet, read_version, with_providers
from prod_e_ops.terraform.providers.mirror import find_provider_source
from prod_e_ops.terraform.runner import Terraform


@asynccontextmanager
async def find_terraform(
    processes: ChildProcesses,
    *,
    cache_folder: Path,
    environment: Mapping[str, str] | None = None,
    keeps_plans: bool = True,
) -> AsyncIterator[Terraform]:
    """Finds Terraform and its providers; raises `UserMistake` if it is missing or too old.

    `cache_folder`: where providers from the registry are kept for all stacks, unless the user has
    set a folder for that. `keeps_plans`: see `Terraform`.
    """
    given = dict(os.environ if environment is None else environment)
    name = given.get("TERRAFORM_BINARY_NAME") or "terraform"
    program = shutil.which(name, path=given.get("PATH"))
    if program is None:
        raise UserMistake(
            f"Terraform is not installed: there is no `{name}` on PATH.",
            next_step="Install Terraform 1.10 or newer"
            " (https://developer.hashicorp.com/terraform/install), or name OpenTofu in"
            " TERRAFORM_BINARY_NAME; `./prod-e synth` and `npm run test:unit` work without them.",
        )
    variables = quiet(given)
    product, version = await read_version(processes, Path(program), variables)
    registry = OPENTOFU_REGISTRY if product == "OpenTofu" else TERRAFORM_REGISTRY
    providers = await asyncio.to_thread(find_provider_source, variables, registry=registry)
    providers = providers.for_registry(
        registry, link_folder=cache_folder.with_name("opentofu-mirror")
    )
    with tempfile.TemporaryDirectory(prefix="prod-e-terraform-") as scratch:
        complete = with_providers(variables, providers, Path(scratch), cache_folder)
        yield Terraform(
            name=product,
            program=Path(program),
            version=version,
            providers=providers,
            environment=complete,
            processes=processes,
            scratch=Path(scratch),
            keeps_plans=keeps_plans,
        )
