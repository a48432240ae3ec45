"""Version constraints mean what they mean to Terraform, and the default ones what is tested."""

import re

import pytest

from prod_e.settings import Providers
from prod_e.tested_versions import read
from prod_e.version_constraint import PATTERN, VersionConstraint, sort_key
from tests.support.terraform.version_ranges import RANGES

NO_RANGES = [
    "", " ", ",", ">= 5,", "latest", "5.*", "5.x", "v5.100.0", "~> v5", "^5.100", "=> 5", "== 5",
    ">= 5 < 7", "~> 5.100.0.0", ">=  5", "> = 5", "5.100\n", "\u0665.100",
]  # fmt: skip


@pytest.mark.parametrize("text", RANGES)
def test_a_range_takes_the_versions_that_are_in_it(text: str) -> None:
    inside, outside = RANGES[text]
    constraint = VersionConstraint(text)
    assert re.fullmatch(PATTERN, text)
    assert [version for version in inside + outside if constraint.allows(version)] == inside


@pytest.mark.parametrize("text", NO_RANGES)
def test_what_terraform_takes_for_no_range_is_none(text: str) -> None:
    assert not re.fullmatch(PATTERN, text)
    with pytest.raises(ValueError, match="is not a version constraint"):
        VersionConstraint(text)


def test_versions_are_ordered_by_their_numbers_and_a_release_follows_its_pre_releases() -> None:
    ordered = ["5.9.0", "5.100.0-beta1", "5.100.0-rc1", "5.100.0", "5.100.1", "6.0.0"]
    assert sorted(set(ordered), key=sort_key) == ordered
    assert sorted(ordered) != ordered


def test_the_default_ranges_begin_with_the_tested_versions() -> None:
    tested = read().providers
    for source, text in {
        "hashicorp/aws": Providers().aws,
        "kreuzwerker/docker": Providers().docker,
    }.items():
        assert all(VersionConstraint(text).allows(version) for version in tested[source])
        oldest = text.removeprefix("~> ")
        assert tested[source][0].startswith(oldest), f"{source}: nobody ran {oldest}"
