"""`prod-e rollback`: what is proposed, asked, applied and kept in the settings."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.commands.delivery import rollback as module
from prod_e_ops.commands.delivery.rollback import roll_back
from prod_e_ops.errors import Declined, UserMistake
from tests.support.project.demo_run import Screen


class Use(SimpleNamespace):
    """An image that can be gone back to."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, image=SimpleNamespace(digest=f"sha256:{name}"))


class Service:
    """A service that ran `v2` before, and `v1` before that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = Screen()
        self.screen: Any = screen
        vars(screen)["choose"] = self._choose
        self.chosen = "1"
        self.asked: list[tuple[str, str, str]] = []
        self.done: list[str] = []
        self.runs_already = False
        self.warning: str | None = None
        self.change: Any = None
        self.is_under_way = False
        candidates = [Use("v2"), Use("v1")]
        self.state: Any = SimpleNamespace(
            candidates=candidates,
            proposal=candidates[0],
            found=SimpleNamespace(uses=[*candidates, Use("v0")]),
        )
        self.deployments = SimpleNamespace(
            names=SimpleNamespace(service="tiny-e-api"), status=self._status
        )
        result = SimpleNamespace(of=self._result)
        for name, stand_in in {
            "Deployments": lambda *_: self.deployments,
            "check_account": self._account,
            "existing_repository": self._repository,
            "refuse_while_under_way": self._refuse,
            "gather_state": self._gather,
            "candidate_rows": lambda state: [[use.name] for use in state.candidates],
            "nothing_to_roll_back_to": lambda _: UserMistake("There is nothing."),
            "resolve_target": self._resolve,
            "runs_already": lambda *_: self.runs_already,
            "never_healthy": lambda *_: self.warning,
            "apply_target": self._apply,
            "verify_target": self._verify,
            "RollbackResult": result,
            "to_json": json.dumps,
            "result_line": lambda _, target, deployment: f"{target.name} by {deployment}",
            "next_steps": lambda *_: ["Commit the settings."],
        }.items():
            monkeypatch.setattr(module, name, stand_in)

    async def _choose(self, question: str, *, proposal: str, instead: str) -> str:
        self.asked.append((question, proposal, instead))
        return self.chosen

    async def _account(self, _: object) -> str:
        return "111122223333"

    async def _repository(self, deployments: Any) -> str:
        assert deployments is self.deployments
        return "repository"

    async def _status(self) -> str:
        return "status"

    async def _refuse(self, deployments: Any, status: str) -> None:
        assert (deployments, status) == (self.deployments, "status")
        if self.is_under_way:
            raise UserMistake("A deployment is under way.")

    async def _gather(self, _: object, deployments: Any, repository: str, status: str) -> Any:
        assert (deployments, repository, status) == (self.deployments, "repository", "status")
        return self.state

    async def _resolve(self, _: object, state: Any, to: str) -> Any:
        assert state is self.state
        return SimpleNamespace(name=to.removeprefix("sha256:"), change=self.change)

    async def _apply(self, state: Any, target: Any, terminal: Any) -> str:
        assert (state, terminal) == (self.state, self.screen)
        self.done.append(f"apply {target.name}")
        return "d2"

    async def _verify(self, state: Any, target: Any, deployment: str, terminal: Any) -> None:
        assert (state, terminal) == (self.state, self.screen)
        self.done.append(f"verify {target.name} {deployment}")

    def _result(self, state: Any, target: Any, deployment: str | None) -> list[str | None]:
        assert state is self.state
        return [target.name, deployment]

    def keeps(self) -> None:
        """The settings are to say what it goes back to."""
        self.change = SimpleNamespace(
            file=SimpleNamespace(name="tiny-e.toml"),
            lines=lambda: ['- image_tag = "v3"', '+ image_tag = "v2"'],
            write=lambda: self.done.append("written"),
        )

    def run(self, *, to: str | None = None, yes: bool = False, as_json: bool = False) -> list[str]:
        context: Any = SimpleNamespace(
            project=SimpleNamespace(environment=lambda name: name), terminal=self.screen
        )
        asyncio.run(roll_back(context, "api", "tiny-e", to=to, yes=yes, as_json=as_json))
        results: list[str] = self.screen.results
        return results

    @property
    def questions(self) -> list[str]:
        return [question for question, _ in self.screen.asked]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch)


@pytest.mark.parametrize(
    ("chosen", "to"), [("1", "v2"), ("2", "v1"), ("v0", "v0"), ("3", "3"), ("-1", "-1")]
)
def test_a_number_of_the_list_or_a_name_is_chosen(service: Service, chosen: str, to: str) -> None:
    service.chosen = chosen
    assert service.run() == ["v2", "v1", f"{to} by d2"]
    assert service.asked == [
        (
            "What should tiny-e-api in the account 111122223333 run: which number, tag, digest or"
            " task definition?",
            "1",
            "--yes takes v2; --to names another one.",
        )
    ]
    # Whoever has chosen is not asked once more.
    assert service.questions == []
    assert service.done == [f"apply {to}", f"verify {to} d2"]
    assert service.screen.lines[0] == "Look up what can be gone back to"
    assert service.screen.lines[-1] == "hint: Commit the settings."


def test_without_questions_the_last_healthy_one_is_taken(service: Service) -> None:
    service.run(yes=True)
    assert (service.asked, service.questions) == ([], [])
    assert service.done == ["apply v2", "verify v2 d2"]


def test_what_is_named_is_asked_about_once(service: Service) -> None:
    assert service.run(to="v1") == ["v1 by d2"]
    assert service.asked == []
    assert service.questions == ["Roll tiny-e-api in the account 111122223333 back to v1?"]


def test_nothing_is_done_without_consent(service: Service) -> None:
    service.screen.declines = "Roll"
    with pytest.raises(Declined):
        service.run(to="v1")
    assert service.done == []


def test_what_was_never_healthy_is_asked_about_even_if_it_was_chosen(service: Service) -> None:
    service.warning = "No task of it was ever healthy."
    service.run()
    assert "No task of it was ever healthy." in service.screen.lines
    assert len(service.questions) == 1


def test_where_there_is_nothing_that_is_told(service: Service) -> None:
    service.state.proposal = None
    with pytest.raises(UserMistake, match="There is nothing"):
        service.run()
    assert service.done == []


def test_nothing_is_looked_up_while_a_deployment_is_under_way(service: Service) -> None:
    service.is_under_way = True
    with pytest.raises(UserMistake, match="under way"):
        service.run(to="v1")


@pytest.mark.parametrize("as_json", [False, True])
def test_what_runs_already_is_left_alone(service: Service, as_json: bool) -> None:
    service.runs_already = True
    printed = service.run(to="v2", as_json=as_json)
    assert printed == (['["v2", null]'] if as_json else [])
    assert "tiny-e-api already runs v2." in service.screen.lines
    assert (service.done, service.questions) == ([], [])


def test_settings_that_say_something_else_follow_what_runs_already(service: Service) -> None:
    service.runs_already = True
    service.keeps()
    service.run(to="v2", yes=True)
    assert service.done == ["written"]


def test_the_settings_keep_it_once_it_runs(service: Service) -> None:
    service.keeps()
    service.run(to="v2", yes=True)
    assert service.done == ["apply v2", "verify v2 d2", "written"]
    at = service.screen.lines.index("tiny-e.toml will keep it:")
    assert service.screen.lines[at + 1 : at + 3] == [
        '  - image_tag = "v3"',
        '  + image_tag = "v2"',
    ]


def test_the_json_is_the_result_alone(service: Service) -> None:
    assert service.run(yes=True, as_json=True) == ['["v2", "d2"]']
