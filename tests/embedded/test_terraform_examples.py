"""`python -m embedded_aws` runs what Terraform applies, in HCL as its documentation has it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from prod_e_ops.terraform.providers.mirror import find_provider_source
from tests.embedded.conftest import BACKEND
from tests.embedded.world import eventually, get, write_source
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider]

EXAMPLES = Path(__file__).with_name("terraform")
CHANGES = 2
"""What `terraform plan -detailed-exitcode` ends with where there are any."""


@dataclass(frozen=True, kw_only=True)
class Terraform:
    """Terraform in a folder, in a shell with the variables that the embedded AWS has printed.

    `news`: the file of what that says meanwhile.
    """

    folder: Path
    printed: dict[str, str]
    news: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, **self.printed}
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
    source, folder, news = tmp_path / "app", tmp_path / "examples", tmp_path / "news"
    write_source(source, "first")
    folder.mkdir()
    for file in EXAMPLES.glob("*.tf"):
        shutil.copy(file, folder)
    # The second source has the programs of PostgreSQL.
    sources = (f"--source=app={source}", f"--source=other={BACKEND}")
    with (
        news.open("w") as said,
        subprocess.Popen(
            [sys.executable, "-m", "embedded_aws", "--json", "--runtime=process", *sources],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            printed = json.loads(process.stdout.readline())
            yield Terraform(folder=folder, printed=printed, news=news)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    assert "broke on" not in news.read_text()
    assert "does not exist here" not in news.read_text()


@pytest.mark.usefixtures("with_postgresql")
def test_what_is_applied_runs_and_a_second_plan_is_empty(terraform: Terraform) -> None:
    terraform.must("init", "-input=false")
    terraform.must("apply", "-input=false", "-auto-approve")

    second = terraform.run("plan", "-input=false", "-detailed-exitcode")
    assert second.returncode == 0, second.stdout + second.stderr

    found = eventually(
        "it says where", lambda: re.search(r"web:80 is at (\S+)", terraform.news.read_text())
    )
    url = found[1]
    eventually("it serves", lambda: get(f"{url}/health")[0] == 200)
    assert get(f"{url}/maintenance/now")[::2] == (503, "back soon")
    status, headers, _ = get(f"{url}/any", Host="old.example.com")
    assert (status, headers["location"].endswith("/new")) == (301, True)
    assert '"STAGE":"example"' in get(f"{url}/env")[2]

    # A change is seen, and is one after it was applied.
    file = terraform.folder / "service.tf"
    file.write_text(file.read_text().replace('value = "example"', 'value = "changed"'))
    assert terraform.run("plan", "-input=false", "-detailed-exitcode").returncode == CHANGES
    terraform.must("apply", "-input=false", "-auto-approve")
    assert '"STAGE":"changed"' in get(f"{url}/env")[2]

    terraform.must("destroy", "-auto-approve")
    with pytest.raises(OSError, match="refused"):
        get(f"{url}/health")
