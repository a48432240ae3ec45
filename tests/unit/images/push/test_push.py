"""What a push does is known from the settings, the arguments and the source alone."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prod_e.delivery.build_context import BuildContext
from prod_e.delivery.image_build import Build
from prod_e.delivery.image_tag import ImageTag, is_release, names_one_build
from prod_e.settings import load_environment
from prod_e_ops.errors import InvalidOption
from prod_e_ops.images.docker.docker import why_transfer_failed
from prod_e_ops.images.push.plan import (
    PushOptions,
    PushPlan,
    check_release,
    check_tag,
    plan_push,
)
from prod_e_ops.images.push.render import PushResult
from prod_e_ops.project.project import Project
from prod_e_ops.terminal.json_output import to_json

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HASH = "89abcdef01234567"

Plan = Callable[..., PushPlan]


def _context(*, commit: str | None = COMMIT, is_dirty: bool = False) -> BuildContext:
    return BuildContext(folder=Path("backend"), content_hash=HASH, commit=commit, is_dirty=is_dirty)


@pytest.fixture
def plan_of(tmp_path: Path) -> Plan:
    """Plans a push of a service with these settings; Docker and AWS are not asked."""

    def run(settings: str = "", **options: object) -> PushPlan:
        (tmp_path / "environments").mkdir(exist_ok=True)
        (tmp_path / "api").mkdir(exist_ok=True)
        (tmp_path / "api" / "Dockerfile").write_text("FROM scratch\n")
        file = tmp_path / "environments" / "tiny-e.toml"
        file.write_text(f'name = "tiny-e"\n[services.api]\n{settings}\n')
        project = Project(tmp_path, tmp_path / "cdktf.out")
        push = PushOptions(**options)  # type: ignore[arg-type]
        return asyncio.run(plan_push(project, load_environment(file), "api", push))

    return run


# --- Tags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "followed", "tags"),
    [
        (_context(), "latest", [f"content-{HASH}", f"git-{COMMIT[:12]}", "latest"]),
        (
            _context(is_dirty=True),
            "latest",
            [f"content-{HASH}", f"git-{COMMIT[:12]}-dirty", "latest"],
        ),
        (_context(commit=None), "latest", [f"content-{HASH}", "latest"]),
        (_context(commit=None), "content", [f"content-{HASH}"]),
        (_context(commit=None), "stable", [f"content-{HASH}", "stable"]),
        # What another build is called stays with it.
        (_context(commit=None), "content-0000000000000000", [f"content-{HASH}"]),
        (_context(commit=None), "git-000000000000", [f"content-{HASH}"]),
    ],
)
def test_a_build_is_tagged_by_its_content_its_commit_and_what_is_followed(
    context: BuildContext, followed: str, tags: list[str]
) -> None:
    build = Build.of(context, architecture="x86_64", image_tag=ImageTag(followed))
    assert list(build.tags) == tags


@pytest.mark.parametrize(
    ("context", "revision"),
    [
        (_context(), COMMIT),
        (_context(is_dirty=True), f"{COMMIT}-dirty"),
        (_context(commit=None), ""),
    ],
)
def test_an_image_is_told_its_content_and_its_commit(context: BuildContext, revision: str) -> None:
    build = Build.of(context, architecture="arm64", image_tag=ImageTag("latest"))
    assert build.build_args == {"VERSION": HASH, "COMMIT": revision}
    assert build.platform == "linux/arm64"


@pytest.mark.parametrize(
    "release", ["v0.0.0", "v1.2.3", "v10.20.30", "v1.0.0-rc.1", "v1.0.0-0a.b-c", "v1.0.0-x-y.0"]
)
def test_a_semantic_version_is_a_release(release: str) -> None:
    assert is_release(release)
    check_release(release)


@pytest.mark.parametrize(
    "release",
    [
        "",
        "1.2.3",
        "v1.2",
        "v01.2.3",
        "v1.2.3-",
        "v1.2.3-01",
        "v1.2.3-a..b",
        "v1.2.3+build",
        "v1.2.3\n",
        "V1.2.3",
        "v1.2.٣",
        f"v1.2.3-{'a' * 128}",
    ],
)
def test_anything_else_is_no_release(release: str) -> None:
    with pytest.raises(InvalidOption):
        check_release(release)


@pytest.mark.parametrize("tag", ["canary", "latest", "_", "A.b-c_9", "a" * 128, "contents"])
def test_a_tag_of_ones_own_is_taken(tag: str) -> None:
    check_tag(tag)


@pytest.mark.parametrize(
    "tag", ["", "-a", ".a", "a b", "a:b", "é", "a" * 129, "content-1", "git-1", "v1.2.3", "1.2.3"]
)
def test_a_tag_that_ecr_refuses_or_that_is_kept_for_something_is_refused(tag: str) -> None:
    with pytest.raises(InvalidOption):
        check_tag(tag)


def test_what_names_one_build_is_told_by_its_beginning() -> None:
    assert names_one_build("content-0123")
    assert names_one_build("git-0123")
    assert not names_one_build("contents")


def test_the_tag_that_starts_a_deployment_moves_last(plan_of: Plan) -> None:
    plan = plan_of(release="v1.0.0", tags=("zeta", "latest", "alpha"))
    assert plan.tags == (plan.content_tag, "v1.0.0", "zeta", "alpha", "latest")
    assert plan.is_followed


def test_a_tag_of_the_settings_moves_before_latest(plan_of: Plan) -> None:
    plan = plan_of('image_tag = "stable"', tags=("latest", "beta"))
    assert plan.tags == (plan.content_tag, "beta", "stable", "latest")
    assert not plan.is_followed


def test_another_platform_is_another_content_and_moves_no_tag_that_is_followed(
    plan_of: Plan,
) -> None:
    own, other = plan_of(), plan_of(platform="linux/arm64")
    assert own.fits_tasks
    assert not other.fits_tasks
    assert other.content_tag != own.content_tag
    assert other.tags == (other.content_tag,)
    assert plan_of('architecture = "arm64"', platform="linux/arm64").fits_tasks


# --- What Docker says of a registry -------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "denied: Your authorization token has expired. Reauthenticate and try again.",
        "no basic auth credentials",
        "unauthorized: authentication required",
        'Get "https://1.dkr.ecr.us-west-2.amazonaws.com/v2/": 401 Unauthorized',
        "unexpected status from HEAD request to https://1.dkr.ecr/v2/a/blobs/b: 401 Unauthorized",
    ],
)
def test_a_registry_that_wants_credentials_is_given_new_ones(said: str) -> None:
    assert why_transfer_failed(said) == "credentials"


@pytest.mark.parametrize(
    "said",
    [
        "denied: User: arn:aws:iam::1:user/a is not authorized to perform: ecr:PutImage",
        "denied: requested access to the resource is denied",
        "name unknown: The repository with name 'a' does not exist in the registry with id '1'",
        "tag invalid: The image tag 'a' already exists in the 'b' repository and cannot be"
        " overwritten because the tag is immutable.",
        "unexpected status from PUT request to https://1.dkr.ecr/v2/a/manifests/b: 403 Forbidden",
        "failed to push: LimitExceededException: the quota of images per repository is reached",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
        "write /var/lib/docker/tmp/a: no space left on device",
        'Get "https://a/v2/": x509: certificate signed by unknown authority',
    ],
)
def test_a_refusal_is_not_tried_again(said: str) -> None:
    assert why_transfer_failed(said) == "refused"


@pytest.mark.parametrize(
    "said",
    [
        "EOF",
        'Put "https://a/v2/b/blobs/uploads/c": write tcp 10.0.0.1:403: connection reset by peer',
        'Get "https://a/v2/": dial tcp: lookup a: no such host',
        'Get "https://a/v2/": net/http: TLS handshake timeout',
        "received unexpected HTTP status: 503 Service Unavailable",
        "toomanyrequests: Rate exceeded",
        "denied: too many requests",
    ],
)
def test_what_may_pass_is_tried_again(said: str) -> None:
    assert why_transfer_failed(said) == "connection"


# --- What is printed ----------------------------------------------------------------------------


def test_the_result_is_what_to_pull_for_people_and_json_for_scripts() -> None:
    result = PushResult(
        repository="1.dkr.ecr.us-west-2.amazonaws.com/a",
        digest="sha256:0123",
        tags=("content-0123", "latest"),
        built=False,
        pushed=False,
    )
    assert json.loads(to_json(result)) == {
        "repository": "1.dkr.ecr.us-west-2.amazonaws.com/a",
        "digest": "sha256:0123",
        "tags": ["content-0123", "latest"],
        "built": False,
        "pushed": False,
    }
    assert str(result) == "1.dkr.ecr.us-west-2.amazonaws.com/a@sha256:0123"
