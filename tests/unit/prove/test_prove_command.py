"""`prod-e prove`: what is said and asked before anything is made, and what is said in the end."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from prod_e_ops.analysis.prices import PricedItem
from prod_e_ops.commands.infrastructure import prove
from prod_e_ops.commands.infrastructure.prove import ProveOptions, prove_environment, remove_proof
from prod_e_ops.demo.live.delivery import AsContainers, AsProcesses
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import Declined, DockerUnavailable, OpsError
from prod_e_ops.prove.environment import ProofFolder
from prod_e_ops.prove.life import ProvenLife
from tests.support.project.demo_run import Screen, run_of

SETTINGS = '[services.backend]\n[database]\ninstance_class = "db.t4g.small"\n'
ACCOUNT = "111122223333"


class World:
    """A project whose environments can be proved; `fails`: what a life ends with."""

    def __init__(self, folder: Path) -> None:
        for name in ("backend", ".prove"):
            (folder / name).mkdir(parents=True)
        (folder / "backend" / "Dockerfile").write_text("FROM scratch\n")
        (folder / "backend" / "package.json").write_text("{}")
        self.run: Run = run_of(folder, SETTINGS)
        self.folder = folder
        self.docker: str | None = None
        self.fails: Exception | None = None
        self.left: list[str] | None = []
        self.lives: list[Any] = []
        self.done: list[str] = []

    @property
    def screen(self) -> Screen:
        screen: Any = self.run.context.terminal
        assert isinstance(screen, Screen)
        return screen

    @property
    def context(self) -> Any:
        return SimpleNamespace(
            project=self.run.project,
            terminal=self.screen,
            processes=self.run.context.processes,
        )

    def prove(self, **options: bool) -> None:
        asyncio.run(prove_environment(self.context, "tiny-e", options=ProveOptions(**options)))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(tmp_path)

    async def why_no_docker() -> str | None:
        return found.docker

    async def account(_: object) -> str:
        return ACCOUNT

    async def live(self: Any) -> None:
        found.lives.append(self)
        found.done.append("live")
        if found.fails:
            raise found.fails

    async def end(self: Any) -> None:
        found.lives.append(self)
        found.done.append("end")
        self.proof.left = found.left

    monkeypatch.setattr(prove, "why_no_docker", why_no_docker)
    monkeypatch.setattr(prove, "check_account", account)
    monkeypatch.setattr(prove, "clients_of_account", lambda region: f"clients in {region}")
    monkeypatch.setattr(ProvenLife, "live", live)
    monkeypatch.setattr(ProvenLife, "end", end)
    return found


def test_the_cost_is_said_and_asked_about_before_anything_is_made(world: World) -> None:
    world.screen.declines = "Create it"
    with pytest.raises(Declined, match="Nothing was created"):
        world.prove()
    lines = world.screen.lines
    assert any(line.startswith("  A db.t4g.small database: 0.") for line in lines)
    assert any("settings of tiny-e costs about 0." in line for line in lines)
    ((question, _),) = world.screen.asked
    assert question == f"Create it in the account {ACCOUNT}, and destroy it at the end?"
    assert world.done == []
    assert list((world.folder / ".prove").iterdir()) == []


def test_two_hours_cost_twice_an_hour_and_what_has_no_price_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [
        PricedItem(item="A load balancer", dollars_per_hour=0.25),
        PricedItem(item="A rare database", dollars_per_hour=None),
    ]
    monkeypatch.setattr(prove, "hourly_prices", lambda _: items)
    world.prove(yes=True)
    first, second, total = world.screen.lines[:3]
    assert first == "  A load balancer: 0.2500 USD an hour"
    assert second == "  A rare database: no price is known"
    assert "costs about 0.25 USD an hour" in total
    assert "up to 2 hours: about 0.50 USD" in total
    assert world.screen.asked == []


def test_in_an_account_images_are_pushed_and_the_users_credentials_reach_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    world.prove(yes=True, record=True)
    assert world.done == ["live", "end"]
    life = world.lives[0]
    assert isinstance(life.delivery, AsContainers)
    assert life.run.clients == "clients in us-west-2"
    assert life.run.variables["AWS_PROFILE"] == "mine"
    assert life.run.embedded is None
    assert life.records
    assert life.run.environment.account == ACCOUNT
    assert life.run.environment.name == life.kept.name
    assert life.kept.name.startswith("prove-")
    assert life.run.project.folder == life.kept.project.folder
    (kept,) = (world.folder / ".prove").iterdir()
    report = json.loads((kept / "report.json").read_text())
    assert (report["passed"], report["embedded"], report["failed"]) == (True, False, [])
    said = world.screen.lines[-1]
    assert said.startswith("The report is in ")
    assert f".prove/{kept.name}/report.json and " in said
    assert world.screen.results == []


def test_on_the_embedded_aws_nothing_costs_and_docker_is_not_needed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.docker = "no daemon answers"
    started: list[Mapping[str, Any]] = []

    class Aws:
        def __init__(self, **options: Any) -> None:
            started.append(options)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def environment(self, given: Mapping[str, str]) -> Mapping[str, str]:
            return {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}

    monkeypatch.setattr(prove, "EmbeddedAws", Aws)
    monkeypatch.setattr(prove, "clients_of", lambda aws: aws)
    world.prove(embedded=True, as_json=True)
    life = world.lives[0]
    assert isinstance(life.delivery, AsProcesses)
    assert isinstance(life.run.aws, Aws)
    assert life.run.clients is life.run.embedded
    assert life.run.variables == {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    (options,) = started
    assert (options["region"], options["account_id"]) == ("us-west-2", "123456789012")
    assert options["data_plane"].runtime == "process"
    assert world.screen.asked == []
    assert not any("costs about" in line for line in world.screen.lines)
    (result,) = world.screen.results
    assert json.loads(result)["passed"] is True


def test_without_docker_nothing_is_made_in_an_account(world: World) -> None:
    world.docker = "no daemon answers"
    with pytest.raises(DockerUnavailable, match="are pushed as images: no daemon answers"):
        world.prove(yes=True)
    assert world.done == []


def test_what_ends_early_says_what_may_still_exist_and_how_it_is_removed(world: World) -> None:
    world.fails = OpsError("AccessDenied", details=["of iam:CreateRole"])
    with pytest.raises(OpsError, match="AccessDenied"):
        world.prove(yes=True)
    (kept,) = (world.folder / ".prove").iterdir()
    report = json.loads((kept / "report.json").read_text())
    assert report["passed"] is False
    assert report["failed"] == ["AccessDenied", "of iam:CreateRole"]
    said = world.screen.lines[-2:]
    assert said[0] == f"{kept.name} may still exist in part, and cost what was said."
    assert said[1].startswith("hint: `")
    assert kept.name in said[1]
    assert world.done == ["live"]


@pytest.mark.parametrize("yes", [True, False])
def test_what_an_earlier_proof_left_is_removed_after_a_question(world: World, yes: bool) -> None:
    world.fails = OpsError("AccessDenied")
    with pytest.raises(OpsError):
        world.prove(yes=True)
    (kept,) = (world.folder / ".prove").iterdir()
    assert ProofFolder.of(world.run.project, kept.name).name == kept.name
    world.screen.asked.clear()
    asyncio.run(remove_proof(world.context, kept.name, options=ProveOptions(yes=yes)))
    question = f"Destroy {kept.name} in the account {ACCOUNT}?"
    assert world.screen.asked == ([] if yes else [(question, "Nothing was changed.")])
    assert world.done[-1] == "end"
    assert world.screen.lines[-1] == f"{kept.name} is gone."


def test_what_is_not_agreed_to_is_not_removed(world: World) -> None:
    world.fails = OpsError("AccessDenied")
    with pytest.raises(OpsError):
        world.prove(yes=True)
    (kept,) = (world.folder / ".prove").iterdir()
    world.screen.declines = "Destroy"
    with pytest.raises(Declined):
        asyncio.run(remove_proof(world.context, kept.name, options=ProveOptions()))
    assert world.done == ["live"]
