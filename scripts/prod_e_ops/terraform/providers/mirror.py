"""Where Terraform gets its providers from, on machines that cannot reach a registry too.

On most machines there is nothing to do: Terraform asks its registry. What the user has configured
always wins. Otherwise, in this order: the mirror that `TF_PLUGIN_MIRROR_DIR` names; the folders
that Terraform itself looks into; a mirror in one of the usual places for installed software, found
by the AWS provider's file name.

OpenTofu's providers have another host, so a mirror made for it is preferred; one that is made for
Terraform serves it too, by links under the other name.
"""

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prod_e.dependency_lock import OPENTOFU_REGISTRY, TERRAFORM_REGISTRY
from prod_e_ops.errors import UserMistake

MIRROR_VARIABLE = "TF_PLUGIN_MIRROR_DIR"

# Below a registry in a mirror: namespace, type, version, platform (unpacked) or archive (packed).
_UNPACKED = "hashicorp/aws/*/*/terraform-provider-aws_v*"
_PACKED = "hashicorp/aws/terraform-provider-aws_*.zip"


@dataclass(frozen=True)
class ProviderSource:
    """`mirror`: a folder that Terraform must be told of, if any; `origin`: how it was found."""

    mirror: Path | None
    origin: str

    @property
    def addresses(self) -> Sequence[str]:
        """The addresses of the mirror's providers, as `host/namespace/type`."""
        return _providers(self.mirror) if self.mirror else ()

    def for_registry(self, registry: str, *, link_folder: Path) -> "ProviderSource":
        """The same, with a mirror that has the providers of `registry`.

        If the mirror has Terraform's only, links in `link_folder` give them the other name. That
        folder must outlive Terraform's run, because it links to what it installs from a mirror.
        """
        if self.mirror is None or _is_mirror(self.mirror, registry):
            return self
        _link(self.mirror / TERRAFORM_REGISTRY, link_folder / registry)
        return ProviderSource(link_folder, self.origin)

    def cli_configuration(self) -> str | None:
        """The Terraform CLI configuration for the mirror; what it lacks comes from a registry."""
        if self.mirror is None:
            return None
        providers = ", ".join(f'"{name}"' for name in self.addresses)
        path = str(self.mirror).replace("\\", "\\\\").replace('"', '\\"')
        return (
            "provider_installation {\n"
            f'  filesystem_mirror {{\n    path    = "{path}"\n    include = [{providers}]\n  }}\n'
            f"  direct {{\n    exclude = [{providers}]\n  }}\n"
            "}\n"
        )


def find_provider_source(
    environment: Mapping[str, str],
    *,
    registry: str = TERRAFORM_REGISTRY,
    usual_places: Sequence[Path] | None = None,
) -> ProviderSource:
    """Decides where providers come from; raises `UserMistake` if a named mirror is not one.

    `registry`: the program's.
    """
    home = Path(environment.get("HOME") or Path.home())
    is_opentofu = registry == OPENTOFU_REGISTRY
    files = [".tofurc", ".terraformrc"] if is_opentofu else [".terraformrc"]
    for configured in (
        environment.get("TF_CLI_CONFIG_FILE"),
        *(str(home / file) for file in files),
    ):
        if configured and Path(configured).is_file():
            return ProviderSource(None, f"as {configured} says")
    usable = (OPENTOFU_REGISTRY, TERRAFORM_REGISTRY) if is_opentofu else (TERRAFORM_REGISTRY,)
    if named := environment.get(MIRROR_VARIABLE):
        if not any(_is_mirror(Path(named), host) for host in usable):
            raise UserMistake(
                f"{MIRROR_VARIABLE} is {named}, which is not a mirror with the AWS provider.",
                next_step="Make one with `terraform providers mirror`, or unset the variable.",
            )
        return ProviderSource(Path(named).absolute(), f"from the mirror {named}")
    program = "OpenTofu" if is_opentofu else "Terraform"
    if any(_is_mirror(folder, registry) for folder in _implied_mirrors(environment, home)):
        return ProviderSource(None, f"from {program}'s own plugin folder")
    for host in usable:
        for place in _usual_places(home) if usual_places is None else usual_places:
            for folder in _folders(place):
                if _is_mirror(folder, host):
                    return ProviderSource(folder, f"from the mirror {folder}")
    return ProviderSource(None, f"from {program}'s registry")


def _implied_mirrors(environment: Mapping[str, str], home: Path) -> Iterator[Path]:
    """The folders in which Terraform looks without being told.

    https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
    """
    yield home / ".terraform.d" / "plugins"
    if sys.platform == "darwin":
        yield home / "Library" / "Application Support" / "io.terraform" / "plugins"
        yield Path("/Library/Application Support/io.terraform/plugins")
        return
    data = environment.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    shared = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for folder in (data, *shared.split(":")):
        yield Path(folder) / "terraform" / "plugins"


def _usual_places(home: Path) -> Sequence[Path]:
    return (
        Path("/opt"),
        Path("/usr/local/lib"),
        Path("/usr/lib"),
        Path("/usr/share"),
        Path("/usr/local/share"),
        Path("/var/lib"),
        home,
    )


def _folders(place: Path) -> Iterator[Path]:
    """The folders in `place` and one level further down in those named for Terraform."""
    for child in _folders_in(place):
        yield child
        if "terraform" in child.name or child.name.startswith("tf"):
            yield from _folders_in(child)


def _folders_in(place: Path) -> Sequence[Path]:
    """What cannot be looked at is left out: it could not be used either."""
    found = []
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir():
                    found.append(Path(entry.path))
    return sorted(found)


def _is_mirror(folder: Path, registry: str) -> bool:
    """Whether a folder is a mirror that has a registry's AWS provider for this machine."""
    system = f"{platform.system().lower()}_{_architecture()}"
    try:
        below = folder / registry
        return any(file.parent.name == system for file in below.glob(_UNPACKED)) or any(
            system in file.name for file in below.glob(_PACKED)
        )
    except OSError:
        return False


def _architecture() -> str:
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _providers(mirror: Path) -> Sequence[str]:
    """The addresses of a mirror's providers, as `host/namespace/type`."""
    return sorted(
        "/".join(folder.parts[-3:])
        for folder in mirror.glob("*/*/*")
        if folder.is_dir() and "." in folder.parts[-3]
    )


def _link(packages: Path, folder: Path) -> None:
    """Makes `folder` hold links to a registry's packages in a mirror.

    Terraform follows links to packages, and to none of the folders above them.
    """
    for package in (*packages.glob("*/*/*/*_*"), *packages.glob("*/*/*.zip")):
        link = folder / package.relative_to(packages)
        if link.is_symlink() and link.readlink() == package:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(package)
