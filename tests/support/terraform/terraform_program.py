"""The real Terraform in a folder of its own, with nothing but its built-in resources."""

import json
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from prod_e_ops.project.project import Stack
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terraform.find import find_terraform
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from prod_e_ops.terraform.providers.mirror import find_provider_source
from prod_e_ops.terraform.runner import Terraform

T = TypeVar("T")

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="Terraform is not installed"
)

needs_aws_provider = pytest.mark.skipif(
    shutil.which("terraform") is None
    or (
        find_provider_source(os.environ).origin == "from Terraform's registry"
        and os.environ.get("PROD_E_TEST_WITH_REGISTRY") != "1"
    ),
    reason="no Terraform, or no mirror has the AWS provider; PROD_E_TEST_WITH_REGISTRY=1 asks the"
    " registry",
)


@dataclass(frozen=True)
class TerraformFolder:
    """A stack in `folder` whose JSON the test writes."""

    folder: Path

    @property
    def stack(self) -> Stack:
        return Stack("tried-e", self.folder / "stack")

    def write(self, **configuration: Any) -> None:
        self.stack.folder.mkdir(exist_ok=True)
        terraform = {"backend": {"local": {}}, **configuration.pop("terraform", {})}
        self.stack.json_file.write_text(json.dumps({"terraform": terraform, **configuration}))

    def write_resources(self, **resources: Mapping[str, Any]) -> None:
        """`resources`: those of the type `terraform_data`, which Terraform has built in."""
        self.write(resource={"terraform_data": resources})

    def run(
        self, work: Callable[[Terraform], Awaitable[T]], variables: Mapping[str, str] | None = None
    ) -> T:
        processes = ChildProcesses(lambda _: None)

        async def with_terraform() -> T:
            async with find_terraform(
                processes,
                cache_folder=self.folder / "cache",
                environment={**os.environ, "HOME": str(self.folder), **(variables or {})},
            ) as terraform:
                return await work(terraform)

        return processes.run(with_terraform())

    def init(self, variables: Mapping[str, str] | None = None) -> None:
        self.run(lambda terraform: terraform.init(self.stack), variables)

    def plan(self, *, destroy: bool = False) -> PlanSummary:
        async def work(terraform: Terraform) -> PlanSummary:
            await terraform.init(self.stack)
            return await terraform.plan(self.stack, destroy=destroy)

        return self.run(work)

    def has_changes(self) -> bool:
        async def work(terraform: Terraform) -> bool:
            await terraform.init(self.stack)
            return await terraform.save_plan(self.stack)

        return self.run(work)

    def apply(self) -> None:
        async def work(terraform: Terraform) -> None:
            await terraform.init(self.stack)
            await terraform.plan(self.stack)
            await terraform.apply(self.stack)

        self.run(work)
