"""What a script reads of a demo says that it passed where it did, and nowhere else."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.commands.local import demo
from prod_e_ops.demo.begin import Runtime
from prod_e_ops.errors import OpsError


def told(monkeypatch: pytest.MonkeyPatch, *, fault: OpsError | None, keep: bool = False) -> Any:
    """The JSON of a demo whose life ends with that fault, or well, and what it was asked for."""
    results: list[str] = []
    asked: list[bool] = []

    async def live(*, keep: bool) -> None:
        asked.append(keep)
        if fault:
            raise fault

    @asynccontextmanager
    async def begin(*_: Any, **__: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(live=live)

    monkeypatch.setattr(demo, "begin", begin)
    monkeypatch.setattr(demo, "refuse_existing", lambda _: None)
    context: Any = SimpleNamespace(
        project=SimpleNamespace(environment=lambda _: SimpleNamespace(name="tiny-e")),
        terminal=SimpleNamespace(result=results.append),
    )
    running = demo.run_demo(context, None, keep=keep, runtime=Runtime.PROCESS, as_json=True)
    if fault:
        with pytest.raises(OpsError) as raised:
            asyncio.run(running)
        assert raised.value is fault
    else:
        asyncio.run(running)
    assert asked == [keep]
    (result,) = results
    return json.loads(result)


@pytest.mark.parametrize("keep", [False, True])
def test_one_that_ended_well_has_passed(monkeypatch: pytest.MonkeyPatch, keep: bool) -> None:
    assert told(monkeypatch, fault=None, keep=keep)["passed"] is True


def test_one_that_failed_is_told_too_and_has_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, fault=OpsError("A request was lost."))["passed"] is False
