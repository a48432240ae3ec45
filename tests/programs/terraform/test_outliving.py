"""A Terraform that applies a plan goes on where its command is killed, and saves its state."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from prod_e_ops.context import Context
from prod_e_ops.errors import AwsUnreachable, Interrupted
from prod_e_ops.project.project import Project, Stack
from prod_e_ops.stacks.prepared import wait_for_left_running
from prod_e_ops.terminal.processes import ChildProcesses, Outlives
from prod_e_ops.terminal.terminal import Step, Terminal
from prod_e_ops.terraform.left_running import AppliedIn
from prod_e_ops.terraform.limits import Limits
from prod_e_ops.terraform.runner import Terraform
from tests.support.project.project_folder import PROJECT
from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform

# Until the test lets it go on, and never for good.
WAIT = "for i in $(seq 3000); do [ -e go ] && break; sleep 0.1; done"

APPLY = """
import sys
from pathlib import Path
from tests.support.terraform.terraform_program import TerraformFolder
TerraformFolder(Path(sys.argv[1])).apply()
"""


@needs_terraform
def test_a_killed_command_leaves_terraform_at_work_and_the_next_one_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = TerraformFolder(tmp_path)
    folder.write_resources(
        slow={"provisioner": {"local-exec": {"command": WAIT}}},
        last={"depends_on": ["terraform_data.slow"]},
    )
    command = subprocess.Popen([sys.executable, "-c", APPLY, tmp_path], cwd=PROJECT)
    applied = AppliedIn(stack=folder.stack)
    deadline = time.monotonic() + 300
    while not (applied.folder / "process.json").is_file():
        assert command.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    assert applied.left_running is None, "its command lives"
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    assert applied.left_running is not None, "Terraform died with its command"
    told: list[str] = []

    def go_on(_: Step, text: str) -> None:
        told.append(text)
        (folder.stack.folder / "go").touch()

    monkeypatch.setattr(Step, "update", go_on)
    process_id = applied.left_running
    context = Context(
        project=Project(tmp_path, tmp_path),
        terminal=Terminal(),
        processes=ChildProcesses(lambda _: None),
    )
    other = Stack("tried-e-registry", tmp_path / "other")
    asyncio.run(wait_for_left_running(context, [other, folder.stack]))
    assert set(told) == {f"process {process_id} still applies a plan"}
    file = folder.stack.folder / "terraform.tfstate"
    assert file.stat().st_mode & 0o077 == 0
    state = json.loads(file.read_text())
    assert {resource["name"] for resource in state["resources"]} == {"slow", "last"}
    assert not list(tmp_path.rglob("*.lock.info"))
    assert (applied.folder / "stdout").stat().st_mode & 0o077 == 0
    assert folder.plan().is_empty


def test_another_process_of_the_same_number_is_not_waited_for(tmp_path: Path) -> None:
    applied = AppliedIn(stack=Stack("tried-e", tmp_path))
    applied.folder.mkdir(parents=True)
    applied.begin(os.getpid())
    assert applied.left_running == os.getpid()
    file = applied.folder / "process.json"
    noted = json.loads(file.read_text())
    file.write_text(json.dumps({**noted, "started": noted["started"] - 100}))
    assert applied.left_running is None
    file.write_text("{")
    assert applied.left_running is None


@needs_terraform
def test_a_terraform_of_which_nothing_is_heard_is_stopped(tmp_path: Path) -> None:
    folder = TerraformFolder(tmp_path)
    folder.write_resources(slow={"provisioner": {"local-exec": {"command": "sleep 900"}}})

    async def work(terraform: Terraform) -> None:
        hasty = replace(terraform, limits=Limits(apply_seconds=3))
        await hasty.init(folder.stack)
        await hasty.plan(folder.stack)
        await hasty.apply(folder.stack)

    begun = time.monotonic()
    with pytest.raises(AwsUnreachable, match="it made no progress"):
        folder.run(work)
    assert time.monotonic() - begun < 600


LAST_WORDS = """
import signal, sys, time
def end(*_):
    print("last words", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


def test_what_it_says_after_ctrl_c_is_handed_on_too(tmp_path: Path) -> None:
    processes = ChildProcesses(lambda _: None)
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        if line == "ready":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        processes.run(
            processes.call(
                [sys.executable, "-c", LAST_WORDS],
                folder=tmp_path,
                environment=os.environ,
                on_stdout=hear,
                outlives=Outlives(folder=tmp_path / "output", on_started=lambda _: None),
            )
        )
    assert heard == ["ready", "last words"]
