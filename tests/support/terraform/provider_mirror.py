"""Mirrors of the AWS provider, with an empty program, in the two layouts that Terraform knows."""

import platform
import zipfile
from pathlib import Path

from prod_e.dependency_lock import TERRAFORM_REGISTRY

VERSION = "5.100.0"
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(
    platform.machine(), platform.machine().lower()
)
SYSTEM = f"{platform.system().lower()}_{MACHINE}"


def unpacked_mirror(
    folder: Path, *, system: str = SYSTEM, registry: str = TERRAFORM_REGISTRY
) -> Path:
    """The layout of a plugin folder: each provider's program in a folder of its platform."""
    program = (
        folder
        / registry
        / "hashicorp/aws"
        / VERSION
        / system
        / f"terraform-provider-aws_v{VERSION}_x5"
    )
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return folder


def packed_mirror(
    folder: Path, *, system: str = SYSTEM, registry: str = TERRAFORM_REGISTRY
) -> Path:
    """The layout that `terraform providers mirror` makes, index files for a network included."""
    provider = folder / registry / "hashicorp/aws"
    provider.mkdir(parents=True)
    archive = f"terraform-provider-aws_{VERSION}_{system}.zip"
    with zipfile.ZipFile(provider / archive, "w") as file:
        program = zipfile.ZipInfo(f"terraform-provider-aws_v{VERSION}_x5")
        program.external_attr = 0o755 << 16
        file.writestr(program, "#!/bin/sh\n")
    (provider / "index.json").write_text(f'{{"versions": {{"{VERSION}": {{}}}}}}')
    (provider / f"{VERSION}.json").write_text(
        f'{{"archives": {{"{system}": {{"url": "{archive}"}}}}}}'
    )
    return folder
