"""What a deployment meets beside Terraform."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest

from prod_e_ops.commands.infrastructure import deploy as module
from prod_e_ops.errors import (
    DeploymentFailed,
)
from prod_e_ops.stacks.images.missing_images import MissingImage
from prod_e_ops.stacks.model import StackPlan
from tests.unit.stacks.deploying import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()

    async def verify(*_: object, pushed: Mapping[str, datetime] | None = None) -> None:
        found.verified.append(pushed or {})
        if not found.kept:
            raise DeploymentFailed("ECS rolled it back.")

    async def orphans(_: object) -> None:
        found.told.append("orphans")

    async def take_over(
        _: object, plans: Sequence[StackPlan], **options: bool
    ) -> Sequence[StackPlan]:
        found.told.append(f"take over {options}")
        return found.taken_over or plans

    async def missing(*_: object) -> Sequence[MissingImage]:
        return found.missing

    async def lost(_: object, plans: Sequence[StackPlan]) -> Sequence[str]:
        return found.lost

    async def delete(_: object, plan: StackPlan) -> None:
        found.told.append(f"delete images of {plan.stack.name}")

    for name, fake in {
        "verify_services": verify,
        "tell_orphans": orphans,
        "take_over": take_over,
        "missing_images": missing,
        "images_lost": lost,
        "delete_images": delete,
    }.items():
        monkeypatch.setattr(module, name, fake)
    return found
