"""What a person is shown of what Terraform says while it works."""

from typing import Any

import pytest

from prod_e_ops.terraform.output.events import Event


def said(kind: str, message: str, *, of: str = "hook", **change: Any) -> dict[str, Any]:
    """A line of Terraform 1.11 with -json. `change`: what its `hook` or `change` holds."""
    if not change:
        return {"type": kind, "@message": message}
    resource = {"addr": change.pop("address")}
    return {"type": kind, "@message": message, of: {"resource": resource, **change}}


@pytest.mark.parametrize(
    ("line", "doing"),
    [
        (
            said("refresh_start", "aws_lb.a: Refreshing state... [id=1]", address="aws_lb.a"),
            "read aws_lb.a",
        ),
        (
            said("apply_start", "aws_lb.a: Creating...", address="aws_lb.a", action="create"),
            "create aws_lb.a",
        ),
        (
            said(
                "apply_progress",
                "aws_lb.a: Still creating... [10s elapsed]",
                address="aws_lb.a",
                action="create",
                elapsed_seconds=10,
            ),
            "create aws_lb.a",
        ),
        (
            said("apply_start", "aws_lb.a: Modifying...", address="aws_lb.a", action="update"),
            "change aws_lb.a",
        ),
        (
            said("apply_start", "aws_lb.a: Destroying...", address="aws_lb.a", action="delete"),
            "destroy aws_lb.a",
        ),
        (
            said(
                "apply_errored",
                "aws_lb.a: Creation errored after 1s",
                address="aws_lb.a",
                action="create",
            ),
            "aws_lb.a failed",
        ),
    ],
    ids=["read", "create", "wait", "change", "destroy", "fail"],
)
def test_what_it_does_to_a_resource_is_shown(line: dict[str, Any], doing: str) -> None:
    assert Event.of("tiny-e", line).doing == doing


@pytest.mark.parametrize(
    "line",
    [
        said("version", "Terraform 1.11.4"),
        said("refresh_complete", "aws_lb.a: Refresh complete [id=1]", address="aws_lb.a"),
        said(
            "resource_drift",
            "aws_lb.a: Drift detected (update)",
            of="change",
            address="aws_lb.a",
            action="update",
        ),
        said(
            "planned_change",
            "aws_lb.a: Plan to create",
            of="change",
            address="aws_lb.a",
            action="create",
        ),
        said("change_summary", "Plan: 1 to add, 0 to change, 0 to destroy."),
        said(
            "apply_complete",
            "aws_lb.a: Creation complete after 12s [id=arn:aws:elasticloadbalancing]",
            address="aws_lb.a",
            action="create",
        ),
        said("outputs", "Outputs: 6"),
    ],
    ids=lambda line: str(line["type"]),
)
def test_what_else_it_says_is_not(line: dict[str, Any]) -> None:
    assert Event.of("tiny-e", line).doing == ""
