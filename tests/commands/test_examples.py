"""The examples are synthesised, checked with the real provider, deployed and taken down again."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.request import urlopen

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from prod_e_ops.project.project import Stack
from prod_e_ops.terminal.processes import ChildProcesses
from prod_e_ops.terraform.find import find_terraform
from prod_e_ops.terraform.runner import Terraform
from tests.embedded.world import eventually, write_source
from tests.support.aws.aws_clients import client_of
from tests.support.aws.existing_resources import infrastructure, make_existing_resources
from tests.support.project.project_folder import PROJECT, make_project
from tests.support.terraform.terraform_program import needs_aws_provider

T = TypeVar("T")

EXAMPLES = sorted((PROJECT / "examples").glob("*.py"))


def run_app(*arguments: str | Path, folder: Path) -> None:
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")


def synthesise(example: Path, folder: Path) -> Stack:
    """Synthesises an example in `folder`, for the tested version of the provider."""
    run_app("-m", "prod_e", example, folder=folder)
    (stack,) = (folder / "cdktf.out" / "stacks").iterdir()
    # The bindings ask for the provider that they were made from, which is not the tested one.
    json_file = stack / "cdk.tf.json"
    json_file.write_text(
        re.sub(r'("source": "aws",\s*"version": )"[^"]*"', r'\1"~> 5.100"', json_file.read_text())
    )
    return Stack(stack.name, stack)


def with_terraform(
    work: Callable[[Terraform], Awaitable[T]],
    folder: Path,
    variables: Mapping[str, str] | None = None,
) -> T:
    processes = ChildProcesses(lambda _: None)

    async def run() -> T:
        async with find_terraform(
            processes, cache_folder=folder / "cache", environment=variables
        ) as terraform:
            return await work(terraform)

    return processes.run(run())


def validate(stack: Stack, folder: Path) -> None:
    """Raises unless the real provider accepts the stack."""

    async def work(terraform: Terraform) -> None:
        await terraform.init(stack)
        await terraform.validate(stack)

    with_terraform(work, folder)


@needs_aws_provider
@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_accepted_by_the_real_provider(example: Path, tmp_path: Path) -> None:
    validate(synthesise(example, tmp_path), tmp_path)


@pytest.fixture
def with_tasks(tmp_path: Path) -> Iterator[EmbeddedAws]:
    """An embedded AWS where a program of ours stands in for the web example's nginx."""
    write_source(tmp_path / "nginx", "nginx")
    data_plane = DataPlane(
        sources={"nginxinc/nginx-unprivileged": tmp_path / "nginx"},
        runtime="process",
        cache_folder=tmp_path / "builds",
    )
    with EmbeddedAws(data_plane=data_plane) as aws:
        yield aws


def apply(stack: Stack, folder: Path, aws: EmbeddedAws, **variables: str) -> Mapping[str, str]:
    """Deploys a stack, asserts that a second plan is empty, and returns the outputs."""

    async def work(terraform: Terraform) -> Mapping[str, str]:
        await terraform.init(stack)
        assert (await terraform.plan(stack)).created
        await terraform.apply(stack)
        again = await terraform.plan(stack)
        assert again.is_empty, again
        return await terraform.outputs(stack)

    given = {f"TF_VAR_{name}": value for name, value in variables.items()}
    return with_terraform(work, folder, {**aws.environment(), **given})


def destroy(stack: Stack, folder: Path, aws: EmbeddedAws, **variables: str) -> None:
    """Lifts the protection of what the stack made, as a user would have to, and destroys it."""
    lifted = {"lifecycle": {"prevent_destroy": False}}
    databases = dict.fromkeys(stack.resources.get("aws_db_instance", {}), lifted)
    (stack.folder / "unprotected_override.tf.json").write_text(
        json.dumps({"resource": {"aws_db_instance": databases}} if databases else {})
    )
    for database in stack.resources.get("aws_db_instance", {}).values():
        client_of(aws, "rds").modify_db_instance(
            DBInstanceIdentifier=database["identifier"],
            DeletionProtection=False,
            ApplyImmediately=True,
        )
    if "aws_lb" in stack.resources:
        elb = client_of(aws, "elbv2")
        for balancer in elb.describe_load_balancers()["LoadBalancers"]:
            elb.modify_load_balancer_attributes(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
            )

    async def work(terraform: Terraform) -> None:
        await terraform.init(stack)
        await terraform.plan(stack, destroy=True)
        await terraform.apply(stack)
        assert not await terraform.resources(stack)

    given = {f"TF_VAR_{name}": value for name, value in variables.items()}
    with_terraform(work, folder, {**aws.environment(), **given})


@needs_aws_provider
@pytest.mark.slow
def test_the_web_service_answers_and_goes_again(tmp_path: Path, with_tasks: EmbeddedAws) -> None:
    stack = synthesise(PROJECT / "examples" / "web_service.py", tmp_path)
    before = infrastructure(with_tasks)
    apply(stack, tmp_path, with_tasks)

    def answers() -> bool:
        (listener,) = with_tasks.listeners()
        with urlopen(listener["url"], timeout=10) as answer:
            return bool(answer.status == 200)

    assert eventually("the load balancer has tasks", answers)
    destroy(stack, tmp_path, with_tasks)
    assert infrastructure(with_tasks) == before


@needs_aws_provider
@pytest.mark.slow
def test_the_two_services_and_their_queue_are_deployed_and_go_again(
    tmp_path: Path, aws: EmbeddedAws
) -> None:
    stack = synthesise(PROJECT / "examples" / "services_and_queue.py", tmp_path)
    before = infrastructure(aws)
    assert apply(stack, tmp_path, aws)["url"].startswith("http://")
    ecs, sqs = client_of(aws, "ecs"), client_of(aws, "sqs")
    (queue,) = sqs.list_queues()["QueueUrls"]
    families = sorted(ecs.list_task_definition_families(familyPrefix="shop-")["families"])
    for family in families:
        definition = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
        migration, container = sorted(
            definition["containerDefinitions"], key=lambda each: each["name"] == family
        )
        assert migration["name"] == f"{family}-db-migration"
        assert {"name": "ORDERS_URL", "value": queue} in container["environment"]
    assert families == ["shop-api", "shop-worker"]
    destroy(stack, tmp_path, aws)
    assert infrastructure(aws) == before


@needs_aws_provider
@pytest.mark.slow
def test_the_service_in_an_app_of_ones_own_is_deployed_and_leaves_what_was_there(
    tmp_path: Path, aws: EmbeddedAws
) -> None:
    stack = synthesise(PROJECT / "examples" / "in_a_cdktf_app.py", tmp_path)
    existing = make_existing_resources(aws)
    variables = {
        "vpc_id": existing.vpc_id,
        "subnet_a": existing.private_subnet_ids[0],
        "subnet_b": existing.private_subnet_ids[1],
        "listener_arn": existing.listener_arn,
        "alb_security_group_id": existing.load_balancer_group,
        "database_security_group_id": existing.database_group,
    }
    before = infrastructure(aws)
    apply(stack, tmp_path, aws, **variables)
    (service,) = client_of(aws, "ecs").list_services(cluster="company")["serviceArns"]
    assert service.endswith("-service")
    assert infrastructure(aws) == before
    destroy(stack, tmp_path, aws, **variables)
    assert infrastructure(aws) == before


def with_the_queue_of_main_py(tmp_path: Path) -> Stack:
    """The stack of a project whose main.py does what its documentation shows."""
    folder = make_project(
        tmp_path / "project", **{"tiny-e": 'name = "tiny-e"\n[services.backend]\n'}
    )
    text = (folder / "main.py").read_text()
    shown = re.search(
        r'^    from cdktf_cdktf_provider_aws\.sqs_queue.*?(?=^    """)', text, re.M | re.S
    )
    assert shown
    end_of_docstring = shown.end() + len('    """\n')
    (folder / "main.py").write_text(text[:end_of_docstring] + shown[0] + text[end_of_docstring:])
    run_app("main.py", folder=folder)
    return Stack("tiny-e", folder / "cdktf.out" / "stacks" / "tiny-e")


def test_the_lines_in_main_py_add_a_queue_that_the_service_may_send_to(tmp_path: Path) -> None:
    json_text = with_the_queue_of_main_py(tmp_path).json_file.read_text()
    assert "tiny-e-jobs" in json_text
    assert '\\"JOBS_URL\\", \\"value\\": \\"${aws_sqs_queue.jobs.url}' in json_text
    assert "sqs:SendMessage" in json_text


@needs_aws_provider
@pytest.mark.slow
def test_the_lines_in_main_py_are_accepted_by_the_real_provider(tmp_path: Path) -> None:
    validate(with_the_queue_of_main_py(tmp_path), tmp_path)
