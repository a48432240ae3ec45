"""What settings are taken, Terraform and the AWS provider take too; `npm run test:nightly` more."""

from pathlib import Path

from hypothesis import HealthCheck, Phase, example, given, settings

from tests.any_settings.drawn import EXPRESSIONS, NearlyRight, nearly_right_settings
from tests.any_settings.trial import Trial
from tests.support.terraform.terraform_program import needs_aws_provider

HARMLESS = "-".join(each for each in EXPRESSIONS if "TfToken" not in each)
"""Text that CDKTF or Terraform could take for something to evaluate, and must not."""
RIGHT = {
    "name": "tiny-e",
    "services": {"backend": {"build": "external"}},
    "database": {},
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
