"""Stacks are initialised beside each other, except where Terraform's cache does not allow it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from prod_e_ops.errors import OpsError, ProviderUnavailable
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.initialise import initialise
from prod_e_ops.stacks.model import SkippedStack
from prod_e_ops.terraform.runner import Terraform


class FakeStack(Stack):
    """A stack without any JSON: what ends with `image` needs Docker."""

    @property
    def needs_docker(self) -> bool:
        return self.name.endswith("image")


class FakeTerraform:
    """Counts how many stacks it initialises at once; some names fail with an error."""

    def __init__(self, *, may_cache_providers: bool, **errors: OpsError) -> None:
        self.may_cache_providers = may_cache_providers
        self.most = 0
        self._running = 0
        self._errors = errors

    async def init(self, stack: Stack, *, lock: object = None) -> None:
        self._running += 1
        self.most = max(self.most, self._running)
        for _ in range(5):
            await asyncio.sleep(0)
        self._running -= 1
        if stack.name in self._errors:
            raise self._errors[stack.name]


STACKS = [FakeStack(name, Path(name)) for name in ("registry", "image", "main")]
UNAVAILABLE = ProviderUnavailable("init failed", provider="docker", details=(), next_step="")


@pytest.fixture(autouse=True)
def docker_and_room_for_three(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing() -> None:
        return None

    monkeypatch.setattr("prod_e_ops.stacks.initialise.why_no_docker", nothing)
    monkeypatch.setattr("prod_e_ops.terraform.parallel.runs_at_once", lambda **_: 3)


def initialised(terraform: FakeTerraform) -> tuple[Sequence[Stack], Sequence[SkippedStack]]:
    return asyncio.run(
        initialise(cast("Terraform", cast("Any", terraform)), STACKS, on_stack=lambda _: None)
    )


@pytest.mark.parametrize(("may_cache_providers", "most"), [(False, 3), (True, 1)])
def test_a_cache_of_providers_is_used_by_one_stack_at_a_time(
    may_cache_providers: bool, most: int
) -> None:
    terraform = FakeTerraform(may_cache_providers=may_cache_providers)
    assert initialised(terraform) == (STACKS, [])
    assert terraform.most == most


def test_the_image_stack_is_skipped_where_its_provider_cannot_be_had() -> None:
    ready, skipped = initialised(FakeTerraform(may_cache_providers=False, image=UNAVAILABLE))
    assert [stack.name for stack in ready] == ["registry", "main"]
    assert [(skip.stack.name, skip.reason) for skip in skipped] == [("image", UNAVAILABLE.reason)]


def test_no_other_stack_is_skipped() -> None:
    with pytest.raises(ProviderUnavailable):
        initialised(FakeTerraform(may_cache_providers=False, main=UNAVAILABLE))


def test_the_image_stack_is_skipped_without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    async def why() -> str:
        return "no Docker daemon answers"

    monkeypatch.setattr("prod_e_ops.stacks.initialise.why_no_docker", why)
    terraform = FakeTerraform(may_cache_providers=False)
    ready, skipped = initialised(terraform)
    assert [stack.name for stack in ready] == ["registry", "main"]
    assert [skip.reason for skip in skipped] == ["no Docker daemon answers"]
    assert terraform.most == 2
