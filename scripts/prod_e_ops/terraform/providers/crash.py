"""Providers that end while Terraform talks to them, told by name, and what Terraform wrote kept.

Terraform's own words for it, "Plugin did not respond", name neither the provider nor a reason.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from prod_e_ops.errors import ProviderCrashed
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.output.diagnostics import Diagnostic

_SIGNS = re.compile(
    r"plugin did not respond|the plugin encountered an error|failed to instantiate provider"
    r"|terraform-provider-\S+ plugin crashed",
    re.IGNORECASE,
)
_NAMES = (
    r'provider\["(?:[^"/]+/)?([^"/]+/[^"/]+)"\]',
    r'provider "?(?:[\w-]+(?:\.[\w-]+)+/)([\w-]+/[\w-]+)',
)
_PANIC = re.compile(r"^[│ ]*(panic: .+?)\s*$", re.MULTILINE)


def crash_of(
    stack: Stack,
    action: str,
    errors: Sequence[Diagnostic],
    *,
    output: str,
    logs: Path,
    environment: Mapping[str, str],
    left: str = "",
) -> ProviderCrashed | None:
    """The error of a provider that ended, if that is what made `action` ("plan") fail on a stack.

    `output`: all that Terraform wrote, which is kept in a file of the folder `logs`, for the user
    alone. `environment`: what Terraform ran with. `left`: a sentence about the state that the
    failure left behind.
    """
    dead = [error for error in errors if _SIGNS.search(_in_one_line(error.text))]
    if not dead and not _SIGNS.search(_in_one_line(output)):
        return None
    panic = _PANIC.search(output)
    what = [panic[1]] if panic else [error.line for error in dead[:1]]
    provider = _provider(stack, dead, output)
    log = keep_output(output, logs / f"{stack.name}-{action}.log")
    return ProviderCrashed(
        f"terraform {action} failed for the stack {stack.name}",
        provider=provider,
        details=[*what, *([left] if left else []), f"All that Terraform wrote: {log}"],
        next_step=_next_step(environment),
    )


def _provider(stack: Stack, dead: Sequence[Diagnostic], output: str) -> str:
    """Its name, and the version if that is known; several if it can be any of them."""
    sources = stack.providers
    text = "\n".join(f"{error.address}\n{_in_one_line(error.text)}" for error in dead)
    for pattern in _NAMES:
        if found := re.search(pattern, text):
            return _with_version(stack, found[1])
    by_program = {source.rpartition("/")[2]: source for source in sources.values()}
    if (found := re.search(r"terraform-provider-([\w-]+?)(?:_v|\s)", output)) and (
        found[1] in by_program
    ):
        return _with_version(stack, by_program[found[1]])
    for error in dead:
        kind = error.address.removeprefix("data.").split(".")[0]
        if (name := kind.split("_")[0]) in sources:
            return _with_version(stack, sources[name])
    return " or ".join(_with_version(stack, source) for source in sources.values())


def _with_version(stack: Stack, source: str) -> str:
    installed = (stack.folder / ".terraform" / "providers").glob(f"*/{source}/*")
    return " ".join((source, *(folder.name for folder in installed)))


def keep_output(output: str, log: Path) -> Path:
    """Keeps what Terraform wrote in a file for the user alone; gives the file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    # It shows parts of the stack, and with them whatever the stack was given.
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(output)
    return log


def _next_step(environment: Mapping[str, str]) -> str:
    own = environment.get("TF_LOG_PATH")
    if own and (environment.get("TF_LOG") or environment.get("TF_LOG_PROVIDER")):
        return f"Look there and into the provider's own log, {own}; then run the command again."
    return (
        "Run the command again. If the provider crashes again, its own log tells why (and may hold"
        " secrets): run it with TF_LOG_PROVIDER=debug TF_LOG_PATH=$PWD/provider.log."
    )


def _in_one_line(text: str) -> str:
    return " ".join(re.sub(r"[│╷╵]", " ", text).split())
