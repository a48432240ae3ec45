"""Which values a planned change has before and after it: read from `terraform show -json`.

https://developer.hashicorp.com/terraform/internals/json-format#change-representation
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prod_e.printable import printable

_LONGEST_SHOWN = 60
_KNOWN_LATER = "(known after apply)"
_SENSITIVE = "(sensitive)"

# The same as `tags` with the provider's default tags.
_REPEATED = frozenset({"tags_all"})


@dataclass(frozen=True, kw_only=True)
class ValueChange:
    """One value that changes.

    `path`: the argument, such as `deployment_circuit_breaker.enable`. `before`, `after`: as text;
    None where there is none. `forces_replacement`: whether the resource is replaced because of it.
    """

    path: str
    before: str | None
    after: str | None
    forces_replacement: bool = False

    def __str__(self) -> str:
        """For people, such as `cpu 256 -> 512`."""
        if self.before is None:
            return f"+ {self.path}={self.after}"
        if self.after is None:
            return f"- {self.path}"
        return f"{self.path} {self.before} -> {self.after}"


def value_changes(change: Mapping[str, Any]) -> Iterator[ValueChange]:
    """The values that an update or a replacement changes, in the order of their arguments.

    Text that is JSON, such as container definitions and policies, is compared by its content. Of a
    replacement's computed values, which are all known later, only those that force it are told.
    Sensitive values are told as that.
    """
    before, after = change["before"] or {}, change["after"] or {}
    unknown = change.get("after_unknown") or {}
    forcing = {str(path[0]) for path in change.get("replace_paths", ())}
    for key in sorted({*before, *after} - _REPEATED):
        is_unknown = unknown.get(key) is True
        if is_unknown and "update" not in change["actions"] and key not in forcing:
            continue
        hidden = any(
            _is_sensitive(marks if isinstance(marks, bool) else marks.get(key, False))
            for marks in (change.get(f"{side}_sensitive", {}) for side in ("before", "after"))
        )
        old = before.get(key)
        new = _Unknown() if is_unknown else after.get(key)
        for found in _compare(key, old, new):
            yield ValueChange(
                path=key if hidden else found.path,
                before=_SENSITIVE if hidden else found.before,
                after=_SENSITIVE if hidden else found.after,
                forces_replacement=key in forcing,
            )
            if hidden:
                break


def _is_sensitive(marks: object) -> bool:
    """Whether anything below a value is marked: marks have its shape, and may be all false."""
    if isinstance(marks, Mapping):
        return any(map(_is_sensitive, marks.values()))
    if isinstance(marks, list):
        return any(map(_is_sensitive, marks))
    return marks is True


class _Unknown:
    """A value that is known after the apply."""


def _compare(path: str, before: Any, after: Any) -> Iterator[ValueChange]:
    if isinstance(after, _Unknown):
        yield ValueChange(path=path, before=_shown(before), after=_KNOWN_LATER)
        return
    before, after = _decoded(before), _decoded(after)
    if before == after or (_is_nothing(before) and _is_nothing(after)):
        return
    if _both(list, before, after):
        yield from _compare_lists(path, before or [], after or [])
    elif _both(dict, before, after):
        old, new = before or {}, after or {}
        for key in sorted({*old, *new}):
            yield from _compare(f"{path}.{key}", old.get(key), new.get(key))
    else:
        yield ValueChange(
            path=path,
            before=None if _is_nothing(before) else _shown(before),
            after=None if _is_nothing(after) else _shown(after),
        )


def _compare_lists(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[ValueChange]:
    old, new = _by_name(before), _by_name(after)
    if old is not None and new is not None:
        # What is named needs no path: a container's environment, its secrets, the only container.
        is_only = path == "container_definitions" and len({*old, *new}) == 1
        prefix = "" if is_only else f"{path}."
        for name in sorted({*old, *new}):
            was, becomes = old.get(name), new.get(name)
            if isinstance(was or becomes, dict) and is_only:
                yield from _compare_container(was or {}, becomes or {})
            else:
                yield from _compare(f"{prefix}{name}", was, becomes)
    elif len(before) <= 1 and len(after) <= 1:
        yield from _compare(path, *(values[0] if values else None for values in (before, after)))
    elif all(not isinstance(each, dict | list) for each in (*before, *after)):
        gone = [each for each in before if each not in after]
        come = [each for each in after if each not in before]
        for each in gone:
            yield ValueChange(path=path, before=_shown(each), after="(removed)")
        for each in come:
            yield ValueChange(path=path, before=None, after=_shown(each))
        if not gone and not come:
            yield ValueChange(path=f"{path} order", before=_shown(before), after=_shown(after))
    else:
        for number in range(max(len(before), len(after))):
            pair = (values[number] if number < len(values) else None for values in (before, after))
            yield from _compare(f"{path}[{number}]", *pair)


def _compare_container(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[ValueChange]:
    """The arguments of a container definition; its variables by their names alone."""
    for key in sorted({*before, *after}):
        for found in _compare(key, before.get(key), after.get(key)):
            if key == "environment":
                yield ValueChange(
                    path=found.path.removeprefix("environment."),
                    before=found.before,
                    after=found.after,
                )
            else:
                yield found


def _by_name(values: Sequence[Any]) -> Mapping[str, Any] | None:
    """Objects that are told apart by their `name`; None if there are others.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    if not all(isinstance(value, dict) and isinstance(value.get("name"), str) for value in values):
        return None
    named = {}
    for value in values:
        rest = {key: each for key, each in value.items() if key != "name"}
        alone = rest.keys() in ({"value"}, {"valueFrom"})
        named[value["name"]] = next(iter(rest.values())) if alone else rest
    return named if len(named) == len(values) else None


def _both(kind: type, before: Any, after: Any) -> bool:
    """Whether both are of a kind, or one is and the other is nothing."""
    return all(isinstance(each, kind) or _is_nothing(each) for each in (before, after))


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            pass
    return value


def _is_nothing(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _shown(value: Any) -> str:
    text = printable(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
