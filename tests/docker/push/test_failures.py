"""What fails on the way of a push, and what is left then."""

import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping

import pytest

from tests.support.aws.registry import (
    DROP,
    answer,
    authorization,
)
from tests.support.project.push_world import PUSH_SECONDS, REPOSITORY, World


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
    assert "Nothing was pushed" in failed.stderr
    assert running.tags() == before


def test_a_build_goes_on_where_others_remove_images_meanwhile(running: World) -> None:
    shim = running.folder / "bin" / "docker"
    if subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode:
        went = f'unable to find image "sha256:{"0" * 64}"'
        shim.write_text(
            shim.read_text().replace(
                "exec ",
                f"case \"$*\" in *--no-cache*) ;; build*) echo '{went}' >&2; exit 1;; esac\nexec ",
            )
        )
    else:
        pytest.skip("This Docker builds with buildx.")
    before = running.built
    done = running.push()
    assert done.returncode == 0, done.stderr
    assert running.built == before + 2


def test_files_that_change_during_the_build_are_noticed(running: World) -> None:
    before = running.tags()
    shim = running.folder / "bin" / "docker"
    shim.write_text(
        f"{shim.read_text()}".replace(
            "exec ", f'[ "$1" != build ] || echo changed >{running.source}/file\nexec '
        )
    )
    failed = running.push()
    _assert_failed(running, failed, "changed during the build", before=before, exit_status=2)
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
        "refused the image:",
        words,
        "No tag moved: the service's latest is as it was.",
        before=before,
    )
    assert running.tags() == before


def test_tags_that_cannot_move_are_told_with_those_that_did(empty: World) -> None:
    empty.create_repository(REPOSITORY, imageTagMutability="IMMUTABLE")
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
        running.assert_no_credentials_left()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PUSH_SECONDS)
    released.set()
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
    assert world.built == 1
    assert world.network.passwords
    assert not any(password in world.docker_log for password in world.network.passwords)
