"""An environment is made ready for Terraform: in which order, what is said, and what is left."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e.dependency_lock import LOCK_FILE, TERRAFORM_REGISTRY, write_project_lock
from prod_e_ops.errors import OpsError, ProviderUnavailable, UserMistake
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks import prepared as module
from prod_e_ops.stacks.prepared import PreparedStacks, prepare_stacks
from prod_e_ops.terraform import left_running
from prod_e_ops.terraform.left_running import AppliedIn
from prod_e_ops.terraform.plans.imports import write_imports
from tests.support.project.demo_run import Screen, run_of
from tests.support.terraform.lock_files import locked, make_stack

NAMES = ("tiny-e-registry", "tiny-e-image", "tiny-e")
UNAVAILABLE = ProviderUnavailable("init failed", provider="docker", details=(), next_step="")
UNTESTED = "4.0.0"


class World:
    """A project whose environment tiny-e has three stacks, and a Terraform that notes its work."""

    name, version = "Terraform", "1.13.0"
    may_cache_providers = True
    registry = TERRAFORM_REGISTRY
    providers = SimpleNamespace(origin="from a mirror")

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.done: list[str] = []
        self.found: Mapping[str, Any] = {}
        self.fails: OpsError | None = None
        self.lacks_docker = False
        run = run_of(folder, "[services.backend]\n")
        providers = {
            "tiny-e-image": {"docker": {"source": "kreuzwerker/docker", "version": "4.0.0"}}
        }
        aws = {"aws": {"source": "hashicorp/aws", "version": UNTESTED}}
        self.stacks = [make_stack(folder, providers.get(name, aws), name) for name in NAMES]
        screen: Any = run.context.terminal
        self.screen: Screen = screen
        project = SimpleNamespace(
            folder=folder, environment=self._environment, stacks=lambda _: self.stacks
        )
        self._environments = {"tiny-e": run.environment, None: run.environment}
        self.context: Any = SimpleNamespace(project=project, terminal=screen, processes="processes")
        monkeypatch.setattr(module, "find_terraform", self._find)
        monkeypatch.setattr(module, "synthesise", self._synthesise)
        monkeypatch.setattr(module, "check_account", self._check)
        monkeypatch.setattr("prod_e_ops.stacks.initialise.why_no_docker", self._why_no_docker)

    def _environment(self, name: str | None) -> Any:
        if name not in self._environments:
            raise UserMistake(f"There is no environment {name}.")
        return self._environments[name]

    @asynccontextmanager
    async def _find(self, processes: str, **options: Any) -> AsyncIterator["World"]:
        assert processes == "processes"
        self.found = options
        self.done.append("find Terraform")
        yield self
        self.done.append("let go of Terraform")

    async def _synthesise(self, context: object, name: str) -> None:
        assert context is self.context
        self.done.append(f"synthesise {name}")

    async def _check(self, environment: Any) -> str:
        self.done.append(f"check the account of {environment.name}")
        if self.fails:
            raise self.fails
        return "123456789012"

    async def _why_no_docker(self) -> str | None:
        return "no Docker daemon answers" if self.lacks_docker else None

    async def init(self, stack: Stack, *, lock: Any) -> None:
        self.done.append(f"initialise {stack.name}")
        assert (lock.folder, lock.registry) == (self.folder, TERRAFORM_REGISTRY)
        lock.on_added(f"{stack.name} adds to the lock.")
        if stack.needs_docker:
            raise UNAVAILABLE
        write_project_lock(stack.folder / LOCK_FILE, [locked(version=UNTESTED)])

    def prepare(
        self,
        name: str | None = "tiny-e",
        *,
        work: Callable[[PreparedStacks], None] = lambda _: None,
        **options: Any,
    ) -> PreparedStacks:
        async def run() -> PreparedStacks:
            async with prepare_stacks(self.context, name, **options) as prepared:
                self.done.append("work")
                work(prepared)
            return prepared

        return asyncio.run(run())

    @property
    def outcomes(self) -> Mapping[str, str]:
        return {step.title: step.outcome for step in self.screen.steps}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def names(stacks: Sequence[Stack]) -> list[str]:
    return [stack.name for stack in stacks]


def test_stacks_are_synthesised_checked_and_initialised_in_this_order(world: World) -> None:
    prepared = world.prepare()
    assert world.done == [
        "find Terraform",
        "synthesise tiny-e",
        "check the account of tiny-e",
        *(f"initialise {name}" for name in NAMES),
        "work",
        "let go of Terraform",
    ]
    assert prepared.environment.name == "tiny-e"
    assert prepared.account == "123456789012"
    assert prepared.context is world.context
    terraform: Any = prepared.terraform
    assert terraform is world
    assert names(prepared.stacks) == ["tiny-e-registry", "tiny-e"]
    assert [(skip.stack.name, skip.reason) for skip in prepared.skipped] == [
        ("tiny-e-image", UNAVAILABLE.reason)
    ]


def test_providers_are_cached_in_the_projects_folder_and_plans_kept_where_asked_for(
    world: World,
) -> None:
    world.prepare()
    cache = world.folder / ".cache" / "terraform-providers"
    assert world.found == {"cache_folder": cache, "keeps_plans": False}
    world.prepare(keeps_plans=True)
    assert world.found["keeps_plans"] is True


def test_what_is_done_is_shown_with_what_came_of_it(world: World) -> None:
    world.prepare()
    installed = f"hashicorp/aws {UNTESTED} (not tested)"
    assert world.outcomes == {
        "Check the AWS account": "123456789012",
        "Initialise Terraform": f"Terraform 1.13.0, {installed} from a mirror",
    }
    assert world.screen.steps[-1].updates == list(NAMES)
    said = [line for line in world.screen.lines if line not in world.outcomes]
    *added, warning, skipped = said
    assert added == [f"{name} adds to the lock." for name in NAMES]
    assert warning.startswith(f"Warning: hashicorp/aws {UNTESTED} is not the version")
    assert skipped == f"- tiny-e-image is skipped: {UNAVAILABLE.reason}."


def test_a_stack_that_needs_docker_is_skipped_without_it(world: World) -> None:
    world.lacks_docker = True
    world.prepare()
    assert "initialise tiny-e-image" not in world.done
    assert "- tiny-e-image is skipped: no Docker daemon answers." in world.screen.lines


def test_providers_that_nobody_knows_are_told_as_such(world: World) -> None:
    world.stacks = world.stacks[1:2]
    world.prepare()
    assert world.outcomes["Initialise Terraform"] == "Terraform 1.13.0, providers from a mirror"


def test_one_stack_alone_is_made_ready(world: World) -> None:
    prepared = world.prepare(None, only="tiny-e")
    assert names(prepared.stacks) == ["tiny-e"]
    assert [line for line in world.done if line.startswith("initialise")] == ["initialise tiny-e"]


def test_a_mistake_of_the_users_is_told_before_anything_is_done(world: World) -> None:
    with pytest.raises(UserMistake, match="no environment other-e"):
        world.prepare("other-e")
    assert world.done == []


def test_nothing_is_initialised_in_another_account(world: World) -> None:
    world.fails = UserMistake("The credentials belong to another account.")
    with pytest.raises(UserMistake):
        world.prepare()
    assert world.done[-1] == "check the account of tiny-e"


def imports(stack: Stack) -> bool:
    return any("import" in file.name for file in stack.folder.iterdir())


def test_what_a_killed_command_was_to_import_is_not_imported(world: World) -> None:
    for stack in world.stacks:
        write_imports(stack, {"aws_vpc.a": "vpc-1"})
    found: list[bool] = []
    world.prepare(work=lambda _: found.extend(map(imports, world.stacks)))
    assert found == [False] * len(NAMES)


@pytest.mark.parametrize("error", [None, OpsError("Terraform failed.")])
def test_the_next_command_imports_nothing_of_this_one(world: World, error: OpsError | None) -> None:
    def work(prepared: PreparedStacks) -> None:
        for stack in prepared.stacks:
            write_imports(stack, {"aws_vpc.a": "vpc-1"})
        if error:
            raise error

    try:
        world.prepare(work=work)
    except OpsError as raised:
        assert raised is error
    assert not any(map(imports, world.stacks))


def test_a_terraform_that_a_killed_command_left_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_running, "_POLL_SECONDS", 0.001)
    looks = iter([4711, 4711, 4711, None])

    def running(applied: AppliedIn) -> int | None:
        return next(looks, None) if applied.stack.name == "tiny-e" else None

    monkeypatch.setattr(AppliedIn, "left_running", property(running))
    world.prepare()
    assert next(looks, "all looked at") == "all looked at"
    title = "Wait for the Terraform of tiny-e that a killed command left"
    (step,) = (step for step in world.screen.steps if step.title == title)
    assert step.updates == ["process 4711 still applies a plan"] * 2
    assert step.outcome == "it has ended"
    # It holds the lock of the state that is initialised.
    titles = [step.title for step in world.screen.steps]
    assert titles.index(title) < titles.index("Initialise Terraform")
