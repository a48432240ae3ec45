"""The reference of the constructs: every public name, its arguments and its methods."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import cast

import griffe

_NOT_DOCUMENTED_HERE = {"EnvironmentStacks", "SettingsError", "enable_fast_imports"}
"""What apps of prod-e's own settings use, and the start of other apps: see README."""


@dataclass(frozen=True)
class _Argument:
    """An argument or a field: its name, type, default and what is documented beside it.

    `default`: `None` where it is required, empty where the text alone says what it is.
    """

    name: str
    type: str
    default: str | None
    text: str

    def row(self) -> str:
        default = (
            "required" if self.default is None else self.default and f"`{_cell(self.default)}`"
        )
        return f"| `{self.name}` | `{_cell(self.type)}` | {default} | {_cell(self.text)} |"


def constructs_page() -> Iterator[str]:
    """The lines of the page."""
    library = cast("griffe.Module", griffe.load("prod_e"))
    yield "# Constructs"
    yield ""
    yield "Everything that `from prod_e import ...` gives to a CDKTF app. `npm run reference` makes"
    yield "this page from `constructs/prod_e/`, where each argument is documented beside itself."
    for name in sorted(cast("Sequence[str]", library.exports)):
        found = _target(library, name)
        if name not in _NOT_DOCUMENTED_HERE and isinstance(found, griffe.Class):
            yield from _class(found)


def _target(module: griffe.Module, name: str) -> griffe.Object | griffe.Alias:
    """What a name of a module stands for, or the name itself if that is of another package."""
    member = module.members[name]
    try:
        return member.final_target if isinstance(member, griffe.Alias) else member
    except griffe.AliasResolutionError:
        return member


def _class(documented: griffe.Class) -> Iterator[str]:
    yield ""
    yield f"## `{documented.name}`"
    yield ""
    yield from _docstring(documented)
    if "dataclass" in documented.labels:
        yield from _arguments(_fields(documented))
    elif initialiser := documented.members.get("__init__"):
        yield from _arguments(_parameters(cast("griffe.Function", initialiser)))
    for method in _methods(documented):
        signature = ", ".join(argument.name for argument in _parameters(method))
        yield ""
        yield f"### `{documented.name}.{method.name}({signature})`"
        yield ""
        yield from _docstring(method)
        yield from _arguments(_parameters(method))


def _methods(documented: griffe.Class) -> Iterator[griffe.Function]:
    """Its public methods, and those of the class below which it stands."""
    seen = set()
    for owner in (documented, *documented.mro()):
        for name, member in owner.functions.items():
            if not name.startswith("_") and name not in seen and "property" not in member.labels:
                seen.add(name)
                yield member


def _docstring(documented: griffe.Object) -> Iterator[str]:
    if documented.docstring is None:
        raise ValueError(f"{documented.path} is not documented")
    yield from documented.docstring.value.splitlines()


def _parameters(function: griffe.Function) -> Sequence[_Argument]:
    node = _node_of(function)
    assert isinstance(node, ast.FunctionDef)
    positional = [*node.args.posonlyargs, *node.args.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(node.args.defaults))
    defaults = [*missing, *node.args.defaults, *node.args.kw_defaults]
    found = [
        _argument(each.arg, each.annotation, default, function.module)
        for each, default in zip([*positional, *node.args.kwonlyargs], defaults, strict=True)
        if each.arg not in ("self", "cls", "scope")
    ]
    return [*found, *_passed_on(node, function.module)]


def _passed_on(node: ast.FunctionDef, module: griffe.Module) -> Iterator[_Argument]:
    """The arguments of `**name: Unpack[T]`: the fields of the TypedDict `T`."""
    annotation = node.args.kwarg and node.args.kwarg.annotation
    if not isinstance(annotation, ast.Subscript):
        return
    assert isinstance(annotation.slice, ast.Name)
    target = _target(module, annotation.slice.id)
    assert isinstance(target, griffe.Class)
    for each in cast("ast.ClassDef", _node_of(target)).body:
        if not isinstance(each, ast.AnnAssign):
            continue
        assert isinstance(each.target, ast.Name)
        field, is_required = each.annotation, False
        if isinstance(field, ast.Subscript) and ast.unparse(field.value) == "Required":
            field, is_required = field.slice, True
        argument = _argument(each.target.id, field, None, target.module)
        yield argument if is_required else replace(argument, default="")


def _fields(documented: griffe.Class) -> Sequence[_Argument]:
    node = _node_of(documented)
    assert isinstance(node, ast.ClassDef)
    return [
        _argument(each.target.id, each.annotation, each.value, documented.module)
        for each in node.body
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and not each.target.id.startswith("_")
    ]


def _argument(
    name: str, annotation: ast.expr | None, default: ast.expr | None, module: griffe.Module
) -> _Argument:
    assert annotation is not None
    type_text, text = _documented(annotation, module)
    if name == "id":
        text = text or "the construct's id in its scope"
    return _Argument(name, type_text, ast.unparse(default) if default else None, text)


def _documented(annotation: ast.expr, module: griffe.Module) -> tuple[str, str]:
    """The type of `Annotated[type, Doc(text)]`, and its text; a name may stand for it."""
    if isinstance(annotation, ast.Name) and annotation.id in module.members:
        target = _target(module, annotation.id)
        node = _node_of(target) if isinstance(target, griffe.Attribute) else None
        if isinstance(node, ast.Assign):
            return _documented(node.value, target.module)
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        assert isinstance(annotation.slice, ast.Tuple)
        inner, *metadata = annotation.slice.elts
        type_text, below = _documented(inner, module)
        return type_text, " ".join(filter(None, map(_text, metadata))) or below
    return ast.unparse(annotation), ""


def _node_of(documented: griffe.Object) -> ast.stmt:
    """Where it stands in the source, in which texts are still texts."""
    file = documented.filepath
    assert isinstance(file, Path)
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.stmt) and node.lineno == documented.lineno:
            return node
        decorators = getattr(node, "decorator_list", ())
        if isinstance(node, ast.stmt) and any(d.lineno == documented.lineno for d in decorators):
            return node
    raise ValueError(f"{documented.path} is not in {file}")


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def _text(metadata: ast.expr) -> str:
    if isinstance(metadata, ast.Call) and ast.unparse(metadata.func) == "Doc":
        return str(ast.literal_eval(metadata.args[0]))
    return ""


def _arguments(arguments: Sequence[_Argument]) -> Iterator[str]:
    if not arguments:
        return
    yield ""
    yield "| argument | type | default | |"
    yield "|---|---|---|---|"
    for argument in arguments:
        yield argument.row()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")
