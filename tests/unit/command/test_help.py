"""Each command's help: what people read of its options and their defaults."""

import pytest
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


@pytest.mark.parametrize("group", [[], ["providers"]])
def test_a_group_without_one_of_its_commands_shows_its_help(group: list[str]) -> None:
    runner = CliRunner(env={"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"})
    alone, asked = (runner.invoke(app, arguments) for arguments in (group, [*group, "--help"]))
    assert asked.stdout
    # It is no result: the command has not done anything.
    assert (alone.stdout, alone.stderr.strip()) == ("", asked.stdout.strip())
    assert alone.exit_code == 2
