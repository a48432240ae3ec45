"""The commands that messages tell people to type next.

They begin as the launcher was called, so that they work where the user is; without it they are for
the project's folder. Every function gives one; a test holds each against the command line.
"""

import os
import shlex
from collections.abc import Sequence


def _launcher() -> str:
    return shlex.quote(os.environ.get("PROD_E_LAUNCHER") or "./prod-e")


def launched(arguments: str, *options: str) -> str:
    """Any command. `arguments`: as they are typed."""
    return " ".join((_launcher(), arguments, *options))


def plan(environment: str) -> str:
    """Shows what a deployment of the environment would do."""
    return f"{_launcher()} plan {environment}"


def deploy(
    environment: str,
    *,
    allow_data_loss: Sequence[str] = (),
    take_over: bool = False,
    yes: bool = False,
) -> str:
    """Deploys the environment.

    `allow_data_loss`: the addresses of what may be lost. `take_over`: whether what AWS has of it
    comes into the state. `yes`: whether nothing is asked.
    """
    options = [f"--allow-data-loss={shlex.quote(address)}" for address in allow_data_loss]
    options += ["--take-over"] if take_over else []
    options += ["--yes"] if yes else []
    return " ".join((_launcher(), "deploy", environment, *options))


def push(service: str, *, environment: str) -> str:
    """Builds and pushes the image of a service, `service` being its key."""
    return _of_service("push", service, environment)


def images(service: str, *, environment: str) -> str:
    """Shows a service's images."""
    return _of_service("images", service, environment)


def redeploy(service: str, *, environment: str) -> str:
    """Deploys a service anew without a push."""
    return _of_service("redeploy", service, environment)


def rollback(service: str, *, environment: str) -> str:
    """Returns a service to what it ran before."""
    return _of_service("rollback", service, environment)


def status(service: str | None = None, *, environment: str, wait: bool = False) -> str:
    """Shows the last deployment of a service, or of all; `wait`: follows it to its end."""
    return _of_service("status", service, environment) + (" --wait" if wait else "")


def local(environment: str) -> str:
    """Runs the environment on this machine."""
    return f"{_launcher()} local {environment}"


def local_status(environment: str) -> str:
    """Shows the services of an environment that runs on this machine."""
    return status(environment=environment) + " --local"


def demo() -> str:
    """Shows the life of an environment on an embedded AWS."""
    return f"{_launcher()} demo"


def remove_proof(name: str) -> str:
    """Removes what a proof has left. `name`: its environment's."""
    return f"{_launcher()} prove --remove {name}"


def lock_providers() -> str:
    """Renews the dependency lock."""
    return f"{_launcher()} providers lock"


def _of_service(command: str, service: str | None, environment: str) -> str:
    key = f" {service}" if service else ""
    return f"{_launcher()} {command}{key} -e {environment}"
