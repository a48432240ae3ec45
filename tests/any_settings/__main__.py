"""Tries many settings files: each is refused in plain lines, or what it becomes Terraform takes.

    npm run test:nightly -- --seed 7 --count 500

The files are right ones with some keys of any value, drawn by the seed, so that a run can be
repeated. The providers of this machine validate what becomes of them, and plan ten of them against
an embedded AWS; where the docker provider is not among these, the stacks of images are left out.
The exit status is 1 if any was not as it is to be, and those are shown.
"""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

import hypothesis

import prod_e

prod_e.enable_fast_imports()  # before anything imports cdktf

from tests.any_settings.drawn import NearlyRight, nearly_right_settings  # noqa: E402
from tests.any_settings.trial import Trial  # noqa: E402

_OF_PLANS = """\
how many of what is taken are planned; ten took 102 s on two cores that other
work shared (a load of 18 to 21)"""


def main() -> int:
    """Draws the files, tries each, and reports; see this module's documentation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="which files are drawn; default: any")
    parser.add_argument("--count", type=int, default=300, help="how many are drawn")
    parser.add_argument("--plans", type=int, default=10, help=_OF_PLANS)
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="prod-e-any-settings-") as scratch:
        trial = Trial(Path(scratch))

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=options.count,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(nearly_right_settings())
        def attempt(drawn: NearlyRight) -> None:
            trial.attempt(drawn)

        attempt()
        found = {**trial.refused_by_terraform()}
        if options.plans:
            found |= trial.refused_by_plan(seed=seed, count=options.plans)
    for settings, told in found.items():
        print(settings, *told, sep="\n", end="\n\n")
    print(
        f"{trial.refused} refused in plain lines, {len(trial.taken)} taken, of which Terraform"
        f" refuses {len(found)}; seed {seed}."
    )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
