"""What the demo and `prod-e local` begin with, and what of it is there after their end."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from prod_e_ops.demo import begin as begin_module
from prod_e_ops.demo.begin import Runtime, begin, refuse_existing
from prod_e_ops.demo.report import Report
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import DockerUnavailable, UserMistake
from tests.support.project.demo_run import last_step, run_of, said_in


class AnyAws:
    """An embedded AWS that is started and ended."""

    endpoint_url = "http://127.0.0.1:1"
    page_url = "http://127.0.0.1:1/page"
    registry_address = "127.0.0.1:5000"

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.is_up = False

    def __enter__(self) -> Self:
        self.is_up = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_up = False

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        return {**given, "AWS_ENDPOINT_URL": self.endpoint_url}


@dataclass
class AnyTerraform:
    environment: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)

    def with_environment(self, environment: Mapping[str, str], **options: Any) -> "AnyTerraform":
        return replace(self, environment=environment, options=options)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[AnyAws]:
    """Each embedded AWS that is started."""
    found: list[AnyAws] = []

    class Terraform:
        async def __aenter__(self) -> AnyTerraform:
            return AnyTerraform({"PATH": "/bin", "GOGC": "50"})

        async def __aexit__(self, *_: object) -> None:
            pass

    def start(**options: Any) -> AbstractContextManager[AnyAws]:
        found.append(AnyAws(**options))
        return found[-1]

    monkeypatch.setattr(begin_module, "find_terraform", lambda *_, **__: Terraform())
    monkeypatch.setattr(begin_module, "EmbeddedAws", start)
    monkeypatch.setattr(begin_module, "clients_of", lambda aws: aws)
    return found


def context_of(run: Run) -> Any:
    return SimpleNamespace(
        project=run.project, processes=run.context.processes, terminal=run.context.terminal
    )


def project_of(folder: Path, settings: str = "[services.backend]\n") -> Run:
    for name in ("backend", ".cache"):
        (folder / name).mkdir(parents=True)
    (folder / "backend" / "Dockerfile").write_text("FROM scratch\n")
    (folder / "backend" / "package.json").write_text("{}")
    return run_of(folder, settings)


@pytest.mark.parametrize(
    ("runtime", "docker", "on"),
    [
        (Runtime.PROCESS, None, "process"),
        (Runtime.AUTO, None, "docker"),
        (Runtime.AUTO, "no daemon", "process"),
        (Runtime.DOCKER, None, "docker"),
    ],
)
def test_what_begins_runs_a_copy_on_an_aws_that_ends_with_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[AnyAws],
    runtime: Runtime,
    docker: str | None,
    on: str,
) -> None:
    removed: list[tuple[str, bool]] = []

    async def why_no_docker() -> str | None:
        return docker

    async def remove(registry: str, _: object) -> None:
        removed.append((registry, started[0].is_up))

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(begin_module, "why_no_docker", why_no_docker)
    monkeypatch.setattr(begin_module, "remove_images", remove)
    given = project_of(tmp_path, "[services.backend]\n[database]\n")
    report = Report(environment="tiny-e")

    async def scenario() -> Path:
        async with begin(
            context_of(given),
            given.environment,
            report=report,
            runtime=runtime,
            databases_folder=tmp_path / "data",
        ) as life:
            (aws,) = started
            assert aws.is_up
            assert life.delivery.runtime == report.runtime == on
            plane = aws.options["data_plane"]
            assert (plane.runtime, plane.databases_folder) == (on, tmp_path / "data")
            assert aws.options["region"] == given.environment.region
            assert aws.options["account_id"] == "123456789012"
            # What is deployed is a copy, and reaches no other AWS.
            assert life.run.project.folder.is_relative_to(life.scratch)
            assert plane.sources == {"tiny-e-backend": life.run.project.folder / "backend"}
            assert life.run.variables["AWS_ENDPOINT_URL"] == aws.endpoint_url
            clients: Any = life.run.clients
            assert clients is life.run.aws
            terraform: Any = life.infrastructure.terraform
            assert terraform.environment == {
                # What the user has chosen, and what nobody has.
                "GOGC": "50",
                "GOMEMLIMIT": "600MiB",
                "PATH": "/bin",
                "AWS_ENDPOINT_URL": aws.endpoint_url,
                "TMPDIR": str(life.scratch),
                "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
            }
            assert terraform.options["logs"] == tmp_path / ".cache" / "demo"
            assert bool(life.infrastructure.no_images) is (on == "process")
            assert not life.infrastructure.at_once
            assert life.scratch.is_dir()
            return life.scratch

    scratch = asyncio.run(scenario())
    assert not started[0].is_up
    assert not scratch.exists()
    # Not before its end: containers use them.
    assert removed == ([("127.0.0.1:5000", False)] if on == "docker" else [])
    words = {"docker": "in Docker", "process": "as processes"}[on]
    assert report.steps[0].result == f"http://127.0.0.1:1, tasks run {words}"
    assert "  Watch it in a browser: http://127.0.0.1:1/page" in said_in(given)


@pytest.mark.parametrize(
    ("platform", "docker", "told"),
    [("linux", "no daemon", "no daemon"), ("darwin", None, "takes Docker on Linux")],
)
def test_docker_that_is_asked_for_and_is_not_there_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[AnyAws],
    platform: str,
    docker: str | None,
    told: str,
) -> None:
    async def why_no_docker() -> str | None:
        return docker

    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(begin_module, "why_no_docker", why_no_docker)
    given = project_of(tmp_path)

    async def scenario() -> None:
        async with begin(
            context_of(given),
            given.environment,
            report=given.report,
            runtime=Runtime.DOCKER,
        ):
            pytest.fail("it began")

    with pytest.raises(DockerUnavailable, match=f"Tasks cannot run in Docker: .*{told}"):
        asyncio.run(scenario())
    assert started == []
    assert last_step(given).result == "failed"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (
            "[load_balancer]\ndomain_name = 'a.example'\nhosted_zone_id = 'Z0123456789'\n",
            "hosted_zone_id",
        ),
        (
            "[load_balancer]\n"
            "certificate_arn = 'arn:aws:acm:us-west-2:123456789012:certificate/a'\n",
            "certificate_arn",
        ),
        ('[cluster]\narn = "arn:aws:ecs:us-west-2:123456789012:cluster/c"\n', "cluster.arn"),
    ],
)
def test_what_only_the_users_account_has_is_refused(
    tmp_path: Path, settings: str, named: str
) -> None:
    environment = run_of(tmp_path, f"[services.backend]\n{settings}").environment
    with pytest.raises(UserMistake, match=f"what the embedded AWS does not have: .*{named}"):
        refuse_existing(environment)


def test_an_environment_that_makes_all_of_it_begins(tmp_path: Path) -> None:
    refuse_existing(run_of(tmp_path, "[services.backend]\n").environment)
