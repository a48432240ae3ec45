"""The project's dependency lock beside other processes, and in git."""

import multiprocessing
import subprocess
from pathlib import Path

from prod_e.dependency_lock import LOCK_FILE, write_project_lock
from tests.support.project.project_folder import PROJECT
from tests.support.terraform.lock_files import locked, make_lock, make_stack


def _keep(folder: Path, number: int) -> None:
    source = f"us/p{number}"
    stack = make_stack(folder, {"p": {"source": source, "version": "1.0.0"}}, f"stack-{number}")
    write_project_lock(stack.folder / LOCK_FILE, [locked(source, "1.0.0", constraints="1.0.0")])
    make_lock(folder).keep(stack)


def test_processes_that_add_beside_each_other_lose_nothing(tmp_path: Path) -> None:
    numbers = range(12)
    with multiprocessing.get_context("fork").Pool(6) as pool:
        pool.starmap(_keep, [(tmp_path, number) for number in numbers])
    assert {p.source for p in make_lock(tmp_path).read()} == {f"us/p{n}" for n in numbers}
    assert {file.name for file in tmp_path.iterdir()} == {LOCK_FILE, "stacks"}


def test_git_does_not_ignore_the_lock() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "-q", LOCK_FILE],
        cwd=PROJECT,
        check=False,
    )
    assert ignored.returncode != 0
