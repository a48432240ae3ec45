"""Terraform's failures, told so that the next step is clear."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prod_e.dependency_lock import LOCK_FILE
from prod_e.names import ENVIRONMENT_TAG
from prod_e_ops.errors import (
    CredentialsMissing,
    DependencyLockMismatch,
    OpsError,
    PlanIsStale,
    ProviderUnavailable,
    UserMistake,
)
from prod_e_ops.terminal.processes import without_colour
from prod_e_ops.terraform.providers.dependency_lock import RENEW

_MOST_DETAILS = 12

_THERE_ALREADY = (
    r"already\s?exists?|alreadyownedbyyou|already(associated|inuse)|\.duplicate\b"
    r"|duplicate(loadbalancername|targetgroupname|listener|item)|priorityinuse|not\s+idempotent"
)
"""AWS's codes, and the provider's words, for what is there."""


@dataclass(frozen=True)
class Diagnostic:
    """An error as Terraform reports it."""

    summary: str
    detail: str = ""
    address: str = ""

    @staticmethod
    def of(values: dict[str, Any]) -> "Diagnostic":
        """Reads the `diagnostic` object of Terraform's JSON output."""
        return Diagnostic(
            summary=values.get("summary", ""),
            detail=values.get("detail", ""),
            address=values.get("address", "") or "",
        )

    @property
    def text(self) -> str:
        """All of it, for recognising what it is about."""
        return f"{self.summary}\n{self.detail}"

    @property
    def line(self) -> str:
        """One line: the resource, what is wrong, and the detail's beginning."""
        detail = " ".join(self.detail.split())
        parts = (self.address, self.summary, detail if len(detail) < 300 else f"{detail[:300]}…")
        return ": ".join(part for part in parts if part)


def parse_text(output: str) -> Sequence[Diagnostic]:
    """Finds the errors in Terraform's output for people."""
    text = re.sub(r"^[│╷╵] ?", "", without_colour(output), flags=re.MULTILINE)
    found = []
    for block in re.split(r"^Error: ", text, flags=re.MULTILINE)[1:]:
        summary, _, detail = block.partition("\n")
        found.append(Diagnostic(summary.strip(), detail.strip()))
    return found


def untaint(stack: str, address: str) -> str:
    """The command that keeps a resource which an interrupted run has left unfinished."""
    return f"terraform -chdir=cdktf.out/stacks/{stack} untaint {shlex.quote(address)}"


def explain(
    action: str,
    stack: str,
    errors: Sequence[Diagnostic],
    *,
    left: str = "",
    log: Path | None = None,
) -> OpsError:
    """Makes one error of what Terraform reports for `action` ("plan") on a stack.

    `left`: a sentence about the state that the failure left behind. `log`: the file with all that
    Terraform wrote.
    """
    failed = f"terraform {action} failed for the stack {stack}"
    everything = "\n".join(error.text for error in errors)
    details = [error.line for error in errors[:_MOST_DETAILS]]
    if len(errors) > _MOST_DETAILS:
        details.append(f"and {len(errors) - _MOST_DETAILS} more")
    details += [left] if left else []

    def found(pattern: str) -> bool:
        return re.search(pattern, everything, re.IGNORECASE) is not None

    if found(r"match\s+any\s+of\s+the\s+checksums"):
        package = re.search(r"package\s+for\s+[\w.:-]+/(\S+)\s+(\d\S*)", everything)
        provider_named = " ".join(package.groups()) if package else "a provider"
        return DependencyLockMismatch(
            f"{failed}: {provider_named} has another checksum here than in {LOCK_FILE}.",
            details=["Nothing was changed."],
            next_step="If that file was made on another kind of machine, or"
            f" you trust the mirror or registry that this machine uses: `{RENEW}` adds the"
            " checksums for this machine. Otherwise, do not use this provider.",
        )
    if found(r"failed to (query available|resolve) provider packages|failed to install provider"):
        provider = re.search(r"provider\s+(?:[\w-]+\.[\w.-]+/)?([\w-]+/[\w-]+)", everything)
        return ProviderUnavailable(
            failed,
            provider=provider.group(1) if provider else "it needs",
            details=details[:1],
            next_step="Check the network, or set TF_PLUGIN_MIRROR_DIR to a folder that"
            " `terraform providers mirror` made.",
        )
    if found(r"saved plan is stale|saved plan does not match the given state"):
        return PlanIsStale(
            f"{failed}: its state has changed since it was planned.",
            next_step="Nothing of the plan was applied. Somebody else deploys this stack: run the"
            " command again once they are done.",
        )
    if found(r"unsupported state file format"):
        return OpsError(
            f"{failed}: its state file cannot be read.",
            details=details[:1],
            next_step="Put the last good one in its place: beside it there is a .backup, in a"
            " bucket there are its older versions.",
        )
    if found(r"error acquiring the state lock") and found(r"lock info:"):
        lock = dict(re.findall(r"^\s*(ID|Who|Created|Operation):\s+(.+?)\s*$", everything, re.M))
        return OpsError(
            f"{failed}: its state is locked by {lock.get('Who', 'another run')}"
            f" ({lock.get('Operation', 'run')}, since {lock.get('Created', 'unknown')}).",
            next_step="Wait until that run has ended. If it died: `terraform"
            f" -chdir=cdktf.out/stacks/{stack} force-unlock {lock.get('ID', '<lock id>')}`.",
        )
    if found(r"backend configuration changed|backend initialization required"):
        return UserMistake(
            f"{failed}: the settings' [state] is not where the state is.",
            details=details[:1],
            next_step=f"Move the state with `npx cdktf deploy {stack} --migrate-state`, or undo"
            " the change of [state].",
        )
    if found(r"account id not allowed"):
        return UserMistake(
            f"{failed}: these credentials belong to another account than the settings' `account`.",
            details=details,
            next_step="Select the right credentials, for example with AWS_PROFILE.",
        )
    if found(r"no valid credential sources|no ec2 imds role found"):
        return CredentialsMissing(failed)
    if found(r"failed to get shared config profile"):
        return UserMistake(
            f"{failed}: the AWS profile does not exist.",
            details=details,
            next_step="Set AWS_PROFILE to one of `aws configure list-profiles`.",
        )
    if found(r"expiredtoken|token.{0,40}expired|invalidclienttokenid|unrecognizedclient"):
        return UserMistake(
            f"{failed}: AWS does not accept the credentials.",
            details=details,
            next_step="Renew them, for example with `aws sso login`, and run the command again.",
        )
    if found(r"connection refused|no such host|network is unreachable|i/o timeout|request send"):
        return OpsError(
            f"{failed}: AWS cannot be reached.",
            details=details,
            next_step="Check the network (and AWS_ENDPOINT_URL, if set) and run the command again.",
        )
    if found(r"instance cannot be destroyed"):
        named = re.search(r"Resource\s+(\S+)\s+has\s+lifecycle\.prevent_destroy", everything)
        protected = named.group(1) if named else "ADDRESS"
        return UserMistake(
            f"{failed}: the plan destroys a resource that the settings protect.",
            details=details,
            next_step="To let it go, set deletion_protection = false in its section, deploy, and"
            " try again. If it was only left unfinished by a run that was interrupted, keep it:"
            f" `{untaint(stack, protected)}`.",
        )
    details = [
        *(details or ["It gave no reason."]),
        *([f"All that Terraform wrote: {log}"] if log else []),
    ]
    if found(_THERE_ALREADY):
        return OpsError(
            f"{failed}: AWS has something already that it creates.",
            details=details,
            next_step=f"Run it again: what has this environment's tag, {ENVIRONMENT_TAG}, it offers"
            " to take over. Anything else is not known to be this environment's: rename or delete"
            " it, or give it that tag.",
        )
    return OpsError(
        f"{failed}.",
        details=details,
        next_step="Fix this and run it again: Terraform continues from its state.",
    )
