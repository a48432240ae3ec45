"""Imports point down: which module may know which is written here and held by their syntax."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from prod_e_ops.cli import COMMANDS
from tests.support.project.syntax import nodes

PROJECT = Path(__file__).resolve().parents[3]
SOURCES = {
    "prod_e": PROJECT / "constructs" / "prod_e",
    "prod_e_ops": PROJECT / "scripts" / "prod_e_ops",
    "embedded_aws": PROJECT / "scripts" / "embedded_aws",
    "reference": PROJECT / "scripts" / "reference",
}

LAYERS = (
    {"__main__"},
    {"cli"},
    {"commands"},
    {"prove", "local"},
    {"demo"},
    {"stacks", "service.rollback"},
    {"context"},
    {"images"},
    {"analysis", "service"},
    {"terraform"},
    {"aws", "project"},
    {"terminal"},
    {"errors"},
    {"next_commands"},
)
"""What prod_e_ops is made of, from the top: a module imports what is below it, or beside it in the
same folder."""

GATEWAYS = (
    "aws",
    "images.docker",
    "images.ecr",
    "images.scans",
    "service.ecs",
    "terraform",
)
"""What asks others, and shows nothing."""

MODELS = ("analysis", "images.inventory", "images.retention", "service.model", "errors")
"""What knows neither how AWS is asked nor how anything is shown."""

THREADS = {
    "prod_e_ops.aws.threads": "AWS's SDK blocks",
    "prod_e_ops.images.docker.docker": "Docker's SDK blocks",
    "prod_e_ops.images.docker.docker_daemon": "Docker's SDK blocks",
    "prod_e_ops.project.source": "a source folder is hashed",
    "prod_e_ops.terminal.processes": "the loop's own threads, which end with it",
    "prod_e_ops.terraform.find": "a provider mirror is asked by urllib",
}
"""Where threads wait, and for what."""


@cache
def modules() -> Mapping[str, Path]:
    """The file of every module, by its name."""
    found = {}
    for package, folder in SOURCES.items():
        for file in folder.rglob("*.py"):
            parts = file.relative_to(folder).with_suffix("").parts
            name = ".".join((package, *(part for part in parts if part != "__init__")))
            found[name] = file
    return found


@cache
def imports(module: str, *, for_types: bool = True) -> Sequence[str]:
    """The modules that a module imports, whenever it does; `for_types`: for its types too."""
    return tuple(_imports(module, for_types=for_types))


def _imports(module: str, *, for_types: bool) -> Iterator[str]:
    typed = {
        id(inside)
        for node in nodes(modules()[module])
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inside in ast.walk(node)
    }
    for node in nodes(modules()[module]):
        if id(node) in typed and not for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield below if below in modules() else node.module


def is_in(module: str, folder: str) -> bool:
    return module == folder or module.startswith(f"{folder}.")


def part_of(module: str) -> str:
    """The part of prod_e_ops that a module belongs to, such as `images`."""
    name = module.removeprefix("prod_e_ops.")
    parts = [part for layer in LAYERS for part in layer if is_in(name, part)]
    assert parts, f"{module} has no layer"
    return max(parts, key=len)


def height(part: str) -> int:
    return -next(number for number, layer in enumerate(LAYERS) if part in layer)


OPS = sorted(name for name in modules() if is_in(name, "prod_e_ops") and name != "prod_e_ops")


@pytest.mark.parametrize("module", OPS)
def test_a_module_of_the_command_imports_what_is_below_it(module: str) -> None:
    part = part_of(module)
    wrong = [
        imported
        for imported in imports(module)
        if imported in OPS
        and part_of(imported) != part
        and height(part_of(imported)) >= height(part)
    ]
    assert wrong == []


@pytest.mark.parametrize("package", SOURCES)
def test_no_two_modules_import_each_other(package: str) -> None:
    names = [name for name in modules() if is_in(name, package)]
    left = {name: {*imports(name, for_types=False)} & {*names} - {name} for name in names}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


def test_no_module_imports_a_command() -> None:
    commands = {f"prod_e_ops.commands.{each.module}" for each in COMMANDS.values()}
    assert commands <= modules().keys()
    assert {
        module: found for module in modules() if (found := commands & {*imports(module)} - {module})
    } == {}


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_gateway_shows_nothing(gateway: str) -> None:
    found = [name for name in OPS if is_in(name, f"prod_e_ops.{gateway}")]
    assert found
    for module in found:
        assert "prod_e_ops.terminal.terminal" not in imports(module), module
        assert not any(is_in(each, "rich") for each in imports(module)), module


@pytest.mark.parametrize("model", MODELS)
def test_a_model_asks_nobody_and_shows_nothing(model: str) -> None:
    found = [name for name in OPS if is_in(name, f"prod_e_ops.{model}")]
    assert found
    for module in found:
        for forbidden in ("prod_e_ops.terminal.terminal", "prod_e_ops.aws", "boto3", "rich"):
            assert not any(is_in(each, forbidden) for each in imports(module)), module


def test_threads_wait_where_something_blocks_and_nowhere_else() -> None:
    waiting = {
        name
        for name in OPS
        for node in nodes(modules()[name])
        if (isinstance(node, ast.Attribute) and node.attr in {"to_thread", "run_in_executor"})
        or (isinstance(node, ast.Name) and node.id == "ThreadPoolExecutor")
    }
    assert waiting <= THREADS.keys()
    assert "prod_e_ops.aws.threads" in waiting


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("embedded_aws", ("prod_e", "prod_e_ops", "reference", "cdktf", "constructs")),
        ("prod_e", ("prod_e_ops", "embedded_aws", "reference")),
        ("prod_e_ops", ("reference", "cdktf", "constructs")),
        *(
            (f"prod_e.{folder}", ("prod_e.settings", "prod_e.app"))
            for folder in (
                "database",
                "delivery",
                "load_balancer",
                "monitoring",
                "network",
                "service",
            )
        ),
    ],
)
def test_a_package_knows_nothing_of_what_uses_it(package: str, forbidden: tuple[str, ...]) -> None:
    found = [name for name in modules() if is_in(name, package)]
    assert found
    for module in found:
        wrong = [each for each in imports(module) if any(is_in(each, f) for f in forbidden)]
        assert wrong == [], module


def test_settings_are_read_without_cdktf() -> None:
    reached, left = set(), [name for name in modules() if is_in(name, "prod_e.settings")]
    while left:
        module = left.pop()
        if module not in reached:
            reached.add(module)
            # A module is imported with the packages that it is in. The outermost one imports what
            # it names when that is used.
            parent = module.rpartition(".")[0]
            wanted = (*imports(module), *([parent] if "." in parent else []))
            left += [each for each in wanted if each in modules() and each != "prod_e"]
    assert {"prod_e.settings.loading", "prod_e.delivery.image_tag"} <= reached
    for module in reached:
        wrong = [each for each in imports(module) if each.startswith(("cdktf", "constructs"))]
        assert wrong == [], module
