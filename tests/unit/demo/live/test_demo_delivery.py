"""How the demo gets a version of a service to its tasks, as an image and as a folder."""

import asyncio
import hashlib
import json
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.demo.live import delivery as delivery_module
from prod_e_ops.demo.live.delivery import AsContainers, AsProcesses, Delivery, remove_images
from prod_e_ops.demo.live.versions import Version
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import DockerUnavailable, OpsError
from prod_e_ops.terminal.processes import Finished
from tests.support.project.demo_run import Commands, commands_of, run_of, said_in

WAYS: Sequence[Delivery] = (AsContainers(), AsProcesses())


class Repository:
    """ECR, and ECS, which has another deployment after a push; `deploys`: whether it has."""

    def __init__(self, *, deploys: bool = True) -> None:
        self.put: list[dict[str, str]] = []
        self._deploys = deploys
        self._asked = 0

    def __call__(self, _: str) -> "Repository":
        return self

    def put_image(self, **image: str) -> None:
        self.put.append(image)

    def list_service_deployments(self, *, cluster: str, service: str) -> Any:
        assert (cluster, service) == ("tiny-e-cluster", "tiny-e-backend")
        self._asked += 1
        # ECS takes a moment.
        last = 2 if self.put and self._deploys and self._asked > 2 else 1
        return {
            "serviceDeployments": [
                {
                    "serviceDeploymentArn": f"arn:{day}",
                    "createdAt": datetime(2026, 1, day, tzinfo=UTC),
                }
                for day in range(last, 0, -1)
            ]
        }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(tmp_path)


def made_run(folder: Path, commands: Commands | None = None, repository: Any = None) -> Run:
    project = folder / "project"
    (project / "backend" / "src").mkdir(parents=True)
    (project / "backend" / "Dockerfile").write_text("FROM scratch\n")
    (project / "backend" / "package.json").write_text("{}")
    (project / "backend" / "src" / "main.ts").write_text("first();\n")
    return run_of(
        project,
        '[services.backend]\nbuild_args = { NODE = "24" }\nbuild_network = "host"\n',
        clients=repository or Repository(),
        commands=commands,
        embedded=SimpleNamespace(registry_address="127.0.0.1:5000"),
    )


def changed_version(run: Run, folder: Path) -> Version:
    settings = run.environment.services["backend"]
    source = run.project.folder / "backend"
    return Version.of(source, settings, copy=folder / "changed", lines="changed();\n")


def in_its_place(run: Run) -> str:
    """What the source that is built has now."""
    return (run.project.folder / "backend" / "src" / "main.ts").read_text()


def test_an_image_is_pushed_by_the_command_from_the_source_of_its_version(
    run: Run, tmp_path: Path
) -> None:
    version = changed_version(run, tmp_path)
    asyncio.run(AsContainers().push(run, "backend", version))
    assert in_its_place(run) == "first();\nchanged();\n"
    assert commands_of(run) == ["prod-e push backend --yes"]


@pytest.mark.parametrize(("fails", "status"), [(False, 0), (True, 1)])
def test_a_deployed_image_is_followed_to_the_end_that_it_is_to_have(
    tmp_path: Path, fails: bool, status: int
) -> None:
    def deploy(ends: int) -> Run:
        commands = Commands(ends={"push": Finished(ends, "", "what\nwas\nsaid")})
        run = made_run(tmp_path / str(ends), commands)
        version = changed_version(run, tmp_path / str(ends))
        asyncio.run(AsContainers().deploy(run, "backend", version, fails=fails))
        return run

    run = deploy(status)
    assert in_its_place(run).endswith("changed();\n")
    assert commands_of(run) == ["prod-e push backend --yes --wait"]
    assert said_in(run) == ["  $ prod-e push backend --yes --wait"]
    with pytest.raises(OpsError, match=f"with the status {1 - status}, not {status}") as error:
        deploy(1 - status)
    assert error.value.details == ("what", "was", "said")


def test_a_process_is_pushed_as_a_manifest_of_its_content_under_every_tag(
    run: Run, tmp_path: Path
) -> None:
    version = changed_version(run, tmp_path)
    way = AsProcesses()
    asyncio.run(way.push(run, "backend", version))
    assert in_its_place(run) == "first();\nchanged();\n"
    put = run.clients("ecr").put
    assert {each["imageTag"] for each in put} == set(version.build.tags)
    assert "latest" in version.build.tags
    assert {each["repositoryName"] for each in put} == {"tiny-e-backend"}
    (text,) = {each["imageManifest"] for each in put}
    manifest = json.loads(text)
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["layers"] == []
    empty = hashlib.sha256(b"{}").hexdigest()
    assert manifest["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": f"sha256:{empty}",
        "size": 2,
    }
    assert version.build.content_hash in manifest["annotations"].values()
    # Its tasks tell the digest that ECR has of it.
    assert way.told_version(version) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    assert AsContainers().told_version(version) == version.build.content_hash


@pytest.mark.parametrize(("fails", "status"), [(False, 0), (True, 1)])
def test_the_deployment_of_a_process_is_followed_once_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool, status: int
) -> None:
    monkeypatch.setattr(delivery_module, "_POLL_SECONDS", 0.001)
    commands = Commands(ends={"status": Finished(status, "", "")})
    run = made_run(tmp_path, commands)
    version = changed_version(run, tmp_path)
    asyncio.run(AsProcesses().deploy(run, "backend", version, fails=fails))
    assert commands_of(run) == ["prod-e status backend --wait"]
    with pytest.raises(OpsError, match=f"the status {status}, not {1 - status}"):
        asyncio.run(
            AsProcesses().deploy(
                made_run(tmp_path / "other", commands), "backend", version, fails=not fails
            )
        )


def test_a_push_that_deploys_nothing_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(delivery_module, "_BEGIN_TIMEOUT_SECONDS", 0.1)
    run = made_run(tmp_path, repository=Repository(deploys=False))
    version = changed_version(run, tmp_path)
    with pytest.raises(TimeoutError):
        asyncio.run(AsProcesses().deploy(run, "backend", version))
    assert commands_of(run) == []


def test_a_version_is_built_ahead_as_it_will_be(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = changed_version(run, tmp_path)
    built: list[tuple[object, dict[str, Any]]] = []

    class Docker:
        async def build(self, context: Path, **options: Any) -> None:
            built.append((context, options))

    async def find(_: object) -> Docker:
        return Docker()

    monkeypatch.setattr(delivery_module, "find_docker", find)
    asyncio.run(AsContainers().prepare(run, "backend", version))
    ((context, options),) = built
    assert context == version.folder
    assert options.pop("on_step")("a step of the build") is None
    assert options == {
        "image": f"127.0.0.1:5000/ahead:{version.tag}",
        "platform": "linux/amd64",
        "build_args": {"NODE": "24", "VERSION": version.build.content_hash, "COMMIT": ""},
        "network": "host",
        "rebuild": False,
    }
    asyncio.run(AsProcesses().prepare(run, "backend", version))
    (command,) = commands_of(run)
    assert command.endswith(f" -P -m embedded_aws.build {version.folder}")


def test_a_source_that_cannot_be_built_is_told_with_what_npm_said_last(tmp_path: Path) -> None:
    said = "\n".join(map(str, range(40)))
    run = made_run(tmp_path, Commands(ends={"embedded_aws.build": Finished(1, "", said)}))
    with pytest.raises(OpsError, match="cannot be built") as error:
        asyncio.run(AsProcesses().prepare(run, "backend", changed_version(run, tmp_path)))
    assert error.value.details == tuple(map(str, range(25, 40)))


def test_a_task_is_killed_as_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda *call: killed.append(call))
    run = made_run(tmp_path)
    asyncio.run(AsProcesses().kill(run, "process-4242"))
    assert killed == [(4242, signal.SIGKILL)]
    asyncio.run(AsContainers().kill(run, "0123abcd"))
    assert commands_of(run) == ["docker kill 0123abcd"]
    refusing = Commands(ends={"kill": Finished(1, "", "No such container\n")})
    with pytest.raises(OpsError, match=r"does not kill 0123abcd: No such container$"):
        asyncio.run(AsContainers().kill(made_run(tmp_path / "other", refusing), "0123abcd"))


def test_the_data_plane_runs_the_sources_of_the_copy(run: Run) -> None:
    planes = [way.data_plane(run.project, run.environment) for way in WAYS]
    assert [(way.runtime, plane.runtime) for way, plane in zip(WAYS, planes, strict=True)] == [
        ("docker", "docker"),
        ("process", "process"),
    ]
    for plane in planes:
        assert plane.sources == {"tiny-e-backend": run.project.folder / "backend"}
        # Tasks share this machine: each listens at an address of its own, at ports of its own.
        assert plane.task_environment["HOST"] == "{listen_address}"
        assert plane.task_environment["METRICS_PORT"] == "{free_port}"
        assert plane.task_environment["DB_CA_FILE"] == "{certificate_authority_file}"
    assert [plane.task_environment.get("VERSION") for plane in planes] == [None, "{image_digest}"]


def test_without_docker_only_node_projects_run(run: Run) -> None:
    (run.project.folder / "backend" / "package.json").unlink()
    with pytest.raises(DockerUnavailable, match="tasks of backend cannot run: backend has no"):
        AsProcesses().data_plane(run.project, run.environment)
    assert AsContainers().data_plane(run.project, run.environment)


@pytest.mark.parametrize(
    ("listed", "removed"),
    [
        ("r/a:latest\nr/a:<none>\nr/b:1\n", ["docker image rm r/a:latest r/b:1"]),
        ("r/a:<none>\n", []),
        ("", []),
    ],
)
def test_this_machine_keeps_no_image_of_a_registry_that_is_gone(
    listed: str, removed: Sequence[str]
) -> None:
    commands = Commands(ends={"ls": Finished(0, listed, "")})
    processes: Any = commands
    asyncio.run(remove_images("r", processes))
    ls, *rest = [" ".join(words) for words in commands.run]
    assert ls.startswith("docker image ls --format ")
    assert ls.endswith(" r/*")
    assert rest == removed
