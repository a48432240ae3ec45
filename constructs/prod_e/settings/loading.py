"""From TOML files to settings, or to one message per mistake."""

import tomllib
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, time
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from prod_e.printable import printable
from prod_e.settings.environment import Environment
from prod_e.settings.fields import ALLOWED, BrokenRules, listed
from prod_e.settings.secrecy import looks_secret


class SettingsError(Exception):
    """The settings are wrong; `messages` has one line for each mistake."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = tuple(messages)


def load_environments(
    folder: Path,
    names: Collection[str] = (),
    *,
    on_left_out: Callable[[str], object] = lambda _: None,
) -> tuple[Environment, ...]:
    """Reads the `*.toml` files of `folder`, in the order of their names.

    `names`: the environments that are wanted; default: all. What is wrong with the file of another
    one is nothing to them. `on_left_out`: told of each file that is left out because of that.

    Raises `SettingsError` with every mistake of every file, and where two environments have the
    same name, or in one account names or addresses that AWS would have twice. With `names` it does
    so where one of them is missing among the files without a mistake, or is one of such two.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise SettingsError([f"{folder}: no environment found; add a file such as prod-e.toml"])
    environments: dict[Path, Environment] = {}
    wrong: dict[Path, Sequence[str]] = {}
    for file in files:
        try:
            environments[file] = load_environment(file)
        except SettingsError as error:
            wrong[file] = error.messages
    known = [environment.name for environment in environments.values()]
    missing = set(names) - set(known)
    messages: list[str] = []
    if names and not missing:
        for file in wrong:
            on_left_out(_shown(file))
    else:
        messages += [line for lines in wrong.values() for line in lines]
        # What a file with a mistake names itself cannot be told: mostly, as the file.
        messages += [
            f"{folder}: {_not_there(name, known)}"
            for name in sorted(missing - {file.stem for file in wrong})
        ]
    for one, other in combinations(environments.items(), 2):
        if not names or {one[1].name, other[1].name} & set(names):
            messages += _conflicts(one, other)
    if messages:
        raise SettingsError(messages)
    return tuple(each for each in environments.values() if not names or each.name in names)


def _not_there(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"has no {name!r}{f', but {listed(known)}' if known else ''}{meant}"


def _conflicts(one: tuple[Path, Environment], other: tuple[Path, Environment]) -> Iterator[str]:
    """What AWS would have twice, a message each."""
    (first_file, first), (file, second) = one, other
    if first.name == second.name:
        yield (
            f"{_shown(file)}: name: {second.name!r} is that of {_shown(first_file)} too;"
            " each environment needs its own"
        )
    else:
        for key, problem in second.conflicts_with(first):
            yield f"{_shown(file)}: {key}: {problem}"
    if first.account == second.account and first.network.overlaps(second.network):
        yield (
            f"{_shown(file)}: network.cidr: {second.network.cidr!r} overlaps"
            f" {first.network.cidr!r} of {_shown(first_file)}; take another block, so that the two"
            " can ever be connected"
        )


def load_environment(file: Path) -> Environment:
    """Reads one environment's file; raises `SettingsError` with one message per mistake."""
    try:
        text = _read(file)
    except FileNotFoundError:
        raise SettingsError([f"{_shown(file)}: this file does not exist"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{_shown(file)}: cannot be read: {error}"]) from None
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise SettingsError([f"{_shown(file)}: is nested too deeply"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([printable(f"{_shown(file)}: is not valid TOML: {error}")]) from None
    except ValueError:  # Python's own limit, which tomllib knows nothing of.
        raise SettingsError([f"{_shown(file)}: has a number of thousands of digits"]) from None
    if unfit := [printable(f"{_shown(file)}: {line}") for line in _unfit_texts(values)]:
        raise SettingsError(unfit)
    try:
        return Environment.model_validate(values, context=_shown(file))
    except ValidationError as error:
        lines = (line for details in error.errors() for line in _explained(details))
        raise SettingsError([printable(f"{_shown(file)}: {line}") for line in lines]) from None


_MOST_BYTES = 1_000_000


def _read(file: Path) -> str:
    """The text of a file; raises `OSError` for what is none, such as a pipe, or has no end."""
    if file.exists() and not file.is_file():
        raise OSError("it is not a file")
    with file.open("rb") as stream:
        content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise OSError(f"it has more than {_MOST_BYTES:,} bytes")
    return content.decode("utf-8")


_LONGEST_SHOWN = 200

_MAY_BE_SECRET = frozenset({"secrets", "environment", "build_args"})
"""The tables whose values no message repeats: a mistaken entry may well be a secret."""

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge} or more",
    "int_type": "a whole number",
    "less_than_equal": "{le:g} or less",
    "literal_error": "{expected}",
    "model_type": "a table",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_type": "text in quotes",
    "too_short": "at least {min_length}",
    "tuple_type": "a list",
}
"""What pydantic's types of errors allow, in the words of the file."""


def _unfit_texts(values: object) -> Iterator[str]:
    """Texts that CDKTF would take for placeholders of its own, or that no program can be given."""
    left: list[tuple[str, object]] = [("", values)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            for name, inner in value.items():
                below = f"{key}.{name}".removeprefix(".")[:_LONGEST_SHOWN]
                left += [(below, inner), (below, name)]
        elif isinstance(value, list):
            left += [(key, inner) for inner in value]
        elif isinstance(value, str) and "TfToken[" in value:
            yield f"{key}: has TfToken[ in it, which CDKTF takes for its own"
        elif isinstance(value, str) and "\0" in value:
            yield f"{key}: has the character NUL in it, which ends a text for every program"


def _explained(details: ErrorDetails) -> Iterator[str]:
    """Turns one of pydantic's errors into lines of key, value and what is allowed."""
    location = [str(part) for part in details["loc"]]
    context = details.get("ctx", {})
    if isinstance(broken := context.get("error"), BrokenRules):
        for key, problem in broken.mistakes:
            yield f"{'.'.join([*location, key])}: {problem}"
        return
    key = ".".join(map(_cut, location))
    match details["type"]:
        case "missing":
            yield f"{key}: is missing"
        case "extra_forbidden":
            allowed = _allowed_keys(location[:-1])
            close = get_close_matches(location[-1], allowed, n=1, cutoff=0.7)
            meant = f"did you mean {close[0]}? " if close else ""
            yield f"{key}: is not a known key; {meant}allowed: {listed(allowed)}"
        case "string_pattern_mismatch":
            given = details["input"]
            value = "" if looks_secret("", given) else f"{_cut(repr(given))} "
            yield f"{key}: {value}is not allowed; allowed: {ALLOWED[context['pattern']]}"
        case kind:
            expected = _EXPECTED[kind].format_map(context) if kind in _EXPECTED else details["msg"]
            given = details["input"]
            shown = _cut(str(given) if isinstance(given, date | time) else repr(given))
            value = "" if _MAY_BE_SECRET.intersection(location) else f"{shown} "
            yield f"{key}: {value}is not allowed; allowed: {expected}"


def _allowed_keys(location: Sequence[str]) -> Sequence[str]:
    """The keys of the model at a path of keys, sorted."""
    model: Any = Environment
    for part in location:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[part].annotation
            model = (
                next((a for a in get_args(model) if a is not type(None)), model)
                if (type(None) in get_args(model))
                else model
            )
        else:
            model = get_args(model)[1]
    return sorted(model.model_fields)


def _cut(text: str) -> str:
    """What is too long to be read is cut."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _shown(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"
