"""What settings are taken, Terraform and the AWS provider take too; `npm run test:nightly` more."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from tests.any_settings.drawn import EXPRESSIONS, NearlyRight, nearly_right_settings
from tests.any_settings.trial import Trial
from tests.support.project.variants import NOWHERE
from tests.support.terraform.terraform_program import needs_aws_provider

HARMLESS = "-".join(each for each in EXPRESSIONS if "TfToken" not in each)
"""Text that CDKTF or Terraform could take for something to evaluate, and must not."""
RIGHT = {
    "name": "tiny-e",
    "services": {"backend": {"build": "external"}},
    "database": {},
}

IN_A_VPC = {
    key: [NOWHERE[f"{tier}_1"], NOWHERE[f"{tier}_2"]]
    for key, tier in (
        ("public_subnet_ids", "public"),
        ("private_subnet_ids", "private"),
        ("isolated_subnet_ids", "private"),
    )
}


@needs_aws_provider
def test_what_is_refused_is_told_and_what_is_taken_terraform_takes(tmp_path: Path) -> None:
    trial = Trial(tmp_path)

    @settings(
        max_examples=3,
        derandomize=True,
        deadline=None,
        # A case that fails is small enough, and to make it smaller would take minutes.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn=nearly_right_settings())
    @example(
        drawn=NearlyRight(
            RIGHT,
            {
                ("services", "backend", "environment"): {"TEXT": HARMLESS},
                ("services", "backend", "health_command"): ["CMD-SHELL", HARMLESS],
                ("services", "backend", "migration_command"): [HARMLESS],
            },
        )
    )
    def attempt(drawn: NearlyRight) -> None:
        trial.attempt(drawn)

    attempt()
    assert len(trial.taken) > 3
    assert "health_command" in trial.taken["case0"], "text of any kind is taken there"
    assert trial.refused_by_terraform() == {}


@pytest.mark.slow
@needs_aws_provider
def test_a_plan_finds_what_only_aws_knows(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.attempt(NearlyRight(RIGHT, {}))
    trial.attempt(NearlyRight(RIGHT, {("cluster",): {"arn": NOWHERE["cluster_arn"]}}))
    assert trial.plannable == ["case0", "case1"]
    assert trial.refused_by_plan(seed=1, count=2) == {}

    existing = {
        **RIGHT,
        "network": {**IN_A_VPC, "vpc_id": NOWHERE["vpc_id"]},
        "load_balancer": {
            "listener_arn": f"{NOWHERE['listener_arn']}0",
            "security_group_id": NOWHERE["load_balancer_group"],
        },
    }
    trial.attempt(NearlyRight(existing, {}))
    ((text, (told, *_)),) = trial.refused_by_plan(seed=1, count=3).items()
    assert text == trial.taken["case2"]
    assert "no matching ELBv2 Listener found" in told
