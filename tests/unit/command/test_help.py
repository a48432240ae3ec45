"""Each command's help: what people read of its options and their defaults."""

from syrupy.assertion import SnapshotAssertion
from typer.testing import CliRunner

from prod_e_ops.cli import COMMANDS, app
from tests.support.snapshots import TextFile


def test_the_help_is_as_it_was(snapshot: SnapshotAssertion) -> None:
    runner = CliRunner(env={"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"})
    shown = []
    for name in ("", *COMMANDS):
        done = runner.invoke(app, [*name.split(), "--help"])
        assert done.exit_code == 0, done.output
        shown.append(done.stdout)
    assert "\n".join(shown) == snapshot(name="help", extension_class=TextFile)
