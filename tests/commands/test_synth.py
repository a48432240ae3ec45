"""What the app says while it is synthesised reaches the person."""

import json
from pathlib import Path

from tests.support.project.project_folder import TINY, make_project, prod_e, without_credentials

# What is imported first is imported slowly. What Node.js says of itself is no word of the app.
SPEAKS = """\
import constructs
import subprocess
subprocess.run(["node", "-e", "process.emitWarning('of Node.js')"], check=True)
"""


def speaking_project(folder: Path) -> Path:
    make_project(folder, tiny=TINY)
    main = folder / "main.py"
    main.write_text(f"{SPEAKS}{main.read_text()}")
    return folder


def test_a_warning_of_the_app_is_shown_and_the_result_is_json_alone(tmp_path: Path) -> None:
    folder = speaking_project(tmp_path / "project")
    (folder / "environments" / "other.toml").write_text("name = 1")
    done = prod_e(folder, "synth", "-e", "tiny-e", "--json")
    assert done.returncode == 0, done.stderr
    assert "synthesis will be slow: constructs" in done.stderr
    assert "of Node.js" not in done.stderr
    assert json.loads(done.stdout) == {
        "output_folder": str(folder / "cdktf.out"),
        "stacks": {"tiny-e": ["tiny-e-registry", "tiny-e"]},
    }


def test_a_plan_shows_it_too(tmp_path: Path) -> None:
    folder = speaking_project(tmp_path / "project")
    done = prod_e(folder, "plan", variables=without_credentials())
    assert "there are no AWS credentials" in done.stderr
    assert "synthesis will be slow: constructs" in done.stderr
    assert "of Node.js" not in done.stderr
