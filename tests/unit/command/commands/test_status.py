"""`prod-e status`: which services are shown, what is followed, and what it comes to."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.commands.operations import status as module
from prod_e_ops.commands.operations.status import show_status
from prod_e_ops.errors import DeploymentFailed, OpsError
from prod_e_ops.service.model import ServiceStatus
from tests.support.fakes import stored_image
from tests.support.project.demo_run import Screen
from tests.support.service_status import UNDER_WAY


def status_of(key: str, state: str) -> ServiceStatus:
    revision = replace(UNDER_WAY.deployment.revision, digest="sha256:1")
    return replace(
        UNDER_WAY,
        key=key,
        deployment=replace(UNDER_WAY.deployment, status=state, revision=revision),
    )


class Services:
    """Two services. `states`: of the last deployment of each, at each look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.states: list[Mapping[str, str]] = []
        self.screen = Screen()
        self.followed: list[str] = []
        self.fails_to_follow = False
        self.environment = SimpleNamespace(
            name="tiny-e", region="us-west-2", services={"api": None, "web": None}
        )
        monkeypatch.setattr(module, "Deployments", self._deployments)
        monkeypatch.setattr(module, "check_account", self._account)
        monkeypatch.setattr(module, "service_statuses", self._statuses)
        monkeypatch.setattr(module, "follow_deployment", self._follow)
        monkeypatch.setattr(module, "failure", self._failure)
        monkeypatch.setattr(module, "Repository", self._repository)

    def _deployments(self, environment: Any, key: str) -> Any:
        assert environment is self.environment
        return SimpleNamespace(
            environment=environment, key=key, names=SimpleNamespace(repository=f"tiny-e-{key}")
        )

    async def _account(self, environment: Any) -> None:
        assert environment is self.environment

    async def _statuses(self, services: Sequence[Any]) -> list[ServiceStatus]:
        states = self.states.pop(0)
        return [status_of(service.key, states[service.key]) for service in services]

    async def _follow(self, environment: Any, key: str, *, since: object, terminal: Any) -> None:
        assert (environment, since, terminal) == (self.environment, None, self.screen)
        self.followed.append(key)
        if self.fails_to_follow:
            raise DeploymentFailed(f"{key} failed.")

    async def _failure(self, service: Any, deployment: Any) -> OpsError:
        return DeploymentFailed(f"{service.key}: {deployment.status}")

    def _repository(self, region: str, name: str) -> Any:
        assert (region, name) in {("us-west-2", "tiny-e-api"), ("us-west-2", "tiny-e-web")}

        async def image(digest: str) -> Any:
            return stored_image(digest, "latest", "v1.2.3") if name == "tiny-e-api" else None

        return SimpleNamespace(image=image)

    def show(
        self, key: str | None = None, *, wait: bool = False, as_json: bool = False
    ) -> list[str]:
        context: Any = SimpleNamespace(
            project=SimpleNamespace(environment=lambda _: self.environment), terminal=self.screen
        )
        asyncio.run(show_status(context, key, "tiny-e", wait=wait, as_json=as_json))
        return self.screen.results


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    return Services(monkeypatch)


def test_all_services_are_shown_one_after_the_other(services: Services) -> None:
    services.states = [{"api": "SUCCESSFUL", "web": "SUCCESSFUL"}]
    shown = services.show()
    assert shown[0].startswith("api (")
    assert any("api:latest (v1.2.3)" in line for line in shown)
    web = next(at for at, line in enumerate(shown) if line.startswith("web ("))
    assert shown[web - 1] == ""
    assert shown.count("") == 1
    assert services.screen.lines == []
    assert services.followed == []


def test_one_is_shown_alone(services: Services) -> None:
    services.states = [{"web": "SUCCESSFUL"}]
    shown = services.show("web")
    assert shown[0].startswith("web (")
    assert "" not in shown


def test_the_json_has_every_service_and_the_tags_of_its_image(services: Services) -> None:
    services.states = [{"api": "SUCCESSFUL", "web": "SUCCESSFUL"}]
    (printed,) = services.show(as_json=True)
    told = json.loads(printed)
    assert told["environment"] == "tiny-e"
    assert [each["key"] for each in told["services"]] == ["api", "web"]
    assert [each["deployment"]["tags"] for each in told["services"]] == [["latest", "v1.2.3"], []]


def test_one_under_way_is_not_followed_unless_that_is_asked_for(services: Services) -> None:
    services.states = [{"api": "IN_PROGRESS", "web": "SUCCESSFUL"}]
    services.show()
    assert services.followed == []
    under_way, hint = services.screen.lines
    assert under_way == "A deployment is under way."
    assert "status" in hint
    assert "--wait" in hint


@pytest.mark.parametrize("fails", [False, True])
def test_those_under_way_are_followed_to_their_end(services: Services, fails: bool) -> None:
    services.fails_to_follow = fails
    services.states = [
        {"api": "IN_PROGRESS", "web": "SUCCESSFUL"}, {"api": "SUCCESSFUL", "web": "SUCCESSFUL"},
    ]  # fmt: skip
    services.show(wait=True)
    assert services.followed == ["api"]
    assert services.states == []
    assert services.screen.lines == []


def test_what_has_ended_is_not_looked_at_twice(services: Services) -> None:
    services.states = [{"api": "SUCCESSFUL", "web": "SUCCESSFUL"}]
    services.show(wait=True)
    assert services.followed == []


def test_each_that_failed_is_told_and_the_command_fails(services: Services) -> None:
    services.states = [{"api": "ROLLBACK_SUCCESSFUL", "web": "STOPPED"}]
    with pytest.raises(DeploymentFailed, match="web: STOPPED"):
        services.show()
    assert services.screen.lines == ["error: api: ROLLBACK_SUCCESSFUL"]
    assert services.screen.results[0].startswith("api (")
