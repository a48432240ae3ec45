"""The reference of the settings: a page for people, a JSON Schema for editors."""

import json
from collections.abc import Iterator
from typing import Any, cast

import griffe

from prod_e.settings import Environment
from prod_e.settings.fields import ALLOWED
from reference.docstrings import docstring_text

Schema = dict[str, Any]


def settings_schema() -> Schema:
    """The JSON Schema of a settings file, each key with what is documented beside its field.

    Draft 7, which editors know: https://json-schema.org/draft-07
    """
    schema = Environment.model_json_schema()
    models = cast("griffe.Module", griffe.load("prod_e.settings", resolve_aliases=True))
    for model in (schema, *schema["$defs"].values()):
        _describe(model, cast("griffe.Class", models[model["title"]]))
    schema["title"] = "The settings of a prod-e environment"
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def _describe(model: Schema, documented: griffe.Class) -> None:
    """Gives a model and its keys their documentation."""
    model["description"] = docstring_text(documented)
    for key, field in model["properties"].items():
        field.pop("title", None)
        if field.get("default", "") is None:
            # TOML has no null: a key without a default is left out.
            del field["default"]
        if "anyOf" in field:
            (alternative,) = (each for each in field.pop("anyOf") if each != {"type": "null"})
            field |= alternative
        field["description"] = docstring_text(documented.all_members[key])


def settings_page(schema: Schema) -> Iterator[str]:
    """The lines of the page about a schema that `settings_schema` made."""
    yield "# Settings"
    yield ""
    yield "Every key of a file in `environments/`. `npm run reference` makes this page from"
    yield "`constructs/prod_e/settings/`, and the JSON Schema beside it, which the first line of"
    yield "each settings file names: editors that know TOML (in VS Code, Even Better TOML) complete"
    yield "and check the keys with it."
    tables: list[tuple[str, Schema]] = []
    yield from _table("", schema, schema, tables)
    while tables:
        name, model = tables.pop(0)
        yield from _table(name, model, schema, tables)


def _table(
    name: str, model: Schema, schema: Schema, tables: list[tuple[str, Schema]]
) -> Iterator[str]:
    """One section; the sections in it are added to `tables`."""
    yield ""
    yield f"## `[{name}]`" if name else "## At the top"
    yield ""
    yield model["description"]
    yield ""
    yield "| key | default | allowed | |"
    yield "|---|---|---|---|"
    required = model.get("required", ())
    for key, field in model["properties"].items():
        path = f"{name}.{key}" if name else key
        below = _model_of(field, schema)
        if below is None:
            values = field.get("additionalProperties")
            each = values if isinstance(values, dict) else {}
            if below := _model_of(each, schema):
                path = f"{path}.KEY"
        if below is not None:
            tables.append((path, below))
            allowed = f"a table: see `[{path}]`"
        else:
            allowed = _allowed(field)
        default = "required" if key in required else _default(field, is_table=below is not None)
        yield f"| `{key}` | {default} | {_cell(allowed)} | {_cell(field['description'])} |"


def _model_of(field: Schema, schema: Schema) -> Schema | None:
    reference = field.get("$ref", "")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else None


def _default(field: Schema, *, is_table: bool) -> str:
    if "default" not in field or is_table or field["default"] == {}:
        return ""
    return f"`{json.dumps(field['default'])}`"


def _allowed(field: Schema) -> str:
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    if "pattern" in field:
        return ALLOWED[field["pattern"]]
    match field.get("type"):
        case "boolean":
            return "`true`, `false`"
        case "integer" | "number":
            return _range(field)
        case "array":
            return f"a list: {_allowed(field['items'])}"
        case "object":
            return "a table of texts"
    return "text"


def _range(field: Schema) -> str:
    lowest = field.get("minimum", field.get("exclusiveMinimum"))
    if lowest is None:
        return "a whole number" if field["type"] == "integer" else "a number"
    above = "above " if "exclusiveMinimum" in field else ""
    highest = field.get("maximum")
    if highest is None:
        return f"{above}{lowest:g} or more"
    return f"{above}{lowest:g} to {highest:g}"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
