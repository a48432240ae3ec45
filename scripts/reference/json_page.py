"""The reference of `--json`: a page for people, and a JSON Schema for each command's result."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import griffe

from prod_e_ops.demo.report import DemoResult
from prod_e_ops.images.push.render import PushResult
from prod_e_ops.images.results import ImagesResult, PruneResult
from prod_e_ops.local.results import LocalResult
from prod_e_ops.project.results import InitResult
from prod_e_ops.prove.report import ProveResult
from prod_e_ops.service.results import RedeployResult, StatusResult
from prod_e_ops.service.rollback.results import RollbackResult
from prod_e_ops.stacks.results import (
    DeployResult,
    DestroyResult,
    DiagramResult,
    LockResult,
    PlanResult,
    SynthResult,
)
from prod_e_ops.terminal.json_output import json_schema
from reference.docstrings import docstring_text

Schema = dict[str, Any]

RESULTS: Mapping[str, type] = {
    "init": InitResult,
    "synth": SynthResult,
    "plan": PlanResult,
    "deploy": DeployResult,
    "destroy": DestroyResult,
    "diagram": DiagramResult,
    "providers lock": LockResult,
    "push": PushResult,
    "redeploy": RedeployResult,
    "rollback": RollbackResult,
    "images": ImagesResult,
    "images --prune": PruneResult,
    "status": StatusResult,
    "local": LocalResult,
    "demo": DemoResult,
    "prove": ProveResult,
}
"""The dataclass that each command prints with `--json`."""


def json_output_schema() -> Schema:
    """One JSON Schema, with a definition for each command and each object in its result.

    Draft 2020-12: https://json-schema.org/draft/2020-12
    """
    definitions: Schema = {}
    for command, result in RESULTS.items():
        schema = json_schema(result)
        definitions |= schema.pop("$defs", {})
        definitions[command] = schema
    library = cast("griffe.Module", griffe.load("prod_e_ops"))
    documented = {each.name: each for each in _classes(library)}
    for definition in definitions.values():
        _describe(definition, documented[definition["title"]])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What prod-e prints with --json",
        "$defs": dict(sorted(definitions.items())),
    }


def _classes(module: griffe.Module) -> Iterator[griffe.Class]:
    for member in module.members.values():
        if isinstance(member, griffe.Module):
            yield from _classes(member)
        elif isinstance(member, griffe.Class):
            yield member


def _describe(definition: Schema, documented: griffe.Class) -> None:
    """Gives an object and its keys their documentation; other keys than these there are none."""
    definition["description"] = docstring_text(documented)
    definition["additionalProperties"] = False
    for key, field in definition["properties"].items():
        field.pop("title", None)
        field["description"] = docstring_text(documented.all_members[key])


def json_output_page(schema: Schema) -> Iterator[str]:
    """The lines of the page about a schema that `json_output_schema` made."""
    yield "# Results as JSON"
    yield ""
    yield "What each command prints on stdout with `--json`; messages and progress go to stderr."
    yield "`npm run reference` makes this page from `scripts/prod_e_ops/`, and the JSON Schema"
    yield "beside it, `docs/json-output.schema.json`, which defines each command's in `$defs`."
    definitions = schema["$defs"]
    for name in (*RESULTS, *(name for name in definitions if name not in RESULTS)):
        title = f"`prod-e {name} --json`" if name in RESULTS else f"`{name}`"
        yield ""
        yield f"## {title}"
        yield ""
        yield definitions[name]["description"]
        yield ""
        yield "| key | type | |"
        yield "|---|---|---|"
        for key, field in definitions[name]["properties"].items():
            description = field["description"].replace("|", "\\|")
            yield f"| `{key}` | {_type(field)} | {description} |"


def _type(field: Schema) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[`{name}`](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(map(_type, field["anyOf"]))
    match field["type"]:
        case "array":
            return f"list of {_type(field['items'])}"
        case "object":
            return f"table of {_type(field['additionalProperties'])} by name"
        case "string" if field.get("format") == "date-time":
            return "moment (ISO 8601, UTC)"
    return str(field["type"])
