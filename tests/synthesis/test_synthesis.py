"""The same settings give the same bytes, and a failure leaves what was there."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

import prod_e.app.synthesis
from prod_e import tested_versions
from prod_e.app.fast_imports import PRELOAD
from prod_e.settings import load_environments
from tests.support.project_folder import PROJECT


def project(folder: Path) -> Path:
    """A copy of the project, small, with one environment."""
    (folder / "environments").mkdir(parents=True)
    (folder / "environments" / "tiny-e.toml").write_text('name = "tiny-e"\n[services.backend]\n')
    (folder / "backend").mkdir()
    (folder / "backend" / "Dockerfile").write_text("FROM scratch\n")
    shutil.copy(PROJECT / "main.py", folder)
    return folder


def run_python(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def synthesise(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_python(folder / "main.py", **variables)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


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


def test_synthesis_says_nothing_and_loads_only_what_is_in_use(
    synthesised_once: Synthesised,
) -> None:
    finished = synthesised_once.finished
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
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


def synthesise_with_node(
    scratch: Path, version: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Synthesises with this machine's Node, which says that it is another."""
    pretending = scratch / "pretending.cjs"
    pretending.write_text(f'Object.defineProperty(process, "version", {{ value: "{version}" }});\n')
    folder = project(scratch / "project")
    return synthesise(folder, NODE_OPTIONS=f'--require "{pretending}"', **variables)


@pytest.mark.parametrize("version", tested_versions.read().node)
def test_a_node_that_was_tested_is_no_matter_for_words(tmp_path: Path, version: str) -> None:
    finished = synthesise_with_node(tmp_path, f"v{version}.0")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_a_node_that_is_too_new_to_be_known_works_and_is_told_in_one_line(tmp_path: Path) -> None:
    finished = synthesise_with_node(tmp_path, "v99.1.0")
    assert (finished.returncode, finished.stdout) == (0, "")
    (line,) = finished.stderr.splitlines()
    assert line.startswith("prod-e: nobody has run this with Node v99.1.0 yet (tested: 20, ")


def test_what_jsii_says_of_node_can_be_read(tmp_path: Path) -> None:
    # An empty variable is one that the user has set: jsii takes it for unset.
    finished = synthesise_with_node(
        tmp_path, "v99.1.0", JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=""
    )
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


def test_fast_synthesis_writes_what_stock_cdktf_writes(
    synthesised_once: Synthesised, tmp_path: Path
) -> None:
    stock = project(tmp_path / "stock")
    assert synthesise(stock, PROD_E_STOCK_SYNTHESIS="1").returncode == 0
    assert files(stock / "cdktf.out") == files(synthesised_once.folder / "cdktf.out")


COUNT_MODULES = """
import sys
import prod_e
prod_e.enable_fast_imports()
import prod_e.app.synthesis
print(sum(name.startswith("cdktf_cdktf_provider_aws.") for name in sys.modules))
"""


def test_of_the_providers_python_modules_only_those_in_use_are_loaded() -> None:
    # The package has over four thousand.
    assert 20 < int(run_python("-c", COUNT_MODULES).stdout) < 200


# A stack of the docker provider alone, which is small; it says what it leaves of NODE_OPTIONS.
SMALL_APP = """
import os, sys
from pathlib import Path
import prod_e
prod_e.enable_fast_imports()
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_docker.provider import DockerProvider
from cdktf_cdktf_provider_docker.image import Image
app = App(outdir=sys.argv[1])
stack = TerraformStack(app, "small")
DockerProvider(stack, "docker")
Image(stack, "image", name="an-image")
app.synth()
print(os.environ.get("NODE_OPTIONS", ""))
"""


@pytest.fixture(scope="session")
def small_output(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the small app writes where nothing is unusual."""
    output = tmp_path_factory.mktemp("small")
    finished = run_python("-c", SMALL_APP, output, NODE_OPTIONS="--no-deprecation")
    assert (finished.stdout, finished.stderr) == ("--no-deprecation\n", "")
    return files(output)


def bindings(folder: Path) -> Path:
    """A copy of the docker provider's bindings, which is imported instead of the installed one."""
    spec = find_spec("cdktf_cdktf_provider_docker")
    assert spec and spec.submodule_search_locations
    installed = Path(spec.submodule_search_locations[0])
    return shutil.copytree(
        installed, folder / installed.name, ignore=shutil.ignore_patterns("__pycache__")
    )


def write_another_barrel(package: Path) -> None:
    """Makes the bindings' JavaScript load its modules in statements of another form."""
    (archive,) = (package / "_jsii").glob("*.tgz")
    changed = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=changed, mode="w") as new:
        for member in old:
            file = old.extractfile(member)
            content = file.read() if file else b""
            if member.name == "package/lib/index.js":
                content = content.replace(b' = require("./', b' = (0, require)("./')
                member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    # The same bytes each time: jsii keeps what it unpacks under their hash.
    archive.write_bytes(gzip.compress(changed.getvalue(), mtime=0))


def import_javascript_in_another_way(package: Path) -> None:
    provider = package / "provider" / "__init__.py"
    provider.write_text(provider.read_text().replace("from .._jsii", f"from {package.name}._jsii"))


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (write_another_barrel, "prod-e: synthesis will be slow: no export of the known form in "),
        (
            import_javascript_in_another_way,
            "SlowSynthesisWarning: synthesis will be slow: cdktf_cdktf_provider_docker has"
            " submodules that do not load the JavaScript half themselves",
        ),
    ],
)
def test_bindings_of_another_form_cost_one_warning_and_nothing_else(
    small_output: dict[str, bytes], tmp_path: Path, change: Callable[[Path], None], warning: str
) -> None:
    change(bindings(tmp_path / "packages"))
    finished = run_python(
        "-c", SMALL_APP, tmp_path / "output", PYTHONPATH=str(tmp_path / "packages")
    )
    assert finished.returncode == 0
    assert finished.stderr.count(warning) == 1
    assert finished.stderr.count("slow") == 1
    assert files(tmp_path / "output") == small_output


def test_a_jsii_that_starts_node_in_another_way_costs_one_warning_and_nothing_else(
    small_output: dict[str, bytes], tmp_path: Path
) -> None:
    node = tmp_path / "node"
    node.write_text('#!/bin/sh\nunset NODE_OPTIONS\nexec node "$@"\n')
    node.chmod(0o755)
    finished = run_python("-c", SMALL_APP, tmp_path / "output", JSII_NODE=str(node))
    assert finished.returncode == 0
    warning = "importing constructs did not start Node with lazy_exports.cjs"
    assert finished.stderr.count(warning) == finished.stderr.count("SlowSynthesisWarning") == 1
    assert files(tmp_path / "output") == small_output


def test_constructs_imported_too_early_cost_one_warning_that_says_what_to_do() -> None:
    finished = run_python(
        "-c", "import constructs, prod_e; prod_e.enable_fast_imports(); import prod_e.settings"
    )
    assert finished.returncode == 0
    assert finished.stderr.count("SlowSynthesisWarning: synthesis will be slow: constructs") == 1
    assert "`python -m prod_e main.py`" in finished.stderr


def run_node(code: str) -> tuple[object, list[str]]:
    """What a Node with the preload prints as JSON, and the lines of its warnings."""
    finished = subprocess.run(
        ["node", "--require", PRELOAD, "-e", code], capture_output=True, text=True, check=True
    )
    return json.loads(finished.stdout), finished.stderr.splitlines()


@pytest.mark.parametrize(
    ("exported", "loaded_at_once", "warnings"),
    [
        ('exports.{0} = require("./{0}");', [], 0),
        ("exports.{0} = require('./{0}');", ["a", "b"], 1),
        ('exports.{0} = tslib.__importStar(require("./{0}"));', ["a", "b"], 1),
        ('Object.assign(exports, {{ {0}: require("./{0}") }});', ["a", "b"], 1),
    ],
)
def test_every_form_of_entry_module_exports_the_same_in_node(
    tmp_path: Path, exported: str, loaded_at_once: list[str], warnings: int
) -> None:
    entry = tmp_path / "@cdktf" / "provider-x" / "1.0.0" / "0a1b" / "lib" / "index.js"
    entry.parent.mkdir(parents=True)
    lines = [
        "const tslib = { __importStar: (module) => module };",
        "exports.b = exports.a = void 0;",
    ]
    for name in ("a", "b"):
        lines.append(exported.format(name))
        entry.with_name(f"{name}.js").write_text(
            f'(globalThis.loaded ??= []).push("{name}"); exports.name = "{name}";'
        )
    entry.write_text("\n".join(lines))
    found, told = run_node(f"""
        const index = require({json.dumps(str(entry))});
        const before = [...(globalThis.loaded ?? [])];
        const names = Object.keys(index).sort().map((key) => index[key].name);
        require({json.dumps(str(entry))});
        console.log(JSON.stringify({{ before, names, loaded: globalThis.loaded }}));
    """)
    assert found == {"before": loaded_at_once, "names": ["a", "b"], "loaded": ["a", "b"]}
    warning = f"prod-e: synthesis will be slow: no export of the known form in {entry}"
    assert told == [warning] * warnings


def test_other_modules_are_compiled_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "other.js").write_text('globalThis.loaded = "other";')
    (tmp_path / "index.js").write_text('exports.other = require("./other");\n')
    found, told = run_node(
        f"require({json.dumps(str(tmp_path))}); console.log(JSON.stringify(globalThis.loaded));"
    )
    assert (found, told) == ("other", [])


def test_a_node_that_compiles_in_another_way_costs_one_warning() -> None:
    _, told = run_node(f"""
        const source = require("node:fs").readFileSync({json.dumps(str(PRELOAD))}, "utf8");
        const other = (name) => (name === "node:module" ? class Module {{}} : require(name));
        new Function("require", source)(other);
        console.log("null");
    """)
    assert [line.split(": Node v")[0] for line in told] == ["prod-e: synthesis will be slow"]
