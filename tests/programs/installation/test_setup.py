"""What set-up says of the machine before it downloads anything."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.project.project_folder import PROJECT


def node(folder: Path, version: str) -> Path:
    """A program that says that it is this version of Node.js."""
    program = folder / "node"
    folder.mkdir(parents=True)
    program.write_text(
        f"#!/bin/sh\ncase $1 in -p) echo {version.split('.')[0]} ;; *) echo v{version} ;; esac\n"
    )
    program.chmod(0o755)
    return program


def set_up(folder: Path, *nodes: Path) -> str:
    """What it says where there is no Python, so that it ends there."""
    (folder / "scripts").mkdir()
    script = shutil.copy(PROJECT / "scripts" / "setup.sh", folder / "scripts")
    # It needs the tools of the system, and not the system's own Node.js.
    tools = folder / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "cmp", "cat", "npm", "terraform"):
        (tools / name).symlink_to(shutil.which(name) or "/bin/true")
    path = os.pathsep.join([*(str(each.parent) for each in nodes), str(tools)])
    finished = subprocess.run(
        [shutil.which("bash") or "bash", script],
        env={"PATH": path, "PYTHON": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2, finished.stderr
    assert "Python 3.11 or newer" in finished.stderr
    return finished.stderr


def test_a_node_that_jsii_takes_is_taken_where_the_machine_has_one(tmp_path: Path) -> None:
    old = node(tmp_path / "first", "20.20.2")
    new = node(tmp_path / "another one", "22.23.0")
    said = set_up(tmp_path, old, new)
    assert f"The first node on PATH is v20.20.2, so that this takes {new}." in said
    assert "has dropped it" not in said


def test_a_node_that_jsii_has_dropped_is_told(tmp_path: Path) -> None:
    said = set_up(tmp_path, node(tmp_path / "only", "20.20.2"))
    assert "jsii, which CDKTF runs on, has dropped it: install 22 or newer." in said
    assert "  - Node.js" not in said


def test_a_node_that_jsii_takes_is_no_matter_for_words(tmp_path: Path) -> None:
    said = set_up(tmp_path, node(tmp_path / "only", "24.21.0"))
    assert "has dropped it" not in said
    assert "on PATH" not in said


def test_a_node_that_is_too_old_or_missing_is_told(tmp_path: Path) -> None:
    for folder, nodes in (("old", [node(tmp_path / "only", "18.1.0")]), ("none", [])):
        (tmp_path / folder).mkdir()
        said = set_up(tmp_path / folder, *nodes)
        assert "  - Node.js 22 or newer" in said
