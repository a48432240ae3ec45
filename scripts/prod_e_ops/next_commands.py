"""The commands that messages tell people to type next, in the project's folder.

Every function gives one; a test holds each against the command line.
"""


def plan(environment: str) -> str:
    """Shows what a deployment of the environment would do."""
    return f"npm run plan -- {environment}"


def deploy(environment: str) -> str:
    """Deploys the environment."""
    return f"npm run deploy -- {environment}"


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


def demo() -> str:
    """Shows the life of an environment on an embedded AWS."""
    return "npm run demo"


def remove_proof(name: str) -> str:
    """Removes what a proof has left. `name`: its environment's."""
    return f"npm run prove -- --remove {name}"


def lock_providers() -> str:
    """Renews the dependency lock."""
    return "npm run prod-e -- providers lock"


def _of_service(command: str, service: str | None, environment: str) -> str:
    key = f" {service}" if service else ""
    return f"npm run prod-e -- {command}{key} --environment {environment}"
