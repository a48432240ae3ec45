"""The dependency lock with the real Terraform, OpenTofu and cdktf."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from prod_e.dependency_lock import (
    LOCK_FILE,
    OPENTOFU_REGISTRY,
    TERRAFORM_REGISTRY,
    LockedProvider,
    read_lock,
)
from prod_e_ops.errors import DependencyLockMismatch
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.providers.dependency_lock import DependencyLock
from prod_e_ops.terraform.providers.mirror import find_provider_source
from prod_e_ops.terraform.runner import Terraform
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.terraform.provider_mirror import packed_mirror
from tests.support.terraform.provider_registry import provider_registry
from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform

AWS = "hashicorp/aws"
NO_REGISTRY = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}
"""Makes Terraform's registry unreachable, and nothing else."""

needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")


@dataclass(frozen=True)
class Locking:
    """Stacks that one project's lock is for, and a mirror with a package of no plugin."""

    folder: Path
    mirror: Path
    told: list[str]

    def init(self, stack: str, *, program: str = "terraform", version: str = "~> 5.100") -> None:
        terraform_folder = TerraformFolder(self.folder / stack)
        terraform_folder.folder.mkdir(exist_ok=True)
        required = {"aws": {"source": "aws", "version": version}}
        terraform_folder.write(terraform={"required_providers": required})

        async def init(terraform: Terraform) -> None:
            lock = DependencyLock(
                folder=self.folder, registry=terraform.registry, on_added=self.told.append
            )
            await terraform.init(terraform_folder.stack, lock=lock)

        terraform_folder.run(
            init,
            {
                "TF_CLI_CONFIG_FILE": "",
                "TF_PLUGIN_MIRROR_DIR": str(self.mirror),
                "TERRAFORM_BINARY_NAME": program,
            },
        )

    def stack(self, name: str) -> Stack:
        return TerraformFolder(self.folder / name).stack

    @property
    def locked(self) -> Mapping[str, LockedProvider]:
        return {provider.address: provider for provider in read_lock(self.folder / LOCK_FILE)}


@pytest.fixture
def locking(tmp_path: Path) -> Locking:
    (tmp_path / "project").mkdir()
    return Locking(tmp_path / "project", packed_mirror(tmp_path / "mirror"), [])


@needs_terraform
def test_the_first_initialisation_makes_the_lock_and_no_later_one_changes_it(
    locking: Locking,
) -> None:
    locking.init("first")
    (line,) = locking.told
    assert line.startswith(f"{LOCK_FILE} holds {AWS} 5.100.0 from now on: commit it.")
    assert "for this platform only" in line
    text = (locking.folder / LOCK_FILE).read_bytes()
    locking.init("second")
    locking.init("first")
    assert (locking.folder / LOCK_FILE).read_bytes() == text
    assert len(locking.told) == 1
    assert read_lock(locking.stack("second").folder / LOCK_FILE) == tuple(locking.locked.values())


@needs_terraform
def test_another_checksum_is_refused_and_nothing_is_changed(locking: Locking) -> None:
    locking.init("first")
    text = (locking.folder / LOCK_FILE).read_bytes()
    shutil.rmtree(locking.mirror)
    packed_mirror(locking.mirror)
    archive = next(locking.mirror.rglob("*.zip"))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("one-file-more", "")
    with pytest.raises(DependencyLockMismatch) as refusal:
        locking.init("second")
    assert f"{AWS} 5.100.0" in refusal.value.message
    assert "./prod-e providers lock" in str(refusal.value.next_step)
    assert refusal.value.exit_status == 2
    assert (locking.folder / LOCK_FILE).read_bytes() == text
    assert {file.name for file in locking.folder.iterdir()} == {LOCK_FILE, "first", "second"}
    assert read_lock(locking.stack("second").folder / LOCK_FILE) == tuple(locking.locked.values())


@needs_terraform
def test_a_lock_that_was_changed_is_looked_at_again(locking: Locking) -> None:
    locking.init("first")
    file = locking.folder / LOCK_FILE
    file.write_text(file.read_text().replace('"h1:', '"h1:A'))
    with pytest.raises(DependencyLockMismatch):
        locking.init("first")


@needs_terraform
@pytest.mark.skipif(shutil.which("tofu") is None, reason="OpenTofu is not installed as `tofu`")
def test_opentofu_and_terraform_share_a_project_and_a_mirror(locking: Locking) -> None:
    locking.init("first")
    terraforms = locking.locked[f"{TERRAFORM_REGISTRY}/{AWS}"]
    locking.init("first", program="tofu")
    tofus = locking.locked[f"{OPENTOFU_REGISTRY}/{AWS}"]
    assert tofus.version == terraforms.version
    assert locking.locked[f"{TERRAFORM_REGISTRY}/{AWS}"] == terraforms
    text = (locking.folder / LOCK_FILE).read_bytes()
    for program in ("terraform", "tofu"):
        locking.init("first", program=program)
        locking.init("second", program=program)
    assert (locking.folder / LOCK_FILE).read_bytes() == text
    assert len(locking.told) == 2


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The variables with which Terraform asks a registry that has two versions of the provider."""
    folder = tmp_path_factory.mktemp("registry")
    with provider_registry(
        folder / "served", source=AWS, versions=["5.100.0", "6.1.0"]
    ) as configuration:
        (folder / "terraform.rc").write_text(configuration)
        yield {**os.environ, "TF_CLI_CONFIG_FILE": str(folder / "terraform.rc")}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", tiny=TINY)


def hashes(project: Path) -> tuple[str, int, int]:
    """The locked version, and how many checksums of files and of archives there are."""
    (provider,) = read_lock(project / LOCK_FILE)
    kinds = [value.partition(":")[0] for value in provider.hashes]
    return provider.version, kinds.count("h1"), kinds.count("zh")


@needs_terraform
@needs_gpg
def test_the_lock_is_renewed_for_the_platforms_asked_for(
    project: Path, registry: Mapping[str, str]
) -> None:
    two = ("--platform", "linux_amd64", "--platform", "darwin_arm64")
    locked = prod_e(project, "providers", "lock", *two, variables=registry)
    assert locked.returncode == 0, locked.stderr
    assert locked.stdout == f"{LOCK_FILE} holds {AWS} 5.100.0 (tested): commit it.\n"
    assert "this platform only" not in locked.stderr
    # The registry signs the archives of all four platforms that it has.
    assert hashes(project) == ("5.100.0", 2, 4)
    more = prod_e(project, "providers", "lock", "--platform", "linux_arm64", variables=registry)
    assert more.returncode == 0, more.stderr
    assert hashes(project) == ("5.100.0", 3, 4)
    stacks = list((project / "cdktf.out" / "stacks").iterdir())
    assert len(stacks) == 2
    for stack in stacks:
        assert read_lock(stack / LOCK_FILE) == read_lock(project / LOCK_FILE)


@needs_terraform
@needs_gpg
def test_only_the_command_takes_a_version_of_another_range(
    project: Path, registry: Mapping[str, str], aws: EmbeddedAws
) -> None:
    assert prod_e(project, "providers", "lock", variables=registry).returncode == 0
    before = (project / LOCK_FILE).read_bytes()
    (project / "environments" / "tiny.toml").write_text(TINY + '[providers]\naws = "~> 6.0"\n')
    refused = prod_e(project, "plan", variables=aws.environment(registry))
    assert refused.returncode == 2
    assert f"{LOCK_FILE} has {AWS} 5.100.0" in refused.stderr
    assert "`./prod-e providers lock` locks a version in that range" in refused.stderr
    assert (project / LOCK_FILE).read_bytes() == before
    of_one = prod_e(project, "providers", "lock", "-e", "tiny-e", variables=registry)
    assert of_one.returncode == 0, of_one.stderr
    # The older one may be another environment's.
    assert sorted(p.version for p in read_lock(project / LOCK_FILE)) == ["5.100.0", "6.1.0"]
    taken = prod_e(project, "providers", "lock", variables=registry)
    assert taken.returncode == 0, taken.stderr
    assert hashes(project)[0] == "6.1.0"
    assert "is not the version that prod-e is tested with (5.100.0)" in taken.stderr


@needs_terraform
@needs_gpg
def test_upgrading_takes_the_newest_version_of_the_range(
    project: Path, registry: Mapping[str, str]
) -> None:
    assert prod_e(project, "providers", "lock", variables=registry).returncode == 0
    (project / "environments" / "tiny.toml").write_text(TINY + '[providers]\naws = ">= 5.100"\n')
    assert prod_e(project, "providers", "lock", variables=registry).returncode == 0
    assert hashes(project)[0] == "5.100.0"
    upgraded = prod_e(project, "providers", "lock", "--upgrade", variables=registry)
    assert upgraded.returncode == 0, upgraded.stderr
    assert hashes(project)[0] == "6.1.0"


@needs_terraform
@needs_gpg
def test_a_platform_that_nobody_has_leaves_the_lock_as_it_was(
    project: Path, registry: Mapping[str, str]
) -> None:
    assert prod_e(project, "providers", "lock", variables=registry).returncode == 0
    before = (project / LOCK_FILE).read_bytes()
    failed = prod_e(project, "providers", "lock", "--platform", "plan9_mips", variables=registry)
    assert failed.returncode == 1
    assert f"{AWS} ~> 5.100 cannot be locked" in failed.stderr
    assert failed.stdout == ""
    refused = prod_e(project, "providers", "lock", "--platform", "Linux", variables=registry)
    assert refused.returncode == 2
    assert "'Linux'" in refused.stderr
    assert (project / LOCK_FILE).read_bytes() == before


@pytest.mark.slow
@needs_terraform
@pytest.mark.skipif(
    find_provider_source(os.environ).mirror is None, reason="no mirror has the AWS provider"
)
def test_cdktf_works_with_a_mirror_only_where_the_lock_is_there(
    project: Path, tmp_path: Path, aws: EmbeddedAws
) -> None:
    mirror = find_provider_source(os.environ).mirror
    configuration = tmp_path / "mirror.rc"
    configuration.write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{mirror}" }} }}\n'
    )
    variables = {**aws.environment({**os.environ, **NO_REGISTRY}), "CI": "1"}
    planned = prod_e(project, "plan", variables=variables)
    assert planned.returncode == 0, planned.stderr
    assert "hashicorp/aws 5.100.0 (tested)" in planned.stderr
    before = (project / LOCK_FILE).read_bytes()
    shutil.rmtree(project / "cdktf.out")

    def cdktf(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["npx", "cdktf", *arguments],
            cwd=project,
            env={
                **variables,
                "TF_CLI_CONFIG_FILE": str(configuration),
                "VIRTUAL_ENV": sys.prefix,
                "DISABLE_VERSION_CHECK": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    deployed = cdktf("deploy", "tiny-e-registry", "--auto-approve")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert "backend_repository_url" in deployed.stdout
    assert (project / LOCK_FILE).read_bytes() == before
    # Without it, cdktf asks the registry by itself.
    (project / LOCK_FILE).unlink()
    shutil.rmtree(project / "cdktf.out")
    failed = cdktf("diff", "tiny-e-registry")
    assert failed.returncode != 0
    assert "registry.terraform.io" in failed.stdout + failed.stderr
