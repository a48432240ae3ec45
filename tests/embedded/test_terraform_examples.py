"""Terraform in plain HCL, of the kind that the provider's documentation has, runs for real."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from prod_e_ops.terraform.provider_mirror import find_provider_source
from tests.embedded.conftest import BACKEND
from tests.embedded.world import eventually, get, write_source
from tests.support.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider]

EXAMPLES = Path(__file__).with_name("terraform")
CHANGES = 2
"""What `terraform plan -detailed-exitcode` ends with where there are any."""


@dataclass(frozen=True, kw_only=True)
class Terraform:
    """Terraform in a folder, for an embedded AWS."""

    folder: Path
    aws: EmbeddedAws

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        variables = self.aws.environment()
        if text := find_provider_source(os.environ).cli_configuration():
            file = self.folder.parent / "terraform.rc"
            file.write_text(text)
            variables["TF_CLI_CONFIG_FILE"] = str(file)
        return subprocess.run(
            ["terraform", *arguments, "-no-color"],
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, *arguments: str) -> None:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def terraform(tmp_path: Path) -> Iterator[Terraform]:
    source, folder = tmp_path / "app", tmp_path / "examples"
    write_source(source, "first")
    folder.mkdir()
    for file in EXAMPLES.glob("*.tf"):
        shutil.copy(file, folder)
    data_plane = DataPlane(
        # The second has the programs of PostgreSQL.
        sources={"app": source, "other": BACKEND},
        runtime="process",
        cache_folder=tmp_path / "builds",
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        yield Terraform(folder=folder, aws=aws)
        assert aws.failed_calls == ()


@pytest.mark.usefixtures("with_postgresql")
def test_what_is_applied_runs_and_a_second_plan_is_empty(terraform: Terraform) -> None:
    terraform.must("init", "-input=false")
    terraform.must("apply", "-input=false", "-auto-approve")

    second = terraform.run("plan", "-input=false", "-detailed-exitcode")
    assert second.returncode == 0, second.stdout + second.stderr

    (listener,) = terraform.aws.listeners()
    eventually("it serves", lambda: get(f"{listener['url']}/health")[0] == 200)
    assert get(f"{listener['url']}/maintenance/now")[::2] == (503, "back soon")
    status, headers, _ = get(f"{listener['url']}/any", Host="old.example.com")
    assert (status, headers["location"].endswith("/new")) == (301, True)
    assert '"STAGE":"example"' in get(f"{listener['url']}/env")[2]

    # A change is seen, and is one after it was applied.
    file = terraform.folder / "service.tf"
    file.write_text(file.read_text().replace('value = "example"', 'value = "changed"'))
    assert terraform.run("plan", "-input=false", "-detailed-exitcode").returncode == CHANGES
    terraform.must("apply", "-input=false", "-auto-approve")
    assert '"STAGE":"changed"' in get(f"{listener['url']}/env")[2]

    terraform.must("destroy", "-auto-approve")
    assert terraform.aws.listeners() == []
