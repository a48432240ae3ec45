"""The Docker daemon that this machine leads to: whether one answers, and how it is reached."""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

_ANSWER_TIMEOUT_SECONDS = 10


class NoDocker(Exception):
    """Docker cannot be used; the message says why, and goes on where a sentence has begun."""


async def default_build_network() -> str | None:
    """The network for a build's steps where the settings name none; None: the daemon's own.

    A daemon without a bridge network cannot give one to the steps of a build.
    """
    return await asyncio.to_thread(_default_build_network)


def _default_build_network() -> str | None:
    from docker.errors import APIError

    try:
        with closing(connect(os.environ)) as daemon:
            daemon.api.inspect_network("bridge")
    except NoDocker:
        return None
    except APIError as error:
        return "host" if error.is_client_error() else None
    return None


async def why_no_docker() -> str | None:
    """Says what keeps a Docker daemon from answering; None if one does."""
    try:
        (await asyncio.to_thread(connect, os.environ)).close()
    except NoDocker as reason:
        return str(reason)
    return None


def connect(
    environment: Mapping[str, str], *, timeout_seconds: int = _ANSWER_TIMEOUT_SECONDS
) -> "DockerClient":
    """The daemon that the variables lead to, or else the user's context; raises `NoDocker`.

    `timeout_seconds`: for each part of an answer.
    """
    from docker.constants import DEFAULT_DOCKER_API_VERSION
    from docker.errors import DockerException

    try:
        # With a version that it need not ask for, the SDK does not connect yet.
        with closing(
            _client(environment, version=DEFAULT_DOCKER_API_VERSION, timeout=timeout_seconds)
        ) as unconnected:
            _try_socket(unconnected, timeout_seconds)
        return _client(environment, version="auto", timeout=timeout_seconds)
    except (DockerException, OSError) as error:
        raise NoDocker(f"no Docker daemon answers ({cause_of(error)})") from None


def _client(environment: Mapping[str, str], *, version: str, timeout: int) -> "DockerClient":
    """The SDK's, for the daemon that the docker command would ask.

    https://docs.docker.com/engine/manage-resources/contexts/
    """
    from docker import DockerClient
    from docker.context import ContextAPI

    context = environment.get("DOCKER_CONTEXT") or None
    if context in (None, "default"):
        return DockerClient.from_env(
            environment=dict(environment),
            use_context=context is None,
            use_ssh_client=True,
            version=version,
            timeout=timeout,
        )
    # A name that is not known would lead to the daemon of this machine.
    if ContextAPI.get_context(context) is None:
        raise NoDocker(f"there is no Docker context {context}")
    client: DockerClient = DockerClient.from_context(
        context, use_ssh_client=True, version=version, timeout=timeout
    )
    return client


def _try_socket(client: "DockerClient", timeout_seconds: int) -> None:
    """Raises `OSError` if a daemon's Unix socket takes no connection.

    The SDK does not close a socket that was refused.
    """
    from docker.transport import UnixHTTPAdapter

    adapter = client.api.get_adapter(client.api.base_url)
    if isinstance(adapter, UnixHTTPAdapter):
        with socket.socket(socket.AF_UNIX) as tried:
            tried.settimeout(timeout_seconds)
            tried.connect(adapter.socket_path)


def cause_of(error: BaseException) -> str:
    """What the system said at the bottom of it, such as `No such file or directory`."""
    while error.__context__ is not None:
        error = error.__context__
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
