"""What nobody foresaw is told in plain lines, and kept for a report."""

import re
import stat
from pathlib import Path

import pytest
import typer

from prod_e_ops.context import Context, run
from tests.support.project.project_folder import PROJECT


async def fails(_: Context) -> None:
    raise KeyError("hunter2")


def test_a_fault_of_its_own_is_a_message_and_a_file_to_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(PROJECT)
    with pytest.raises(typer.Exit) as ended:
        run(fails)
    assert ended.value.exit_code == 70
    told = capsys.readouterr().err
    assert "This is a fault of prod-e's own: KeyError in test_unforeseen.py, line " in told
    assert "hunter2" not in told, "it may be a value of the settings"
    assert "Traceback" not in told
    assert "What was done before it stays done" in told
    assert "report it to whoever keeps this project" in " ".join(told.split())
    found = re.search(r"All that is known about it: (.+)", told)
    assert found is not None
    report = Path(found[1])
    assert "KeyError: 'hunter2'" in report.read_text()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
