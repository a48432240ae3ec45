"""A deployment that only moves the tag that a service follows, on the embedded AWS."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest

from embedded_aws import EmbeddedAws
from prod_e.settings import load_environment
from prod_e_ops.context import Context
from prod_e_ops.images.ecr import Repository
from prod_e_ops.images.image_plan import ImageOptions, ImagePlan, SynthesisedImage, plan_images
from prod_e_ops.project.project import Project, Stack
from prod_e_ops.service.follow import newest_deployment
from prod_e_ops.stacks.images.image_apply import apply_images
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terminal.terminal import Terminal
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from tests.support.aws.service_on_aws import ServiceOnAws

CONTENT = "content-2222222222222222"

MOVES = ImageOptions(move_followed=True)


@pytest.fixture
def service(aws: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceOnAws:
    """A service that follows latest, whose repository holds a newer build."""
    for name, value in aws.variables().items():
        monkeypatch.setenv(name, value)
    service = ServiceOnAws(aws, tmp_path / "project")
    service.push("one", "latest")
    service.push("two", CONTENT)
    return service


class _Prepared(PreparedStacks):
    """One whose image stack has this one image, which is never built."""

    async def look_at_images(self, stack: Stack, options: ImageOptions) -> list[ImagePlan]:
        image = SynthesisedImage(
            key="backend",
            repository=Repository(self.environment.region, f"{self.environment.name}-backend"),
            tags=(CONTENT, "latest"),
            pushes=(),
            image="docker_image.image",
            log=stack.folder / "image.log",
        )
        return list(await plan_images([image], options))


def apply(service: ServiceOnAws, options: ImageOptions) -> Mapping[str, datetime]:
    terminal = Terminal()
    project = Project(service.folder, service.folder / "cdktf.out")
    stack = Stack(name=f"{service.name}-image", folder=service.folder / "cdktf.out")
    prepared = _Prepared(
        context=Context(project=project, terminal=terminal, processes=ChildProcesses(terminal.say)),
        environment=load_environment(service.settings),
        account="",
        terraform=cast("Any", None),
        stacks=[stack],
        skipped=[],
    )

    async def apply() -> Mapping[str, datetime]:
        images = await prepared.look_at_images(stack, options)
        plan = StackPlan(stack=stack, summary=PlanSummary(), images=images)
        return await apply_images(prepared, plan, options, yes=True)

    return asyncio.run(apply())


def test_a_service_whose_tag_moves_is_given_with_its_newest_deployment_before(
    service: ServiceOnAws,
) -> None:
    service.create(service.define("latest"))
    before = asyncio.run(newest_deployment(load_environment(service.settings), "backend"))
    assert apply(service, MOVES) == {"backend": before.created_at}
    assert service.tagged()["latest"] == service.tagged()[CONTENT]


def test_one_whose_tag_named_the_image_already_is_not(service: ServiceOnAws) -> None:
    service.push("two", "latest")
    service.create(service.define("latest"))
    assert apply(service, MOVES) == {}


def test_one_whose_tag_stays_is_not(service: ServiceOnAws) -> None:
    service.create(service.define("latest"))
    assert apply(service, ImageOptions()) == {}


def test_one_that_is_not_deployed_yet_is_not(service: ServiceOnAws) -> None:
    assert apply(service, MOVES) == {}
    assert service.tagged()["latest"] == service.tagged()[CONTENT]


def test_one_that_follows_no_tag_is_not(service: ServiceOnAws) -> None:
    service.create(service.define("latest"))
    text = service.settings.read_text()
    assert 'image_tag = "latest"' in text
    service.settings.write_text(text.replace('image_tag = "latest"', 'image_tag = "stable"'))
    assert apply(service, MOVES) == {}
