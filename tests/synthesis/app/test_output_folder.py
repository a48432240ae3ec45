"""The output folder is written beside, and what a kill has left there goes away."""

import errno
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


def test_an_output_folder_that_cannot_be_made_or_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "cdktf.out").mkdir()
    (tmp_path / "cdktf.out" / "stacks").symlink_to(file)
    for output in (file / "cdktf.out", tmp_path / "cdktf.out"):
        with pytest.raises(SettingsError, match="cannot be written: "):
            synthesise([], project_folder=tmp_path, output_folder=output)
    assert not list(tmp_path.glob(".cdktf.out-*"))


def test_a_checkout_that_is_read_only_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> str:
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(SettingsError, match="cannot be written: Read-only file system"):
        synthesise_nothing(tmp_path / "cdktf.out")
