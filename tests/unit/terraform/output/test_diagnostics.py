"""Every failure of Terraform is told with its cause and the way on."""

import re
from pathlib import Path

import pytest

from prod_e_ops.errors import (
    CredentialsMissing,
    DependencyLockMismatch,
    OpsError,
    PlanIsStale,
    ProviderUnavailable,
    UserMistake,
)
from prod_e_ops.terraform.output.diagnostics import Diagnostic, explain, parse_text

LOCKED = """\
Error message: resource temporarily unavailable
Lock Info:
  ID:        1234-abcd
  Path:      terraform.tfstate
  Operation: OperationTypeApply
  Who:       her@machine
  Created:   2026-11-29 12:00:00 UTC
"""


@pytest.mark.parametrize(
    ("error", "cause", "told", "way_on"),
    [
        (
            Diagnostic(
                "Failed to install provider",
                "the local package for registry.terraform.io/hashicorp/aws 5.100.0 doesn't match"
                " any of\nthe checksums previously recorded",
            ),
            DependencyLockMismatch,
            "hashicorp/aws 5.100.0 has another checksum here than in .terraform.lock.hcl",
            "providers lock",
        ),
        (
            Diagnostic("It doesn't match any of the checksums", ""),
            DependencyLockMismatch,
            "a provider has another checksum",
            "do not use this provider",
        ),
        (
            Diagnostic(
                "Failed to query available provider packages",
                "Could not retrieve the list of available versions for provider"
                " registry.terraform.io/kreuzwerker/docker",
            ),
            ProviderUnavailable,
            "the provider kreuzwerker/docker cannot be found",
            "TF_PLUGIN_MIRROR_DIR",
        ),
        (
            Diagnostic("Failed to resolve provider packages", "provider hashicorp/aws"),
            ProviderUnavailable,
            "the provider hashicorp/aws cannot be found",
            "terraform providers mirror",
        ),
        (
            Diagnostic("Failed to install provider", ""),
            ProviderUnavailable,
            "the provider it needs cannot be found",
            "Check the network",
        ),
        (
            Diagnostic("Saved plan is stale", ""),
            PlanIsStale,
            "its state has changed since it was planned",
            "run the command again",
        ),
        (
            Diagnostic("Saved plan does not match the given state", ""),
            PlanIsStale,
            "its state has changed",
            "Nothing of the plan was applied",
        ),
        (
            Diagnostic("Unsupported state file format", ""),
            OpsError,
            "its state file cannot be read",
            ".backup",
        ),
        (
            Diagnostic("Error acquiring the state lock", LOCKED),
            OpsError,
            "state is locked by her@machine (OperationTypeApply, since 2026-11-29 12:00:00 UTC)",
            "terraform -chdir=cdktf.out/stacks/tiny-e force-unlock 1234-abcd",
        ),
        (
            Diagnostic("Error acquiring the state lock", "Lock Info:"),
            OpsError,
            "its state is locked by another run (run, since unknown)",
            "force-unlock <lock id>",
        ),
        (
            Diagnostic("Backend configuration changed", ""),
            UserMistake,
            "the settings' [state] is not where the state is",
            "npx cdktf deploy tiny-e --migrate-state",
        ),
        (
            Diagnostic("Backend initialization required, please run init", ""),
            UserMistake,
            "[state]",
            "--migrate-state",
        ),
        (
            Diagnostic("AWS account ID not allowed: 1", ""),
            UserMistake,
            "another account than the settings' `account`",
            "AWS_PROFILE",
        ),
        (
            Diagnostic("No valid credential sources found", ""),
            CredentialsMissing,
            "there are no AWS credentials",
            "aws configure",
        ),
        (
            Diagnostic("x", "no EC2 IMDS role found"),
            CredentialsMissing,
            "there are no AWS credentials",
            "aws sso login",
        ),
        (
            Diagnostic("failed to get shared config profile, other", ""),
            UserMistake,
            "the AWS profile does not exist",
            "aws configure list-profiles",
        ),
        *(
            (
                Diagnostic("x", said),
                UserMistake,
                "AWS does not accept the credentials",
                "aws sso login",
            )
            for said in (
                "ExpiredToken: it is", "the token it has is expired", "InvalidClientTokenId",
                "UnrecognizedClientException",
            )
        ),
        *(
            (Diagnostic("x", said), OpsError, "AWS cannot be reached", "AWS_ENDPOINT_URL")
            for said in (
                "connection refused", "no such host", "network is unreachable", "i/o timeout",
                "request send failed",
            )
        ),
        (
            Diagnostic(
                "Instance cannot be destroyed",
                "Resource aws_db_instance.a has\nlifecycle.prevent_destroy set",
            ),
            UserMistake,
            "the plan destroys a resource that the settings protect",
            "`terraform -chdir=cdktf.out/stacks/tiny-e untaint aws_db_instance.a`",
        ),
        (
            Diagnostic("Instance cannot be destroyed", ""),
            UserMistake,
            "that the settings protect",
            "untaint ADDRESS",
        ),
        *(
            (
                Diagnostic("x", said),
                OpsError,
                "AWS has something already that it creates",
                "take over",
            )
            for said in (
                "RepositoryAlreadyExistsException", "the role already exists",
                "BucketAlreadyOwnedByYou", "Resource.AlreadyAssociated", "AlreadyInUse",
                "InvalidGroup.Duplicate: it", "DuplicateLoadBalancerName", "DuplicateListener",
                "DuplicateTargetGroupName", "DuplicateItem", "PriorityInUse",
                "Creation of service was not idempotent",
            )
        ),
        (
            Diagnostic("Something else", ""),
            OpsError,
            "terraform apply failed for the stack tiny-e.",
            "continues from its state",
        ),
    ],
)  # fmt: skip
def test_it_has_a_cause_and_a_way_on(
    error: Diagnostic, cause: type[OpsError], told: str, way_on: str
) -> None:
    explained = explain("apply", "tiny-e", [error])
    assert type(explained) is cause
    assert explained.message.startswith("terraform apply failed for the stack tiny-e")
    assert told in explained.message
    assert way_on in str(explained.next_step)


def test_what_terraform_says_is_shown_and_where_the_rest_is() -> None:
    errors = [Diagnostic(f"Error {number}") for number in range(14)]
    told = explain("apply", "tiny-e", errors, left="2 were made.", log=Path("/tmp/a.log"))
    assert told.details == (
        *(f"Error {number}" for number in range(12)),
        "and 2 more",
        "2 were made.",
        "All that Terraform wrote: /tmp/a.log",
    )
    assert explain("apply", "tiny-e", errors[:12]).details[-1] == "Error 11"
    assert explain("apply", "tiny-e", []).details == ("It gave no reason.",)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Diagnostic("It failed"), "It failed"),
        (
            Diagnostic("It failed", " for\n a  reason ", "aws_lb.a"),
            "aws_lb.a: It failed: for a reason",
        ),
        (Diagnostic("It failed", "x" * 299), f"It failed: {'x' * 299}"),
        (Diagnostic("It failed", "x" * 300), f"It failed: {'x' * 300}…"),
    ],
)
def test_an_error_is_one_line(error: Diagnostic, line: str) -> None:
    assert error.line == line


def test_an_error_is_read_from_json() -> None:
    values = {"summary": "It failed", "detail": "Why.", "address": "aws_lb.a"}
    assert Diagnostic.of(values) == Diagnostic("It failed", "Why.", "aws_lb.a")
    assert Diagnostic.of({"address": None}) == Diagnostic("")
    assert Diagnostic.of(values).text == "It failed\nWhy."


def test_errors_are_found_in_what_terraform_shows_to_people() -> None:
    shown = (
        "Initializing...\n\x1b[31m╷\x1b[0m\n\x1b[31m│\x1b[0m Error: One\n│ \n│   why\n╵\n"
        "╷\n│ Error: Two\n╵\n"
    )
    one, two = parse_text(shown)
    assert (one.summary, two) == ("One", Diagnostic("Two"))
    assert re.sub(r"\s+", " ", one.detail) == "why"
    assert parse_text("All is well.") == []
