"""From TOML files to settings, or to one message per mistake."""

import re
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
from prod_e.settings.conflicts import conflicts
from prod_e.settings.environment import Environment
from prod_e.settings.fields import ALLOWED, BrokenRules, listed
from prod_e.settings.secrecy import without_secrets


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
    for earlier, later in combinations(environments.values(), 2):
        if not names or {earlier.name, later.name} & set(names):
            messages += [f"{later.file}: {key}: {it}" for key, it in conflicts(later, earlier)]
    if messages:
        raise SettingsError(messages)
    return tuple(each for each in environments.values() if not names or each.name in names)


def _not_there(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"has no {name!r}{f', but {listed(known)}' if known else ''}{meant}"


def load_environment(file: Path) -> Environment:
    """Reads one environment's file; raises `SettingsError` with one message per mistake."""
    try:
        text = _read(file)
    except FileNotFoundError:
        raise SettingsError([f"{_shown(file)}: this file does not exist"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{_shown(file)}: cannot be read: {error}"]) from None
    try:
        if _DEEP_KEY.search(text):
            raise RecursionError
        values = tomllib.loads(text)
    except RecursionError:
        raise SettingsError([f"{_shown(file)}: is nested too deeply"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([_line(file, f"is not valid TOML: {error}")]) from None
    except ValueError:  # Python's own limit, which tomllib knows nothing of.
        raise SettingsError([f"{_shown(file)}: has a number of thousands of digits"]) from None
    if unfit := [_line(file, problem) for problem in _unfit_values(values)]:
        raise SettingsError(unfit)
    try:
        return Environment.model_validate(values, context=_shown(file))
    except ValidationError as error:
        problems = (each for details in error.errors() for each in _explained(details))
        raise SettingsError([_line(file, each) for each in problems]) from None


_DEEP_KEY = re.compile(r"""(?<![\w.'"-])(([\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){500}""")
"""A key of so many parts as no setting has; tomllib would take the square of their number."""

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
_LONGEST_LINE = 900

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
    "repeated": "each value once",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_type": "text in quotes",
    "too_short": "at least {min_length}",
    "tuple_type": "a list",
}
"""What pydantic's types of errors allow, in the words of the file."""


_INTEGERS = range(-(2**63), 2**63)
"""What TOML has: https://toml.io/en/v1.0.0#integer. Python's parser takes any."""


def _unfit_values(values: object) -> Iterator[str]:
    """Texts that CDKTF would take for placeholders of its own, or that no program can be given.

    And numbers that are no TOML: one in hexadecimal can be longer than Python ever shows.
    """
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
        elif isinstance(value, int) and value not in _INTEGERS:
            yield f"{key}: is not allowed; allowed: whole numbers of 64 bits"


def _explained(details: ErrorDetails) -> Iterator[str]:
    """Turns one of pydantic's errors into lines of key, value and what is allowed."""
    location = [str(part) for part in details["loc"]]
    context = details.get("ctx", {})
    if isinstance(broken := context.get("error"), BrokenRules):
        for key, problem in broken.mistakes:
            yield f"{'.'.join([*location, key])}: {problem}"
        return
    key = ".".join(map(_shown_text, location))
    match details["type"]:
        case "missing":
            yield f"{key}: is missing"
        case "extra_forbidden":
            allowed = _allowed_keys(location[:-1])
            close = get_close_matches(location[-1], allowed, n=1, cutoff=0.7)
            meant = f"did you mean {close[0]}? " if close else ""
            yield f"{key}: is not a known key; {meant}allowed: {listed(allowed)}"
        case "string_pattern_mismatch":
            # What stands in place of a secret's ARN may well be the secret itself.
            given = details["input"]
            is_hidden = location[-1].endswith("secret_arn") and not given.startswith("arn:")
            value = "" if is_hidden else _given(given)
            yield f"{key}: {value}is not allowed; allowed: {ALLOWED[context['pattern']]}"
        case kind:
            expected = _EXPECTED[kind].format_map(context) if kind in _EXPECTED else details["msg"]
            value = "" if _MAY_BE_SECRET.intersection(location) else _given(details["input"])
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


def _given(value: object) -> str:
    """A value and a space, as a message shows it; of what may have a secret in it, less."""
    match value:
        case [_, *_]:
            return "a list "
        case dict() if value:
            return "a table "
        case date() | time():
            return f"{value} "
    text = repr(value)
    return "" if without_secrets(text) != text else f"{_shown_text(text)} "


def _shown_text(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """Text of the file without secrets, and cut where it is too long to be read."""
    shown = without_secrets(text)
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


def _line(file: Path, problem: str) -> str:
    """A message, whatever the file has for keys and values."""
    return f"{_shown(file)}: {_shown_text(printable(problem), _LONGEST_LINE)}"


def _shown(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"
