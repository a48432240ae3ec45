"""The same settings give the same bytes, and a failure leaves what was there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def project(folder: Path) -> Path:
    """A copy of the project, small, with one environment."""
    (folder / "environments").mkdir(parents=True)
    (folder / "environments" / "tiny-e.toml").write_text('name = "tiny-e"\n[services.backend]\n')
    (folder / "backend").mkdir()
    (folder / "backend" / "Dockerfile").write_text("FROM scratch\n")
    shutil.copy(PROJECT / "main.py", folder)
    return folder


def synthesise(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, folder / "main.py"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_folder_and_the_run_do_not_show_in_the_output(tmp_path: Path) -> None:
    one, other = project(tmp_path / "one"), project(tmp_path / "elsewhere" / "other")
    for folder in (one, other, other):
        assert synthesise(folder).returncode == 0
    assert files(one / "cdktf.out") == files(other / "cdktf.out")


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ('name = "tiny-e"\n', "services: is missing"),
        (
            'name = "tiny-e"\n[services.gone]\n',
            "environments/tiny-e.toml: services.gone.source: 'gone' is not a folder;",
        ),
    ],
)
def test_wrong_settings_leave_the_output_as_it_was(
    tmp_path: Path, mistake: str, told: str
) -> None:
    folder = project(tmp_path / "project")
    assert synthesise(folder).returncode == 0
    before = files(folder)
    toml = folder / "environments" / "tiny-e.toml"
    toml.write_text(mistake)
    failed = synthesise(folder)
    assert failed.returncode == 2
    assert told in failed.stderr
    assert "Traceback" not in failed.stderr
    after = {**files(folder), "environments/tiny-e.toml": before["environments/tiny-e.toml"]}
    assert after == before


def test_terraforms_own_files_stay_and_a_removed_environment_goes(tmp_path: Path) -> None:
    folder = project(tmp_path / "project")
    assert synthesise(folder).returncode == 0
    stack = folder / "cdktf.out" / "stacks" / "tiny-e"
    (stack / ".terraform").mkdir()
    (stack / ".terraform" / "kept").touch()
    gone = folder / "cdktf.out" / "stacks" / "gone-e"
    gone.mkdir()
    (gone / "cdk.tf.json").write_text("{}")
    assert synthesise(folder).returncode == 0
    assert (stack / ".terraform" / "kept").is_file()
    assert not gone.exists()


def test_synthesis_is_fast_and_writes_what_stock_cdktf_writes(tmp_path: Path) -> None:
    fast, stock = project(tmp_path / "fast"), project(tmp_path / "stock")
    quick = synthesise(fast)
    assert (quick.returncode, quick.stderr) == (0, "")
    assert synthesise(stock, PROD_E_STOCK_SYNTHESIS="1").returncode == 0
    assert files(fast / "cdktf.out") == files(stock / "cdktf.out")


COUNT_MODULES = """
import sys
import prod_e.stacks
print(sum(name.startswith("cdktf_cdktf_provider_aws.") for name in sys.modules))
"""


def modules_loaded(**variables: str) -> int:
    finished = subprocess.run(
        [sys.executable, "-c", COUNT_MODULES],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(finished.stdout)


def test_of_the_providers_modules_only_those_in_use_are_loaded() -> None:
    # The package has over four thousand.
    assert modules_loaded() < 200


def test_a_provider_imported_too_early_costs_one_warning() -> None:
    code = "import constructs, prod_e, prod_e.settings"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stderr.count("SlowSynthesisWarning: synthesis will be slow") == 1
