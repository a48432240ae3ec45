"""Who removes a data plane's containers when it is no more."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.kept_process import KeptProcess, Spec
from embedded_aws.data_plane.runtimes.docker import watch as docker_watch
from embedded_aws.data_plane.runtimes.docker.engine import DockerEngine
from embedded_aws.data_plane.runtimes.docker.watch import DockerWatch, remove_left_overs
from tests.embedded.docker.daemon import Daemon, daemon_at

WATCH = "/containers/embedded-aws-watch-state"


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with daemon_at() as daemon:
        yield daemon


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    state_folder = tmp_path / "state"
    state_folder.mkdir()
    return Configuration(
        endpoint_url="http://127.0.0.1:1",
        account_id="123456789012",
        region="us-west-2",
        state_folder=state_folder,
        cache_folder=tmp_path / "cache",
    )


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Spec]:
    """What processes were started with, none of which is."""
    specs: list[Spec] = []

    async def start(folder: Path, spec: Spec, *, environment: Any) -> KeptProcess:
        assert environment == {"PATH": "/usr/bin:/bin"}
        specs.append(spec)
        return KeptProcess(folder)

    monkeypatch.setattr(KeptProcess, "start", start)
    return specs


def watch(
    daemon: Daemon, configuration: Configuration, work: Callable[[DockerWatch], Awaitable[None]]
) -> None:
    async def run() -> None:
        engine = DockerEngine(daemon.endpoint)
        try:
            await work(DockerWatch(engine, configuration))
        finally:
            await engine.close()

    asyncio.run(run())


def starts(daemon: Daemon, configuration: Configuration) -> None:
    watch(daemon, configuration, lambda it: it.start("pause"))


def test_it_is_a_container_that_the_daemon_starts_again(
    daemon: Daemon, configuration: Configuration, kept: list[Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    daemon.says("POST /containers/create", {"Id": "w"}, status=201)
    daemon.says(f"POST {WATCH}/start", b"", status=204)
    daemon.says(f"GET {WATCH}/logs", b"", b"\x01\0\0\0\0\0\0\x09watching\n")
    starts(daemon, configuration)
    assert daemon.calls == [
        f"GET {WATCH}/json", "POST /containers/create", f"POST {WATCH}/start",
        f"GET {WATCH}/logs", f"GET {WATCH}/logs",
    ]  # fmt: skip
    assert kept == []
    created = daemon.asked[1]
    assert created.query == [("name", "embedded-aws-watch-state")]
    body = json.loads(created.body)
    python, *_, script = body["Entrypoint"]
    assert python == os.path.realpath(sys.executable)
    assert body["Entrypoint"][1:-1] == ["-I", "-S"]
    assert Path(script).name == "sweep.py"
    state_folder = str(configuration.state_folder)
    assert body["Cmd"] == [
        daemon.endpoint, f"embedded-aws.state-folder={state_folder}",
        f"{state_folder}/heartbeat", "10",
    ]  # fmt: skip
    assert body["Labels"] == {
        "embedded-aws.state-folder": state_folder,
        "embedded-aws.machine": socket.gethostname(),
    }
    assert body["Image"] == "pause"
    host = body["HostConfig"]
    mounts = host.pop("Mounts")
    assert host == {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "RestartPolicy": {"Name": "always"},
        "SecurityOpt": ["label=disable"],
    }
    shown = {mount["Source"] for mount in mounts}
    assert {daemon.endpoint.removeprefix("unix://"), str(configuration.state_folder.parent)} < shown
    assert {sys.base_prefix, str(Path(script).parent)} < shown
    # Without it the daemon could not start the container again.
    assert state_folder not in shown
    assert all(Path(folder).exists() for folder in shown)
    assert mounts == [
        {"Type": "bind", "Source": folder, "Target": folder, "ReadOnly": True}
        for folder in sorted(shown)
    ]
    assert [request.query for request in daemon.asked[3:]] == [[("stdout", "1")]] * 2


def test_its_python_has_all_that_a_linux_system_keeps_for_programs(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: True)
    engine: Any = SimpleNamespace(endpoint="unix:///run/docker.sock")
    mounts = DockerWatch(engine, configuration)._body("pause", "/run/docker.sock")["HostConfig"]
    shown = {mount["Source"] for mount in mounts["Mounts"]}
    assert {"/usr", "/lib", "/lib64", "/nix", "/etc/ld.so.cache"} < shown


def test_one_that_runs_already_is_enough(
    daemon: Daemon, configuration: Configuration, kept: list[Spec]
) -> None:
    daemon.says(f"GET {WATCH}/json", {"Id": "w"})
    starts(daemon, configuration)
    assert daemon.calls == [f"GET {WATCH}/json"]
    assert kept == []


def test_a_process_that_watches_already_is_enough(
    daemon: Daemon, configuration: Configuration, kept: list[Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    (configuration.state_folder / "docker-watch").mkdir()
    monkeypatch.setattr(KeptProcess, "exit_status", lambda _: None)
    starts(daemon, configuration)
    assert daemon.calls == [f"GET {WATCH}/json"]
    assert kept == []


@pytest.mark.parametrize("begins", [None, b"no such file"])
def test_where_no_container_can_be_it_is_a_process(
    daemon: Daemon,
    configuration: Configuration,
    kept: list[Spec],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    begins: bytes | None,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(docker_watch, "_START_TIMEOUT_SECONDS", 0.05)
    if begins is not None:
        daemon.says("POST /containers/create", {"Id": "w"}, status=201)
        daemon.says(f"POST {WATCH}/start", b"", status=204)
        daemon.says(f"GET {WATCH}/logs", begins)
    starts(daemon, configuration)
    assert "No container watches over the others" in capsys.readouterr().err
    assert daemon.calls[-1] == f"DELETE {WATCH}"
    assert daemon.asked[-1].query == [("force", "1")]
    (spec,) = kept
    assert spec.argv is None
    assert (spec.cwd, spec.output) == ("/", "/dev/null")
    assert spec.heartbeat == str(configuration.heartbeat)
    assert spec.cleanup is not None
    python, *options, script, endpoint, label = spec.cleanup
    assert (python, options) == (sys.executable, ["-I", "-S"])
    assert (Path(script).name, endpoint) == ("sweep.py", daemon.endpoint)
    assert label == f"embedded-aws.state-folder={configuration.state_folder}"


def test_elsewhere_than_on_linux_it_is_a_process(
    daemon: Daemon, configuration: Configuration, kept: list[Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    starts(daemon, configuration)
    assert daemon.calls == [f"GET {WATCH}/json"]
    assert len(kept) == 1


def test_its_end_is_waited_for(daemon: Daemon, configuration: Configuration) -> None:
    daemon.says(f"POST {WATCH}/wait", {"StatusCode": 0})
    watch(daemon, configuration, lambda it: it.end())
    assert daemon.calls == [f"POST {WATCH}/wait"]
    assert daemon.asked[0].query == [("condition", "removed")]


@pytest.mark.parametrize("has_folder", [False, True])
def test_its_end_is_not_waited_for_where_there_is_none(
    daemon: Daemon, configuration: Configuration, monkeypatch: pytest.MonkeyPatch, has_folder: bool
) -> None:
    done: list[str] = []

    async def wait(_: KeptProcess) -> int:
        done.append("waited")
        return 0

    monkeypatch.setattr(KeptProcess, "stop", lambda _: done.append("stopped"))
    monkeypatch.setattr(KeptProcess, "wait", wait)
    if has_folder:
        (configuration.state_folder / "docker-watch").mkdir()
    watch(daemon, configuration, lambda it: it.end())
    assert done == ["stopped", *(["waited"] if has_folder else [])]


def test_a_daemon_that_says_nothing_does_not_keep_it(
    daemon: Daemon, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(_: KeptProcess) -> int:
        await asyncio.sleep(600)
        return 0

    monkeypatch.setattr(docker_watch, "_REMOVAL_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(KeptProcess, "wait", wait)
    (configuration.state_folder / "docker-watch").mkdir()
    watch(daemon, configuration, lambda it: it.end())
    assert daemon.calls == []


def test_only_what_is_left_of_data_planes_that_are_no_more_is_removed(
    daemon: Daemon, tmp_path: Path
) -> None:
    now = time.time()
    for name, age in (("alive", 30), ("old", 90)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "heartbeat").touch()
        os.utime(tmp_path / name / "heartbeat", (now - age, now - age))
    for kind in ("containers", "images"):
        daemon.says(
            f"GET /{kind}/json",
            [
                {"Id": name, "Labels": {"embedded-aws.state-folder": str(tmp_path / name)}}
                for name in ("alive", "old", "gone")
            ],
        )

    async def remove() -> None:
        engine = DockerEngine(daemon.endpoint)
        await remove_left_overs(engine)
        await engine.close()

    asyncio.run(remove())
    assert daemon.calls == [
        "GET /containers/json", "DELETE /containers/old", "DELETE /containers/gone",
        "GET /images/json", "DELETE /images/old", "DELETE /images/gone",
    ]  # fmt: skip
    listed, removed = dict(daemon.asked[0].query), dict(daemon.asked[1].query)
    assert listed["all"] == "1"
    assert json.loads(listed["filters"]) == {
        "label": [f"embedded-aws.machine={socket.gethostname()}"]
    }
    assert removed == {"force": "1"}
