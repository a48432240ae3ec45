"""What `--json` prints: a result, which is a frozen dataclass, and its JSON Schema.

`npm run reference` writes the schemas of all commands to docs/json-output.schema.json.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import PlainSerializer, TypeAdapter, WithJsonSchema


def iso(moment: datetime) -> str:
    """A moment for machines: ISO 8601, UTC, whole seconds."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


Moment = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A field that holds a moment, which is printed in UTC."""


def to_json(result: object) -> str:
    """A result as JSON for scripts; `result` is an instance of a dataclass."""
    adapter: TypeAdapter[Any] = TypeAdapter(type(result))
    return adapter.dump_json(result, indent=2).decode()


def json_schema(result: type) -> dict[str, Any]:
    """The JSON Schema of what `to_json` gives for a dataclass."""
    return TypeAdapter(result).json_schema(mode="serialization")
