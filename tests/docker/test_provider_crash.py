"""The demo goes on without a stack whose provider crashes, and fails in the end."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from prod_e import tested_versions
from prod_e_ops.terraform.providers.mirror import find_provider_source
from tests.support.docker_engine import docker_or_skip
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.terraform.dying_provider import PANIC, add_dying_provider

AWS = find_provider_source(os.environ)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed"),
    pytest.mark.skipif(
        AWS.mirror is None, reason="no mirror has the AWS provider, to put another one beside it"
    ),
]


def test_a_docker_provider_that_crashes_fails_the_demo_after_everything_else(
    tmp_path: Path,
) -> None:
    docker_or_skip("node:16-slim")  # The demo would leave the image stack out.
    (version,) = tested_versions.read().providers["kreuzwerker/docker"]
    add_dying_provider(tmp_path / "mirror", "kreuzwerker/docker", version, last_words=PANIC)
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(
        "provider_installation {\n"
        f'  filesystem_mirror {{ path = "{tmp_path}/mirror" }}\n'
        f'  filesystem_mirror {{\n path = "{AWS.mirror}"\n exclude = ["kreuzwerker/docker"]\n  }}\n'
        "}\n"
    )
    project = make_project(tmp_path / "project", tiny=TINY.replace('"external"', '"terraform"'))
    finished = prod_e(
        project,
        "demo",
        "--json",
        variables={**os.environ, "TF_CLI_CONFIG_FILE": str(configuration)},
        timeout_seconds=1_200,
    )

    assert finished.returncode == 1, finished.stderr
    report = json.loads(finished.stdout)
    reason = f"the provider kreuzwerker/docker {version} crashed"
    assert report["passed"] is False
    assert report["failed"] == [{"stack": "tiny-e-image", "reason": reason}]
    results = {step["step"]: step["result"] for step in report["steps"]}
    assert results.get("Plan again") == "no changes", finished.stderr
    assert report["resources_created"] == report["resources_destroyed"] > 40
    # Without the provider, the image is pushed by `push`, as build-and-push.sh does it.
    assert "$ prod-e push backend --yes" in finished.stderr
    assert results["Roll back"].endswith("runs again")

    assert f"failed for the stack tiny-e-image: {reason}." in finished.stderr
    assert finished.stderr.count("The demo did not pass:") == 1
    (log,) = re.findall(r"All that Terraform wrote: (.+)", finished.stderr)
    assert Path(log).is_relative_to(project)
    assert PANIC in Path(log).read_text()
