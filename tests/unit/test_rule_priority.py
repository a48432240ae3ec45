"""A listener rule's priority follows from its route, and no later version may move it."""

import pytest

from prod_e.load_balancer.priority import HIGHEST_PRIORITY, rule_priority

LONGEST_PATH = "/" + 126 * "a" + "*"


def test_aws_allows_no_higher_one() -> None:
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html
    assert HIGHEST_PRIORITY == 50_000


@pytest.mark.parametrize(
    ("path", "host", "priority"),
    [
        ("/*", None, 32_693),
        ("/jobs/*", None, 32_182),
        ("/*", "api.example.com", 12_636),
        (LONGEST_PATH, None, 20_005),
        (LONGEST_PATH, "api.example.com", 51),
    ],
)
def test_that_of_a_route_never_changes(path: str, host: str | None, priority: int) -> None:
    assert rule_priority(path, host) == priority


def test_a_longer_path_comes_before_a_shorter_one_and_a_host_before_none() -> None:
    paths = ["/" + n * "a" + "*" for n in range(127)]
    without, with_host = ([rule_priority(path, host) for path in paths] for host in (None, "a.b"))
    for priorities in (without, with_host):
        assert priorities == sorted(priorities, reverse=True)
    assert max(with_host) < min(without)
    assert min(with_host) >= 1
    assert max(without) <= HIGHEST_PRIORITY


def test_paths_that_are_too_long_to_tell_apart_come_first() -> None:
    assert (
        rule_priority(LONGEST_PATH + "a", None) // 100 == rule_priority(LONGEST_PATH, None) // 100
    )
