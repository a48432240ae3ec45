"""The variants that are deployed in tests use every key, with another value than its default."""

import tomllib
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from prod_e.settings import Environment
from tests.support.project.variants import VARIANTS

OF_THE_IMAGE_STACK = {
    # Its provider is not to be had everywhere; tests/docker applies it.
    "providers.docker",
    "services.*.build_args",
    "services.*.build_network",
}


def sections(annotation: Any) -> Iterator[tuple[type[BaseModel], bool]]:
    """The models in a field's type, and whether each is a value of a dictionary."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, False
    for part in get_args(annotation):
        for model, _ in sections(part):
            yield model, get_origin(annotation) is dict


def keys(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        below = list(sections(field.annotation))
        for section, is_in_a_table in below:
            yield from keys(section, f"{path}{name}.{'*.' if is_in_a_table else ''}")
        if not below:
            yield f"{path}{name}", field


def values(table: Any, path: str) -> Iterator[Any]:
    """What a variant gives for a key."""
    name, _, rest = path.partition(".")
    for each in table.values() if name == "*" else [table[name]] if name in table else []:
        if rest:
            yield from values(each, rest)
        else:
            yield each


def not_varied(variants: list[dict[str, Any]]) -> set[str]:
    """The keys that no variant sets to something else than the default."""
    return {
        path
        for path, field in keys(Environment)
        if not any(
            value != field.get_default(call_default_factory=True)
            for variant in variants
            for value in values(variant, path)
        )
    }


def test_each_key_has_another_value_than_its_default_in_a_variant() -> None:
    variants = [tomllib.loads(file.read_text(encoding="utf-8")) for file in VARIANTS]
    assert not_varied(variants) == OF_THE_IMAGE_STACK


def test_a_key_that_no_variant_sets_would_be_found() -> None:
    variants = [tomllib.loads(file.read_text(encoding="utf-8")) for file in VARIANTS]
    for variant in variants:
        variant.get("monitoring", {}).get("thresholds", {}).pop("database_cpu_percent", None)
        for service in variant["services"].values():
            service["cpu_units"] = 256
    assert not_varied(variants) - OF_THE_IMAGE_STACK == {
        "monitoring.thresholds.database_cpu_percent",
        "services.*.cpu_units",
    }
