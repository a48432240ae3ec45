"""`python -m embedded_aws`: an AWS on this machine, until Ctrl-C."""

import argparse
import json
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from embedded_aws import ACCOUNT_ID, DataPlane, EmbeddedAws, EmbeddedAwsError
from embedded_aws.client import DEFAULT_REGION

_POLL_SECONDS = 1.0


def main(arguments: list[str] | None = None) -> int:
    """Starts it, prints the variables that lead there, and tells of listeners as they come up."""
    given = _parser().parse_args(arguments)
    data_plane = None
    if not given.control_plane_only:
        data_plane = DataPlane(
            sources=dict(given.source),
            runtime=given.runtime,
            docker_network=given.docker_network,
            task_environment=dict(given.task_env),
            postgresql_folder=given.postgresql,
        )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    aws = EmbeddedAws(
        region=given.region,
        account_id=given.account,
        port=given.port,
        data_plane=data_plane,
        alarm_bake_seconds=given.alarm_bake_seconds,
    )
    try:
        with aws:
            _show_variables(aws, as_json=given.json)
            told: set[str] = set()
            while not ended.wait(_POLL_SECONDS):
                for line in _news(aws):
                    if line not in told:
                        told.add(line)
                        print(line, file=sys.stderr)
    except EmbeddedAwsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _news(aws: EmbeddedAws) -> Iterator[str]:
    """What there is to tell by now."""
    if aws.data_plane:
        yield f"A page in a browser shows what runs: {aws.page_url}"
    if runs := aws.tasks_run:
        yield f"Tasks run {runs}."
    for listener in aws.listeners() if aws.data_plane else ():
        yield f"{listener['load_balancer']}:{listener['port']} is at {listener['url']}"
    for action in aws.unimplemented_calls:
        yield f"{action} does not exist here."
    for failure in aws.failed_calls:
        yield f"The embedded AWS broke on {failure}"


def _show_variables(aws: EmbeddedAws, *, as_json: bool) -> None:
    variables = aws.variables()
    if as_json:
        print(json.dumps(variables), flush=True)
        return
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}", flush=True)
    print("Ctrl-C ends it and all that it runs.", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m embedded_aws",
        description="An AWS on this machine: its API, and what one deploys there running for real.",
    )
    parser.add_argument("--region", default=DEFAULT_REGION, help="default: %(default)s")
    parser.add_argument("--account", default=ACCOUNT_ID, help="twelve digits; default: %(default)s")
    parser.add_argument("--port", type=int, default=0, help="of the API on 127.0.0.1; default: any")
    parser.add_argument(
        "--json", action="store_true", help="print the variables as one JSON object"
    )
    parser.add_argument(
        "--control-plane-only",
        action="store_true",
        help="note down what is asked for, and run none of it",
    )
    parser.add_argument(
        "--runtime",
        choices=("auto", "docker", "process"),
        default="auto",
        help="what tasks run on; auto: a process where its image's repository has a source folder,"
        " else Docker",
    )
    parser.add_argument(
        "--docker-network",
        choices=("auto", "bridge", "host"),
        default="auto",
        help="what containers are on; auto: the bridge where Docker has one and no tasks run as"
        " processes, else this machine's network",
    )
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        type=_source,
        metavar="REPOSITORY=FOLDER",
        help="the Node.js project that runs in place of a repository's image; may be repeated",
    )
    parser.add_argument(
        "--task-env",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=VALUE",
        help="a variable for every task; in it {free_port}, {listen_address},"
        " {certificate_authority_file} and {image_digest} are replaced; may be repeated",
    )
    parser.add_argument(
        "--alarm-bake-seconds",
        type=float,
        default=0,
        metavar="SECONDS",
        help="for how long a deployment's alarms are watched after its last task runs;"
        " default: %(default)s",
    )
    parser.add_argument(
        "--postgresql",
        type=Path,
        metavar="FOLDER",
        help="has the programs initdb and postgres; default: looked for",
    )
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _source(text: str) -> tuple[str, Path]:
    repository, value = _pair(text)
    folder = Path(value)
    if not (folder / "package.json").is_file():
        raise argparse.ArgumentTypeError(f"{value} has no package.json")
    return repository, folder


if __name__ == "__main__":
    sys.exit(main())
