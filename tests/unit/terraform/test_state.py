"""What `terraform state pull` prints, read."""

from typing import Any

from prod_e_ops.terraform.state import resources_of


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
