"""The faults of `npm run faults`: which a seed draws, and how it is told what became of them."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.drawn import Fault, Kind, Target, draw
from tests.faults.report import as_json, one_line, table
from tests.faults.trial import Outcome, readable_by_others


def faults(seed: int, count: int) -> list[Fault]:
    return [fault for life in draw(seed, count) for fault in life]


def test_a_seed_draws_the_same_faults_and_another_seed_others() -> None:
    assert draw(7, 50) == draw(7, 50)
    assert draw(7, 50) != draw(8, 50)


def test_fewer_faults_are_the_first_of_more() -> None:
    assert faults(7, 50)[:20] == faults(7, 20)


@pytest.mark.parametrize("seed", range(20))
def test_every_kind_is_drawn_as_often_as_any_other(seed: int) -> None:
    drawn = faults(seed, 50)
    assert [fault.number for fault in drawn] == list(range(1, 51))
    assert Counter(fault.kind for fault in drawn) == dict.fromkeys(Kind, 5)


@pytest.mark.parametrize("seed", range(20))
def test_a_life_begins_with_a_new_environment_and_goes_on_with_changes_of_it(seed: int) -> None:
    for life in draw(seed, 50):
        assert life[0].before is None
        for earlier, later in pairwise(life):
            assert later.before == earlier.target != later.target
            assert later.target.second or not earlier.target.second, "its log would be lost"


@pytest.mark.parametrize("seed", range(20))
def test_no_fault_waits_for_a_request_that_may_never_come(seed: int) -> None:
    for fault in faults(seed, 50):
        if fault.of_changes:
            assert 1 <= fault.strikes_at <= fault.target.fewest_changes_from(fault.before)


def test_each_difference_of_what_is_deployed_is_a_change() -> None:
    for after in (
        Target(larger=True),
        Target(variable=True),
        Target(per_zone=True),
        Target(second=True),
    ):
        assert after.fewest_changes_from(Target()) > 0
        assert Target().fewest_changes_from(after) > 0
        assert after.toml("some-e") != Target().toml("some-e")


def outcome(fault: Fault, **values: object) -> Outcome:
    usual = {
        "struck": "CreateVpc",
        "status": 1,
        "commands": 1,
        "seconds": 61.4,
        "deleted": (),
        "orphans": (),
        "problems": (),
        "folder": Path("fault-1"),
    }
    return Outcome(fault=fault, **{**usual, **values})  # type: ignore[arg-type]


def test_a_table_has_a_line_for_each_kind_and_one_about_all() -> None:
    first, second, *others = faults(7, 11)
    outcomes = [
        outcome(first),
        outcome(
            second,
            deleted=("aws ec2 delete-vpc --vpc-id vpc-2",),
            orphans=("VPC vpc-1", "address eip-1"),
            commands=3,
            seconds=200,
        ),
        *(outcome(fault) for fault in others),
    ]
    title, *rows, total = table(outcomes)
    assert total.startswith("10 of 11 converged, 2 orphans (1 more ")
    assert [row.partition("  ")[0].strip() for row in rows] == [kind.value for kind in Kind]
    assert len({len(line) for line in (title, *rows)}) == 1, "aligned"
    (row,) = (row for row in rows if row.startswith(second.kind.value))
    assert row.split()[-2:] == ["1", "2"]


@pytest.mark.parametrize(
    "values", [{"orphans": ("VPC vpc-1",)}, {"problems": ("deploy ended with 1",)}], ids=str
)
def test_what_is_left_behind_or_planned_once_more_is_not_got_over(
    values: dict[str, object],
) -> None:
    (fault,) = faults(7, 1)
    assert outcome(fault).converged
    assert "NOT" not in one_line(outcome(fault))
    assert not outcome(fault, **values).converged
    assert "NOT converged" in one_line(outcome(fault, **values))
    told = json.loads(as_json(7, [outcome(fault, **values)]))
    assert told["seed"] == 7
    assert told["faults"][0]["converged"] is False
    assert told["faults"][0]["fault"]["kind"] == fault.kind.value


def test_a_file_that_others_can_read_is_found_unless_its_folder_keeps_them_out(
    tmp_path: Path,
) -> None:
    for name, mode in (("open", 0o755), ("closed", 0o700)):
        (tmp_path / name).mkdir(mode=mode)
        (tmp_path / name / "state").write_text("values")
        (tmp_path / name / "private").touch(mode=0o600)
    assert list(readable_by_others(tmp_path)) == [tmp_path / "open" / "state"]
