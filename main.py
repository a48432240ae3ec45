"""The CDKTF app: every environment's stacks, and what you add to them."""

import os
import sys
from pathlib import Path

import prod_e

prod_e.enable_fast_imports()  # before anything imports cdktf

PROJECT = Path(__file__).resolve().parent


def extend(stacks: "prod_e.EnvironmentStacks") -> None:
    """Your own resources join an environment here, for example a queue that a service sends to.

    from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
    from prod_e import Statement

    queue = SqsQueue(stacks.main, "jobs", name=f"{stacks.environment.name}-jobs")
    stacks.main.services["backend"].add_environment(JOBS_URL=queue.url)
    stacks.main.services["backend"].add_to_task_policy(
        Statement(actions=("sqs:SendMessage",), resources=(queue.arn,))
    )
    """


def warn_of(file: str) -> None:
    """Says that a file with a mistake is left out, as none of its environments was named."""
    launcher = os.environ.get("PROD_E_LAUNCHER", "./prod-e")
    print(f"Warning: {file} is wrong and left out: `{launcher} synth` says why.", file=sys.stderr)


def main() -> int:
    """Synthesises every environment, or those that are named: `python main.py staging-e`.

    The exit status is 2 if the settings are wrong.
    """
    names = sys.argv[1:]
    output = Path(os.environ.get("CDKTF_OUTDIR", PROJECT / "cdktf.out"))
    try:
        environments = prod_e.load_environments(
            PROJECT / "environments", names, on_left_out=warn_of
        )
        # This imports cdktf, which starts Node: wrong settings are told before.
        prod_e.synthesise(
            environments,
            project_folder=PROJECT,
            output_folder=output,
            keeps_other_stacks=bool(names),
            extend=extend,
        )
    except prod_e.SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if "CDKTF_OUTDIR" not in os.environ:  # Otherwise whoever set it says so.
        written = ", ".join(environment.name for environment in environments)
        print(f"Wrote the stacks of {written} to {output}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
