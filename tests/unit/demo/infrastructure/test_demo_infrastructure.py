"""The demo's Terraform: what it counts, what it goes on without, and what fails it."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.demo.infrastructure import infrastructure as infrastructure_module
from prod_e_ops.demo.infrastructure.infrastructure import Changes, Infrastructure
from prod_e_ops.demo.infrastructure.past_waits import PastWaits
from prod_e_ops.errors import OpsError, ProviderCrashed
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.output.events import Event, ignore
from prod_e_ops.terraform.plans.plan_changes import Change, PlanSummary
from tests.support.project.demo_run import last_step, run_of, said_in

NOTHING = PlanSummary()
CRASH = ProviderCrashed("Planning tiny-e failed", provider="aws", details=[], next_step="Wait.")


@dataclass
class AnyTerraform:
    """A Terraform whose plans are given; `crashes`: the stacks whose provider does.

    `stays`: what is still in the states after all was destroyed. `changes`: what an application
    says that it does.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    plans: Mapping[str, PlanSummary] = field(default_factory=dict)
    crashes: set[str] = field(default_factory=set)
    stays: Mapping[str, Sequence[str]] = field(default_factory=dict)
    changes: Sequence[Event] = ()
    called: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    name: str = "Terraform"
    version: str = "1.9.0"
    providers: Any = field(default_factory=lambda: SimpleNamespace(origin="from nowhere"))
    may_cache_providers: bool = True

    def _call(self, what: str, stack: Stack, **options: Any) -> None:
        self.called.append((what, stack.name, {**options, "environment": self.environment}))
        if stack.name in self.crashes:
            raise CRASH

    async def init(self, stack: Stack, *, lock: object) -> None:
        self._call("init", stack)

    async def save_plan(
        self, stack: Stack, *, on_event: Callable[[Event], None] = ignore, **options: Any
    ) -> bool:
        self._call("plan", stack, **options)
        plan = self.plans.get(stack.name, NOTHING)
        for event in planned(create=plan.created, update=plan.changed):
            on_event(event)
        return not plan.is_empty

    async def read_plan(self, stack: Stack) -> PlanSummary:
        return self.plans[stack.name]

    async def apply(
        self, stack: Stack, *, on_event: Callable[[Event], None], stop: asyncio.Event | None = None
    ) -> None:
        self._call("apply", stack)
        for event in self.changes:
            on_event(event)

    async def apply_at_once(
        self, stack: Stack, *, on_event: Callable[[Event], None], **options: Any
    ) -> None:
        self._call("apply at once", stack, **options)
        for event in self.changes:
            on_event(event)

    async def resources(self, stack: Stack) -> Sequence[Any]:
        return [SimpleNamespace(address=each) for each in self.stays.get(stack.name, ())]


def written_stack(folder: Path, name: str, *, provider: str = "aws", **resources: Any) -> Stack:
    """A stack whose JSON has these resources."""
    stack = Stack(name, folder / name)
    stack.folder.mkdir(parents=True)
    source = {"aws": "hashicorp/aws", "docker": "kreuzwerker/docker"}[provider]
    required = {provider: {"source": source}}
    stack.json_file.write_text(
        json.dumps({"terraform": {"required_providers": required}, "resource": resources})
    )
    return stack


def change(address: str, *keys: str) -> Change:
    return Change(address, address.partition(".")[0], changed_keys=keys)


def planned(**changes: Sequence[Change]) -> Sequence[Event]:
    return [
        Event(
            stack="tiny-e", kind="planned_change", address=each.address, message="", action=action
        )
        for action, of_it in changes.items()
        for each in of_it
    ]


def completed(*addresses: str) -> Sequence[Event]:
    return [
        Event(stack="tiny-e", kind="apply_complete", address=each, message="") for each in addresses
    ]


def made(folder: Path, terraform: AnyTerraform, *stacks: Stack, **options: Any) -> Infrastructure:
    embedded = SimpleNamespace(
        registry_address="127.0.0.1:5000", certificate_authority_file=Path("ca.pem")
    )
    run = run_of(folder, "[services.backend]\n", clients=None, embedded=embedded)
    any_terraform: Any = terraform
    return Infrastructure(
        run=run, terraform=any_terraform, stacks=list(stacks), **{"no_images": None, **options}
    )


@pytest.fixture(autouse=True)
def docker(monkeypatch: pytest.MonkeyPatch) -> None:
    async def network() -> str:
        return "host"

    monkeypatch.setattr(infrastructure_module, "default_build_network", network)


def test_what_will_be_created_is_counted_over_all_stacks(tmp_path: Path) -> None:
    stacks = [written_stack(tmp_path, name) for name in ("tiny-e", "tiny-e-registry")]
    bucket, topic = change("aws_s3_bucket.a"), change("aws_sns_topic.b")
    terraform = AnyTerraform(
        plans={
            "tiny-e": PlanSummary(created=(bucket, topic)),
            "tiny-e-registry": PlanSummary(created=(bucket,), changed=(topic,)),
        }
    )
    infrastructure = made(tmp_path, terraform, *stacks)
    asyncio.run(infrastructure.plan())
    assert last_step(infrastructure.run).result == "3 to create"


def test_a_stack_whose_provider_crashes_is_told_and_left_out(tmp_path: Path) -> None:
    stacks = [written_stack(tmp_path, name) for name in ("tiny-e", "tiny-e-registry")]
    plans = {"tiny-e-registry": PlanSummary(created=(change("aws_s3_bucket.a"),))}
    infrastructure = made(tmp_path, AnyTerraform(crashes={"tiny-e"}, plans=plans), *stacks)
    asyncio.run(infrastructure.plan())
    assert last_step(infrastructure.run).result == "1 to create"
    assert infrastructure.left == [stacks[1]]
    assert infrastructure.run.report.failed == {stacks[0]: "the provider aws crashed"}
    assert f"error: {CRASH}" in said_in(infrastructure.run)


def test_another_error_is_no_stack_to_go_on_without(tmp_path: Path) -> None:
    infrastructure = made(tmp_path, AnyTerraform(), written_stack(tmp_path, "tiny-e"))
    with (
        pytest.raises(OpsError, match="no disk"),
        infrastructure.going_on_without(infrastructure.stacks[0]),
    ):
        raise OpsError("no disk")
    assert infrastructure.left


@pytest.mark.parametrize("beside", [False, True])
def test_what_is_created_is_counted_whether_or_not_a_step_shows_it(
    tmp_path: Path, beside: bool
) -> None:
    stack = written_stack(tmp_path, "tiny-e")
    changes = completed("aws_s3_bucket.a", "data.aws_region.here", "aws_sns_topic.b")
    infrastructure = made(tmp_path, AnyTerraform(changes=changes), stack)
    report = infrastructure.run.report
    report.resources_created = 5
    asyncio.run(infrastructure.apply(stack, beside=beside))
    assert report.resources_created == 7
    results = [(step.step, step.result) for step in report.steps]
    assert results == ([] if beside else [("Apply tiny-e", "2 resources created")])


def test_a_stack_that_is_applied_at_once_goes_past_the_providers_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, Any]] = []

    class Past:
        def __init__(self, **options: Any) -> None:
            given.append(options)

        async def apply(self, on_event: Callable[[Event], None]) -> None:
            for event in completed("docker_image.backend"):
                on_event(event)

    monkeypatch.setattr(infrastructure_module, "PastWaits", Past)
    stack = written_stack(tmp_path, "tiny-e-image", provider="docker")
    terraform = AnyTerraform(environment={"PATH": "/bin"})
    infrastructure = made(tmp_path, terraform, stack, at_once=True)
    asyncio.run(infrastructure.apply(stack))
    assert terraform.called == []
    (options,) = given
    assert (options["stack"], options["clients"]) == (stack, infrastructure.run.clients)
    # A daemon without a bridge network cannot give one to a build.
    assert options["variables"] == {"build_network": "host"}
    # The docker provider asks the registry by TLS.
    assert options["terraform"].environment == {"PATH": "/bin", "SSL_CERT_FILE": "ca.pem"}
    assert infrastructure.run.report.resources_created == 1


def test_a_stack_without_images_is_nothing_to_docker(tmp_path: Path) -> None:
    terraform = AnyTerraform(environment={"PATH": "/bin"})
    asyncio.run(made(tmp_path, terraform, written_stack(tmp_path, "tiny-e")).plan())
    assert terraform.called == [
        ("plan", "tiny-e", {"variables": {}, "environment": {"PATH": "/bin"}})
    ]


KEY = change("aws_ecs_service.a", "desired_count")


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("created", "1 to create"),
        ("changed", "1 to change"),
        ("replaced", "1 to replace"),
        ("destroyed", "1 to destroy"),
    ],
)
def test_a_second_plan_that_changes_anything_fails_and_names_it(
    tmp_path: Path, kind: str, counts: str
) -> None:
    summary = replace(NOTHING, **{kind: (KEY,)})  # type: ignore[arg-type]
    infrastructure = made(
        tmp_path, AnyTerraform(plans={"tiny-e": summary}), written_stack(tmp_path, "tiny-e")
    )
    with pytest.raises(OpsError, match=f"A second plan of tiny-e is not empty: {counts}") as error:
        asyncio.run(infrastructure.plan_again())
    assert error.value.details == ("aws_ecs_service.a: desired_count",)


def test_a_second_plan_that_is_empty_is_what_is_expected(tmp_path: Path) -> None:
    terraform = AnyTerraform()
    stacks = [written_stack(tmp_path, name) for name in ("tiny-e", "tiny-e-registry")]
    asyncio.run(made(tmp_path, terraform, *stacks).plan_again())
    assert [(what, name) for what, name, _ in terraform.called] == [
        ("plan", "tiny-e"),
        ("plan", "tiny-e-registry"),
    ]


def test_the_end_is_planned_without_the_protection_of_databases(tmp_path: Path) -> None:
    terraform = AnyTerraform()
    database = written_stack(tmp_path, "tiny-e", aws_db_instance={"database": {}, "other": {}})
    registry = written_stack(tmp_path, "tiny-e-registry", aws_ecr_repository={"backend": {}})
    asyncio.run(made(tmp_path, terraform, database, registry).plan_destroy())
    assert {(name, call["destroy"], call["refresh"]) for _, name, call in terraform.called} == {
        ("tiny-e", True, False),
        ("tiny-e-registry", True, False),
    }
    lifted = {"lifecycle": {"prevent_destroy": False}}
    (override,) = database.folder.glob("*_override.tf.json")
    assert json.loads(override.read_text()) == {
        "resource": {"aws_db_instance": {"database": lifted, "other": lifted}}
    }
    assert not list(registry.folder.glob("*_override.tf.json"))


@pytest.fixture
def lets_go(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The environments that were let go."""
    found: list[str] = []
    monkeypatch.setattr(
        infrastructure_module, "let_go", lambda environment, _: found.append(environment.name)
    )
    return found


def test_all_is_let_go_and_destroyed_the_last_first(tmp_path: Path, lets_go: list[str]) -> None:
    terraform = AnyTerraform(changes=completed("aws_s3_bucket.a"))
    stacks = [written_stack(tmp_path, name) for name in ("tiny-e-registry", "tiny-e")]
    infrastructure = made(tmp_path, terraform, *stacks)
    asyncio.run(infrastructure.destroy())
    assert lets_go == ["tiny-e"]
    assert [(what, name) for what, name, _ in terraform.called] == [
        ("apply", "tiny-e"),
        ("apply", "tiny-e-registry"),
    ]
    assert last_step(infrastructure.run).result == "2 resources destroyed"
    assert infrastructure.run.report.resources_destroyed == 2


def test_what_goes_without_a_word_of_terraforms_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lets_go: list[str]
) -> None:
    async def destroy(_: PastWaits, on_event: Callable[[Event], None]) -> int:
        for event in completed("aws_vpc.a"):
            on_event(event)
        return 1

    monkeypatch.setattr(PastWaits, "destroy", destroy)
    infrastructure = made(tmp_path, AnyTerraform(), written_stack(tmp_path, "tiny-e"))
    asyncio.run(infrastructure.destroy())
    assert infrastructure.run.report.resources_destroyed == 2


def test_what_terraform_has_not_destroyed_fails_the_demo(
    tmp_path: Path, lets_go: list[str]
) -> None:
    terraform = AnyTerraform(stays={"tiny-e": ["aws_vpc.network"]})
    stacks = [written_stack(tmp_path, name) for name in ("tiny-e-registry", "tiny-e")]
    with pytest.raises(OpsError, match="did not destroy everything") as error:
        asyncio.run(made(tmp_path, terraform, *stacks).destroy())
    assert error.value.details == ("aws_vpc.network",)


def test_a_stack_that_crashes_at_its_end_is_one_that_failed(
    tmp_path: Path, lets_go: list[str]
) -> None:
    stack = written_stack(tmp_path, "tiny-e")
    terraform = AnyTerraform(crashes={"tiny-e"}, stays={"tiny-e": ["aws_vpc.network"]})
    infrastructure = made(tmp_path, terraform, stack)
    asyncio.run(infrastructure.destroy())
    assert infrastructure.run.report.failed == {stack: "the provider aws crashed"}


def test_a_stack_with_images_is_initialised_for_the_registry_of_the_embedded_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def docker_answers() -> None:
        return None

    monkeypatch.setattr("prod_e_ops.stacks.initialise.why_no_docker", docker_answers)
    image = written_stack(tmp_path, "tiny-e-image", provider="docker")
    main = written_stack(tmp_path, "tiny-e")
    infrastructure = made(tmp_path, AnyTerraform(), image, main)
    asyncio.run(infrastructure.initialise())
    (override,) = image.folder.glob("registry_override.tf.json")
    assert json.loads(override.read_text()) == {"locals": {"registry": "127.0.0.1:5000"}}
    assert not (main.folder / "registry_override.tf.json").exists()
    for stack in (image, main):
        assert (stack.folder / "tested_providers_override.tf.json").exists()
    assert infrastructure.left == [image, main]
    assert last_step(infrastructure.run).result == "Terraform 1.9.0, providers from nowhere"


def test_without_docker_the_stack_with_images_is_left_out_and_the_reason_told(
    tmp_path: Path,
) -> None:
    image = written_stack(tmp_path, "tiny-e-image", provider="docker")
    main = written_stack(tmp_path, "tiny-e")
    terraform = AnyTerraform()
    infrastructure = made(tmp_path, terraform, image, main, no_images="there is no Docker")
    asyncio.run(infrastructure.initialise())
    assert infrastructure.left == [main]
    (skipped,) = infrastructure.run.report.skipped
    assert (skipped.stack, skipped.reason) == (image, "there is no Docker")
    assert [name for _, name, _ in terraform.called] == ["tiny-e"]


def test_the_picture_of_what_is_synthesised_is_shown_and_a_bucket_for_its_state_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def synthesise(*_: object, environment: str) -> Sequence[str]:
        assert environment == "tiny-e"
        return ["Warning: the app says so."]

    pictures: list[str] = []
    buckets: list[dict[str, Any]] = []
    monkeypatch.setattr(infrastructure_module, "synthesise", synthesise)
    monkeypatch.setattr(infrastructure_module, "draw_stacks", lambda name, _: f"of {name}")
    stacks = [
        written_stack(tmp_path / "cdktf.out" / "stacks", "tiny-e", aws_vpc={"a": {}, "b": {}}),
    ]
    project: Any = SimpleNamespace(folder=tmp_path, stacks=lambda _: stacks)
    run = run_of(
        tmp_path,
        '[services.backend]\n[state]\nkind = "s3"\nbucket = "ours"\n',
        clients=lambda _: SimpleNamespace(create_bucket=lambda **call: buckets.append(call)),
        embedded=SimpleNamespace(show_picture=pictures.append),
    )
    run = replace(run, project=project)
    terraform: Any = AnyTerraform()
    infrastructure = Infrastructure(run=run, terraform=terraform, no_images=None)
    asyncio.run(infrastructure.synthesise())
    assert infrastructure.stacks == stacks
    assert pictures == ["of tiny-e"]
    assert last_step(run).result == "2 resources in 1 stacks"
    assert said_in(run) == ["Synthesise", "Warning: the app says so."]
    assert buckets == [
        {
            "Bucket": "ours",
            "CreateBucketConfiguration": {"LocationConstraint": run.environment.region},
        }
    ]


def test_a_change_is_made_without_a_look_at_aws_and_told(tmp_path: Path) -> None:
    stacks = [written_stack(tmp_path, name) for name in ("tiny-e", "tiny-e-registry")]
    actions = {"a": "create", "b": "update", "c": "replace", "d": "delete", "e": "read"}
    told = planned(**{action: [change(address)] for address, action in actions.items()})
    terraform = AnyTerraform(changes=[*told, *completed("a")])
    infrastructure = made(tmp_path, terraform, *stacks)
    made_of_it = asyncio.run(infrastructure.change("tiny-e"))
    assert made_of_it == Changes(created=("a",), replaced=("c",), destroyed=("d",))
    ((what, stack, options),) = terraform.called
    assert (what, stack, options["refresh"]) == ("apply at once", "tiny-e", False)
    # What comes and goes is not of the environment that is made and destroyed.
    assert infrastructure.run.report.resources_created == 0


def test_a_stack_that_is_not_there_or_whose_provider_crashes_is_not_changed(
    tmp_path: Path,
) -> None:
    terraform = AnyTerraform(crashes={"tiny-e"})
    infrastructure = made(tmp_path, terraform, written_stack(tmp_path, "tiny-e"))
    for name in ("tiny-e-registry", "tiny-e", "tiny-e"):
        assert asyncio.run(infrastructure.change(name)) == Changes()
    assert [what for what, _, _ in terraform.called] == ["apply at once"]


def test_stacks_are_written_anew_of_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, str]] = []

    async def synthesise(project: Any, _: object, *, environment: str) -> Sequence[str]:
        asked.append((project.folder, environment))
        return ()

    monkeypatch.setattr(infrastructure_module, "synthesise", synthesise)
    infrastructure = made(tmp_path, AnyTerraform(), written_stack(tmp_path, "tiny-e"))
    asyncio.run(infrastructure.write_stacks())
    assert asked == [(tmp_path, "tiny-e")]
