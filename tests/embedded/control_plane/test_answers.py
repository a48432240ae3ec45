"""What the embedded AWS answers is what AWS answers, by fixtures whose source is named in each.

A fixture, `tests/embedded/answers/<service>/<Action>[-<case>].json`, has:

- `resources`: the types of Terraform resources that get this answer;
- `source`: the pages that say what AWS answers;
- `before`: requests that make what this one needs, each with `as`, the name of its answer;
- `request`: the parameters; `${name:path}` is a value of an earlier answer, by JMESPath;
- `read`: the request whose answer is looked at, where that is another one;
- `answer`: what it must hold. Of an object the keys that are named, and null for a key that it must
  not have; of a list every element, in order, and of one of keys with values those that are named;
  of a text that begins with `~` the regular expression.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import jmespath  # type: ignore[import-untyped]
import pytest

from tests.embedded.control_plane.clients import Clients

ANSWERS = Path(__file__).parents[1] / "answers"
FIXTURES = sorted(ANSWERS.glob("*/*.json"))


@pytest.mark.parametrize(
    "file", FIXTURES, ids=lambda file: f"{file.parent.name}-{file.stem}".lower()
)
def test_an_answer_is_as_aws_gives_it(clients: Clients, file: Path) -> None:
    fixture = json.loads(file.read_text(encoding="utf-8"))
    assert fixture["source"], "a fixture says where it is from"
    answers: dict[str, Any] = {"unique": f"t{uuid4().hex[:8]}"}
    requests = [
        *fixture.get("before", ()),
        {"action": file.stem.split("-")[0], "request": fixture["request"], "as": "made"},
        *([fixture["read"]] if "read" in fixture else ()),
    ]
    answer: Any = None
    for each in requests:
        service = each.get("service", file.parent.name)
        answer = _call(clients(service), each["action"], _filled(each["request"], answers))
        answers[each.get("as", "read")] = answer
    differences = list(_differences(answer, _filled(fixture["answer"], answers), "answer"))
    assert not differences, "\n".join(differences)


def _call(client: Any, action: str, request: dict[str, Any]) -> Any:
    method = next(m for m, name in client.meta.method_to_api_mapping.items() if name == action)
    return getattr(client, method)(**request)


def _filled(value: Any, answers: dict[str, Any]) -> Any:
    """The value with what earlier answers held in place of `${name:path}` and of `${unique}`."""
    if isinstance(value, dict):
        return {_filled(key, answers): _filled(each, answers) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, answers) for each in value]
    if not isinstance(value, str):
        return value

    def held(found: re.Match[str]) -> str:
        if found[1] not in answers:
            return found[0]
        answer = answers[found[1]]
        text = jmespath.search(found[2], answer) if found[2] else answer
        assert isinstance(text, str), f"{found[0]} is {text!r}"
        return text

    return re.sub(r"\$\{(\w+)(?::([^{}]+))?\}", held, value)


def _differences(given: Any, expected: Any, path: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(given, list):
        given = {each["Key"]: each["Value"] for each in given}
    if isinstance(expected, dict) and isinstance(given, dict):
        for key, value in expected.items():
            if value is None:
                if key in given:
                    yield f"{path}.{key} is {given[key]!r}, and AWS leaves it out"
            elif key not in given:
                yield f"{path}.{key} is missing, and AWS says {value!r}"
            else:
                yield from _differences(given[key], value, f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(given, list):
        if len(given) != len(expected):
            yield f"{path} has {len(given)} elements, {given!r}; AWS says {expected!r}"
            return
        for index, (one, other) in enumerate(zip(given, expected, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif isinstance(expected, str) and expected.startswith("~"):
        if not re.fullmatch(expected[1:], str(given)):
            yield f"{path} is {given!r}, which is not of the form {expected[1:]}"
    elif type(given) is not type(expected) or given != expected:
        yield f"{path} is {given!r}, and AWS says {expected!r}"
