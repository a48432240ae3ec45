"""`pip install .` in a Python that has nothing else brings what an app needs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project.project_folder import PROJECT

APP = """\
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from prod_e import FargateService, Network

app = App()
stack = TerraformStack(app, "web")
AwsProvider(stack, "aws", region="us-west-2")
network = Network(stack, "network")
FargateService(stack, "web", network=network, image="nginxinc/nginx-unprivileged:1.29", port=8080)
app.synth()
"""


def run(*command: str | Path, folder: Path) -> str:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**variables, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONNOUSERSITE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_an_app_of_ten_lines_is_synthesised_with_what_pip_installs(tmp_path: Path) -> None:
    # A build leaves files beside what it builds.
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(PROJECT / "pyproject.toml", source)
    for folder in ("constructs", "scripts"):
        built = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / folder, source / folder, ignore=built)
    run(sys.executable, "-m", "venv", "environment", folder=tmp_path)
    programs = tmp_path / "environment" / "bin"
    run(programs / "python", "-m", "pip", "install", "--quiet", source, folder=tmp_path)
    assert len(APP.splitlines()) == 10
    (tmp_path / "main.py").write_text(APP)
    run(programs / "python", "-m", "prod_e", "main.py", folder=tmp_path)
    stack = json.loads((tmp_path / "cdktf.out" / "stacks" / "web" / "cdk.tf.json").read_text())
    assert len(stack["resource"]["aws_ecs_service"]) == 1
    assert run(programs / "prod-e", "--version", folder=tmp_path).startswith("prod-e ")
