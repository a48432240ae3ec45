"""The order of the demo: what is made before what, what it ends with, and what is taken away."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.demo import life as life_module
from prod_e_ops.demo.life import Life, shown_service
from prod_e_ops.demo.live.front_door import FrontDoor
from prod_e_ops.demo.live.guest import Visit
from prod_e_ops.demo.live.live import Live
from prod_e_ops.demo.live.versions import CHANGED_FILE
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Stack
from tests.support.project.demo_run import last_step, run_of, said_in

FOLLOWS = "[services.backend]\n"
PINNED = '[services.backend]\nimage_tag = "v1.0.0"\n'


class Told:
    """Notes what a life has done, in its order, as its Terraform and as its delivery."""

    def __init__(self, *, stacks: Sequence[str], at_once: bool, runtime: str) -> None:
        self.done: list[str] = []
        self.at_once = at_once
        self.runtime = runtime
        self.left = [Stack(name, Path(name)) for name in stacks]
        self.fails_at = ""

    async def _note(self, what: str) -> None:
        await asyncio.sleep(0)
        self.done.append(what)
        if what == self.fails_at:
            raise OpsError(f"{what} failed")

    async def synthesise(self) -> None:
        await self._note("synthesise")

    async def initialise(self) -> None:
        await self._note("initialise")

    async def plan(self) -> None:
        await self._note("plan")

    async def apply(self, stack: Stack, *, beside: bool = False) -> None:
        await self._note(f"apply {stack.name}")

    async def plan_again(self) -> None:
        await self._note("plan again")

    async def plan_destroy(self) -> None:
        await self._note("plan destroy")

    async def destroy(self) -> None:
        await self._note("destroy")

    async def prepare(self, run: Run, key: str, version: Any) -> None:
        await self._note(f"build {version.folder.name}")

    async def push(self, run: Run, key: str, version: Any) -> None:
        await self._note(f"push {key}")


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """No service fails to start, and what AWS holds is as it was promised."""

    async def for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    async def kept(_: object) -> None:
        return None

    monkeypatch.setattr(life_module, "until_one_fails", for_ever)
    monkeypatch.setattr(life_module, "keep_promises", kept)
    monkeypatch.setattr(FrontDoor, "of", lambda *_: None)


@pytest.fixture
def lived(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps of the service that runs, which all pass."""
    steps: list[str] = []

    def step(name: str) -> Callable[..., Any]:
        async def live(_: Live, **options: object) -> None:
            await asyncio.sleep(0.01)
            steps.append(" ".join([name, *options]))

        return live

    for name in (
        "ask", "deploy_second", "deploy_broken", "kill_task", "fail_over", "deploy_erring",
        "roll_back",
    ):  # fmt: skip
        monkeypatch.setattr(Live, name, step(name))
    return steps


def life_of(
    folder: Path,
    settings: str = FOLLOWS,
    *,
    stacks: Sequence[str] = ("tiny-e", "tiny-e-registry"),
    at_once: bool = False,
    runtime: str = "process",
) -> tuple[Life, Told]:
    source = folder / "project" / "backend"
    (source / CHANGED_FILE).parent.mkdir(parents=True)
    (source / "Dockerfile").write_text("FROM scratch\n")
    (source / CHANGED_FILE).write_text("first();\n")
    told: Any = Told(stacks=stacks, at_once=at_once, runtime=runtime)
    listeners = [{"load_balancer": "tiny-e-alb", "port": 443, "url": "https://127.0.0.1:4443"}]
    embedded = SimpleNamespace(
        page_url="http://127.0.0.1:1/page",
        listeners=lambda: listeners,
        variables=lambda: {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_PROFILE": "it's"},
    )
    run = run_of(folder / "project", settings, embedded=embedded)
    return Life(run=run, delivery=told, infrastructure=told, scratch=folder / "scratch"), told


def in_order(done: Sequence[str], *expected: str) -> bool:
    """Whether these were done, one after the other, whatever was done between."""
    places = [done.index(each) for each in expected]
    return places == sorted(places)


def test_the_whole_life_is_lived_in_its_order_and_taken_away(
    tmp_path: Path, lived: list[str]
) -> None:
    life, told = life_of(tmp_path)
    asyncio.run(life.live(keep=False))
    assert lived == [
        "ask",
        "deploy_second",
        "deploy_erring",
        "deploy_broken",
        "kill_task",
        "fail_over",
        "roll_back rotates",
    ]
    assert in_order(
        told.done,
        "synthesise",
        "initialise",
        "plan",
        "apply tiny-e-registry",
        "push backend",
        "plan again",
        "plan destroy",
        "destroy",
    )
    assert in_order(told.done, "plan", "apply tiny-e", "plan again")
    # Versions that are shown later are built once the first is delivered.
    assert in_order(told.done, "push backend", "build second", "build erring", "build broken")
    assert last_step(life.run).step == "Plan again"
    assert last_step(life.run).result == "no changes"
    steps = {step.step: step.result for step in life.run.report.steps}
    assert list(steps) == ["Build and push", "Add a service", "Plan again"]
    assert steps["Add a service"].startswith("skipped: the settings have no room for another")


def test_a_guest_has_gone_before_terraform_plans_again_and_not_while_an_alarm_is_another(
    tmp_path: Path, lived: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    life, told = life_of(tmp_path)
    erring = asyncio.Event()

    async def deploy_erring(_: Live) -> None:
        told.done.append("another alarm")
        erring.set()
        await asyncio.sleep(0.05)
        told.done.append("its own alarm")

    async def visit(self: Visit) -> None:
        await erring.wait()
        told.done.append(f"{self.guest} has gone")

    monkeypatch.setattr(Live, "deploy_erring", deploy_erring)
    monkeypatch.setattr(Visit, "take_place", visit)
    guest: Any = "guest"
    asyncio.run(asyncio.wait_for(replace(life, guest=guest).live(keep=False), 60))
    assert in_order(
        told.done,
        "another alarm",
        "guest has gone",
        "its own alarm",
        "plan again",
        "plan destroy",
        "destroy",
    )


def test_a_guest_that_does_not_go_ends_the_demo(
    tmp_path: Path, lived: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def visit(_: Visit) -> None:
        raise OpsError("guest does not answer")

    life, told = life_of(tmp_path)
    monkeypatch.setattr(Visit, "take_place", visit)
    guest: Any = "guest"
    with pytest.raises(OpsError, match="guest does not answer"):
        asyncio.run(replace(life, guest=guest).live(keep=False))
    assert "destroy" not in told.done


def test_an_environment_that_is_kept_is_not_destroyed_and_says_how_it_is_reached(
    tmp_path: Path, lived: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted() -> None:
        return None

    monkeypatch.setattr(life_module, "until_interrupted", interrupted)
    life, told = life_of(tmp_path)
    asyncio.run(life.live(keep=True))
    assert "plan destroy" not in told.done
    assert "destroy" not in told.done
    said = said_in(life.run)
    assert "  a page that shows what happens: http://127.0.0.1:1/page" in said
    assert "  tiny-e-alb:443 is at https://127.0.0.1:4443" in said
    assert "  export AWS_ENDPOINT_URL=http://127.0.0.1:1" in said
    assert """  export AWS_PROFILE='it'"'"'s'""" in said
    assert "  aws ecs describe-services --cluster tiny-e-cluster --services tiny-e-backend" in said
    assert any(
        line.startswith(f"  cd {life.run.project.folder} && ") and line.endswith("prod-e status")
        for line in said
    )
    assert "  terraform -chdir=tiny-e state list" in said
    assert said[-1] == "Ctrl-C ends it and leaves nothing behind."


def test_a_second_plan_that_is_not_empty_ends_the_demo(tmp_path: Path, lived: list[str]) -> None:
    life, told = life_of(tmp_path)
    told.fails_at = "plan again"
    with pytest.raises(OpsError, match="plan again failed"):
        asyncio.run(life.live(keep=False))
    assert "destroy" not in told.done
    assert last_step(life.run).result == "failed"


def test_a_stack_that_was_left_out_fails_the_demo_in_the_end(
    tmp_path: Path, lived: list[str]
) -> None:
    life, told = life_of(tmp_path)
    life.run.report.failed[Stack("tiny-e-image", Path())] = "its provider crashed"
    with pytest.raises(OpsError, match="The demo did not pass") as error:
        asyncio.run(life.live(keep=False))
    assert error.value.details == ("tiny-e-image: its provider crashed",)
    assert told.done[-1] == "destroy"


def test_without_the_services_stack_nothing_is_asked_of_them(
    tmp_path: Path, lived: list[str]
) -> None:
    life, told = life_of(tmp_path, stacks=["tiny-e-registry"])
    asyncio.run(life.live(keep=False))
    assert lived == []
    assert "apply tiny-e" not in told.done
    assert told.done[-1] == "destroy"


def test_a_service_that_no_push_deploys_is_shown_by_none(tmp_path: Path, lived: list[str]) -> None:
    life, told = life_of(tmp_path, PINNED)
    asyncio.run(life.live(keep=False))
    assert lived == []
    skipped = next(step for step in life.run.report.steps if step.step == "Use it")
    assert skipped.result.startswith("skipped: no service has the path /*")
    # It has no tasks before its image is there.
    assert in_order(told.done, "push backend", "apply tiny-e")


def test_a_service_that_follows_its_pushes_is_made_while_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine that has room for both.
    monkeypatch.setattr("prod_e_ops.terraform.parallel.runs_at_once", lambda **_: 2)
    life, told = life_of(tmp_path, at_once=True)
    push = told.push

    async def push_once_it_is_made(*call: Any) -> None:
        while "apply tiny-e" not in told.done:
            await asyncio.sleep(0.001)
        await push(*call)

    monkeypatch.setattr(told, "push", push_once_it_is_made)
    first, versions = life._versions()
    asyncio.run(asyncio.wait_for(life.deploy(first, versions), 60))
    assert "plan" not in told.done
    assert in_order(told.done, "build backend", "push backend")
    assert in_order(told.done, "apply tiny-e-registry", "push backend", "build second")


@pytest.mark.parametrize(
    ("stacks", "pushed"),
    [(["tiny-e", "tiny-e-image"], False), (["tiny-e"], True)],
)
def test_terraform_delivers_what_it_builds_and_push_the_rest(
    tmp_path: Path, stacks: Sequence[str], pushed: bool
) -> None:
    life, told = life_of(tmp_path, PINNED, stacks=stacks, runtime="docker")
    first, versions = life._versions()
    asyncio.run(life.deploy(first, versions))
    assert ("push backend" in told.done) is pushed
    assert ("apply tiny-e-image" in told.done) is not pushed
    # Docker builds them when it pushes them.
    assert "build backend" not in told.done
    note = last_step(life.run)
    assert (note.step, note.result) == ("Build and push", first["backend"].tag)


def test_a_service_that_does_not_start_ends_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: Run, delivered: asyncio.Event) -> None:
        await delivered.wait()
        raise OpsError("tiny-e-backend does not start")

    life, told = life_of(tmp_path)

    async def waits(stack: Stack, *, beside: bool = False) -> None:
        if stack.name == "tiny-e":
            await asyncio.Event().wait()

    monkeypatch.setattr(life_module, "until_one_fails", fails)
    monkeypatch.setattr(told, "apply", waits)
    first, _ = life._versions()
    with pytest.raises(OpsError, match="does not start"):
        asyncio.run(asyncio.wait_for(life.deploy(first, None), 60))


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ("", "backend"),
        ('path = "/api/*"\n', None),
        ('host = "api.example.com"\n', None),
        ('image_tag = "v1.0.0"\n', None),
    ],
)
def test_the_service_that_is_shown_has_all_paths_and_follows_its_pushes(
    tmp_path: Path, settings: str, shown: str | None
) -> None:
    environment = run_of(tmp_path, f"[services.backend]\n{settings}").environment
    assert shown_service(environment) == shown
