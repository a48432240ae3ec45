"""Of the bindings, only what is used is loaded; what cannot be fast says so once."""

import gzip
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from prod_e.app.fast_imports import PRELOAD
from tests.support.command.python_run import files, run_python

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
