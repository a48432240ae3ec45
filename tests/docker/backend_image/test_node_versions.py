"""The backend's image runs on the Node.js that is chosen."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest

from tests.docker.backend_image.building import BACKEND, built
from tests.docker.backend_image.running import (
    HEALTHY_SECONDS,
    Database,
    postgresql_programs,
    running,
)
from tests.support.docker_engine import (
    DockerEngine,
    docker_or_skip,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["16", "22"])
def node_version(request: pytest.FixtureRequest, docker: DockerEngine) -> str:
    version: str = request.param
    docker_or_skip(f"node:{version}-slim")
    return version


def test_it_is_healthy_on_the_node_version_that_was_chosen(
    docker: DockerEngine, source: Path, database: Database, node_version: str
) -> None:
    with built(docker, source, NODE_VERSION=node_version) as images:
        version = docker.output_of(images.production, "node", "--version")
        assert version.startswith(f"v{node_version}.")
        with running(docker, images.production, database) as service:
            health = service.container.health_within(HEALTHY_SECONDS, wanted="healthy")
            assert health == "healthy", service.container.logs()


def test_a_build_with_a_node_version_past_its_end_warns_and_says_since_when(
    docker: DockerEngine, source: Path, tmp_path: Path, node_version: str
) -> None:
    # The end of 22 is the next that these tests would run into.
    if node_version == "22" and date.today() > date(2027, 4, 30):
        pytest.skip("Node.js 22 is past its end of life, so its builds warn.")
    folder = tmp_path / "backend"
    shutil.copytree(source, folder)
    # What was built before prints nothing again.
    (folder / "src/new.ts").write_text(f"export const unique = '{uuid4().hex}';\n")
    output = docker.build_output(
        folder, target="builder", build_args={"NODE_VERSION": node_version}
    )
    warning = "WARNING: Node.js 16 has had no security fixes since 2023-09-11."
    assert (warning in output) == (node_version == "16"), output
    # The step itself is printed too, with the words but without a version.
    warned = re.search(r"WARNING: Node\.js \d+ has", output) is not None
    assert warned == (node_version == "16"), output


@pytest.mark.skipif(sys.platform != "linux", reason="the Node.js of an image is one for Linux")
def test_the_service_answers_as_its_tests_say_on_the_node_version_that_was_chosen(
    docker: DockerEngine, tmp_path: Path, node_version: str
) -> None:
    postgresql_programs()
    node = tmp_path / "node"
    docker.copy_out(f"node:{node_version}-slim", "/usr/local/bin/node", node)
    subprocess.run(["npm", "--prefix", BACKEND, "run", "--silent", "compile"], check=True)
    # Those that wait for nothing; `SERVICE_NODE=… npm --prefix backend test` runs all.
    tests = [
        BACKEND / f".cache/test/test/{name}.test.js" for name in ("bad-input", "notes", "logs")
    ]
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", *tests],
        env={**os.environ, "SERVICE_NODE": str(node)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
