"""What goes wrong in Terraform is told as a message, a next step and an exit status."""

import fcntl
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import EmbeddedAws
from prod_e_ops.errors import OpsError, ProviderUnavailable, UserMistake
from prod_e_ops.terraform.output.diagnostics import Diagnostic, explain, parse_text
from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "given",
    "AWS_SECRET_ACCESS_KEY": "given",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}


@pytest.fixture(autouse=True)
def no_credentials_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)


@pytest.fixture
def terraform(tmp_path: Path) -> TerraformFolder:
    return TerraformFolder(tmp_path)


def failure_of(work: Callable[[], object]) -> OpsError:
    with pytest.raises(OpsError) as failure:
        work()
    return failure.value


def s3_state(**arguments: Any) -> Mapping[str, Any]:
    """A stack whose state is in S3: Terraform asks AWS with no provider at all."""
    return {
        "terraform": {
            "backend": {
                "s3": {"bucket": "states", "key": "state", "region": "us-west-2", **arguments}
            }
        }
    }


def needs_provider(version: str) -> Mapping[str, Any]:
    return {
        "terraform": {
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": version}}
        }
    }


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """An AWS on the loopback interface that gives every request the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Stays silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@needs_terraform
def test_a_provider_that_no_mirror_has_is_named(terraform: TerraformFolder) -> None:
    (terraform.folder / "empty").mkdir()
    configuration = terraform.folder / "terraform.rc"
    configuration.write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{terraform.folder}/empty" }} }}\n'
    )
    terraform.write(**needs_provider(">= 5"))
    failure = failure_of(lambda: terraform.init({"TF_CLI_CONFIG_FILE": str(configuration)}))
    assert isinstance(failure, ProviderUnavailable)
    assert failure.exit_status == 1
    assert "the provider hashicorp/aws cannot be found" in failure.message
    assert "was not found in any of the search locations" in failure.details[0]
    assert "Initializing" not in failure.details[0]
    assert "TF_PLUGIN_MIRROR_DIR" in str(failure.next_step)


@needs_terraform
def test_a_registry_that_cannot_be_reached_is_told(terraform: TerraformFolder) -> None:
    configuration = terraform.folder / "terraform.rc"
    configuration.write_text("")
    terraform.write(**needs_provider(">= 5"))
    variables = {
        "TF_CLI_CONFIG_FILE": str(configuration),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "",
    }
    failure = failure_of(lambda: terraform.init(variables))
    assert isinstance(failure, ProviderUnavailable)
    assert "could not connect to registry.terraform.io" in failure.details[0]


@needs_terraform
def test_a_state_that_another_run_holds_says_whose_run_it_is(terraform: TerraformFolder) -> None:
    terraform.write_resources(a={"input": "a"})
    terraform.apply()
    folder = terraform.stack.folder
    held = {
        "ID": "11-22",
        "Operation": "OperationTypeApply",
        "Who": "ada@desk",
        "Created": "2026-01-02T03:04:05.6Z",
    }
    (folder / ".terraform.tfstate.lock.info").write_text(json.dumps(held))
    with (folder / "terraform.tfstate").open("r+") as state:
        fcntl.lockf(state, fcntl.LOCK_EX)
        failed = subprocess.run(
            ["terraform", "plan"], cwd=folder, capture_output=True, text=True, check=False
        )
    failure = explain("plan", "tried-e", parse_text(failed.stderr))
    assert failure.exit_status == 1
    assert "locked by ada@desk (OperationTypeApply, since 2026-01-02 03:04:05" in failure.message
    assert "force-unlock 11-22" in str(failure.next_step)


@needs_terraform
def test_a_half_written_state_is_not_taken_for_a_locked_one(terraform: TerraformFolder) -> None:
    terraform.write_resources(a={"input": "a"})
    terraform.apply()
    (terraform.stack.folder / "terraform.tfstate").write_text('{"version": 4, "res')
    failure = failure_of(terraform.plan)
    assert failure.exit_status == 1
    assert "its state file cannot be read" in failure.message
    assert ".backup" in str(failure.next_step)


@needs_terraform
def test_a_state_that_is_elsewhere_now_can_be_moved(terraform: TerraformFolder) -> None:
    terraform.write_resources(a={"input": "a"})
    terraform.init()
    terraform.write(terraform={"backend": {"local": {"path": "elsewhere.tfstate"}}})
    failure = failure_of(terraform.init)
    assert isinstance(failure, UserMistake)
    assert "[state]" in failure.message
    assert "--migrate-state" in str(failure.next_step)


@needs_terraform
def test_a_protected_resource_is_not_destroyed(terraform: TerraformFolder) -> None:
    terraform.write_resources(kept={"input": "a", "lifecycle": {"prevent_destroy": True}})
    terraform.apply()
    failure = failure_of(lambda: terraform.plan(destroy=True))
    assert isinstance(failure, UserMistake)
    assert failure.exit_status == 2
    assert "a resource that the settings protect" in failure.message
    assert "deletion_protection = false" in str(failure.next_step)
    assert "untaint terraform_data.kept`" in str(failure.next_step)


@needs_terraform
def test_missing_credentials_are_told(terraform: TerraformFolder) -> None:
    terraform.write(**s3_state())
    failure = failure_of(lambda: terraform.init({"AWS_EC2_METADATA_DISABLED": "true"}))
    assert isinstance(failure, UserMistake)
    assert "there are no AWS credentials" in failure.message
    assert "AWS_PROFILE" in str(failure.next_step)


@needs_terraform
def test_a_profile_that_does_not_exist_is_told(terraform: TerraformFolder) -> None:
    terraform.write(**s3_state())
    failure = failure_of(lambda: terraform.init({"AWS_PROFILE": "nobody"}))
    assert isinstance(failure, UserMistake)
    assert "the AWS profile does not exist" in failure.message
    assert "nobody" in failure.details[0]


@needs_terraform
@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "ExpiredToken"), (403, "InvalidClientTokenId"), (400, "UnrecognizedClientException")],
)
def test_credentials_that_aws_does_not_accept_are_to_be_renewed(
    terraform: TerraformFolder, status: int, code: str
) -> None:
    terraform.write(**s3_state())
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender'
        f"</Type><Code>{code}</Code><Message>No.</Message></Error></ErrorResponse>"
    )
    with answering(status, body) as url:
        failure = failure_of(lambda: terraform.init({**CREDENTIALS, "AWS_ENDPOINT_URL": url}))
    assert isinstance(failure, UserMistake)
    assert "AWS does not accept the credentials" in failure.message
    assert code in failure.details[0]
    assert "aws sso login" in str(failure.next_step)


@needs_terraform
def test_an_aws_that_cannot_be_reached_is_an_outage(terraform: TerraformFolder) -> None:
    terraform.write(**s3_state(max_retries=1))
    variables = {**CREDENTIALS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    failure = failure_of(lambda: terraform.init(variables))
    assert not isinstance(failure, UserMistake)
    assert failure.exit_status == 1
    assert "AWS cannot be reached" in failure.message
    assert "AWS_ENDPOINT_URL" in str(failure.next_step)


@needs_terraform
def test_credentials_of_another_account_are_told(terraform: TerraformFolder) -> None:
    terraform.write(**s3_state(allowed_account_ids=["999999999999"]))
    with EmbeddedAws() as aws:
        failure = failure_of(lambda: terraform.init(aws.environment()))
    assert isinstance(failure, UserMistake)
    assert "another account than the settings' `account`" in failure.message
    assert "AWS_PROFILE" in str(failure.next_step)


@needs_terraform
def test_an_unknown_failure_shows_terraforms_own_words(terraform: TerraformFolder) -> None:
    terraform.write_resources(a={"inputt": "a"})
    failure = failure_of(terraform.plan)
    assert failure.exit_status == 1
    assert failure.message == "terraform plan failed for the stack tried-e."
    assert failure.details == (
        'Extraneous JSON object property: No argument or block type is named "inputt". Did you'
        ' mean "input"?',
    )
    assert "run it again" in str(failure.next_step)


@needs_terraform
def test_json_that_terraform_refuses_fails_validation_with_its_words(
    terraform: TerraformFolder,
) -> None:
    terraform.write_resources(a={"inputt": "a"})
    failure = failure_of(lambda: terraform.run(lambda program: program.validate(terraform.stack)))
    assert "terraform validate failed" in failure.message
    assert "inputt" in failure.details[0]


@needs_terraform
def test_a_failed_apply_says_what_was_applied_before_and_keeps_it(
    terraform: TerraformFolder,
) -> None:
    fails = {"local-exec": {"command": "echo no such thing; exit 3"}}
    terraform.write_resources(
        made={"input": "a"},
        broken={"depends_on": ["terraform_data.made"], "provisioner": [fails]},
    )
    failure = failure_of(terraform.apply)
    assert failure.exit_status == 1
    assert "terraform_data.broken" in failure.details[0]
    assert "exit status 3" in failure.details[0]
    log = terraform.stack.folder / "tried-e-apply.log"
    assert failure.details[-2:] == (
        "Changes made before that, and kept in the state: 1.",
        f"All that Terraform wrote: {log}",
    )
    assert "exit status 3" in log.read_text()
    state = json.loads((terraform.stack.folder / "terraform.tfstate").read_text())
    assert {resource["name"] for resource in state["resources"]} == {"made", "broken"}


@needs_terraform
def test_the_reason_is_found_in_coloured_output_too(terraform: TerraformFolder) -> None:
    terraform.write_resources(a={"inputt": "a"})
    terraform.init()
    failed = subprocess.run(
        ["terraform", "plan"],
        cwd=terraform.stack.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "\x1b[31m" in failed.stderr
    (error,) = parse_text(failed.stderr)
    assert error.summary == "Extraneous JSON object property"
    assert 'named "inputt"' in error.detail


def test_many_errors_are_cut_short_and_counted() -> None:
    errors = [Diagnostic(f"Error {number}", address=f"a.b{number}") for number in range(20)]
    failure = explain("apply", "tried-e", errors, left="3 resources were applied.")
    assert failure.details[0] == "a.b0: Error 0"
    assert failure.details[-2:] == ("and 8 more", "3 resources were applied.")


@pytest.mark.parametrize(
    "summary",
    [
        "ELBv2 Load Balancer (tiny-e-alb) already exists",
        "creating IAM Role (a): operation error IAM: CreateRole, EntityAlreadyExists: Role with",
        "creating CloudWatch Logs Log Group (/ecs/a): ResourceAlreadyExistsException: The",
        "creating Security Group (a): InvalidGroup.Duplicate: The security group 'a'",
        "creating S3 Bucket (a): BucketAlreadyOwnedByYou: Your previous request",
        "creating RDS DB Instance (a): DBInstanceAlreadyExists: DB instance",
        "creating WAFv2 WebACL (a): WAFDuplicateItemException: AWS WAF couldn't",
        "creating ELBv2 Listener Rule: PriorityInUse: Priority '100' is currently in use",
        "creating ECS Service (a): Creation of service was not idempotent",
    ],
)
def test_what_aws_has_already_can_be_taken_over_by_the_next_run(summary: str) -> None:
    failure = explain("apply", "tried-e", [Diagnostic(summary)])
    assert "AWS has something already that it creates" in failure.message
    assert failure.details == (summary,)
    assert "prod-e:environment" in str(failure.next_step)


def test_a_failure_without_a_reason_says_so() -> None:
    assert explain("plan", "tried-e", []).details == ("It gave no reason.",)
