"""Strikes deployments with faults of many kinds: each is got over, and nothing is left behind.

    npm run faults -- --seed 7 --count 50

Commands and Terraform are killed, answers of AWS are lost or are none, AWS throttles or cannot be
reached: in the first deployment of an environment, or in one that changes it, at a request to AWS
that the seed draws. After each, `prod-e deploy --take-over` is run until it succeeds, three times
at most. A plan has to be empty then, and the embedded AWS has to have nothing that no state of
Terraform names. The exit status is 1 if any was not as it is to be; the logs of these are kept.

The same seed draws the same faults; which request is the twentieth differs between runs, because
Terraform makes many at a time.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock

from embedded_aws import EmbeddedAws
from tests.faults.drawn import Life, draw
from tests.faults.proxy import faulty_aws
from tests.faults.report import as_json, one_line, table
from tests.faults.trial import Outcome, Trial
from tests.support.command.aws_cli import version_1_from_pypi


def try_all(
    lives: Sequence[Life], folder: Path, *, at_once: int, show: Callable[[Outcome], object]
) -> Sequence[Outcome]:
    """Tries them, several environments at once, each of these on an embedded AWS of its own.

    `folder`: where each environment has its project and its logs. `show`: told of each outcome.
    """
    waiting: SimpleQueue[Life] = SimpleQueue()
    for life in lives:
        waiting.put(life)
    outcomes: list[Outcome] = []
    installing = Lock()

    @cache
    def install() -> str:
        return version_1_from_pypi(folder / "aws-cli")

    def cli() -> str:
        with installing:
            return install()

    def work() -> None:
        with EmbeddedAws() as aws, faulty_aws(aws.endpoint_url) as proxy:
            while True:
                try:
                    left = list(waiting.get_nowait())
                except Empty:
                    return
                while left:
                    # One that was not got over ends an environment; the next faults get another.
                    name = f"fault-{left[0].number}"
                    trial = Trial(aws=aws, proxy=proxy, cli=cli, folder=folder / name, name=name)
                    with trial:
                        for outcome in trial.live(tuple(left)):
                            left.pop(0)
                            outcomes.append(outcome)
                            show(outcome)

    with ThreadPoolExecutor(at_once) as threads:
        for each in [threads.submit(work) for _ in range(at_once)]:
            each.result()
    return sorted(outcomes, key=lambda outcome: outcome.fault.number)


def main() -> int:
    """Draws the faults, tries each, and reports; see this module's documentation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="which faults are drawn; default: any")
    parser.add_argument("--count", type=int, default=50, help="how many are drawn")
    parser.add_argument(
        "--at-once", type=int, default=2, help="how many environments are deployed side by side"
    )
    parser.add_argument("--json", action="store_true", help="all that is known of each, on stdout")
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    report = sys.stderr if options.json else sys.stdout
    print(f"seed {seed}", file=report, flush=True)
    folder = Path(tempfile.mkdtemp(prefix="prod-e-faults-"))
    outcomes: Sequence[Outcome] = ()
    try:
        outcomes = try_all(
            draw(seed, options.count),
            folder,
            at_once=options.at_once,
            show=lambda outcome: print(one_line(outcome), file=report, flush=True),
        )
    finally:
        if outcomes and all(outcome.converged for outcome in outcomes):
            shutil.rmtree(folder)
        else:
            print(f"The logs are in {folder}.", file=report)
    print("", *table(outcomes), f"Seed {seed}.", sep="\n", file=report)
    if options.json:
        print(as_json(seed, outcomes))
    return int(not all(outcome.converged for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
