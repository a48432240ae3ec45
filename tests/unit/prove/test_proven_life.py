"""A proof's life in an account: each step fails where its claim does not hold."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.demo.live.front_door import Answer, FrontDoor
from prod_e_ops.demo.live.live import Live
from prod_e_ops.demo.live.versions import CHANGED_FILE
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.project.project import Project
from prod_e_ops.prove import life as life_module
from prod_e_ops.prove.life import ProvenLife
from prod_e_ops.prove.report import Proof
from prod_e_ops.terminal.processes import Finished
from tests.support.project.demo_run import Commands, commands_of, last_step, run_of

BUILT = "[services.backend]\n"
BY_HAND = '[services.backend]\nbuild = "external"\n'
DEPLOYED = json.dumps({"outputs": {"service_url": "https://alb.example.com"}})


def plan(**changes: Sequence[str]) -> Finished:
    """What `prod-e plan --json` tells of two stacks."""
    nothing: Mapping[str, Sequence[str]] = {
        "created": [],
        "changed": [],
        "replaced": [],
        "destroyed": [],
    }
    return Finished(0, json.dumps({"stacks": [{**nothing, **changes}, nothing]}), "")


class Repositories:
    """An ECR that has a repository from the second look on."""

    exceptions = SimpleNamespace(RepositoryNotFoundException=KeyError)

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, _: str) -> "Repositories":
        return self

    def describe_repositories(self, *, repositoryNames: Sequence[str]) -> Any:  # noqa: N803
        assert repositoryNames == ["tiny-e-backend"]
        self.asked += 1
        if self.asked == 1:
            raise KeyError(repositoryNames)
        return {}


class Pushed:
    """A delivery that notes what is pushed."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def push(self, run: object, key: str, version: object) -> None:
        self.keys.append(key)


def life_of(
    folder: Path,
    settings: str = BUILT,
    *,
    ends: Mapping[str, Finished] | None = None,
    embedded: Any = None,
) -> tuple[ProvenLife, Pushed]:
    project = folder / "project"
    (project / "backend" / CHANGED_FILE).parent.mkdir(parents=True)
    (project / "backend" / "Dockerfile").write_text("FROM scratch\n")
    (project / "backend" / CHANGED_FILE).write_text("first();\n")
    run = run_of(
        project,
        settings,
        clients=Repositories(),
        commands=Commands(
            ends={"plan": plan(), "deploy": Finished(0, DEPLOYED, ""), **(ends or {})}
        ),
        embedded=embedded,
    )
    proof = Proof(region="us-west-2", embedded=False, prices=[], steps=run.report)
    kept: Any = SimpleNamespace(
        name="tiny-e", scratch=folder / "scratch", answers=folder / "answers"
    )
    delivery: Any = Pushed()
    life = ProvenLife(run=run, delivery=delivery, proof=proof, kept=kept, records=True)
    return life, delivery


@pytest.fixture(autouse=True)
def polls_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life_module, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(life_module, "_GONE_POLL_SECONDS", 0.001)


def test_the_plan_is_counted_and_says_what_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life, _ = life_of(tmp_path, ends={"plan": plan(created=["a", "b"])})
    monkeypatch.setattr(Project, "stacks", lambda *_: [])
    asyncio.run(life._plan())
    assert (last_step(life.run).step, last_step(life.run).result) == ("Plan", "2 to create")
    assert life.run.report.resources_created == 2
    prod_e, python, _ = life.proof.versions
    assert prod_e.startswith("prod-e ")
    assert python.startswith("Python 3.")


def test_images_that_terraform_builds_are_pushed_by_nobody_else(tmp_path: Path) -> None:
    life, pushed = life_of(tmp_path)
    outputs = asyncio.run(life._deploy(life._versions()[0]))
    assert outputs == {"service_url": "https://alb.example.com"}
    assert last_step(life.run).step == "Deploy"
    assert commands_of(life.run) == ["prod-e deploy --yes --json"]
    assert pushed.keys == []


def test_an_image_that_terraform_does_not_build_is_pushed_once_its_repository_is_there(
    tmp_path: Path,
) -> None:
    life, pushed = life_of(tmp_path, BY_HAND)
    asyncio.run(life._deploy(life._versions()[0]))
    assert life.run.clients("ecr").asked == 2
    assert pushed.keys == ["backend"]


def test_a_deployment_that_fails_fails_the_proof(tmp_path: Path) -> None:
    life, _ = life_of(tmp_path, ends={"deploy": Finished(1, "", "AccessDenied")})
    with pytest.raises(OpsError, match="ended with the status 1") as error:
        asyncio.run(life._deploy(life._versions()[0]))
    assert error.value.details == ("AccessDenied",)


def test_a_second_plan_without_changes_is_as_it_should_be(tmp_path: Path) -> None:
    life, _ = life_of(tmp_path)
    life.run.report.resources_created = 93
    asyncio.run(life._plan_again())
    assert last_step(life.run).step == "Plan again"
    assert last_step(life.run).result == "no changes of 93 resources"


@pytest.mark.parametrize("kind", ["created", "changed", "replaced", "destroyed"])
def test_a_second_plan_with_any_change_fails_the_proof_and_is_shown(
    tmp_path: Path, kind: str
) -> None:
    life, _ = life_of(tmp_path)
    told = {
        "--json": plan(**{kind: ["aws_vpc.a"]}),
        "plan": Finished(0, "~ aws_vpc.a\n1 more\n", ""),
    }
    commands: Any = life.run.context.processes
    commands.ends = told
    with pytest.raises(OpsError, match="A second plan is not empty") as error:
        asyncio.run(life._plan_again())
    assert error.value.details == ("~ aws_vpc.a", "1 more")


class Door:
    """A load balancer whose name is known from the third question on."""

    def __init__(self, known_from: int) -> None:
        self.asked = 0
        self._known_from = known_from

    def get(self, path: str) -> Answer:
        assert path == "/health"
        self.asked += 1
        if self.asked < self._known_from:
            raise OpsError("its name is not known")
        return Answer(status=200, body={})


def test_the_load_balancer_is_waited_for_until_its_name_is_known(tmp_path: Path) -> None:
    life, _ = life_of(tmp_path)
    live: Any = SimpleNamespace(key="backend", door=Door(3))
    asyncio.run(life._reach(live))
    assert live.door.asked == 3
    assert last_step(life.run).step == "Reach the load balancer"
    assert last_step(life.run).result == "it answers 200"


def test_a_load_balancer_that_stays_out_of_reach_fails_the_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life_module, "_REACHED_TIMEOUT_SECONDS", 0.05)
    life, _ = life_of(tmp_path)
    live: Any = SimpleNamespace(key="backend", door=Door(1_000_000))
    with pytest.raises(OpsError, match="its name is not known"):
        asyncio.run(life._reach(live))


def test_in_an_account_the_door_is_the_url_that_was_deployed(tmp_path: Path) -> None:
    life, _ = life_of(tmp_path)
    door = asyncio.run(life._front_door("https://alb.example.com"))
    assert door.url == "https://alb.example.com"


def test_the_embedded_awss_door_is_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = SimpleNamespace()
    life, _ = life_of(tmp_path, embedded=embedded)
    monkeypatch.setattr(FrontDoor, "of", lambda aws, name: (aws, name))
    door: Any = asyncio.run(life._front_door("https://alb.example.com"))
    assert door == (embedded, "tiny-e")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a life went through, each step of which passes."""
    found: list[str] = []

    def step(name: str, result: Any = None) -> Callable[..., Any]:
        async def live(*_: object, **__: object) -> Any:
            found.append(name)
            return result

        return live

    for name in ("ask", "deploy_second", "deploy_broken", "roll_back"):
        monkeypatch.setattr(Live, name, step(name))
    outputs = {"service_url": "https://alb.example.com"}
    for name, result in {
        "_plan": None,
        "_deploy": outputs,
        "_plan_again": None,
        "_reach": None,
    }.items():
        monkeypatch.setattr(ProvenLife, name, step(name.strip("_"), result))
    monkeypatch.setattr(life_module, "keep_promises", step("keep_promises"))

    def ring(_: object, *, environment: str, alarm: str) -> float:
        found.append(f"ring {environment} {alarm}")
        return 2.34

    def record(_: object, __: object, folder: Path) -> int:
        found.append(f"record {folder.name}")
        return 42

    monkeypatch.setattr(life_module, "ring_and_hear", ring)
    monkeypatch.setattr(life_module, "record", record)
    return found


@pytest.mark.parametrize("records", [False, True])
def test_a_life_goes_through_all_of_it(tmp_path: Path, steps: list[str], records: bool) -> None:
    life, _ = life_of(tmp_path)
    asyncio.run(replace(life, records=records).live())
    assert steps == [
        "plan", "deploy", "plan_again", "keep_promises", "reach", "ask", "deploy_second",
        "deploy_broken", "roll_back", "ring tiny-e tiny-e-backend-cpu",
        *(["record answers"] if records else []),
    ]  # fmt: skip
    results = {step.step: step.result for step in life.run.report.steps}
    assert results["Ring an alarm"] == "tiny-e-backend-cpu was heard after 2.3 s"
    assert results.get("Record AWS's answers") == ("42 answers" if records else None)


@pytest.mark.parametrize("settings", ['[services.backend]\nimage_tag = "v1.0.0"\n', BUILT])
def test_what_has_no_other_version_cannot_be_proved(tmp_path: Path, settings: str) -> None:
    life, _ = life_of(tmp_path, settings)
    if settings == BUILT:
        (tmp_path / "project" / "backend" / CHANGED_FILE).unlink()
    with pytest.raises(UserMistake, match="No service has the path"):
        asyncio.run(life.live())
    assert commands_of(life.run) == []


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is left over, each time that it is looked for."""
    left: list[list[str]] = [[]]
    monkeypatch.setattr(
        life_module, "leftovers", lambda *_: left.pop(0) if len(left) > 1 else left[0]
    )
    return left


def test_the_end_lifts_protection_destroys_and_removes_what_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: list[list[str]]
) -> None:
    life, _ = life_of(tmp_path)
    done: list[tuple[str, int]] = []
    for name in ("let_go", "remove_what_stays"):
        monkeypatch.setattr(
            life_module,
            name,
            lambda *_, name=name: done.append((name, len(commands_of(life.run)))),
        )
    # What AWS is still taking away is not left.
    ends[:] = [["role: tiny-e-a"], []]
    asyncio.run(life.end())
    assert commands_of(life.run) == ["prod-e destroy --yes"]
    assert done == [("let_go", 0), ("remove_what_stays", 1)]
    assert [step.step for step in life.run.report.steps] == ["Destroy", "Look for what is left"]
    assert last_step(life.run).result == "nothing"
    assert life.proof.left == []


def test_what_is_left_at_the_end_fails_the_proof_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: list[list[str]]
) -> None:
    monkeypatch.setattr(life_module, "_GONE_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(life_module, "let_go", lambda *_: None)
    monkeypatch.setattr(life_module, "remove_what_stays", lambda *_: None)
    life, _ = life_of(tmp_path)
    ends[:] = [["role: tiny-e-a"]]
    with pytest.raises(OpsError, match="AWS still has something of it") as error:
        asyncio.run(life.end())
    assert error.value.details == ("role: tiny-e-a",)
    assert life.proof.left == ["role: tiny-e-a"]
