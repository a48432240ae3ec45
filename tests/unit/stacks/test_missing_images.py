"""Images that a deployment would run, that nobody builds in it, and that ECR does not have."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.stacks.images import missing_images as module
from prod_e_ops.stacks.images.missing_images import MissingImage, missing_images
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from tests.support.project.prepared_world import PlannedTerraform, change, prepared_in

SERVICE = PlanSummary(changed=(change("aws_ecs_service.a", name="tiny-e-backend"),))
TASK = PlanSummary(created=(change("aws_ecs_task_definition.a", family="tiny-e-backend"),))
OTHERS = PlanSummary(
    changed=(
        change("aws_ecs_service.b", name="tiny-e-other"),
        change("aws_lb.a", name="tiny-e-backend"),
    ),
    destroyed=(change("aws_ecs_service.a", name="tiny-e-backend"),),
)


class Ecr:
    """A repository; `tags`: those it has; None: it is not there."""

    def __init__(self, name: str, tags: Sequence[str] | None) -> None:
        self.name = name
        self._tags = tags

    async def find(self) -> object | None:
        return None if self._tags is None else self

    async def image(self, tag: str) -> object | None:
        assert self._tags is not None, "it is not there"
        return self if tag in self._tags else None


def missing_in(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    summary: PlanSummary,
    tags: Sequence[str] | None,
    *,
    settings: str = 'build = "external"',
) -> Sequence[MissingImage]:
    def repository(region: str, name: str) -> Any:
        assert region == "us-west-2"
        return Ecr(name, tags)

    monkeypatch.setattr(module, "Repository", repository)
    prepared = prepared_in(
        folder, PlannedTerraform(), "tiny-e", settings=f"[services.backend]\n{settings}\n"
    )
    plans = [StackPlan(stack=prepared.stacks[0], summary=summary)]
    return asyncio.run(missing_images(prepared, plans))


@pytest.mark.parametrize("summary", [SERVICE, TASK])
@pytest.mark.parametrize(("tags", "exists"), [(None, False), (["v1"], True)])
def test_an_image_that_ecr_lacks_is_missing_to_what_is_deployed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    summary: PlanSummary,
    tags: Sequence[str] | None,
    exists: bool,
) -> None:
    assert missing_in(tmp_path, monkeypatch, summary, tags) == [
        MissingImage(
            key="backend",
            service="tiny-e-backend",
            repository="tiny-e-backend",
            tag="latest",
            repository_exists=exists,
        )
    ]


@pytest.mark.parametrize(
    ("summary", "tags", "settings"),
    [
        (SERVICE, ["latest"], 'build = "external"'),
        # It is built by the deployment itself.
        (SERVICE, None, ""),
        (OTHERS, None, 'build = "external"'),
        (SERVICE, ["v1.0.0"], 'build = "external"\nimage_tag = "v1.0.0"'),
    ],
)
def test_nothing_is_missing_to_what_has_it_or_is_not_deployed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    summary: PlanSummary,
    tags: Sequence[str] | None,
    settings: str,
) -> None:
    assert missing_in(tmp_path, monkeypatch, summary, tags, settings=settings) == []
