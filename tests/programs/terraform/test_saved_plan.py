"""What is applied is the plan that was saved: with the real Terraform, without a provider."""

import json
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from prod_e.settings import load_environment
from prod_e_ops.context import Context
from prod_e_ops.errors import OpsError, PlanIsStale
from prod_e_ops.project.project import Project
from prod_e_ops.stacks.apply import apply_plan
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terminal.terminal import Terminal
from prod_e_ops.terraform.runner import Terraform
from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform

pytestmark = needs_terraform


@pytest.fixture
def stack(tmp_path: Path) -> TerraformFolder:
    folder = TerraformFolder(tmp_path)
    folder.write_resources(first={"input": "planned"})
    return folder


def with_prepared_stacks(
    folder: TerraformFolder, work: Callable[[PreparedStacks], Awaitable[None]]
) -> None:
    """Does the work where the stack is initialised, and plans are kept from others."""
    settings = folder.folder / "tried-e.toml"
    settings.write_text('name = "tried-e"\n[services.backend]\n')

    async def run(terraform: Terraform) -> None:
        await terraform.init(folder.stack)
        terraform = replace(terraform, keeps_plans=False)
        await work(
            PreparedStacks(
                context=Context(
                    project=Project(folder.folder, folder.folder),
                    terminal=Terminal(),
                    processes=terraform.processes,
                ),
                environment=load_environment(settings),
                account="123456789012",
                terraform=terraform,
                stacks=[folder.stack],
                skipped=[],
            )
        )

    folder.run(run)


def inputs(folder: TerraformFolder) -> dict[str, str]:
    """What the state says of each resource."""
    state = json.loads((folder.stack.folder / "terraform.tfstate").read_text())
    return {
        resource["name"]: resource["instances"][0]["attributes"]["input"]["value"]
        for resource in state["resources"]
    }


async def change_the_state(prepared: PreparedStacks, **resources: str) -> None:
    """Another run that deploys the stack meanwhile."""
    other = TerraformFolder(prepared.context.project.folder)
    other.write_resources(**{name: {"input": text} for name, text in resources.items()})
    terraform = replace(prepared.terraform, keeps_plans=True)
    await terraform.plan(other.stack)
    await terraform.apply(other.stack)


class Agreed:
    """Takes note of the plans that it is asked about, and agrees to them."""

    def __init__(self) -> None:
        self.plans: list[StackPlan] = []

    async def __call__(self, plan: StackPlan) -> None:
        self.plans.append(plan)


async def refuse(plan: StackPlan) -> None:
    raise OpsError("Not that one.")


def test_settings_that_change_after_the_plan_was_shown_are_not_applied(
    stack: TerraformFolder,
) -> None:
    asked = Agreed()

    async def work(prepared: PreparedStacks) -> None:
        (plan,) = await prepared.plan_stacks([stack.stack])
        stack.write_resources(first={"input": "changed meanwhile"}, second={"input": "unseen"})
        await apply_plan(prepared, plan, agree=asked)

    with_prepared_stacks(stack, work)
    assert inputs(stack) == {"first": "planned"}
    assert asked.plans == []


def test_another_run_that_plans_meanwhile_does_not_change_what_is_applied(
    stack: TerraformFolder,
) -> None:
    async def work(prepared: PreparedStacks) -> None:
        (plan,) = await prepared.plan_stacks([stack.stack])
        stack.write_resources(first={"input": "of the other plan"})
        await replace(prepared.terraform, keeps_plans=True).plan(stack.stack)
        await apply_plan(prepared, plan, agree=refuse)

    with_prepared_stacks(stack, work)
    assert inputs(stack) == {"first": "planned"}


def test_where_the_state_has_changed_it_is_planned_anew_and_asked_about_again(
    stack: TerraformFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Agreed()

    async def work(prepared: PreparedStacks) -> None:
        (plan,) = await prepared.plan_stacks([stack.stack])
        assert [change.address for change in plan.summary.created] == ["terraform_data.first"]
        await change_the_state(prepared, second="of another run")
        stack.write_resources(first={"input": "planned"})
        await apply_plan(prepared, plan, agree=asked)

    with_prepared_stacks(stack, work)
    (again,) = asked.plans
    assert [change.address for change in again.summary.destroyed] == ["terraform_data.second"]
    assert inputs(stack) == {"first": "planned"}
    assert "The state of tried-e has changed since it was planned." in capsys.readouterr().err


def test_a_new_plan_that_is_declined_leaves_what_the_other_run_has_made(
    stack: TerraformFolder,
) -> None:
    async def work(prepared: PreparedStacks) -> None:
        (plan,) = await prepared.plan_stacks([stack.stack])
        await change_the_state(prepared, second="of another run")
        stack.write_resources(first={"input": "planned"})
        await apply_plan(prepared, plan, agree=refuse)

    with pytest.raises(OpsError, match="Not that one"):
        with_prepared_stacks(stack, work)
    assert inputs(stack) == {"second": "of another run"}


def test_nobody_is_asked_about_what_another_run_has_done_already(stack: TerraformFolder) -> None:
    async def work(prepared: PreparedStacks) -> None:
        (plan,) = await prepared.plan_stacks([stack.stack])
        await change_the_state(prepared, first="planned")
        await apply_plan(prepared, plan, agree=refuse)

    with_prepared_stacks(stack, work)
    assert inputs(stack) == {"first": "planned"}


def test_it_is_planned_anew_once_only(stack: TerraformFolder) -> None:
    async def work(prepared: PreparedStacks) -> None:
        async def deploy_meanwhile(plan: StackPlan) -> None:
            await change_the_state(prepared, first="again")
            stack.write_resources(first={"input": "planned"})

        (plan,) = await prepared.plan_stacks([stack.stack])
        await change_the_state(prepared, first="of another run")
        stack.write_resources(first={"input": "planned"})
        await apply_plan(prepared, plan, agree=deploy_meanwhile)

    with pytest.raises(PlanIsStale) as stale:
        with_prepared_stacks(stack, work)
    assert inputs(stack) == {"first": "again"}
    assert "Nothing of the plan was applied." in str(stale.value.next_step)


def test_a_destruction_that_is_planned_anew_is_one_again(stack: TerraformFolder) -> None:
    asked = Agreed()

    async def work(prepared: PreparedStacks) -> None:
        await change_the_state(prepared, first="planned")
        (plan,) = await prepared.plan_stacks([stack.stack], destroy=True)
        await change_the_state(prepared, first="planned", second="of another run")
        await apply_plan(prepared, plan, agree=asked)

    with_prepared_stacks(stack, work)
    assert len(asked.plans[0].summary.destroyed) == 2
    assert inputs(stack) == {}


def test_only_its_owner_can_read_a_plan_and_it_goes_once_it_is_applied(
    stack: TerraformFolder,
) -> None:
    found: list[Path] = []

    async def work(prepared: PreparedStacks) -> None:
        (plan,) = await prepared.plan_stacks([stack.stack])
        file = prepared.terraform.plan_file(stack.stack)
        found.append(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        await apply_plan(prepared, plan, agree=refuse)
        assert not file.exists()
        await prepared.plan_stacks([stack.stack])

    with_prepared_stacks(stack, work)
    assert not found[0].exists()
    assert not list(stack.stack.folder.glob("*.tfplan*"))


def test_a_plan_that_is_kept_for_others_is_kept_from_strangers(stack: TerraformFolder) -> None:
    stack.plan()
    kept = sorted(stack.stack.folder.glob("prod-e.tfplan*"))
    assert [file.name for file in kept] == ["prod-e.tfplan", "prod-e.tfplan.json"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept} == {0o600}
