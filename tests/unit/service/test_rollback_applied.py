"""How a service comes to run what it goes back to, and what is said where it does not."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.errors import DeployedMeanwhile, DeploymentFailed, RollbackFailed
from prod_e_ops.service.model import Deployment, TaskDefinition
from prod_e_ops.service.rollback import apply as module
from prod_e_ops.service.rollback.apply import apply_target, verify_target
from prod_e_ops.service.rollback.target import RollbackTarget
from tests.support.fakes import stored_image
from tests.support.project.demo_run import Screen
from tests.support.service_status import NOW, UNDER_WAY

DIGEST = "sha256:" + "a" * 64
SHORT = "sha256:" + "a" * 12
IMAGE = stored_image(DIGEST, "v1.2.3")
REVISION = TaskDefinition(name="tiny-e-api:1", image="api:v1.2.3", is_active=True)


def deployment(*, digest: str | None = DIGEST, definition: str = "tiny-e-api:2") -> Deployment:
    revision = replace(UNDER_WAY.deployment.revision, digest=digest, task_definition=definition)
    return replace(UNDER_WAY.deployment, revision=revision)


class Service:
    """A service of the environment tiny-e, and what is done with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[Any] = []
        self.screen: Any = Screen()
        self.rule_is_enabled = True
        self.begins_by_itself = True
        self.fails: Exception | None = None
        self.running: Sequence[str] = (DIGEST,)
        self.environment = SimpleNamespace(name="tiny-e", region="us-west-2")
        deployments = SimpleNamespace(
            environment=self.environment,
            key="api",
            names=SimpleNamespace(service="tiny-e-api", redeploy="tiny-e-api-redeploy"),
            begin=self._begin,
            running_digests=self._running,
        )
        self.state: Any = SimpleNamespace(
            deployments=deployments,
            repository=SimpleNamespace(tag=self._tag),
            status=UNDER_WAY,
        )
        monkeypatch.setattr(module, "follow_deployment", self._follow)
        monkeypatch.setattr(module, "rule_is_enabled", self._rule)
        monkeypatch.setattr(module, "deployment_begun", self._begun)

    async def _begin(self, **options: Any) -> None:
        self.done.append(("begin", options))

    async def _tag(self, digest: str, tags: Sequence[str]) -> None:
        self.done.append(("tag", digest, list(tags)))

    async def _running(self) -> frozenset[str]:
        return frozenset(self.running)

    async def _rule(self, name: str, *, region: str) -> bool:
        assert (name, region) == ("tiny-e-api-redeploy", "us-west-2")
        return self.rule_is_enabled

    async def _begun(
        self, deployments: Any, *, since: object, within: float, waiting: Any
    ) -> Deployment | None:
        assert (deployments, since, within) == (self.state.deployments, NOW, 20.0)
        waiting()
        self.done.append("waited")
        return deployment() if self.begins_by_itself else None

    async def _follow(self, environment: Any, key: str, *, since: object, terminal: Any) -> Any:
        assert (environment, key, since) == (self.environment, "api", NOW)
        assert terminal is self.screen
        if self.fails:
            raise self.fails
        self.done.append("followed")
        return deployment()

    def apply(self, target: RollbackTarget) -> Deployment:
        return asyncio.run(apply_target(self.state, target, self.screen))

    def verify(self, target: RollbackTarget, now: Deployment) -> None:
        asyncio.run(verify_target(self.state, target, now, self.screen))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch)


def to(**what: Any) -> RollbackTarget:
    return RollbackTarget(**{"image": None, "definition": None, "change": None, **what})


def test_a_task_definition_is_deployed_and_no_tag_moves(service: Service) -> None:
    assert service.apply(to(definition=REVISION, image=IMAGE)) == deployment()
    assert service.done == [("begin", {"task_definition": "tiny-e-api:1"}), "followed"]


def test_the_followed_tag_moves_and_its_deployment_begins_by_itself(service: Service) -> None:
    service.apply(to(image=IMAGE))
    assert service.done == [("tag", DIGEST, ["latest"]), "waited", "followed"]
    assert service.screen.lines == [f"Move latest to {SHORT}"]


@pytest.mark.parametrize("rule_is_enabled", [False, True])
def test_one_that_does_not_begin_by_itself_is_begun(
    service: Service, rule_is_enabled: bool
) -> None:
    service.rule_is_enabled, service.begins_by_itself = rule_is_enabled, False
    service.apply(to(image=IMAGE))
    assert service.done == [
        ("tag", DIGEST, ["latest"]),
        *(["waited"] if rule_is_enabled else []),
        ("begin", {"left": f"latest names {SHORT} already"}),
        "followed",
    ]


def test_a_tag_that_names_it_already_does_not_move(service: Service) -> None:
    service.apply(to(image=stored_image(DIGEST, "latest")))
    assert service.done == [("begin", {"left": "nothing was changed"}), "followed"]


@pytest.mark.parametrize(
    ("target", "name", "left"),
    [
        (to(image=IMAGE), "v1.2.3", "The tag latest names v1.2.3 now."),
        (to(definition=REVISION), "tiny-e-api:1", "The settings are as they were."),
    ],
)
def test_one_that_fails_says_how_things_are_now(
    service: Service, target: RollbackTarget, name: str, left: str
) -> None:
    service.fails = DeploymentFailed("ECS rolled it back.", details=["Why."], next_step="Look.")
    with pytest.raises(RollbackFailed) as failure:
        service.apply(target)
    assert failure.value.message == f"The rollback to {name} did not succeed. ECS rolled it back."
    assert failure.value.details == ("Why.", left)
    assert failure.value.next_step == "Look."


def test_what_runs_is_what_was_to_run(service: Service) -> None:
    service.verify(to(image=IMAGE), deployment())
    service.verify(to(image=IMAGE), deployment(digest=None))
    service.verify(to(definition=REVISION), deployment(definition="tiny-e-api:1"))
    assert service.screen.lines == ["Verify what runs"] * 3


def test_another_task_definition_is_somebody_elses(service: Service) -> None:
    with pytest.raises(DeployedMeanwhile) as failure:
        service.verify(to(definition=REVISION), deployment())
    assert failure.value.message.startswith("tiny-e-api runs tiny-e-api:2, not tiny-e-api:1: ")
    assert "status api" in str(failure.value.next_step)


@pytest.mark.parametrize(
    ("running", "of_deployment"), [(("sha256:b",), DIGEST), ((DIGEST,), "sha256:b")]
)
def test_another_image_is_somebody_elses(
    service: Service, running: Sequence[str], of_deployment: str
) -> None:
    service.running = running
    with pytest.raises(DeployedMeanwhile) as failure:
        service.verify(to(image=IMAGE), deployment(digest=of_deployment))
    assert failure.value.message.startswith(f"tiny-e-api runs {DIGEST}, sha256:b, not {DIGEST}: ")
    assert "status api" in str(failure.value.next_step)
