"""The output folder is written beside, and what a kill has left there goes away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prod_e.app.synthesis import synthesise
from prod_e.settings import SettingsError


def synthesise_nothing(output: Path) -> None:
    synthesise([], project_folder=output.parent, output_folder=output)


def test_what_a_killed_synthesis_has_left_goes_away(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f".cdktf.out-{dead.pid}-abc"
    left.mkdir()
    at_work = tmp_path / f".cdktf.out-{os.getppid()}-abc"
    at_work.mkdir()
    (tmp_path / "cdktf.out" / "stacks").mkdir(parents=True)
    (tmp_path / "cdktf.out" / "manifest.json").touch()
    with pytest.raises(SettingsError):
        synthesise_nothing(tmp_path / "cdktf.out" / "manifest.json")
    synthesise_nothing(tmp_path / "cdktf.out")
    assert not left.exists()
    assert at_work.exists()
