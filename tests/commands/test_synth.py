"""What the app says while it is synthesised reaches the person."""

import json
from pathlib import Path

from tests.support.project_folder import TINY, make_project, prod_e


def test_a_warning_of_the_app_is_shown_and_the_result_is_json_alone(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project", tiny=TINY)
    main = folder / "main.py"
    # What is imported first is imported slowly.
    main.write_text(f"import constructs\n{main.read_text()}")
    done = prod_e(folder, "synth", "--json")
    assert done.returncode == 0, done.stderr
    assert "synthesis will be slow: constructs" in done.stderr
    assert json.loads(done.stdout) == {
        "output_folder": str(folder / "cdktf.out"),
        "stacks": {"tiny-e": ["tiny-e-registry", "tiny-e"]},
    }
