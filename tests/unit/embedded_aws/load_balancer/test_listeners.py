"""Where listeners are on this machine, and which target groups they lead to."""

import socket
from typing import Any

import pytest

from embedded_aws.data_plane.load_balancer.balancers import _groups_of, _listen

TO_A = {"Type": "forward", "TargetGroupArn": "a"}
TO_B_AND_C = {
    "Type": "forward",
    "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "b"}, {"TargetGroupArn": "c"}]},
}
REDIRECT = {"Type": "redirect", "ForwardConfig": None}


@pytest.mark.parametrize(
    ("default_actions", "actions_of_a_rule", "groups"),
    [
        ([TO_A], [], {"a"}),
        ([REDIRECT], [TO_A], {"a"}),
        ([TO_A], [TO_B_AND_C], {"a", "b", "c"}),
        ([REDIRECT], [REDIRECT], set()),
    ],
)
def test_a_listener_leads_to_the_groups_of_its_default_action_and_of_its_rules(
    default_actions: list[Any], actions_of_a_rule: list[Any], groups: set[str]
) -> None:
    listener: Any = {"default_actions": default_actions, "rules": [{"actions": actions_of_a_rule}]}
    assert _groups_of(listener) == groups


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The addresses that were asked for; nothing listens there."""
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(socket.socket, "bind", lambda _, address: asked.append(address))
    monkeypatch.setattr(socket.socket, "listen", lambda *_: None)
    return asked


@pytest.mark.parametrize(
    ("port", "known_port", "here"),
    [
        (80, None, 8080),
        (443, None, 8443),
        (1023, None, 9023),
        (1024, None, 1024),
        (3000, None, 3000),
        (80, 40_000, 40_000),
    ],
)
def test_a_listener_is_on_the_nearest_port_that_needs_no_privilege_or_where_it_was(
    bound: list[tuple[str, int]], port: int, known_port: int | None, here: int
) -> None:
    with _listen(port, known_port) as listening:
        # It was there a moment ago where the data plane has started again.
        assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    assert bound == [("127.0.0.1", here)]


def test_where_that_port_is_taken_it_is_on_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "listen", lambda *_: None)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        with _listen(3000, taken) as listening:
            assert listening.getsockname()[1] not in (0, taken)
