"""The same settings give the same bytes, and a failure leaves what was there."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import prod_e.app.synthesis
from prod_e import tested_versions
from prod_e.settings import load_environments
from tests.support.command.python_run import files, run_python
from tests.support.project.project_folder import PROJECT


def project(folder: Path) -> Path:
    """A copy of the project, small, with one environment."""
    (folder / "environments").mkdir(parents=True)
    (folder / "environments" / "tiny-e.toml").write_text('name = "tiny-e"\n[services.backend]\n')
    (folder / "backend").mkdir()
    (folder / "backend" / "Dockerfile").write_text("FROM scratch\n")
    shutil.copy(PROJECT / "main.py", folder)
    return folder


def synthesise(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_python(folder / "main.py", **variables)


COUNT_FILES_IN_NODE = """
process.on("exit", () => {
  const loaded = Object.keys(require.cache).filter((name) => name.includes("provider-aws"));
  if (loaded.length > 0) {
    require("node:fs").writeFileSync(process.env.COUNT, String(loaded.length));
  }
});
"""


@dataclass(frozen=True)
class Synthesised:
    """`folder`: a project after one run. `files_in_node`: of the provider's, how many it loaded."""

    folder: Path
    finished: subprocess.CompletedProcess[str]
    files_in_node: int


@pytest.fixture(scope="session")
def synthesised_once(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """The project after one run, by a user with NODE_OPTIONS of their own; for reading only."""
    scratch = tmp_path_factory.mktemp("synthesised-once")
    counting, count = scratch / "count files.cjs", scratch / "count"
    counting.write_text(COUNT_FILES_IN_NODE)
    folder = project(scratch / "project")
    finished = synthesise(folder, NODE_OPTIONS=f'--require "{counting}"', COUNT=str(count))
    return Synthesised(folder, finished, int(count.read_text()))


def test_synthesis_says_what_it_wrote_and_loads_only_what_is_in_use(
    synthesised_once: Synthesised,
) -> None:
    finished = synthesised_once.finished
    assert (finished.returncode, finished.stderr) == (0, "")
    written = synthesised_once.folder / "cdktf.out"
    assert finished.stdout == f"Wrote the stacks of tiny-e to {written}.\n"
    # The package has over four thousand files.
    assert 20 < synthesised_once.files_in_node < 300


def test_synthesis_needs_no_program_but_node(tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node is not None
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "node").symlink_to(node)
    finished = synthesise(project(tmp_path / "project"), PATH=str(programs))
    assert (finished.returncode, finished.stderr) == (0, "")


RESOURCE_WITHOUT_ITS_PROVIDER = """
import sys
from pathlib import Path

import prod_e

prod_e.enable_fast_imports()

from cdktf_cdktf_provider_docker.network import Network

folder = Path(sys.argv[1])
prod_e.synthesise(
    prod_e.load_environments(folder / "environments"),
    project_folder=folder,
    output_folder=folder / "cdktf.out",
    extend=lambda stacks: Network(stacks.main, "own", name="own"),
)
"""


def test_the_validations_of_constructs_are_run(tmp_path: Path) -> None:
    folder = project(tmp_path / "project")
    finished = run_python("-c", RESOURCE_WITHOUT_ITS_PROVIDER, folder)
    assert finished.returncode == 1
    assert "Found resources without a matching provider construct" in finished.stderr
    assert not (folder / "cdktf.out").exists()


def pretend(scratch: Path, version: str) -> dict[str, str]:
    """The variable with which this machine's Node says that it is another."""
    pretending = scratch / "pretending.cjs"
    pretending.write_text(f'Object.defineProperty(process, "version", {{ value: "{version}" }});\n')
    return {"NODE_OPTIONS": f'--require "{pretending}"'}


def start_node(scratch: Path, version: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Does of a synthesis what starts Node."""
    code = "import prod_e; prod_e.enable_fast_imports(); import constructs"
    return run_python("-c", code, **pretend(scratch, version), **variables)


@pytest.mark.parametrize("version", tested_versions.read().node)
def test_a_node_that_was_tested_is_no_matter_for_words(tmp_path: Path, version: str) -> None:
    finished = start_node(tmp_path, f"v{version}.0")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_a_node_that_is_too_new_to_be_known_works_and_is_told_in_one_line(tmp_path: Path) -> None:
    finished = synthesise(project(tmp_path / "project"), **pretend(tmp_path, "v99.1.0"))
    assert finished.returncode == 0
    (line,) = finished.stderr.splitlines()
    assert line.startswith("prod-e: nobody has run this with Node v99.1.0 yet (tested: 20, ")


def test_what_jsii_says_of_node_can_be_read(tmp_path: Path) -> None:
    # An empty variable is one that the user has set: jsii takes it for unset.
    finished = start_node(tmp_path, "v99.1.0", JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION="")
    assert finished.returncode == 0
    lines = finished.stderr.splitlines()
    assert any("has not been tested with node v99.1.0." in line for line in lines)
    assert [line for line in lines if not line.startswith(("!!", "prod-e: "))] == []


def test_the_folder_and_the_run_do_not_show_in_the_output(
    synthesised_once: Synthesised, tmp_path: Path
) -> None:
    other = shutil.copytree(synthesised_once.folder, tmp_path / "else where" / "project")
    assert synthesise(other).returncode == 0
    assert files(other) == files(synthesised_once.folder)


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ('name = "tiny-e"\n', "environments/tiny-e.toml: services: is missing"),
        ('name = "tiny-e\n', "environments/tiny-e.toml: is not valid TOML: "),
        (
            'name = "tiny-e"\n[services.gone]\n',
            "environments/tiny-e.toml: services.gone.source: 'gone' is not a folder;",
        ),
    ],
)
def test_wrong_settings_leave_the_output_as_it_was(
    synthesised_once: Synthesised, tmp_path: Path, mistake: str, told: str
) -> None:
    folder = shutil.copytree(synthesised_once.folder, tmp_path / "project")
    (folder / "environments" / "tiny-e.toml").write_text(mistake)
    failed = synthesise(folder)
    assert failed.returncode == 2
    assert failed.stderr.startswith(told)
    assert failed.stderr.count("\n") == 1
    assert files(folder / "cdktf.out") == files(synthesised_once.folder / "cdktf.out")


def test_terraforms_own_files_stay_and_a_removed_environment_goes(
    synthesised_once: Synthesised, tmp_path: Path
) -> None:
    folder = shutil.copytree(synthesised_once.folder, tmp_path / "project")
    kept = folder / "cdktf.out" / "stacks" / "tiny-e" / ".terraform" / "kept"
    kept.parent.mkdir()
    kept.touch()
    gone = folder / "cdktf.out" / "stacks" / "gone-e"
    gone.mkdir()
    (gone / "cdk.tf.json").write_text("{}")
    prod_e.app.synthesis.synthesise(
        load_environments(folder / "environments"),
        project_folder=folder,
        output_folder=folder / "cdktf.out",
    )
    assert kept.is_file()
    assert not gone.exists()


def test_an_environment_that_is_named_is_written_and_the_others_stay(
    synthesised_once: Synthesised, tmp_path: Path
) -> None:
    folder = shutil.copytree(synthesised_once.folder, tmp_path / "project")
    written_before = folder / "cdktf.out" / "stacks" / "tiny-e" / "cdk.tf.json"
    written_before.write_text('{"terraform": {}, "as": "it was"}')
    other = 'name = "other-e"\n[network]\ncidr = "10.1.0.0/16"\n[services.backend]\n'
    (folder / "environments" / "other-e.toml").write_text(other + 'build = "terraform"\n')
    (folder / "environments" / "tiny-e.toml").write_text('name = "tiny-e"\nservices = 1\n')

    def write_other() -> set[str]:
        finished = run_python(folder / "main.py", "other-e")
        assert finished.returncode == 0, finished.stderr
        stacks = json.loads((folder / "cdktf.out" / "manifest.json").read_text())["stacks"]
        return {name for name in stacks if not name.startswith("tiny-e")}

    assert write_other() == {"other-e", "other-e-registry", "other-e-image"}
    (folder / "environments" / "other-e.toml").write_text(other + 'build = "external"\n')
    assert write_other() == {"other-e", "other-e-registry"}
    assert written_before.read_text() == '{"terraform": {}, "as": "it was"}'


@pytest.mark.slow
def test_fast_synthesis_writes_what_stock_cdktf_writes(
    synthesised_once: Synthesised, tmp_path: Path
) -> None:
    stock = project(tmp_path / "stock")
    assert synthesise(stock, PROD_E_STOCK_SYNTHESIS="1").returncode == 0
    assert files(stock / "cdktf.out") == files(synthesised_once.folder / "cdktf.out")
