"""Which versions of providers Terraform has installed, and whether they are the tested ones."""

import json
from collections.abc import Iterator, Mapping, Sequence

from prod_e.dependency_lock import LOCK_FILE, provider_source, read_lock, required_providers
from prod_e.tested_versions import covers, read
from prod_e_ops.project.project import Stack

_OVERRIDE_FILE = "tested_providers_override.tf.json"

InstalledVersions = Mapping[str, frozenset[str]]
"""Versions by namespace and type of their provider, such as `hashicorp/aws`."""


def installed_versions(stacks: Sequence[Stack]) -> InstalledVersions:
    """The providers of stacks that are initialised."""
    found: dict[str, frozenset[str]] = {}
    for stack in stacks:
        required = required_providers(stack.folder)
        for provider in read_lock(stack.folder / LOCK_FILE):
            if provider.source in required:
                versions = found.get(provider.source, frozenset())
                found[provider.source] = versions | {provider.version}
    return found


def take_tested_versions(stack: Stack) -> None:
    """Makes a stack take the tested version of each provider, whatever its JSON and its lock say.

    https://developer.hashicorp.com/terraform/language/files/override
    """
    terraform = json.loads(stack.json_file.read_text("utf-8"))["terraform"]
    tested = read().providers
    required = {
        name: {**provider, "version": tested[source][-1]}
        for name, provider in terraform["required_providers"].items()
        if (source := provider_source(provider["source"])) in tested
    }
    override = {"terraform": {"required_providers": required}}
    (stack.folder / _OVERRIDE_FILE).write_text(json.dumps(override), "utf-8")
    (stack.folder / LOCK_FILE).unlink(missing_ok=True)


def shown(installed: InstalledVersions) -> str:
    """For people: each provider with its version, and whether that is a tested one."""
    return ", ".join(
        f"{source} {version} ({'tested' if _is_tested(source, version) else 'not tested'})"
        for source, versions in sorted(installed.items())
        for version in sorted(versions)
    )


def warnings(installed: InstalledVersions) -> Iterator[str]:
    """One line for each version that prod-e was not tested with."""
    for source, versions in sorted(installed.items()):
        for version in sorted(versions):
            if not _is_tested(source, version):
                tested = " and ".join(read().providers.get(source, ())) or "none"
                yield (
                    f"Warning: {source} {version} is not the version that prod-e is tested with"
                    f" ({tested})."
                )


def _is_tested(source: str, version: str) -> bool:
    return covers(read().providers.get(source, ()), version)
