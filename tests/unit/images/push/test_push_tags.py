"""Which tags a push may move, in which order they move, and what is told of it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from prod_e.settings import load_environment
from prod_e_ops.errors import InvalidOption, ReleaseTaken, SourceInvalid, UnknownService
from prod_e_ops.images.ecr import StoredImage
from prod_e_ops.images.push.plan import PushOptions, PushPlan, plan_push
from prod_e_ops.images.push.releases import movable_tags
from prod_e_ops.images.push.render import next_steps
from prod_e_ops.images.tags import move_tags
from prod_e_ops.project.project import Project
from tests.support.fakes import FakeRepository, stored_image

Push = Callable[..., PushPlan]


@pytest.fixture
def push(tmp_path: Path) -> Push:
    """Plans a push of a service with these settings."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "Dockerfile").write_text("FROM scratch\n")

    def plan(settings: str = "", key: str = "api", **options: object) -> PushPlan:
        file = tmp_path / "environments" / "tiny-e.toml"
        file.write_text(f'name = "tiny-e"\n[services.api]\n{settings}\n')
        project = Project(tmp_path, tmp_path / "cdktf.out")
        made = PushOptions(**options)  # type: ignore[arg-type]
        return asyncio.run(plan_push(project, load_environment(file), key, made))

    return plan


# --- What is refused before anybody is asked ----------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told", "hint"),
    [
        ({"release": "1.0.0"}, "1.0.0 is not a semantic version with a v in front", "v1.4.0"),
        ({"tags": ("a/b",)}, "--tag a/b is not a tag that ECR takes", "at most 128"),
        ({"tags": ("content-0123",)}, "such a tag names one build for good", "another tag"),
        ({"tags": ("v1.0.0",)}, "looks like a version", "--release v1.0.0"),
        ({"platform": "linux/riscv64"}, "linux/riscv64 is not one that ECS has", "linux/arm64"),
    ],
)
def test_a_wrong_option_is_refused(
    push: Push, options: dict[str, object], told: str, hint: str
) -> None:
    with pytest.raises(InvalidOption, match=told) as refusal:
        push(**options)
    assert hint in str(refusal.value.next_step)


def test_an_unknown_service_is_told_with_those_that_exist(push: Push) -> None:
    with pytest.raises(UnknownService) as refusal:
        push(key="web")
    assert "Name one of api" in str(refusal.value.next_step)


def test_a_source_without_a_dockerfile_is_told_with_its_setting(push: Push, tmp_path: Path) -> None:
    (tmp_path / "api" / "Dockerfile").unlink()
    with pytest.raises(SourceInvalid, match="has no Dockerfile") as refusal:
        push()
    assert "`source` of [services.api] in environments/tiny-e.toml" in str(refusal.value.next_step)


@pytest.mark.parametrize("image_tag", ["content", "stable"])
def test_there_is_nothing_to_wait_for_where_a_push_deploys_nothing(
    push: Push, image_tag: str
) -> None:
    with pytest.raises(InvalidOption, match=f'because image_tag = "{image_tag}" is pinned'):
        push(f'image_tag = "{image_tag}"', wait=True)
    assert push(wait=True).is_followed


# --- Which tags may move ------------------------------------------------------------------------


def movable(
    plan: PushPlan, *images: StoredImage, rebuilds: bool = False
) -> tuple[Sequence[str], StoredImage | None]:
    repository = FakeRepository(*images)
    return asyncio.run(movable_tags(plan, repository, rebuilds=rebuilds, left="Nothing was built."))


def test_all_of_them_may_where_the_repository_is_empty(push: Push) -> None:
    plan = push(release="v1.0.0")
    assert movable(plan) == ((plan.content_tag, "v1.0.0", "latest"), None)


def test_a_release_never_names_other_content(push: Push) -> None:
    plan = push(release="v1.0.0")
    with pytest.raises(ReleaseTaken, match=r"Nothing was built\.") as refusal:
        movable(plan, stored_image("sha256:other", "content-0", "v1.0.0"))
    assert "sha256:other (content-0)" in refusal.value.message


def test_a_release_of_the_same_content_stays_unless_it_is_built_anew(push: Push) -> None:
    plan = push(release="v1.0.0")
    same = stored_image("sha256:same", plan.content_tag, "v1.0.0")
    assert movable(plan, same) == (plan.tags, same)
    with pytest.raises(ReleaseTaken):
        movable(plan, same, rebuilds=True)


def test_the_release_that_runs_stays_beside_a_new_one(push: Push) -> None:
    running = stored_image("sha256:other", "v1.0.0")
    plan = push('image_tag = "v1.0.0"', release="v1.1.0")
    assert movable(plan, running)[0] == (plan.content_tag, "v1.1.0")
    with pytest.raises(ReleaseTaken, match="is a release that exists"):
        movable(push('image_tag = "v1.0.0"'), running)


# --- How they move ------------------------------------------------------------------------------


def test_what_starts_a_deployment_moves_alone_and_last() -> None:
    repository = FakeRepository(
        stored_image("sha256:old", "latest", "canary"), stored_image("sha256:new", "content-1")
    )
    tags = ["content-1", "canary", "v1.0.0", "latest"]
    moved = asyncio.run(move_tags(repository, "sha256:new", tags))
    assert moved == ("sha256:new", ["canary", "v1.0.0", "latest"])
    assert repository.moves == [("canary", "v1.0.0"), ("latest",)]


def test_a_tag_that_names_the_image_already_does_not_move() -> None:
    repository = FakeRepository(stored_image("sha256:new", "content-1", "latest"))
    tags = ["content-1", "latest"]
    assert asyncio.run(move_tags(repository, "sha256:new", tags)) == ("sha256:new", [])
    assert repository.moves == []


def test_an_image_of_the_same_content_that_comes_meanwhile_gets_all_tags() -> None:
    class Raced(FakeRepository):
        async def tag(self, digest: str, tags: Sequence[str]) -> None:
            await super().tag(digest, tags)
            if "sha256:theirs" not in self.stored:
                self.put(stored_image("sha256:theirs", "content-1"))

    repository = Raced(stored_image("sha256:ours", "content-1"))
    digest, _ = asyncio.run(move_tags(repository, "sha256:ours", ["content-1", "canary", "latest"]))
    assert digest == "sha256:theirs"
    assert set(repository.stored["sha256:theirs"].tags) == {"content-1", "canary", "latest"}
    assert repository.stored["sha256:ours"].tags == ()


# --- What comes next ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "options", "moved", "told"),
    [
        ("", {}, ["latest"], "ECS deploys it by itself now (./prod-e status api"),
        ("", {}, [], "`latest` named this image before: nothing is deployed."),
        ('image_tag = "content"', {}, [], "./prod-e deploy tiny-e deploys exactly this content."),
        (
            'image_tag = "v1.0.0"',
            {"release": "v1.1.0"},
            [],
            'Set image_tag = "v1.1.0" in environments/tiny-e.toml, then ./prod-e deploy tiny-e',
        ),
        ('image_tag = "git-1"', {}, [], 'Set image_tag = "content-'),
        ("", {"platform": "linux/arm64"}, [], 'Set architecture = "arm64" in environments/tiny-e'),
    ],
)
def test_the_way_to_its_deployment_is_told(
    push: Push, settings: str, options: dict[str, object], moved: list[str], told: str
) -> None:
    (step,) = next_steps(push(settings, **options), moved)
    assert step.startswith(told)
