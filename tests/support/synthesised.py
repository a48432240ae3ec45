"""The synthesised JSON of a stack."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Synthesised:
    """A stack's JSON, asked by type and meaning."""

    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        return json.dumps(self.values)

    def all(self, type_name: str) -> list[dict[str, Any]]:
        return list(self.values["resource"].get(type_name, {}).values())

    def one(self, type_name: str, **arguments: object) -> dict[str, Any]:
        found = [
            resource
            for resource in self.all(type_name)
            if all(resource.get(key) == value for key, value in arguments.items())
        ]
        assert len(found) == 1, f"{len(found)} of {type_name} with {arguments}"
        return found[0]

    def reference(self, type_name: str, attribute: str, **arguments: object) -> str:
        wanted = self.one(type_name, **arguments)
        named = self.values["resource"][type_name].items()
        name = next(name for name, resource in named if resource is wanted)
        return f"${{{type_name}.{name}.{attribute}}}"

    def policies(self) -> Iterator[dict[str, Any]]:
        """Every statement of every IAM policy."""
        for resources in self.values.get("resource", {}).values():
            for resource in resources.values():
                for key in ("policy", "assume_role_policy"):
                    if key in resource and '"Statement"' in resource[key]:
                        yield from json.loads(resource[key])["Statement"]
