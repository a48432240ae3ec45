"""Whatever a settings file says, it is taken or answered in plain lines; nothing else happens."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import tomlkit
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from prod_e.settings import Environment, SettingsError, load_environment
from tests.support.project.settings_mistakes import mistakes

HOSTILE = ("${aws_vpc.x.id}", "${TfToken[TOKEN.1]}", "#{TfToken[T.1]}", "a\nb", "\x1b[31m", "%{if")
TEXT = st.one_of(st.text(max_size=40), st.sampled_from((*HOSTILE, "a", "10.0.0.0/16")))
PLAIN = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.floats(),
    st.dates(),
    st.lists(TEXT, max_size=3),
)
ANYTHING = st.recursive(PLAIN, lambda inner: st.dictionaries(TEXT, inner, max_size=3), max_leaves=4)


def sections_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation such as `Network | None` or `dict[str, Service]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from sections_of(part)


def tables(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Tables with the keys of a model, known and unknown, and values of any kind."""
    values = {
        key: st.one_of(ANYTHING, *map(tables, sections_of(field.annotation)))
        for key, field in model.model_fields.items()
    }
    known = st.fixed_dictionaries({}, optional=values)
    unknown = st.dictionaries(TEXT, ANYTHING, max_size=1)
    return st.builds(lambda some, others: {**others, **some}, known, unknown)


def environments() -> st.SearchStrategy[dict[str, Any]]:
    """Whole files; most have what every file must have, so that the rest is judged too."""
    required = {"name": "tiny-e", "services": {"backend": {"build": "external"}}}
    files = tables(Environment)
    return st.one_of(files, files.map(lambda rest: {**rest, **required}))


@given(values=environments())
@settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@example(values={"name": "tiny-e", "services": {"database": {}}, "database": {}})
def test_any_values_are_taken_or_answered_line_by_line(values: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "environments" / "given.toml"
        file.parent.mkdir()
        file.write_text(tomlkit.dumps(values), "utf-8")
        try:
            load_environment(file)
        except SettingsError as error:
            assert error.messages
            for message in error.messages:
                assert message.startswith("environments/given.toml: ")
                assert message.isprintable(), "one line, without control characters"
                assert len(message) < 1_000


@given(text=st.text(max_size=200))
@settings(max_examples=50, derandomize=True, deadline=None)
def test_any_text_is_taken_or_answered(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "given.toml"
        file.write_text(text, "utf-8")
        with pytest.raises(SettingsError):
            load_environment(file)


@pytest.mark.parametrize(
    "text",
    [
        f"port = {'9' * 5_000}",
        f"port = {'[' * 3_000}{']' * 3_000}",
        f"{'.'.join('a' * 3_000)} = 1",
    ],
    ids=["a number of 5,000 digits", "deep lists", "deep tables"],
)
def test_values_beyond_all_measure_are_answered(tmp_path: Path, text: str) -> None:
    (message, *_) = mistakes(tmp_path, text)
    assert len(message) < 1_000
