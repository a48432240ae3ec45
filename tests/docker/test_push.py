"""`prod-e push` with real Docker, a real registry that asks for a password, and an embedded AWS."""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from embedded_aws import EmbeddedAws
from prod_e.delivery.build_context import read_build_context
from prod_e_ops.terraform.provider_mirror import find_provider_source
from tests.support.docker_engine import DockerEngine, DockerUnavailableError
from tests.support.project_folder import PROD_E, PROJECT
from tests.support.registry import (
    DROP,
    Network,
    Registry,
    answer,
    authorization,
    listening,
)

PUSH_SECONDS = 120

REPOSITORY = "tiny-e-api"
SETTINGS = """
name = "tiny-e"
[services.api]
build = "external"
"""
DOCKERFILE = """
FROM scratch
COPY . /
ARG VERSION
ARG COMMIT
ENV VERSION=${VERSION} COMMIT=${COMMIT}
"""

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None
    or (
        find_provider_source(os.environ).origin == "from Terraform's registry"
        and os.environ.get("PROD_E_TEST_WITH_REGISTRY") != "1"
    ),
    reason="Terraform, or a mirror with the AWS provider, is missing",
)


@dataclass(kw_only=True)
class World:
    """A project, an AWS with a registry behind a network, and the docker tool of one user.

    `docker_log`: the arguments of every docker command, and the mode of its configuration.
    """

    folder: Path
    registry: Registry
    network: Network
    aws: EmbeddedAws
    variables: dict[str, str]

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def source(self) -> Path:
        return self.project / "api"

    @property
    def docker_log(self) -> str:
        return (self.folder / "docker.log").read_text()

    @property
    def built(self) -> int:
        return sum(line.startswith("build ") for line in self.docker_log.splitlines())

    def push(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        with self.pushing(*arguments, **variables) as process:
            stdout, stderr = process.communicate(timeout=PUSH_SECONDS)
        assert "Traceback" not in stderr, stderr
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def pushed(self, *arguments: str, **variables: str) -> dict[str, Any]:
        done = self.push(*arguments, "--json", **variables)
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    @contextlib.contextmanager
    def pushing(self, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [PROD_E, "push", "api", *arguments],
            cwd=self.project,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def settings(self, text: str) -> None:
        (self.project / "environments" / "tiny-e.toml").write_text(text)

    def change(self, content: str) -> str:
        """Changes what is built; gives the tag of the new content."""
        (self.source / "file").write_text(content)
        return self.content_tag()

    def content_tag(self, architecture: str = "x86_64") -> str:
        return f"content-{read_build_context(self.source, architecture=architecture).content_hash}"

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        return subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.project,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def client(self, service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.aws.endpoint_url,
            region_name=self.aws.region,
            aws_access_key_id="embedded",
            aws_secret_access_key="embedded",
        )

    def create_repository(self, **arguments: Any) -> None:
        client = self.client("ecr")
        client.create_repository(repositoryName=REPOSITORY, **arguments)
        client.close()

    def tags(self) -> dict[str, str]:
        return self.registry.tags(REPOSITORY)

    def assert_no_credentials_left(self) -> None:
        for password in self.network.passwords:
            secrets = (password.encode(), b64encode(f"AWS:{password}".encode()))
            for file in (path for path in self.folder.rglob("*") if path.is_file()):
                content = file.read_bytes()
                assert not any(secret in content for secret in secrets), file
        assert list((self.folder / "tmp").iterdir()) == []
        assert not (self.folder / "home" / ".docker").exists()


@pytest.fixture(scope="module")
def docker() -> DockerEngine:
    try:
        return DockerEngine.connect()
    except DockerUnavailableError as missing:
        _unavailable(str(missing))
        raise


def _unavailable(reason: str) -> None:
    if os.environ.get("PROD_E_REQUIRE_DOCKER") == "1":
        pytest.fail(f"{reason} PROD_E_REQUIRE_DOCKER=1 asks for these tests.")
    pytest.skip(reason)


@pytest.fixture
def empty(tmp_path: Path, docker: DockerEngine) -> Iterator[World]:
    """An account without anything in it; what pushes leave is checked in the end."""
    project = tmp_path / "project"
    for name in ("project/environments", "project/api", "home", "tmp", "bin"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("main.py", "cdktf.json"):
        shutil.copy(PROJECT / name, project)
    (project / "node_modules").symlink_to(PROJECT / "node_modules")
    (project / "api" / "Dockerfile").write_text(DOCKERFILE)
    with (
        listening(Network()) as passing,
        EmbeddedAws(registry_host=passing.host) as aws,
    ):
        registry = Registry(aws=aws)
        passing.to_port = registry.port
        world = World(
            folder=tmp_path,
            registry=registry,
            network=passing,
            aws=aws,
            variables=_variables(tmp_path, docker, aws),
        )
        world.settings(SETTINGS)
        world.change("first")
        try:
            yield world
            world.assert_no_credentials_left()
            assert aws.failed_calls == ()
        finally:
            # By their names: what tests beside this one build of the same source has the same id.
            names = "{{.Repository}}:{{.Tag}}"
            images = docker.run("image", "ls", f"--format={names}", f"{passing.host}/*").split()
            named = [image for image in images if not image.endswith(":<none>")]
            if named:
                docker.run("image", "rm", *named)


@pytest.fixture
def world(empty: World) -> World:
    """The same with the repository."""
    empty.create_repository()
    return empty


def _variables(folder: Path, docker: DockerEngine, aws: EmbeddedAws) -> dict[str, str]:
    program = shutil.which("docker")
    shim = folder / "bin" / "docker"
    log = folder / "docker.log"
    log.touch()
    shim.write_text(
        f'#!/bin/sh\necho "$* config:$(stat -c %a "${{DOCKER_CONFIG:-/}}")" >>{log}\n'
        f'exec {program} "$@"\n'
    )
    shim.chmod(0o755)
    variables = aws.environment(docker.environment)
    variables.pop("DOCKER_CONFIG", None)
    return {
        **variables,
        "PATH": f"{shim.parent}:{variables['PATH']}",
        "HOME": str(folder / "home"),
        # Nobody's home is as new as this one: what synthesis unpacks once is there already.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache/aws/jsii/package-cache"),
        "TMPDIR": str(folder / "tmp"),
        "VIRTUAL_ENV": sys.prefix,
    }


# --- What a push does ---------------------------------------------------------------------------


@needs_terraform
def test_in_an_empty_account_the_first_push_creates_the_repository_when_agreed(
    empty: World,
) -> None:
    asked = empty.push()
    assert asked.returncode == 2
    assert "has no ECR repository tiny-e-api in us-west-2" in asked.stderr
    assert "Repeat it with --yes." in asked.stderr
    assert empty.built == 0

    done = empty.pushed("--yes")
    assert done["repository"] == f"{empty.network.host}/{REPOSITORY}"
    assert set(empty.tags().values()) == {done["digest"]}

    # What is deployed later knows of it.
    planned = subprocess.run(
        [PROD_E, "plan", "--json"],
        cwd=empty.project,
        env=empty.variables,
        capture_output=True,
        text=True,
        check=True,
    )
    stacks = {stack["stack"]: stack for stack in json.loads(planned.stdout)["stacks"]}
    assert not any(
        stacks["tiny-e-registry"][fate] for fate in ("created", "changed", "replaced", "destroyed")
    )
    assert stacks["tiny-e"]["created"]


def test_declining_changes_nothing(empty: World) -> None:
    terminal, other = pty.openpty()
    os.write(terminal, b"n\n")
    done = subprocess.run(
        [PROD_E, "push", "api"],
        cwd=empty.project,
        env=empty.variables,
        stdin=other,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(terminal)
    os.close(other)
    assert done.returncode == 1
    assert "Deploy tiny-e-registry now? [y/N]" in done.stderr
    assert "Nothing was changed." in done.stderr
    assert empty.built == 0


def test_every_tag_names_the_image_that_was_built(world: World) -> None:
    world.git("init", "--quiet")
    world.git("add", ".")
    world.git("commit", "--quiet", "--message", "one")
    commit = world.git("rev-parse", "HEAD")

    done = world.pushed("--release", "v1.4.0", "--tag", "canary", "--tag", "canary")

    content = world.content_tag()
    tags = [content, f"git-{commit[:12]}", "v1.4.0", "canary", "latest"]
    assert done["tags"] == tags
    assert (done["built"], done["pushed"]) == (True, True)
    assert world.tags() == dict.fromkeys(tags, done["digest"])
    image = world.registry.image(REPOSITORY, "latest")
    assert image["architecture"] == "amd64"
    assert f"VERSION={content.removeprefix('content-')}" in image["config"]["Env"]
    assert f"COMMIT={commit}" in image["config"]["Env"]


def test_people_get_a_table_and_the_next_step(world: World) -> None:
    done = world.push()
    assert done.returncode == 0, done.stderr
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line)
    assert rows == {
        "repository": f"{world.network.host}/{REPOSITORY}",
        "digest": world.tags()["latest"],
        "tags": f"{world.content_tag()}, latest",
        "built": "yes",
    }
    assert "hint: ECS deploys it by itself now (npm run prod-e -- status api" in done.stderr


def test_content_that_ecr_has_is_not_built_again_and_only_its_tags_move(world: World) -> None:
    first = world.pushed()
    world.change("second")
    second = world.pushed()
    assert second["digest"] != first["digest"]
    builds, uploads = world.built, len(world.network.requests)

    world.change("first")
    again = world.pushed("--release", "v1.0.0")

    assert again["digest"] == first["digest"]
    assert (again["built"], again["pushed"]) == (False, False)
    assert world.built == builds
    assert len(world.network.requests) == uploads
    assert world.tags()["latest"] == world.tags()["v1.0.0"] == first["digest"]


def test_a_rebuild_builds_what_ecr_has_and_the_content_tag_moves_too(world: World) -> None:
    world.pushed()
    again = world.pushed("--rebuild")
    assert again["built"] is True
    assert "--no-cache --pull" in world.docker_log
    assert set(world.tags().values()) == {again["digest"]}


def test_changes_that_are_not_committed_are_in_the_commits_tag(world: World) -> None:
    world.git("init", "--quiet")
    world.git("add", ".")
    world.git("commit", "--quiet", "--message", "one")
    commit = world.git("rev-parse", "HEAD")
    world.change("not committed")
    done = world.pushed()
    assert f"git-{commit[:12]}-dirty" in done["tags"]
    image = world.registry.image(REPOSITORY, done["digest"])
    assert f"COMMIT={commit}-dirty" in image["config"]["Env"]


@pytest.mark.parametrize("state", ["no repository", "committed", "dirty"])
@pytest.mark.parametrize("image_tag", ["latest", "content", "stable"])
def test_terraform_would_build_the_same_and_give_it_the_same_tags(
    world: World, state: str, image_tag: str
) -> None:
    world.settings(f'name = "tiny-e"\n[services.api]\nimage_tag = "{image_tag}"\n')
    if state != "no repository":
        world.git("init", "--quiet")
        world.git("add", "api")
        world.git("commit", "--quiet", "--message", "one")
    if state == "dirty":
        world.change("not committed")
    subprocess.run([PROD_E, "synth"], cwd=world.project, env=world.variables, check=True)
    stack = json.loads((world.project / "cdktf.out/stacks/tiny-e-image/cdk.tf.json").read_text())
    (image,) = stack["resource"]["docker_image"].values()
    pushes = stack["resource"]["docker_registry_image"].values()

    done = world.pushed()

    assert done["tags"] == [push["name"].rsplit(":", 1)[1] for push in pushes]
    assert image["triggers"]["content_hash"] == done["tags"][0].removeprefix("content-")
    build = next(line for line in world.docker_log.splitlines() if line.startswith("build "))
    assert f"--platform={image['build']['platform']} " in build
    for name, value in image["build"]["build_args"].items():
        assert f"--build-arg={name}={value} " in build


def test_an_image_that_the_tasks_could_not_run_is_pushed_without_the_tag_that_they_follow(
    world: World,
) -> None:
    before = world.pushed()
    done = world.push("--platform", "linux/arm64", "--json")
    assert done.returncode == 0, done.stderr
    assert "could not run this image" in done.stderr
    result = json.loads(done.stdout)
    assert result["tags"] == [world.content_tag("arm64")]
    assert result["tags"] != before["tags"][:1]
    assert world.registry.image(REPOSITORY, result["digest"])["architecture"] == "arm64"
    assert world.tags()["latest"] == before["digest"]


def test_an_image_that_docker_built_for_another_platform_is_not_pushed(world: World) -> None:
    # The first step makes a layer of the daemon's own platform, whatever was asked for.
    (world.source / "Dockerfile").write_text("FROM scratch\nARG VERSION\nLABEL a=${VERSION}\n")
    failed = world.push("--platform", "linux/arm64")
    if failed.returncode == 0:
        pytest.skip("This Docker can build for linux/arm64.")
    assert failed.returncode == 1
    assert "Building for another kind of machine takes buildx" in failed.stderr
    assert world.tags() == {}


def test_a_pinned_service_is_told_what_to_set(world: World) -> None:
    world.settings(f'{SETTINGS}image_tag = "content"\n')
    by_content = world.push()
    assert "hint: npm run deploy -- tiny-e deploys exactly this content" in by_content.stderr
    assert "latest" not in world.tags()

    running = world.content_tag()
    world.settings(f'{SETTINGS}image_tag = "{running}"\n')
    world.change("another build")
    by_build = world.pushed()
    assert by_build["tags"] == [world.content_tag()]
    assert world.tags()[running] != by_build["digest"]

    world.settings(f'{SETTINGS}image_tag = "v1.0.0"\n')
    released = world.push("--release", "v1.0.0")
    assert released.returncode == 0, released.stderr
    world.change("second")
    newer = world.push("--release", "v1.1.0")
    assert newer.returncode == 0, newer.stderr
    assert 'Set image_tag = "v1.1.0" in environments/tiny-e.toml' in newer.stderr
    # The release that runs stays what it was.
    assert world.tags()["v1.0.0"] != world.tags()["v1.1.0"]
    refused = world.push()
    assert refused.returncode == 2
    assert 'image_tag = "v1.0.0" in environments/tiny-e.toml is a release that' in refused.stderr


def test_two_pushes_at_once_both_succeed_and_latest_is_one_of_their_images(world: World) -> None:
    elsewhere = world.folder / "elsewhere"
    shutil.copytree(world.project, elsewhere, symlinks=True)
    (elsewhere / "api" / "file").write_text("other")
    with world.pushing("--json") as one:
        other = subprocess.run(
            [PROD_E, "push", "api", "--json"],
            cwd=elsewhere,
            env=world.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        stdout, stderr = one.communicate(timeout=PUSH_SECONDS)
    assert (one.returncode, other.returncode) == (0, 0), stderr + other.stderr
    results = [json.loads(stdout), json.loads(other.stdout)]
    digests = [result["digest"] for result in results]
    assert digests[0] != digests[1]
    assert world.tags()["latest"] in digests
    for result in results:
        assert world.tags()[result["tags"][0]] == result["digest"]
        world.registry.image(REPOSITORY, result["digest"])


def test_the_same_content_pushed_twice_at_once_has_one_digest_in_the_end(world: World) -> None:
    with world.pushing("--json", "--rebuild") as one, world.pushing("--json") as other:
        outputs = [process.communicate(timeout=PUSH_SECONDS) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), outputs
    assert world.tags()["latest"] == world.tags()[world.content_tag()]


# --- What it refuses ----------------------------------------------------------------------------


def test_a_release_never_names_other_content(world: World) -> None:
    released = world.pushed("--release", "v1.0.0")
    world.pushed("--release", "v1.0.0")
    builds = world.built

    world.change("second")
    refused = world.push("--release", "v1.0.0")

    assert refused.returncode == 2
    assert f"v1.0.0 is released already, with other content: {released['digest']}" in refused.stderr
    assert "Nothing was built or pushed." in refused.stderr
    assert world.built == builds
    assert set(world.tags().values()) == {released["digest"]}
    # Neither does one that is built anew.
    world.change("first")
    assert world.push("--release", "v1.0.0", "--rebuild").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--release", "1.0.0"], "--release 1.0.0 is not a semantic version with a v in front."),
        (["--release", "v1.0"], "--release v1.0 is not a semantic version"),
        (["--release", "v1.0.0+build"], "a tag cannot hold +"),
        (["--tag", "a/b"], "--tag a/b is not a tag that ECR takes."),
        (["--tag", "content-0123"], "such a tag names one build for good"),
        (["--tag", "git-0123"], "such a tag names one build for good"),
        (["--tag", "v1.0.0"], "Use --release v1.0.0."),
        (["--tag", "1.0.0"], "Use --release v1.0.0."),
        (["--platform", "linux/riscv64"], "Name one of linux/amd64, linux/arm64"),
        (["--environment", "other"], "There is no environment 'other'"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_is_asked(
    world: World, arguments: list[str], told: str
) -> None:
    refused = world.push(*arguments)
    assert refused.returncode == 2
    assert told in refused.stderr
    assert world.docker_log == ""


def test_an_unknown_service_is_told_with_those_that_exist(world: World) -> None:
    refused = subprocess.run(
        [PROD_E, "push", "web"],
        cwd=world.project,
        env=world.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "There is no service 'web' in the environment tiny-e." in refused.stderr
    assert "Name one of api" in refused.stderr


def test_a_source_without_a_dockerfile_is_told_with_its_setting(world: World) -> None:
    (world.source / "Dockerfile").unlink()
    refused = world.push()
    assert refused.returncode == 2
    assert "The source of api, api, has no Dockerfile." in refused.stderr
    assert "`source` of [services.api] in environments/tiny-e.toml" in refused.stderr


def test_wrong_settings_are_told_first(world: World) -> None:
    world.settings(f"{SETTINGS}port = 0\n")
    refused = world.push("--release", "wrong")
    assert refused.returncode == 2
    assert "services.api.port" in refused.stderr


def test_no_daemon_is_told(world: World) -> None:
    refused = world.push(DOCKER_HOST=f"unix://{world.folder}/nobody.sock")
    assert refused.returncode == 2
    assert "no Docker daemon answers" in refused.stderr
    assert "nothing was changed" in refused.stderr


def test_credentials_of_another_account_stop_it_before_it_builds(world: World) -> None:
    world.settings(SETTINGS.replace("[services", 'account = "999999999999"\n[services'))
    refused = world.push()
    assert refused.returncode == 2
    assert "belong to the AWS account 123456789012" in refused.stderr
    assert world.built == 0


def test_an_unreachable_aws_is_told(world: World) -> None:
    failed = world.push(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert failed.returncode == 1
    assert "AWS cannot be reached" in failed.stderr
    assert world.built == 0


def test_missing_credentials_are_told(world: World) -> None:
    variables = {k: v for k, v in world.variables.items() if not k.startswith("AWS_ACCESS")}
    world.variables = variables
    refused = world.push()
    assert refused.returncode == 2
    assert "there are no AWS credentials" in refused.stderr


@pytest.mark.parametrize("image_tag", ["content", "stable"])
def test_there_is_nothing_to_wait_for_where_a_push_deploys_nothing(
    world: World, image_tag: str
) -> None:
    world.settings(f'{SETTINGS}image_tag = "{image_tag}"\n')
    refused = world.push("--wait")
    assert refused.returncode == 2
    assert f'because image_tag = "{image_tag}" is pinned' in refused.stderr
    assert world.docker_log == ""


def test_waiting_for_a_service_that_is_not_deployed_is_refused_before_it_builds(
    world: World,
) -> None:
    refused = world.push("--wait")
    assert refused.returncode != 0
    assert "npm run deploy -- tiny-e" in refused.stderr
    assert world.built == 0


# --- What fails on the way ----------------------------------------------------------------------


@pytest.fixture
def running(world: World) -> World:
    """An image is out, and another one is about to be pushed."""
    world.pushed()
    world.change("second")
    return world


def _assert_failed(
    world: World,
    failed: subprocess.CompletedProcess[str],
    *told: str,
    before: Mapping[str, str],
    exit_status: int = 1,
) -> None:
    assert failed.returncode == exit_status, failed.stderr
    for text in told:
        assert text in failed.stderr
    assert failed.stdout == ""
    assert world.tags()["latest"] == before["latest"]


def test_a_build_that_fails_shows_its_last_lines(running: World) -> None:
    before = running.tags()
    (running.source / "Dockerfile").write_text("FROM scratch\nCOPY nowhere /\n")
    failed = running.push()
    _assert_failed(running, failed, "The build of", "nowhere", before=before)
    assert "nothing was pushed" in failed.stderr
    assert running.tags() == before


def test_files_that_change_during_the_build_are_noticed(running: World) -> None:
    before = running.tags()
    shim = running.folder / "bin" / "docker"
    shim.write_text(
        f"{shim.read_text()}".replace(
            "exec ", f'[ "$1" != build ] || echo changed >{running.source}/file\nexec '
        )
    )
    failed = running.push()
    _assert_failed(running, failed, "changed while it was built", before=before, exit_status=2)
    assert running.tags() == before


def test_an_upload_survives_connections_that_break(running: World) -> None:
    # Once in the middle of a layer, which the daemon tries again, and once at the very end.
    to_break = ["PATCH ", "PUT /v2/tiny-e-api/manifests/"]

    def breaks(request: str) -> bytes | None:
        if to_break and request.startswith(to_break[0]):
            to_break.pop(0)
            return DROP
        return None

    running.network.on_request = breaks
    done = running.pushed()
    assert to_break == []
    assert running.tags()["latest"] == done["digest"]
    running.registry.image(REPOSITORY, "latest")


def test_an_upload_is_tried_again_after_the_registry_could_not_be_reached(running: World) -> None:
    left = [DROP, DROP]
    running.network.on_request = lambda _: left.pop() if left else None
    done = running.pushed()
    assert left == []
    assert running.tags()["latest"] == done["digest"]
    assert running.docker_log.count("login ") > 1 + 1


def test_a_registry_that_stays_away_is_told_with_what_is_left(running: World) -> None:
    before = running.tags()
    running.network.on_request = lambda _: DROP
    failed = running.push()
    _assert_failed(
        running,
        failed,
        "could not be reached, or dropped the connection, 5 times",
        "No tag moved: the service's latest is as it was.",
        "layers that arrived are not sent again",
        before=before,
    )


def test_a_token_that_runs_out_halfway_is_renewed(running: World) -> None:
    expired: list[str] = []
    words = "Your authorization token has expired. Reauthenticate and try again."
    body = json.dumps({"errors": [{"code": "DENIED", "message": words}]})
    running.network.passwords.clear()

    def expires(head: str) -> bytes | None:
        # Everything before the last request of the upload was done with the first token.
        request = head.partition("\r\n")[0]
        if request.startswith("PUT") and "/manifests/" in request and not expired:
            expired.append(request)
            (first,) = running.network.passwords
            expired.append(authorization(first))
        is_refused = any(f": {each}" in head for each in expired[1:])
        return answer("403 Forbidden", body) if is_refused else None

    running.network.on_head = expires
    done = running.pushed()
    assert len(expired) == 2
    assert running.tags()["latest"] == done["digest"]
    # What had arrived was not sent again.
    after = running.network.requests[running.network.requests.index(expired[0]) :]
    assert not any(request.startswith("PATCH") for request in after)
    assert running.docker_log.count("login ") == 1 + 2


def test_tokens_that_are_never_accepted_are_told(running: World) -> None:
    before = running.tags()
    told = '{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}'
    running.network.on_request = lambda _: answer(
        "401 Unauthorized", told, WWW_Authenticate='Basic realm="prod-e"'
    )
    failed = running.push()
    _assert_failed(running, failed, "does not accept the tokens", before=before)


def test_an_image_that_ecr_refuses_is_told_in_its_words(running: World) -> None:
    before = running.tags()
    words = "User: arn:aws:iam::1:user/a is not authorized to perform: ecr:PutImage"
    body = json.dumps({"errors": [{"code": "DENIED", "message": words}]})
    running.network.on_request = lambda request: (
        answer("403 Forbidden", body)
        if request.startswith("PUT") and "/manifests/" in request
        else None
    )
    failed = running.push()
    _assert_failed(
        running,
        failed,
        "refused the image of api",
        words,
        "No tag moved: the service's latest is as it was.",
        before=before,
    )
    assert running.tags() == before


def test_tags_that_cannot_move_are_told_with_those_that_did(empty: World) -> None:
    empty.create_repository(imageTagMutability="IMMUTABLE")
    empty.pushed()
    before = empty.tags()
    empty.change("second")
    failed = empty.push("--tag", "new")
    _assert_failed(
        empty,
        failed,
        "ECR did not move the tag latest of tiny-e-api",
        "the tag is immutable",
        "It is as it was",
        before=before,
    )
    assert empty.tags()["new"] == empty.tags()[empty.content_tag()]


def test_ctrl_c_during_the_upload_leaves_the_tags_and_no_credentials(running: World) -> None:
    before = running.tags()
    uploading = threading.Event()
    released = threading.Event()

    def waits(request: str) -> bytes | None:
        if request.startswith("PATCH"):
            uploading.set()
            released.wait(PUSH_SECONDS)
            return DROP
        return None

    running.network.on_request = waits
    with running.pushing() as process:
        assert uploading.wait(PUSH_SECONDS)
        folders = list((running.folder / "tmp").glob("prod-e-docker-*"))
        modes = [folder.stat().st_mode & 0o777 for folder in folders]
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PUSH_SECONDS)
    released.set()
    assert modes == [0o700]
    assert process.returncode == 128 + signal.SIGINT
    assert stdout == ""
    assert "Interrupted." in stderr
    assert "Traceback" not in stderr
    assert running.tags() == before


def test_the_token_is_on_no_command_line_and_no_users_configuration_is_touched(
    world: World,
) -> None:
    own = world.folder / "home" / ".docker"
    own.mkdir()
    (own / "config.json").write_text('{"auths": {}}')
    world.pushed()
    assert (own / "config.json").read_text() == '{"auths": {}}'
    shutil.rmtree(own)
    commands = world.docker_log.splitlines()
    (login,) = [line for line in commands if line.startswith("login ")]
    (push,) = [line for line in commands if line.startswith("push ")]
    assert login == f"login --username AWS --password-stdin {world.network.host} config:700"
    assert push.endswith(f":{world.content_tag()} config:700")
    assert not any(password in world.docker_log for password in world.passwords)


# --- The door -----------------------------------------------------------------------------------


def test_the_script_works_from_any_folder(tmp_path: Path) -> None:
    script = PROJECT / "scripts" / "deployment" / "build-and-push.sh"
    refused = subprocess.run(
        [script, "nothing"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "There is no service 'nothing' in the environment prod-e." in refused.stderr
