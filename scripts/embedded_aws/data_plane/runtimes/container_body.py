"""A container as a task definition describes it, in the words of Docker's API.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
"""

from collections.abc import Mapping
from typing import Any

from embedded_aws.data_plane.runtimes.docker.task_network import LOOPBACK
from embedded_aws.data_plane.runtimes.runtime import Start

_MIB = 1024 * 1024


def container_body(
    start: Start,
    *,
    image: str,
    labels: Mapping[str, str],
    readable_files: list[str],
    network: Mapping[str, Any],
) -> dict[str, Any]:
    """What `POST /containers/create` takes.

    `readable_files`: of this machine, in the container at the same place. `network`: see
    `published` and `joined`.
    """
    definition = start.definition
    linux = definition.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    memory_mib = definition.get("memory") or start.task_memory_mib
    host_configuration = {
        "ReadonlyRootfs": bool(definition.get("readonlyRootFilesystem")),
        "CapAdd": capabilities.get("add") or [],
        "CapDrop": capabilities.get("drop") or [],
        "Init": bool(linux.get("initProcessEnabled")),
        "SecurityOpt": ["no-new-privileges"] if "ALL" in (capabilities.get("drop") or ()) else [],
        "Binds": [*(f"{file}:{file}:ro" for file in readable_files), *_mounts(start)],
        "Ulimits": [
            {"Name": each["name"], "Soft": each["softLimit"], "Hard": each["hardLimit"]}
            for each in definition.get("ulimits") or ()
        ],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "20m"}},
        **({"Memory": memory_mib * _MIB, "MemorySwap": memory_mib * _MIB} if memory_mib else {}),
        **({"CpuQuota": start.task_cpu * 100_000 // 1024} if start.task_cpu else {}),
    }
    body: dict[str, Any] = {
        "Image": image,
        "Env": [f"{name}={value}" for name, value in start.environment.items()],
        "Labels": {
            **labels,
            "embedded-aws.task": start.task_arn,
            **(definition.get("dockerLabels") or {}),
        },
        "StopTimeout": int(start.stop_timeout_seconds),
        # ECS ignores the image's own.
        "Healthcheck": {"Test": ["NONE"]},
        **network,
        "HostConfig": {**host_configuration, **network["HostConfig"]},
    }
    given: Mapping[str, object] = definition
    for key, name in (
        ("command", "Cmd"),
        ("entryPoint", "Entrypoint"),
        ("user", "User"),
        ("workingDirectory", "WorkingDir"),
    ):
        if given.get(key):
            body[name] = given[key]
    return body


def published(ports: Mapping[int, int]) -> dict[str, Any]:
    """On a bridge of Docker's, each port of the container on one of loopback."""
    bindings = {
        f"{port}/tcp": [{"HostIp": LOOPBACK, "HostPort": str(here)}] for port, here in ports.items()
    }
    return {
        "ExposedPorts": {name: {} for name in bindings},
        "HostConfig": {"NetworkMode": "bridge", "PortBindings": bindings},
    }


def joined(network: str) -> dict[str, Any]:
    """On a network that is there: `host`, or `container:` and the name of whose it is."""
    return {"HostConfig": {"NetworkMode": network}}


def volume_name(start: Start, name: str) -> str:
    """What Docker calls a volume of the task, which all its containers share."""
    return f"embedded-aws-{start.task_id}-{name}"


def _mounts(start: Start) -> list[str]:
    return [
        f"{volume_name(start, each['sourceVolume'])}:{each['containerPath']}"
        f"{':ro' if each.get('readOnly') else ''}"
        for each in start.definition.get("mountPoints") or ()
    ]
