"""A container of the backend's image lives well on Fargate."""

import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.docker.backend_image.building import COMMIT, VERSION, Images
from tests.docker.backend_image.running import (
    HEALTHY_SECONDS,
    Database,
    Service,
    free_port,
    migrate,
    postgresql,
    postgresql_programs,
    running,
)
from tests.support.docker_engine import (
    DockerEngine,
)

pytestmark = pytest.mark.slow


STOP_TIMEOUT_SECONDS = 30


def test_it_runs_as_nodeuser_with_a_fixed_uid(docker: DockerEngine, images: Images) -> None:
    assert docker.output_of(images.production, "id", "--user", "--name") == "nodeuser"
    assert docker.output_of(images.production, "id", "--user") == "10001"
    assert docker.output_of(images.production, "id", "--groups") == "10001"


def test_nobody_can_log_in_as_nodeuser(docker: DockerEngine, images: Images) -> None:
    as_root = ("--user", "root")
    # The same command works for root, so it is the account that refuses.
    docker.output_of(images.production, "su", "root", "-c", "true", options=as_root)
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        docker.output_of(images.production, "su", "nodeuser", "-c", "true", options=as_root)
    assert "not available" in refusal.value.stdout + refusal.value.stderr


def test_it_cannot_change_its_own_code(docker: DockerEngine, images: Images) -> None:
    writable = docker.output_of(images.production, "find", "/app", "-writable")
    assert writable == ""


def test_it_becomes_healthy_read_only_and_without_capabilities(service: Service) -> None:
    health = service.container.health_within(HEALTHY_SECONDS, wanted="healthy")
    assert health == "healthy", service.container.logs()


def test_it_says_which_version_and_commit_it_is(service: Service) -> None:
    service.container.health_within(HEALTHY_SECONDS, wanted="healthy")
    status, body = service.get("/health")
    assert status == 200, body
    assert (body["version"], body["commit"]) == (VERSION, COMMIT)


def test_it_becomes_unhealthy_without_its_database(
    docker: DockerEngine, images: Images, database: Database
) -> None:
    elsewhere = replace(database, port=free_port())
    with running(docker, images.production, elsewhere) as service:
        assert service.container.health_within(HEALTHY_SECONDS, wanted="unhealthy") == "unhealthy"


def test_sigterm_ends_it_with_status_0_within_the_stop_timeout(
    docker: DockerEngine, images: Images, database: Database
) -> None:
    with running(docker, images.production, database) as service:
        service.container.health_within(HEALTHY_SECONDS, wanted="healthy")
        ended = service.container.stop(stop_timeout_seconds=STOP_TIMEOUT_SECONDS)
        assert ended.exit_status == 0, service.container.logs()
        assert ended.seconds < STOP_TIMEOUT_SECONDS


def test_a_database_that_goes_away_later_is_no_reason_to_replace_it(
    docker: DockerEngine, images: Images
) -> None:
    with ExitStack() as server:
        database = server.enter_context(postgresql(postgresql_programs()))
        migrate(docker, images.production, database)
        with running(docker, images.production, database) as service:
            service.container.health_within(HEALTHY_SECONDS, wanted="healthy")
            server.close()
            deadline = time.monotonic() + HEALTHY_SECONDS
            while service.get("/health")[1]["database"] != "unavailable":
                assert time.monotonic() < deadline
                time.sleep(0.2)
            # The checks that the container has here: every second, unhealthy after two.
            assert service.container.health_within(6, wanted="unhealthy") == "healthy"
            assert service.get("/health")[0] == 200
