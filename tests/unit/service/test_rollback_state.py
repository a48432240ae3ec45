"""What a service could go back to, which of it is proposed, and what is refused before."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e.delivery.image_tag import ImageTag
from prod_e_ops.errors import DeploymentUnderWay, NothingToRollBackTo
from prod_e_ops.images.ecr import StoredImage
from prod_e_ops.images.inventory import ImageUse, ServiceImages
from prod_e_ops.service.model import Deployment, Revision, ServiceStatus, TaskDefinition
from prod_e_ops.service.rollback.state import (
    ServiceState,
    gather_state,
    nothing_to_roll_back_to,
    refuse_while_under_way,
)
from tests.support.fakes import stored_image
from tests.support.service_status import NOW, UNDER_WAY

ADDRESS = "123456789012.dkr.ecr.us-west-2.amazonaws.com/tiny-e-api"
NEW, OLD, OLDER = (
    stored_image(f"sha256:{digit * 64}", *tags)
    for digit, tags in (("a", ("latest", "v3")), ("b", ("v2",)), ("c", ("v1",)))
)
DEFINITION = TaskDefinition(name="tiny-e-api:1", image=f"{ADDRESS}:v2", is_active=True)


def status(name: str, reason: str = "") -> ServiceStatus:
    return replace(UNDER_WAY, deployment=replace(UNDER_WAY.deployment, status=name, reason=reason))


def use(image: StoredImage, *definitions: TaskDefinition, healthy_days_ago: int = 0) -> ImageUse:
    return ImageUse(
        image=image,
        runs=False,
        healthy_at=NOW - timedelta(days=healthy_days_ago) if healthy_days_ago else None,
        has_failed=False,
        last_ran_as=None,
        deployments=(),
        definitions=definitions,
    )


def service(image_tag: str = "latest", **asked: Any) -> Any:
    return SimpleNamespace(
        key="api",
        names=SimpleNamespace(service="tiny-e-api", task_family="tiny-e-api-task"),
        environment=SimpleNamespace(name="tiny-e"),
        settings=SimpleNamespace(image_tag=ImageTag(image_tag)),
        **asked,
    )


def state(
    *uses: ImageUse,
    image_tag: str = "latest",
    running: Sequence[StoredImage] = (NEW,),
    deployment: str = "SUCCESSFUL",
) -> ServiceState:
    repository: Any = SimpleNamespace(name="tiny-e-repository")
    return ServiceState(
        deployments=service(image_tag),
        repository=repository,
        status=status(deployment),
        found=ServiceImages(uses=uses, running=frozenset(each.digest for each in running)),
        pinned_tag=image_tag,
    )


@pytest.mark.parametrize(
    ("image", "image_tag", "running", "deployment", "is_current"),
    [
        (NEW, "latest", [NEW], "SUCCESSFUL", True),
        (NEW, "latest", [NEW], "ROLLBACK_SUCCESSFUL", True),
        (NEW, "latest", [NEW, OLD], "SUCCESSFUL", False),
        (NEW, "latest", [], "SUCCESSFUL", False),
        (OLD, "latest", [NEW], "SUCCESSFUL", False),
        # ECS has rolled back, and the tag still names what failed.
        (OLD, "latest", [OLD], "SUCCESSFUL", False),
        (OLD, "v3", [OLD], "ROLLBACK_SUCCESSFUL", False),
        (OLD, "v2", [OLD], "ROLLBACK_SUCCESSFUL", True),
        # Its task definition names the digest, say.
        (OLD, "v3", [OLD], "SUCCESSFUL", True),
    ],
)
def test_what_every_task_runs_and_the_next_ones_will_is_current(
    image: StoredImage,
    image_tag: str,
    running: Sequence[StoredImage],
    deployment: str,
    is_current: bool,
) -> None:
    of = state(image_tag=image_tag, running=running, deployment=deployment)
    assert of.is_current(use(image)) is is_current


def test_all_but_what_is_current_can_be_gone_back_to() -> None:
    new, old, older = use(NEW), use(OLD, DEFINITION), use(OLDER)
    assert state(new, old, older).candidates == [old, older]


def test_a_pinned_service_goes_back_to_what_a_task_definition_names() -> None:
    new, old, older = use(NEW, DEFINITION), use(OLD, DEFINITION), use(OLDER)
    assert state(new, old, older, image_tag="v3").candidates == [old]


def test_what_was_healthy_last_is_proposed() -> None:
    never, long_ago, lately = (
        use(OLD),
        use(OLDER, healthy_days_ago=3),
        use(OLDER, healthy_days_ago=2),
    )
    current = use(NEW, healthy_days_ago=1)
    assert state(current, never, long_ago, lately).proposal is lately
    assert state(current, lately, long_ago, never).proposal is lately
    assert state(current, never).proposal is None


class Asked:
    """A service and a repository that tell what was asked of them."""

    def __init__(self, image_tag: str) -> None:
        self.asked: list[str] = []
        self.deployments = service(
            image_tag,
            exists=self._exists,
            history=self._history,
            running_digests=self._running,
            task_definitions=self._task_definitions,
        )
        self.repository: Any = SimpleNamespace(name="tiny-e-api", images=self._images)

    async def _exists(self) -> bool:
        return True

    async def _history(self) -> Sequence[Deployment]:
        revision = Revision(id="r", task_definition="tiny-e-api:1", digest=OLD.digest)
        return [replace(status("SUCCESSFUL").deployment, revision=revision)]

    async def _running(self) -> frozenset[str]:
        return frozenset({NEW.digest})

    async def _task_definitions(self) -> AsyncIterator[TaskDefinition]:
        self.asked.append("task definitions")
        yield DEFINITION

    async def _images(self) -> Sequence[StoredImage]:
        return [NEW, OLD]

    def state(self, folder: Path) -> ServiceState:
        project: Any = SimpleNamespace(folder=folder)
        return asyncio.run(gather_state(project, self.deployments, self.repository, UNDER_WAY))


def test_what_ecr_and_ecs_know_is_gathered(tmp_path: Path) -> None:
    asked = Asked("v3")
    found = asked.state(tmp_path)
    assert found.deployments is asked.deployments
    assert found.repository is asked.repository
    assert (found.status, found.pinned_tag) == (UNDER_WAY, "v3")
    assert [use.image for use in found.found.uses] == [NEW, OLD]
    assert [use.healthy_at for use in found.found.uses] == [None, NOW]
    assert found.found.uses[1].definitions == (DEFINITION,)
    assert found.found.running == {NEW.digest}
    assert not found.follows


def test_task_definitions_are_read_for_a_pinned_service_only(tmp_path: Path) -> None:
    asked = Asked("latest")
    found = asked.state(tmp_path)
    assert asked.asked == []
    assert (found.follows, found.pinned_tag) == (True, "latest")


def refused(now: ServiceStatus, *failed: str) -> DeploymentUnderWay | None:
    async def failed_tasks(deployment: Deployment) -> Sequence[str]:
        assert deployment == now.deployment
        return failed

    try:
        asyncio.run(refuse_while_under_way(service(failed_tasks=failed_tasks), now))
    except DeploymentUnderWay as error:
        return error
    return None


@pytest.mark.parametrize("name", ["SUCCESSFUL", "FAILED", "ROLLBACK_SUCCESSFUL"])
def test_a_deployment_that_has_ended_is_in_nobodys_way(name: str) -> None:
    assert refused(status(name)) is None


def test_a_deployment_whose_tasks_fail_is_what_a_rollback_is_for() -> None:
    assert refused(UNDER_WAY, "a task") is None


def test_a_deployment_whose_tasks_do_not_fail_is_waited_for() -> None:
    error = refused(UNDER_WAY)
    assert error is not None
    assert error.message.startswith("A deployment of tiny-e-api is under way")
    assert error.message.endswith(f": {UNDER_WAY.progress}.")
    assert error.details == ("Nothing was changed.",)
    assert "status api -e tiny-e --wait" in str(error.next_step)


@pytest.mark.parametrize(("reason", "told"), [("tasks failed", "tasks failed"), ("", "new 0/2")])
def test_ecs_is_not_interrupted_while_it_rolls_back_by_itself(reason: str, told: str) -> None:
    error = refused(status("ROLLBACK_IN_PROGRESS", reason), "a task")
    assert error is not None
    assert error.message.startswith("ECS is rolling tiny-e-api back by itself: ")
    assert told in error.message
    assert error.details == ("Nothing was changed.",)
    assert "status api -e tiny-e --wait" in str(error.next_step)


def why_not(of: ServiceState) -> NothingToRollBackTo:
    error = nothing_to_roll_back_to(of)
    assert error.details[-1] == "Nothing was changed."
    return error


def test_images_that_were_never_healthy_are_named_to_be_chosen_from() -> None:
    others = [stored_image(f"sha256:{number}", f"v{number}") for number in range(1, 8)]
    error = why_not(state(use(NEW), *map(use, others)))
    assert error.message.startswith("None of the other images of tiny-e-repository is known")
    assert error.details[0] == "There are: v1, v2, v3, v4, v5"
    assert "--to" in str(error.next_step)


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (state(), "tiny-e-repository holds no other image"),
        (state(use(NEW)), "tiny-e-repository holds no other image"),
        (state(image_tag="v3"), "tiny-e-repository holds no other image"),
        (
            state(use(NEW), use(OLD), image_tag="v3"),
            "no other image in tiny-e-repository is named by an active revision of tiny-e-api-task",
        ),
    ],
)
def test_why_there_is_nothing_to_go_back_to_is_told(of: ServiceState, reason: str) -> None:
    error = why_not(of)
    assert error.message == f"There is nothing that tiny-e-api could go back to: {reason}."
    assert "push api -e tiny-e" in str(error.next_step)
