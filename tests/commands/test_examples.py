"""The examples are synthesised and checked by Terraform with the real provider."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from prod_e_ops.project.project import Stack
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terraform.runner import find_terraform
from tests.support.project_folder import PROJECT, make_project

EXAMPLES = sorted((PROJECT / "examples").glob("*.py"))


def run_app(*arguments: str | Path, folder: Path) -> None:
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")


def validate(stack_folder: Path, tmp_path: Path) -> None:
    """Raises unless the real provider accepts the stack."""
    processes = ChildProcesses(lambda _: None)
    stack = Stack(stack_folder.name, stack_folder)

    async def work() -> None:
        async with find_terraform(processes, cache_folder=tmp_path / "cache") as terraform:
            await terraform.init(stack)
            await terraform.validate(stack)

    processes.run(work())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_accepted_by_the_real_provider(example: Path, tmp_path: Path) -> None:
    run_app("-m", "prod_e", example, folder=tmp_path)
    (stack,) = (tmp_path / "cdktf.out" / "stacks").iterdir()
    # The bindings ask for the provider that they were made from, which is not the tested one.
    json_file = stack / "cdk.tf.json"
    json_file.write_text(
        re.sub(r'("source": "aws",\s*"version": )"[^"]*"', r'\1"~> 5.100"', json_file.read_text())
    )
    validate(stack, tmp_path)


def test_the_lines_in_main_py_add_a_queue_that_the_service_may_send_to(tmp_path: Path) -> None:
    folder = make_project(
        tmp_path / "project", **{"tiny-e": 'name = "tiny-e"\n[services.backend]\n'}
    )
    text = (folder / "main.py").read_text()
    shown = re.search(
        r'^    from cdktf_cdktf_provider_aws\.sqs_queue.*?(?=^    """)', text, re.M | re.S
    )
    assert shown
    (folder / "main.py").write_text(
        text.replace('    """\n\n\ndef main', f'    """\n{shown[0]}\n\ndef main')
    )
    run_app("main.py", folder=folder)
    stack = folder / "cdktf.out" / "stacks" / "tiny-e"
    json_text = (stack / "cdk.tf.json").read_text()
    assert "tiny-e-jobs" in json_text
    assert '\\"JOBS_URL\\", \\"value\\": \\"${aws_sqs_queue.jobs.url}' in json_text
    assert "sqs:SendMessage" in json_text
    validate(stack, tmp_path)
