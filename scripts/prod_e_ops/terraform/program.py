"""The Terraform or OpenTofu on this machine: which it is, and the variables that it runs with."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path

from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terraform.providers.mirror import ProviderSource

OLDEST_VERSION = (1, 10)


def quiet(given: Mapping[str, str]) -> dict[str, str]:
    """The variables with which it asks for nothing, and looks for no newer version of itself."""
    variables = {**given, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
    configured = variables.get("TF_CLI_CONFIG_FILE")
    if configured and not Path(configured).is_file():
        # Terraform warns about it on every call, and OpenTofu refuses to run.
        del variables["TF_CLI_CONFIG_FILE"]
    return variables


def with_providers(
    given: Mapping[str, str], providers: ProviderSource, scratch: Path, cache_folder: Path
) -> dict[str, str]:
    """The variables with which it finds its providers.

    `scratch`: a folder for its configuration. `cache_folder`: see `find_terraform`.
    """
    variables = dict(given)
    # The docker provider's BuildKit reads it: attestations would make an index of what is one
    # image, and another digest of it with each build.
    variables["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
    configuration = providers.cli_configuration()
    if configuration is not None:
        file = scratch / "terraform.rc"
        file.write_text(configuration, "utf-8")
        variables["TF_CLI_CONFIG_FILE"] = str(file)
    elif "TF_PLUGIN_CACHE_DIR" not in variables and providers.origin.endswith("registry"):
        cache_folder.mkdir(parents=True, exist_ok=True)
        variables["TF_PLUGIN_CACHE_DIR"] = str(cache_folder)
    return variables


async def read_version(
    processes: ChildProcesses, program: Path, given: Mapping[str, str]
) -> tuple[str, str]:
    """The product's name, which only the answer for people has, and its version.

    Raises `OpsError` if it does not answer as Terraform does, `UserMistake` if it is too old.
    """
    for_machines, for_people = await asyncio.gather(
        *(
            processes.call(
                [program, "version", *options],
                folder=Path.cwd(),
                environment=given,
                stop_timeout_seconds=1,
            )
            for options in (["-json"], [])
        )
    )
    try:
        version = str(json.loads(for_machines.stdout)["terraform_version"])
    except (ValueError, KeyError):
        said = for_machines.stderr.strip() or for_machines.stdout.strip()
        raise OpsError(
            f"{program} does not answer `version` as Terraform does.",
            details=said.splitlines()[:5],
            next_step="Install Terraform 1.10 or newer, or name it or OpenTofu in"
            " TERRAFORM_BINARY_NAME.",
        ) from None
    name = "OpenTofu" if for_people.stdout.startswith("OpenTofu") else "Terraform"
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_VERSION:
        raise UserMistake(
            f"{name} {version} ({program}) is too old: prod-e needs 1.10 or newer.",
            next_step="Install a newer one (https://developer.hashicorp.com/terraform/install).",
        )
    return name, version
