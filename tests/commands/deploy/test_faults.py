"""Deployments that faults strike are got over; `npm run faults` tries more of them."""

import json
import tempfile
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.faults.__main__ import try_all
from tests.faults.drawn import Kind, draw
from tests.faults.inventory import named_in_states, what_aws_has
from tests.faults.report import one_line
from tests.support.aws.aws_clients import client_of
from tests.support.terraform.terraform_program import needs_aws_provider

SEED = 62
"""Its faults are got over whatever they meet; an answer that is lost can leave what AWS then has
twice, which `deploy` names and never deletes."""


def test_what_aws_has_and_no_state_names_is_found(aws: EmbeddedAws, tmp_path: Path) -> None:
    before = what_aws_has(aws)
    ec2 = client_of(aws, "ec2")
    kept, lost = (ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in ("kept", "lost"))
    ec2.close()
    assert what_aws_has(aws) - before == {("VPC", kept), ("VPC", lost)}
    resources = [
        {"mode": mode, "type": "aws_vpc", "name": "any", "instances": [{"attributes": {"id": id}}]}
        for mode, id in (("managed", kept), ("data", lost))
    ]
    (tmp_path / "terraform.some-e.tfstate").write_text(json.dumps({"resources": resources}))
    assert set(named_in_states(tmp_path)) == {kept}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@needs_aws_provider
def test_a_first_and_a_changed_deployment_are_got_over() -> None:
    lives = draw(SEED, 2)
    (kinds,) = ([fault.kind for fault in life] for life in lives)
    assert kinds == [Kind.COMMAND_KILLED, Kind.THROTTLED]
    # Providers have sockets there, whose paths may have some 100 characters; pytest's are longer.
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        outcomes = try_all(
            lives, Path(folder), at_once=1, show=lambda outcome: print(one_line(outcome))
        )
    assert len(outcomes) == 2
    for outcome in outcomes:
        assert outcome.converged, one_line(outcome)
        assert outcome.struck
