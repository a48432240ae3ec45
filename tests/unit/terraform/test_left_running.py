"""A Terraform that still applies counts as left running once its command is no more."""

import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.left_running import AppliedIn


@pytest.fixture
def applied(tmp_path: Path) -> AppliedIn:
    found = AppliedIn(stack=Stack("tiny-e", tmp_path))
    found.folder.mkdir(parents=True)
    found.begin(os.getpid())
    return found


def noted(applied: AppliedIn, **changes: Any) -> Any:
    """What is noted of the process, after it is changed."""
    file = applied.folder / "process.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps({**known, **changes}))
    return known


def test_a_process_is_noted_with_its_start_and_its_command(applied: AppliedIn) -> None:
    started = psutil.Process().create_time()
    known = {"process_id": os.getpid(), "started": started, "command": os.getpid()}
    assert noted(applied) == known
    assert applied.left_running == os.getpid()


def test_one_whose_command_is_there_is_not_left(applied: AppliedIn) -> None:
    noted(applied, command=os.getppid())
    assert applied.left_running is None


def test_another_process_of_that_number_is_another(applied: AppliedIn) -> None:
    noted(applied, started=psutil.Process().create_time() - 1)
    assert applied.left_running is None


def test_one_that_has_ended_is_forgotten(applied: AppliedIn) -> None:
    applied.end()
    assert applied.left_running is None
    applied.end()
