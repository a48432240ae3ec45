"""What somebody else's CDKTF app can rely on: public names, quiet imports, the launcher."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import prod_e

IMPORTING = """
import gc, json, os, sys

def process():
    return [str(finder) for finder in sys.meta_path], gc.get_threshold(), dict(os.environ)

before = process()
import prod_e, prod_e.names
assert process() == before
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] in {
    "cdktf", "constructs", "jsii", "cdktf_cdktf_provider_aws", "cdktf_cdktf_provider_docker"
})))
"""

FOREIGN_APP = """
import sys
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from prod_e import ImageRepository

app = App(outdir=sys.argv[1])
stack = TerraformStack(app, "foreign")
AwsProvider(stack, "aws", region="eu-west-1")
ImageRepository(stack, "images", name="foreign-images")
app.synth()
print(__name__, sys.path[0])
print(sum(name.startswith("cdktf_cdktf_provider_aws.") for name in sys.modules))
"""

FAILING_APP = """
import sys

def fail():
    raise LookupError(f"given: {sys.argv[1:]}")

fail()
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=os.environ
    )


def launch(script: Path, code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    script.write_text(code)
    return run("-m", "prod_e", script, *arguments)


def test_importing_it_changes_nothing_in_the_process_and_loads_no_cdktf() -> None:
    finished = run("-c", IMPORTING)
    assert (finished.stdout, finished.stderr) == ("[]\n", "")


def test_the_launcher_keeps_an_app_that_imports_cdktf_first_from_loading_all_bindings(
    tmp_path: Path,
) -> None:
    finished = launch(tmp_path / "app.py", FOREIGN_APP, tmp_path / "out")
    assert (finished.returncode, finished.stderr) == (0, "")
    where, modules = finished.stdout.splitlines()
    assert where == f"__main__ {tmp_path}"
    # The package has over two thousand.
    assert 3 < int(modules) < 50
    assert (tmp_path / "out" / "stacks" / "foreign" / "cdk.tf.json").is_file()


def test_the_launcher_shows_an_apps_traceback_as_python_does(tmp_path: Path) -> None:
    launched = launch(tmp_path / "app.py", FAILING_APP, "--one", "two")
    direct = run(tmp_path / "app.py", "--one", "two")
    assert launched.returncode == direct.returncode == 1
    assert "LookupError: given: ['--one', 'two']" in direct.stderr
    own = launched.stderr[launched.stderr.index(f'  File "{tmp_path}') :]
    assert own == direct.stderr[direct.stderr.index(f'  File "{tmp_path}') :]


def test_the_launcher_ends_with_the_apps_status(tmp_path: Path) -> None:
    assert launch(tmp_path / "app.py", "raise SystemExit(7)").returncode == 7
    assert launch(tmp_path / "app.py", "").returncode == 0


@pytest.mark.parametrize("arguments", [(), ("gone.py",)])
def test_the_launcher_without_a_script_says_how_it_is_used(arguments: tuple[str, ...]) -> None:
    finished = run("-m", "prod_e", *arguments)
    assert finished.returncode == 2
    assert "usage: python -m prod_e <script.py>" in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_every_public_name_is_there_documented_and_known_to_type_checkers() -> None:
    tree = ast.parse(Path(str(prod_e.__file__)).read_text())
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    known = {
        alias.asname or alias.name
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert known == set(prod_e.__all__)
    for name in prod_e.__all__:
        assert getattr(prod_e, name).__doc__, name
        assert name in dir(prod_e)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Netwrok'"):
        prod_e.Netwrok  # type: ignore[attr-defined]  # noqa: B018
