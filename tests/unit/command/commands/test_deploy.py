"""A deployment that finds nothing to do has still to be one that ECS kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from prod_e_ops.commands.infrastructure import deploy as module
from prod_e_ops.commands.infrastructure.deploy import DeployOptions, deploy_environment
from prod_e_ops.errors import DeploymentFailed
from prod_e_ops.images.image_plan import ImageOptions
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.terraform.plans.plan_changes import PlanSummary


def test_one_with_nothing_to_do_fails_where_ecs_did_not_keep_the_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    environment = SimpleNamespace(name="tiny-e")

    async def plan(_: ImageOptions) -> list[StackPlan]:
        return [StackPlan(stack=Stack("tiny-e", tmp_path), summary=PlanSummary())]

    @asynccontextmanager
    async def prepare(*_: object) -> AsyncIterator[object]:
        yield SimpleNamespace(environment=environment, plan=plan, skipped_besides=lambda _: [])

    async def verify(given: object, *_: object) -> None:
        assert given is environment
        raise DeploymentFailed("ECS rolled it back.")

    monkeypatch.setattr(module, "prepare_stacks", prepare)
    monkeypatch.setattr(module, "verify_services", verify)
    context = cast("Any", SimpleNamespace(terminal=SimpleNamespace(say=said.append)))
    with pytest.raises(DeploymentFailed):
        asyncio.run(deploy_environment(context, None, options=DeployOptions(images=ImageOptions())))
    assert said == ["tiny-e is up to date."]
