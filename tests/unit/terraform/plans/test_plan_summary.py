"""What is read of a plan's JSON, and in which words it is counted."""

from typing import Any

import pytest

from prod_e_ops.terraform.plans.plan_changes import Change, PlanSummary


def resource(address: str, *actions: str, **more: Any) -> dict[str, Any]:
    """A resource of a plan. `change`: what else its change holds."""
    change = {"actions": list(actions), "before": None, "after": None, **more.pop("change", {})}
    return {"address": address, "type": address.partition(".")[0], "change": change, **more}


PLAN = {
    "resource_changes": [
        resource("aws_a.z", "create"),
        resource("aws_a.a", "create", change={"after": {"name": "a"}}),
        resource(
            "aws_b.a",
            "update",
            change={"before": {"x": 1, "y": 1, "z": 1}, "after": {"z": 1, "y": 2, "x": 2}},
        ),
        resource(
            "aws_c.a",
            "delete",
            "create",
            change={
                "before": {"x": 1},
                "after": {"x": 2},
                "replace_paths": [["x"], ["v", 0], ["x", "y"]],
            },
        ),
        resource("aws_c.b", "create", "delete", action_reason="replace_because_tainted"),
        resource("aws_c.c", "create", "delete", action_reason="replace_by_request"),
        resource("aws_c.d", "create", "delete", action_reason="replace_by_triggers"),
        resource("aws_ecs_task_definition.a", "create", "delete"),
        resource("aws_d.a", "delete", change={"before": {"name": "d"}}),
        resource("aws_e.a", "no-op", change={"importing": {"id": "e"}}),
        resource("aws_e.b", "no-op", previous_address="aws_e.old"),
        resource("aws_e.c", "forget"),
        resource("aws_e.d", "no-op"),
        resource("data.aws_f.a", "read", mode="data"),
    ],
    "output_changes": {
        "b": {"actions": ["update"]},
        "a": {"actions": ["create"]},
        "same": {"actions": ["no-op"]},
    },
}


def test_every_resource_is_under_what_happens_to_it() -> None:
    summary = PlanSummary.of(PLAN)
    found = {
        name: [change.address for change in getattr(summary, name)]
        for name in (
            "created", "changed", "replaced", "destroyed", "imported", "moved", "forgotten",
            "unchanged",
        )
    }  # fmt: skip
    assert found == {
        "created": ["aws_a.a", "aws_a.z"],
        "changed": ["aws_b.a"],
        "replaced": ["aws_c.a", "aws_c.b", "aws_c.c", "aws_c.d", "aws_ecs_task_definition.a"],
        "destroyed": ["aws_d.a"],
        "imported": ["aws_e.a"],
        "moved": ["aws_e.b"],
        "forgotten": ["aws_e.c"],
        "unchanged": ["aws_e.a", "aws_e.b", "aws_e.d"],
    }
    assert summary.outputs == ("a", "b")
    assert summary.change_count == 2 + 1 + 2 * 5 + 1
    assert summary.kept_addresses == [
        "aws_a.a", "aws_a.z", "aws_b.a", "aws_c.a", "aws_c.b", "aws_c.c", "aws_c.d", "aws_e.a",
        "aws_e.b", "aws_ecs_task_definition.a",
    ]  # fmt: skip
    assert summary.counts == (
        "2 to create, 1 to change, 4 to replace, 1 in a new revision, 1 to destroy, 1 to import,"
        " 1 to move, 1 to forget"
    )


def test_a_change_is_known_with_what_it_was_and_becomes() -> None:
    summary = PlanSummary.of(PLAN)
    (changed,) = summary.changed
    assert changed.type == "aws_b"
    assert changed.changed_keys == ("x", "y")
    assert (changed.before, changed.after) == (
        {"x": 1, "y": 1, "z": 1},
        {"z": 1, "y": 2, "x": 2},
    )
    assert {value.path for value in changed.values} == {"x", "y"}
    assert summary.created[0].after == {"name": "a"}
    assert (summary.created[0].before, summary.created[0].values) == ({}, ())
    assert (summary.destroyed[0].before, summary.destroyed[0].after) == ({"name": "d"}, {})


def test_why_something_is_replaced_is_said() -> None:
    by_argument, tainted, asked, triggered, revision = PlanSummary.of(PLAN).replaced
    assert (by_argument.changed_keys, by_argument.reason) == (("v", "x"), "")
    assert not by_argument.is_unfinished
    assert not by_argument.is_revision
    assert tainted.is_unfinished
    assert [each.reason for each in (tainted, asked, triggered)] == [
        "it was left unfinished",
        "it was asked for",
        "what it depends on is replaced",
    ]
    assert not asked.is_unfinished
    assert revision.is_revision


@pytest.mark.parametrize(
    ("summary", "counts", "is_empty"),
    [
        (PlanSummary(), "no changes", True),
        (PlanSummary(unchanged=(Change("aws_a.a", "aws_a"),)), "no changes", True),
        (PlanSummary(outputs=("a",)), "1 output to change", False),
        (PlanSummary(outputs=("a", "b")), "2 outputs to change", False),
        (PlanSummary(created=(Change("aws_a.a", "aws_a"),), outputs=("a",)), "1 to create", False),
        (PlanSummary(moved=(Change("aws_a.a", "aws_a"),)), "1 to move", False),
    ],
)
def test_a_plan_is_counted_in_words(summary: PlanSummary, counts: str, is_empty: bool) -> None:
    assert (summary.counts, summary.is_empty) == (counts, is_empty)


@pytest.mark.parametrize(
    ("type_name", "reason", "is_lost"),
    [
        ("aws_db_instance", "", True),
        ("aws_ecr_repository", "", True),
        ("aws_s3_bucket", "", True),
        ("aws_kms_key", "", True),
        ("aws_secretsmanager_secret", "", True),
        ("aws_cloudwatch_log_group", "", True),
        ("aws_vpc", "", True),
        ("aws_subnet", "", True),
        ("aws_lb", "", False),
        # An interrupted run has put no data there, and nothing that runs.
        ("aws_cloudwatch_log_group", "it was left unfinished", False),
        ("aws_subnet", "it was left unfinished", False),
        ("aws_db_instance", "it was left unfinished", True),
        ("aws_subnet", "it was asked for", True),
    ],
)
@pytest.mark.parametrize("how", ["replaced", "destroyed"])
def test_what_holds_data_is_lost_when_it_goes(
    type_name: str, reason: str, is_lost: bool, how: str
) -> None:
    change = Change(f"{type_name}.a", type_name, reason=reason)
    summary = (
        PlanSummary(replaced=(change,)) if how == "replaced" else PlanSummary(destroyed=(change,))
    )
    assert summary.loses_data == ([change] if is_lost else [])
    assert PlanSummary(changed=(change,)).loses_data == []


def test_several_plans_are_told_as_one() -> None:
    one = PlanSummary(created=(Change("aws_a.a", "aws_a"),), outputs=("a",))
    other = PlanSummary(created=(Change("aws_b.a", "aws_b"),), destroyed=(Change("x.y", "x"),))
    assert PlanSummary.together([one, other]) == PlanSummary(
        created=(*one.created, *other.created), destroyed=other.destroyed, outputs=("a",)
    )
