"""What `terraform state pull` prints, read."""

import json
from pathlib import Path
from typing import Any

from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.states.state import resources_of, without_taints
from prod_e_ops.terraform.states.unfinished import keep_unfinished_here


def _resource(name: str, *instances: dict[str, Any], **more: str) -> dict[str, Any]:
    made = {"mode": "managed", "type": "aws_lb", "name": name, **more}
    return {**made, "instances": [{"attributes": {"name": name}, **each} for each in instances]}


def test_every_instance_has_its_address() -> None:
    state = {
        "resources": [
            _resource("one", {}),
            _resource("counted", {"index_key": 0}, {"index_key": 1}),
            _resource("named", {"index_key": 'a"b'}, module="module.other"),
            _resource("read", {}, mode="data"),
        ]
    }
    assert [each.address for each in resources_of(state)] == [
        "aws_lb.one",
        "aws_lb.counted[0]",
        "aws_lb.counted[1]",
        'module.other.aws_lb.named["a\\"b"]',
    ]
    assert resources_of(state)[0].values == {"name": "one"}


def test_what_an_interrupted_run_left_unfinished_is_known() -> None:
    state = {"resources": [_resource("one", {"status": "tainted"}), _resource("other", {})]}
    assert [each.is_tainted for each in resources_of(state)] == [True, False]


def test_no_state_has_no_resources() -> None:
    assert list(resources_of({})) == []


UNFINISHED: dict[str, Any] = {
    "serial": 4,
    "resources": [
        _resource("one", {"status": "tainted"}),
        _resource("other", {"status": "tainted"}),
        _resource("read", {"status": "tainted"}, mode="data"),
    ],
}


def test_the_state_that_follows_keeps_what_is_named_and_nothing_else() -> None:
    following = without_taints(UNFINISHED, {"aws_lb.one", "aws_lb.read"})
    assert [each.is_tainted for each in resources_of(following)] == [False, True]
    assert following == {
        "serial": 5,
        "resources": [_resource("one", {}), *UNFINISHED["resources"][1:]],
    }
    assert [each.is_tainted for each in resources_of(UNFINISHED)] == [True, True]


def test_a_state_on_this_machine_is_changed_without_terraform(tmp_path: Path) -> None:
    stack = Stack("tiny-e", tmp_path)
    stack.json_file.write_text(json.dumps({"terraform": {"backend": {"local": {"path": "s"}}}}))
    (tmp_path / "s").write_text(json.dumps(UNFINISHED))
    assert keep_unfinished_here(stack, {"aws_lb.other"})
    kept = resources_of(json.loads((tmp_path / "s").read_text()))
    assert [each.is_tainted for each in kept] == [True, False]


def test_a_state_elsewhere_is_left_to_terraform(tmp_path: Path) -> None:
    stack = Stack("tiny-e", tmp_path)
    stack.json_file.write_text(json.dumps({"terraform": {"backend": {"s3": {}}}}))
    assert not keep_unfinished_here(stack, {"aws_lb.one"})
