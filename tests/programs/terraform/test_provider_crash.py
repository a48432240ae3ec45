"""A provider that ends while Terraform talks to it is told by name, and its output is kept."""

import json
import re
from pathlib import Path

import pytest

from prod_e_ops.errors import OpsError, ProviderCrashed, UserMistake
from prod_e_ops.terraform.output.diagnostics import Diagnostic, parse_text
from prod_e_ops.terraform.providers.crash import _SIGNS, crash_of
from prod_e_ops.terraform.runner import Terraform
from tests.support.terraform.dying_provider import PANIC, add_dying_provider
from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform

SOURCE, VERSION = "tests/mortal", "1.2.3"


@pytest.fixture
def terraform(tmp_path: Path) -> TerraformFolder:
    folder = TerraformFolder(tmp_path)
    folder.write(
        terraform={"required_providers": {"mortal": {"source": SOURCE, "version": VERSION}}},
        resource={"mortal_thing": {"a": {}}},
    )
    return folder


def crash(
    terraform: TerraformFolder, action: str, *, last_words: str = "", **variables: str
) -> ProviderCrashed:
    mirror = terraform.folder / "mirror"
    add_dying_provider(mirror, SOURCE, VERSION, last_words=last_words)
    configuration = terraform.folder / "terraform.rc"
    configuration.write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{mirror}" }} }}\n'
    )

    async def work(program: Terraform) -> None:
        await program.init(terraform.stack)
        await getattr(program, action)(terraform.stack)

    with pytest.raises(OpsError) as failure:
        terraform.run(work, {"TF_CLI_CONFIG_FILE": str(configuration), **variables})
    assert isinstance(failure.value, ProviderCrashed), failure.value.details
    return failure.value


@needs_terraform
@pytest.mark.parametrize("action", ["validate", "plan"])
def test_it_is_named_with_its_version_and_its_stack(
    terraform: TerraformFolder, action: str
) -> None:
    failure = crash(terraform, action)
    assert failure.exit_status == 1
    assert failure.message == (
        f"terraform {action} failed for the stack tried-e: the provider tests/mortal 1.2.3 crashed."
    )
    assert not isinstance(failure, UserMistake)


@needs_terraform
@pytest.mark.parametrize("action", ["validate", "plan"])
def test_what_terraform_wrote_is_kept_for_the_user_alone(
    terraform: TerraformFolder, action: str
) -> None:
    failure = crash(terraform, action, last_words=PANIC)
    log = terraform.stack.folder / f"tried-e-{action}.log"
    assert failure.details[-1] == f"All that Terraform wrote: {log}"
    assert PANIC in log.read_text()
    # How far it came decides which of Terraform's words for it these are.
    assert _SIGNS.search(log.read_text())
    assert log.stat().st_mode & 0o777 == 0o600


@needs_terraform
def test_its_panic_is_the_reason_where_it_has_one(terraform: TerraformFolder) -> None:
    failure = crash(terraform, "plan", last_words=PANIC)
    assert failure.details[0] == "panic: runtime error: index out of range [3] with length 3"


@needs_terraform
def test_the_way_to_its_own_log_is_shown_and_leads_there(terraform: TerraformFolder) -> None:
    last_words = "Error creating registry request: illegal base64 data\n"
    told = str(crash(terraform, "plan", last_words=last_words).next_step)
    variables = dict(re.findall(r"(TF_LOG\w*)=(\S+?)\.?(?=\s|$)", told))
    assert set(variables) == {"TF_LOG_PROVIDER", "TF_LOG_PATH"}
    own = terraform.folder / "provider.log"
    again = TerraformFolder(terraform.folder / "again")
    again.folder.mkdir()
    again.write(**json.loads(terraform.stack.json_file.read_text()))
    variables["TF_LOG_PATH"] = variables["TF_LOG_PATH"].replace("$PWD", str(terraform.folder))
    failure = crash(again, "plan", last_words=last_words, **variables)
    assert last_words.strip() in own.read_text()
    assert f"the provider's own log, {own};" in str(failure.next_step)


# What Terraform 1.11.4 answers when kreuzwerker/docker 3.6.2 ends while it is configured.
CONFIGURING = {
    "summary": "Plugin did not respond",
    "detail": "The plugin encountered an error, and failed to respond to the"
    " plugin.(*GRPCProvider).ConfigureProvider call. The plugin logs may contain more details.",
    "address": 'provider["registry.terraform.io/kreuzwerker/docker"]',
}


@pytest.mark.parametrize(
    ("errors", "output", "told"),
    [
        ([Diagnostic.of(CONFIGURING)], "", "kreuzwerker/docker"),
        (
            [Diagnostic.of({**CONFIGURING, "address": "docker_image.backend"})],
            "",
            "kreuzwerker/docker",
        ),
        (
            [Diagnostic.of({**CONFIGURING, "address": "data.aws_caller_identity.caller"})],
            "",
            "hashicorp/aws",
        ),
        ([], "Error: The terraform-provider-aws_v5.100.0_x5 plugin crashed!", "hashicorp/aws"),
        (
            [Diagnostic.of({**CONFIGURING, "address": ""})],
            "",
            "hashicorp/aws or kreuzwerker/docker",
        ),
    ],
)
def test_it_is_found_out_which_of_a_stacks_providers_it_was(
    tmp_path: Path, errors: list[Diagnostic], output: str, told: str
) -> None:
    stack = TerraformFolder(tmp_path)
    required = {"aws": {"source": "aws"}, "docker": {"source": "kreuzwerker/docker"}}
    stack.write(terraform={"required_providers": required})
    failure = crash_of(
        stack.stack, "plan", errors, output=output, logs=tmp_path / "logs", environment={}
    )
    assert failure is not None
    assert failure.reason == f"the provider {told} crashed"


def test_it_is_found_in_lines_that_terraform_has_broken_for_a_terminal(tmp_path: Path) -> None:
    stack = TerraformFolder(tmp_path)
    stack.write(terraform={"required_providers": {"aws": {"source": "aws"}}})
    output = (
        "╷\n│ Error: Plugin did not\n│ respond\n│ \n│   with"
        ' provider["registry.terraform.io/hashicorp/aws"],\n'
        "│ The plugin\n│ encountered an error\n╵\n"
    )
    failure = crash_of(
        stack.stack,
        "apply",
        parse_text(output),
        output=output,
        logs=tmp_path,
        environment={},
        left="Changes made before that, and kept in the state: 3 of 9.",
    )
    assert failure is not None
    assert failure.reason == "the provider hashicorp/aws crashed"
    assert "Changes made before that, and kept in the state: 3 of 9." in failure.details


def test_another_failure_is_none_of_a_provider_and_keeps_nothing(tmp_path: Path) -> None:
    stack = TerraformFolder(tmp_path)
    stack.write(terraform={"required_providers": {"aws": {"source": "aws"}}})
    errors = [Diagnostic("Unsupported argument", "An argument named x is not expected here.")]
    logs = tmp_path / "logs"
    assert (
        crash_of(stack.stack, "plan", errors, output="Unsupported", logs=logs, environment={})
        is None
    )
    assert not logs.exists()
