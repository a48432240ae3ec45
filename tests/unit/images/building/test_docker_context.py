"""The daemon that images are built by is the one that the docker command would ask."""

from collections.abc import Mapping
from typing import Any

import pytest
from docker import DockerClient
from docker.context import ContextAPI

from prod_e_ops.images.docker.docker_daemon import NoDocker, _client


@pytest.mark.parametrize(
    ("environment", "uses_current"),
    [
        # The current one, which `docker context use` chooses, unless another is named.
        ({}, True),
        ({"DOCKER_CONTEXT": ""}, True),
        ({"DOCKER_CONTEXT": "default"}, False),
    ],
)
def test_the_current_context_is_used_unless_the_default_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], uses_current: bool
) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(DockerClient, "from_env", lambda **options: given.append(options))
    _client(environment, version="auto", timeout=5)
    assert given == [
        {
            "environment": environment,
            "use_context": uses_current,
            "use_ssh_client": True,
            "version": "auto",
            "timeout": 5,
        }
    ]


def test_a_context_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(ContextAPI, "get_context", lambda name: name)
    monkeypatch.setattr(
        DockerClient, "from_context", lambda name, **options: given.append((name, options))
    )
    _client({"DOCKER_CONTEXT": "remote"}, version="auto", timeout=5)
    assert given == [("remote", {"use_ssh_client": True, "version": "auto", "timeout": 5})]


def test_a_context_that_is_not_known_is_no_daemon_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ContextAPI, "get_context", lambda _: None)
    with pytest.raises(NoDocker, match="there is no Docker context remote"):
        _client({"DOCKER_CONTEXT": "remote"}, version="auto", timeout=5)
