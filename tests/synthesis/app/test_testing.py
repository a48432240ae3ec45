"""What prod-e gives to tests of other people's apps."""

from pathlib import Path

import pytest
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue

from prod_e import EnvironmentStacks, FargateService, Network, Statement
from prod_e.testing import synthesise_settings, synthesised
from tests.support.synthesised import MINIMAL


def test_a_stack_of_anybodys_app_is_asked_by_type_and_meaning() -> None:
    stack = TerraformStack(App(), "web-service")
    AwsProvider(stack, "aws", region="us-west-2")
    network = Network(stack, "network")
    FargateService(stack, "web", network=network, image="nginxinc/nginx:1", port=8080)
    found = synthesised(stack)
    assert found.container()["portMappings"][0]["containerPort"] == 8080
    with pytest.raises(AssertionError, match="0 of aws_lb with"):
        found.one("aws_lb")


def test_settings_are_asked_with_what_the_app_adds_to_them(tmp_path: Path) -> None:
    def extend(stacks: EnvironmentStacks) -> None:
        queue = SqsQueue(stacks.main, "jobs", name="jobs")
        stacks.main.services["backend"].add_to_task_policy(
            Statement(actions=("sqs:SendMessage",), resources=(queue.arn,))
        )

    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "Dockerfile").write_text("FROM scratch\n")
    settings = tmp_path / "tiny-e.toml"
    settings.write_text(MINIMAL)
    stacks = synthesise_settings(settings, project_folder=tmp_path, extend=extend)
    assert set(stacks) == {"tiny-e-registry", "tiny-e-image", "tiny-e"}
    statements = stacks["tiny-e"].role_statements("tiny-e-backend-task")
    assert any("sqs:SendMessage" in each["Action"] for each in statements)
