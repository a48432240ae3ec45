"""The launcher in the project's folder, and what npm's scripts make of it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from prod_e.settings import load_environments
from tests.support.project.project_folder import PROJECT, without_credentials


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=without_credentials(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_it_works_on_its_own_project_from_anywhere(tmp_path: Path) -> None:
    launcher = os.path.relpath(PROJECT / "prod-e", tmp_path)
    name = load_environments(PROJECT / "environments")[0].name
    done = run(launcher, "status", "-e", name, folder=tmp_path)
    assert done.returncode == 2
    assert "there are no AWS credentials" in done.stderr
    # What is to be typed next works where this was typed.
    assert f"`{launcher} demo` needs none" in done.stderr


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_an_option_that_npm_keeps_is_not_dropped_silently() -> None:
    done = run("npm", "run", "plan", "nowhere-e", "--json", folder=PROJECT)
    assert done.returncode == 2, done.stderr
    assert "npm kept --json for itself" in done.stderr
    assert "./prod-e plan nowhere-e --json" in done.stderr
    passed_on = run("npm", "run", "plan", "--", "nowhere-e", "--json", folder=PROJECT)
    assert "There is no environment 'nowhere-e'" in passed_on.stderr
