"""Settings files that are nearly right: one that is, with some keys of any value in their place.

What a key may be is read from the settings' own schema, so that a new key is drawn too.
"""

import copy
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from hypothesis import strategies as st

from prod_e.settings import Environment
from tests.support.project.variants import VARIANTS, filled_in

Table = dict[str, Any]
Path = tuple[str, ...]
"""The keys that lead to a value."""

EXPRESSIONS = (
    "${aws_vpc.nowhere.id}",
    "$${a}",
    "%{ if true }",
    "%%{a}",
    "$",
    "${TfToken[TOKEN.1]}",
    "#{TfToken[TOKEN.1]}",
    "{{a}}",
    "${jsonencode(1)}",
)
"""What CDKTF or Terraform could take for something to evaluate."""

TEXT = st.one_of(
    st.text(max_size=30),
    st.sampled_from((*EXPRESSIONS, "", " ", "a\nb", "\x1b[31m", '"', "\\", "\u2028", "\u0663")),
    st.builds(lambda *parts: "".join(parts), st.text(max_size=5), st.sampled_from(EXPRESSIONS)),
)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
SCHEMA = Environment.model_json_schema()

_KINDS: Mapping[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "boolean": st.booleans(),
    "null": st.nothing(),  # TOML has none.
}


def values(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema allows, and some that are nearly such."""
    if "$ref" in schema:
        return tables(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return st.one_of(*map(values, schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "string" if "pattern" in schema:
            allowed = st.from_regex(schema["pattern"], fullmatch=True)
            longest = schema.get("maxLength", 600)
            return st.one_of(allowed, allowed, allowed.map(lambda text: text[:longest]), TEXT)
        case "integer":
            least, most = schema.get("minimum", 0), schema.get("maximum", 2**31)
            return st.one_of(
                st.integers(least, most), st.sampled_from((least, most, least - 1, most + 1))
            )
        case "number":
            return st.floats(schema.get("exclusiveMinimum", 0), schema.get("maximum", 1e9))
        case "array":
            return st.lists(values(schema.get("items", {"type": "string"})), max_size=3)
        case "object" if "properties" in schema:
            return tables(schema)
        case "object":
            keys = st.one_of(NAMES, NAMES, TEXT)
            return st.dictionaries(keys, values(schema["additionalProperties"]), max_size=3)
        case kind:
            return _KINDS[kind]


def tables(model: Mapping[str, Any]) -> st.SearchStrategy[Table]:
    """A section with what it must have and a few other keys."""
    required = set(model.get("required", ()))
    of_keys = {key: values(each) for key, each in model["properties"].items()}
    needed = st.fixed_dictionaries({key: of_keys[key] for key in required})
    others = sorted(of_keys.keys() - required)
    chosen = st.lists(st.sampled_from(others), max_size=4, unique=True) if others else st.just([])
    more = chosen.flatmap(lambda keys: st.fixed_dictionaries({key: of_keys[key] for key in keys}))
    return st.builds(lambda some, rest: {**rest, **some}, needed, more)


@dataclass(frozen=True)
class NearlyRight:
    """Settings that are right but for some changes: the keys with their values."""

    right: Table
    changes: Mapping[Path, Any]

    @property
    def settings(self) -> Table:
        """What a file says."""
        table = copy.deepcopy(self.right)
        for path, value in self.changes.items():
            below = table
            for key in path[:-1]:
                below = below[key]
            below[path[-1]] = value
        return table

    def without_what_is_wrong(self, messages: Sequence[str]) -> Self:
        """The same without the changes that messages are about, or at least without one."""
        told = [message.partition(": ")[2] for message in messages]
        left = {
            path: value
            for path, value in self.changes.items()
            if not any(each.startswith(".".join(path)) for each in told)
        }
        if len(left) == len(self.changes):
            left.popitem()
        return replace(self, changes=left)


def changed(right: Table) -> st.SearchStrategy[NearlyRight]:
    """The settings with up to eight keys replaced or added."""
    keys = list(_leaves(SCHEMA, right))
    chosen = st.lists(st.sampled_from(range(len(keys))), min_size=1, max_size=8, unique=True)
    return chosen.flatmap(
        lambda numbers: st.fixed_dictionaries(
            {keys[number][0]: values(keys[number][1]) for number in numbers}
        )
    ).map(lambda changes: NearlyRight(right, changes))


def nearly_right_settings() -> st.SearchStrategy[NearlyRight]:
    """Any of the variants of the tests, which together use every key, with changes."""
    rights = (tomllib.loads(filled_in(variant)) for variant in VARIANTS)
    return st.one_of(*map(changed, rights))


def _leaves(model: Mapping[str, Any], table: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every key that a section may have, with its schema, below the tables that are there."""
    for key, schema in model["properties"].items():
        alternatives = schema.get("anyOf", [schema])
        reference = next((each["$ref"] for each in alternatives if "$ref" in each), None)
        below = table.get(key) if isinstance(table, dict) else None
        if reference and below is not None:
            yield from _leaves(SCHEMA["$defs"][reference.rpartition("/")[2]], below, (*path, key))
        elif "$ref" in schema.get("additionalProperties", ()) and below:
            reference = schema["additionalProperties"]["$ref"]
            for name, inner in below.items():
                yield from _leaves(
                    SCHEMA["$defs"][reference.rpartition("/")[2]], inner, (*path, key, name)
                )
        else:
            yield (*path, key), schema
