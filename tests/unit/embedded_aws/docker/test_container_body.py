"""What a container definition of ECS's means to Docker."""

from typing import Any

import pytest

from embedded_aws.data_plane.runtimes.container_body import container_body, joined, published
from tests.unit.embedded_aws.docker.containers_of_ecs import TASK_ARN, start_of


def body_of(**given: Any) -> dict[str, Any]:
    return container_body(
        start_of(**given),
        image="app@sha256:1",
        labels={"whose": "ours"},
        readable_files=["/state/authority.pem"],
        network=joined("host"),
    )


def host_of(**given: Any) -> dict[str, Any]:
    host: dict[str, Any] = body_of(**given)["HostConfig"]
    return host


def test_a_definition_that_says_no_more_than_an_image_restricts_nothing() -> None:
    assert body_of() == {
        "Image": "app@sha256:1",
        "Env": [],
        "Labels": {"whose": "ours", "embedded-aws.task": TASK_ARN},
        "StopTimeout": 30,
        # ECS ignores the image's own.
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "host",
            "ReadonlyRootfs": False,
            "CapAdd": [],
            "CapDrop": [],
            "Init": False,
            "SecurityOpt": [],
            "Binds": ["/state/authority.pem:/state/authority.pem:ro"],
            "Ulimits": [],
            # The disk of this machine does not fill up with what a container writes.
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "20m"}},
        },
    }


def test_a_hardened_container_may_write_nothing_and_do_nothing_of_roots() -> None:
    host = host_of(
        readonlyRootFilesystem=True,
        linuxParameters={
            "initProcessEnabled": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
    )
    assert host["ReadonlyRootfs"] is True
    assert host["Init"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == ["NET_BIND_SERVICE"]
    assert host["SecurityOpt"] == ["no-new-privileges"]


def test_one_that_drops_a_few_capabilities_may_gain_privileges() -> None:
    host = host_of(linuxParameters={"capabilities": {"drop": ["CHOWN"]}})
    assert host["CapDrop"] == ["CHOWN"]
    assert host["SecurityOpt"] == []


@pytest.mark.parametrize(
    ("memory", "task_memory_mib", "mib"),
    [(256, None, 256), (None, 512, 512), (256, 512, 256), (None, None, None)],
)
def test_memory_is_its_own_or_its_tasks_and_there_is_no_swap(
    memory: int | None, task_memory_mib: int | None, mib: int | None
) -> None:
    host = host_of(memory=memory, task_memory_mib=task_memory_mib)
    wanted = mib and mib * 1024 * 1024
    assert (host.get("Memory"), host.get("MemorySwap")) == (wanted, wanted)


@pytest.mark.parametrize(("task_cpu", "quota"), [(256, 25_000), (2048, 200_000), (None, None)])
def test_of_each_tenth_of_a_second_it_has_its_tasks_share(
    task_cpu: int | None, quota: int | None
) -> None:
    assert host_of(task_cpu=task_cpu).get("CpuQuota") == quota


def test_limits_of_what_it_opens_are_those_of_the_definition() -> None:
    host = host_of(ulimits=[{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}])
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 1024, "Hard": 4096}]


def test_volumes_are_those_of_the_task_and_read_only_where_it_says_so() -> None:
    host = host_of(
        mountPoints=[
            {"sourceVolume": "scratch", "containerPath": "/tmp", "readOnly": False},
            {"sourceVolume": "assets", "containerPath": "/srv", "readOnly": True},
        ]
    )
    assert host["Binds"][1:] == ["embedded-aws-t1-scratch:/tmp", "embedded-aws-t1-assets:/srv:ro"]


def test_what_runs_is_what_the_definition_has_in_place_of_the_images() -> None:
    body = body_of(command=["serve"], entryPoint=["/init"], user="10001", workingDirectory="/app")
    assert body["Cmd"] == ["serve"]
    assert body["Entrypoint"] == ["/init"]
    assert body["User"] == "10001"
    assert body["WorkingDir"] == "/app"
    # What the definition leaves out is the image's.
    empty = body_of(command=[], entryPoint=[], user="", workingDirectory="")
    assert not {"Cmd", "Entrypoint", "User", "WorkingDir"} & set(empty)


def test_environment_labels_and_stop_timeout_reach_it() -> None:
    body = body_of(
        environment={"PORT": "3000", "MODE": "a=b"}, dockerLabels={"team": "web"}, stopTimeout=5
    )
    assert body["Env"] == ["PORT=3000", "MODE=a=b"]
    assert body["Labels"] == {"whose": "ours", "embedded-aws.task": TASK_ARN, "team": "web"}
    assert body["StopTimeout"] == 5


def test_on_a_bridge_its_ports_are_on_loopback() -> None:
    body = container_body(
        start_of(), image="app", labels={}, readable_files=[], network=published({3000: 40_001})
    )
    assert body["ExposedPorts"] == {"3000/tcp": {}}
    assert body["HostConfig"]["NetworkMode"] == "bridge"
    assert body["HostConfig"]["PortBindings"] == {
        "3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40001"}]
    }
