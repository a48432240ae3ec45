"""What commands print with `--json` is held against the schema in the docs."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator

PROJECT = Path(__file__).resolve().parents[3]
SCHEMA_FILE = PROJECT / "docs" / "json-output.schema.json"


def check_json_output(arguments: Sequence[object], stdout: str) -> None:
    """Fails if what `prod-e` printed with these arguments is JSON that the schema does not know."""
    if "--json" in arguments and stdout:
        command = "images --prune" if "--prune" in arguments else str(arguments[0])
        command = "providers lock" if command == "providers" else command
        _validator(command).validate(json.loads(stdout))


@cache
def _validator(command: str) -> Draft202012Validator:
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    assert command in schema["$defs"], f"docs/json-output.schema.json does not know {command}"
    return Draft202012Validator({**schema, "$ref": f"#/$defs/{command.replace(' ', '%20')}"})
