"""What Terraform is told, and what is made of its answers."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Stack
from prod_e_ops.terminal.processes import Finished
from prod_e_ops.terraform.output.events import Event
from prod_e_ops.terraform.runner import PLAN_FILE, PLAN_JSON_FILE, Terraform

ALWAYS = {"-json", "-input=false", "-lock-timeout=5s", "-parallelism=30"}
PLAN: Mapping[str, Any] = {"format_version": "1.2", "resource_changes": []}


class Program:
    """A Terraform that is called; `answers`: what it prints, by its first word; else nothing."""

    def __init__(self, **answers: Finished) -> None:
        self.called: list[list[str]] = []
        self.options: list[Mapping[str, Any]] = []
        self.says: Sequence[str] = ()
        self._answers = {"show": Finished(0, json.dumps(PLAN), ""), **answers}

    async def call(
        self, command: Sequence[object], *, on_stdout: Callable[[str], None] | None, **more: Any
    ) -> Finished:
        _, *words = map(str, command)
        self.called.append(words)
        self.options.append(more)
        for line in self.says if on_stdout else ():
            assert on_stdout is not None
            on_stdout(line)
        return self._answers.get(words[0], Finished(0, "", ""))


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    stack = Stack("tiny-e", tmp_path / "tiny-e")
    stack.folder.mkdir()
    stack.json_file.write_text(json.dumps({"terraform": {}, "resource": {}}))
    return stack


def run_by(program: Program, folder: Path, *, keeps_plans: bool = False) -> Terraform:
    processes: Any = program
    anything: Any = SimpleNamespace(mirror=None, origin="from nowhere")
    return Terraform(
        name="Terraform",
        program=Path("terraform"),
        version="1.10.0",
        providers=anything,
        environment={"PATH": "/bin"},
        processes=processes,
        scratch=folder,
        keeps_plans=keeps_plans,
    )


def test_a_plan_is_saved_and_read_as_it_was_asked_for(stack: Stack, tmp_path: Path) -> None:
    program = Program()
    terraform = run_by(program, tmp_path)
    file = tmp_path / "tiny-e.tfplan"
    summary = asyncio.run(
        terraform.plan(
            stack,
            destroy=True,
            refresh=False,
            targets=["aws_lb.a"],
            replace=["aws_vpc.a"],
            variables={"network": "host"},
        )
    )
    assert summary.is_empty
    planned, shown = program.called
    assert planned[0] == "plan"
    assert set(planned[1:]) == ALWAYS | {
        f"-out={file}",
        "-destroy",
        "-refresh=false",
        "-target=aws_lb.a",
        "-replace=aws_vpc.a",
        "-var=network=host",
    }
    assert shown == ["show", "-json", str(file)]
    assert not (stack.folder / PLAN_JSON_FILE).exists()
    program.called.clear()
    asyncio.run(terraform.plan(stack))
    assert set(program.called[0][1:]) == ALWAYS | {f"-out={file}"}


@pytest.mark.parametrize(("status", "changes"), [(0, False), (2, True)])
def test_whether_a_plan_changes_anything_is_known_without_reading_it(
    stack: Stack, tmp_path: Path, status: int, changes: bool
) -> None:
    program = Program(plan=Finished(status, "", ""))
    terraform = run_by(program, tmp_path)
    assert asyncio.run(terraform.save_plan(stack, destroy=True)) == changes
    (planned,) = program.called
    assert {"-detailed-exitcode", "-destroy"} <= set(planned)


def test_a_plan_that_fails_is_no_plan_with_changes(stack: Stack, tmp_path: Path) -> None:
    program = Program(plan=Finished(1, "", "Error: no\n"))
    with pytest.raises(OpsError):
        asyncio.run(run_by(program, tmp_path).save_plan(stack))


def test_a_plan_that_is_kept_is_its_owners_alone(stack: Stack, tmp_path: Path) -> None:
    terraform = run_by(Program(), tmp_path, keeps_plans=True)
    asyncio.run(terraform.plan(stack))
    kept = stack.folder / PLAN_JSON_FILE
    assert json.loads(kept.read_text()) == PLAN
    assert kept.stat().st_mode & 0o077 == 0
    (stack.folder / PLAN_FILE).touch()
    asyncio.run(terraform.apply(stack))
    assert not kept.exists()
    assert not (stack.folder / PLAN_FILE).exists()


def test_the_saved_plan_is_applied_and_goes_whatever_comes(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "tiny-e.tfplan"
    file.touch()
    program = Program(apply=Finished(1, "", "Error: no\n"))
    with pytest.raises(OpsError):
        asyncio.run(run_by(program, tmp_path).apply(stack))
    (applied,) = program.called
    assert applied[0] == "apply"
    assert set(applied[1:]) == ALWAYS | {str(file)}
    assert not file.exists()


def test_what_a_failed_application_wrote_is_kept_for_the_user_alone_and_no_plan_is(
    stack: Stack, tmp_path: Path
) -> None:
    (tmp_path / "tiny-e.tfplan").touch()
    refused = Finished(1, "DB_NAME = notes\n", "Error: no\n")
    terraform = run_by(Program(apply=refused, plan=refused), tmp_path)
    log = stack.folder / "tiny-e-apply.log"
    with pytest.raises(OpsError):
        asyncio.run(terraform.plan(stack))
    assert not list(tmp_path.rglob("*.log")), "a plan shows every value that it sets"
    with pytest.raises(OpsError) as failed:
        asyncio.run(terraform.apply(stack))
    assert str(log) in "\n".join(failed.value.details)
    assert log.read_text() == "DB_NAME = notes\nError: no\n"
    assert log.stat().st_mode & 0o077 == 0


def test_nobody_looks_at_a_plan_that_is_applied_at_once(stack: Stack, tmp_path: Path) -> None:
    program = Program()
    stop = asyncio.Event()
    terraform = run_by(program, tmp_path)
    asyncio.run(terraform.apply_at_once(stack, variables={"network": "host"}, stop=stop))
    (applied,) = program.called
    assert applied[0] == "apply"
    assert set(applied[1:]) == ALWAYS | {"-auto-approve", "-var=network=host"}
    assert program.options[0]["stop"] is stop


def test_what_is_applied_at_once_may_do_without_a_look_at_aws(stack: Stack, tmp_path: Path) -> None:
    program = Program()
    asyncio.run(run_by(program, tmp_path).apply_at_once(stack, variables={}, refresh=False))
    (applied,) = program.called
    assert set(applied[1:]) == ALWAYS | {"-auto-approve", "-refresh=false"}


def event(kind: str, address: str = "aws_lb.a") -> str:
    hook = {"resource": {"addr": address}, "action": "create"}
    return json.dumps({"type": kind, "hook": hook, "@message": kind})


def test_what_it_says_of_its_work_is_told_and_a_failure_counts_what_was_made(
    stack: Stack, tmp_path: Path
) -> None:
    error = {"severity": "error", "summary": "It is refused", "detail": "by AWS"}
    program = Program(apply=Finished(1, "", ""))
    program.says = [
        "no JSON",
        "1",
        event("apply_start"),
        event("apply_complete"),
        json.dumps({"type": "diagnostic", "diagnostic": error}),
        json.dumps({"type": "diagnostic", "diagnostic": {**error, "severity": "warning"}}),
    ]
    told: list[Event] = []
    with pytest.raises(OpsError) as failed:
        asyncio.run(run_by(program, tmp_path).apply(stack, change_count=3, on_event=told.append))
    assert [each.kind for each in told] == ["apply_start", "apply_complete"]
    said = "\n".join([failed.value.message, *failed.value.details])
    assert said.count("It is refused") == 1
    assert "kept in the state: 1 of 3" in said


def test_only_what_saves_its_state_outlives_a_command_that_is_killed(
    stack: Stack, tmp_path: Path
) -> None:
    program = Program()
    terraform = run_by(program, tmp_path)
    asyncio.run(terraform.plan(stack))
    asyncio.run(terraform.apply(stack))
    asyncio.run(replace(terraform, stop_timeout_seconds=5.0).apply(stack))
    outlives = [bool(each["outlives"]) for each in program.options]
    assert outlives == [False, False, True, False]
    assert [bool(each["finishes"]) for each in program.options] == outlives
    assert [each["stop_timeout_seconds"] for each in program.options] == [None, None, None, 5.0]


def test_secret_outputs_are_left_out(stack: Stack, tmp_path: Path) -> None:
    values = {
        "url": {"value": "https://example.com", "sensitive": False},
        "password": {"value": "hunter2", "sensitive": True},
    }
    program = Program(output=Finished(0, json.dumps(values), ""))
    outputs = asyncio.run(run_by(program, tmp_path).outputs(stack))
    assert outputs == {"url": "https://example.com"}


def test_addresses_and_resources_are_read_from_the_state(stack: Stack, tmp_path: Path) -> None:
    program = Program(state=Finished(0, "aws_lb.a\naws_vpc.a\n", ""))
    assert asyncio.run(run_by(program, tmp_path).addresses(stack)) == {"aws_lb.a", "aws_vpc.a"}
    empty = Program()
    assert asyncio.run(run_by(empty, tmp_path).resources(stack)) == []
    assert empty.called == [["state", "pull"]]


@pytest.mark.parametrize(
    ("word", "call"),
    [
        ("state", Terraform.addresses),
        ("state", Terraform.resources),
        ("output", Terraform.outputs),
        ("untaint", lambda terraform, stack: terraform.untaint(stack, "aws_lb.a")),
        ("show", Terraform.plan),
        ("plan", Terraform.plan),
        ("validate", Terraform.validate),
    ],
)
def test_whatever_it_fails_at_is_an_error(
    stack: Stack, tmp_path: Path, word: str, call: Callable[..., Any]
) -> None:
    program = Program(**{word: Finished(1, "", "Error: Backend gone\n")})
    with pytest.raises(OpsError, match="tiny-e"):
        asyncio.run(call(run_by(program, tmp_path), stack))
