"""A deployment, and what it meets beside Terraform."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from prod_e_ops.commands.infrastructure import deploy as module
from prod_e_ops.commands.infrastructure.deploy import DeployOptions, deploy_environment
from prod_e_ops.images.image_plan import ImageOptions
from prod_e_ops.stacks.images.missing_images import MissingImage
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from tests.support.project.prepared_world import (
    change,
)

TOPIC = PlanSummary(created=(change("aws_sns_topic.a"),))


class World:
    """What a deployment meets beside Terraform: images, services, what AWS has left."""

    def __init__(self) -> None:
        self.verified: list[Mapping[str, datetime]] = []
        self.told: list[str] = []
        self.missing: Sequence[MissingImage] = ()
        self.lost: Sequence[str] = ()
        self.taken_over: Sequence[StackPlan] | None = None
        self.kept = True


def deployed(
    prepared: PreparedStacks, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> PreparedStacks:
    """Deploys what is ready."""

    @asynccontextmanager
    async def prepare(*_: object) -> AsyncIterator[PreparedStacks]:
        yield prepared

    monkeypatch.setattr(module, "prepare_stacks", prepare)
    given = DeployOptions(images=ImageOptions(), **options)
    asyncio.run(deploy_environment(prepared.context, None, options=given))
    return prepared
