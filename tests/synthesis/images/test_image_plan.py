"""What a deployment does to an image, by what ECR has."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prod_e.app.synthesis import synthesise
from prod_e.settings import load_environment
from prod_e_ops.images.ecr import Repository, StoredImage
from prod_e_ops.images.image_plan import (
    ImageOptions,
    ImagePlan,
    SynthesisedImage,
    synthesised_images,
)
from prod_e_ops.project.project import Stack

CONTENT, COMMIT = "content-0123456789abcdef", "git-0123456789ab"


def stored(content: str, *tags: str) -> StoredImage:
    return StoredImage(
        digest=f"sha256:{content * 64}",
        tags=tags,
        pushed_at=datetime(2026, 11, 20, 10, tzinfo=UTC),
        size_bytes=1,
    )


OURS, OTHER = stored("a", CONTENT), stored("b", "content-ffffffffffffffff", "latest")


def plan(
    *,
    tag: str = "latest",
    content: StoredImage | None = None,
    commit: StoredImage | None = None,
    followed: StoredImage | None = None,
    rebuild: bool = False,
    move_followed: bool = False,
) -> ImagePlan:
    """`content`, `commit`, `followed`: what these tags name in ECR. `tag`: the followed one."""
    tags = (CONTENT, COMMIT, tag)
    return ImagePlan(
        synthesised=SynthesisedImage(
            key="api",
            repository=Repository("us-west-2", "tiny-e-api"),
            tags=tags,
            pushes=(),
            image="docker_image.api",
            log=Path("api-image.log"),
        ),
        known=dict(zip(tags, (content, commit, followed), strict=True)),
        options=ImageOptions(rebuild=rebuild, move_followed=move_followed),
    )


def test_what_ecr_has_not_is_built_and_gets_every_tag() -> None:
    found = plan(followed=OTHER)
    assert found.builds
    assert found.moves == (CONTENT, COMMIT, "latest")
    assert list(found.lines()) == [
        f"api: ECR has no {CONTENT}: it is built and pushed",
        f"  {COMMIT} will name {CONTENT} too",
        f"  latest moves from content-ffffffffffffffff (pushed 2026-11-20 10:00 UTC) to {CONTENT}",
    ]


def test_what_ecr_has_under_every_tag_is_left_alone() -> None:
    found = plan(content=OURS, commit=OURS, followed=OURS)
    assert not found.builds
    assert found.is_empty
    assert list(found.lines()) == [
        f"api: ECR has {CONTENT} (pushed 2026-11-20 10:00 UTC): nothing is built",
        "  latest names it already",
    ]


@pytest.mark.parametrize("commit", [None, OTHER])
def test_the_commits_tag_joins_the_image_of_its_content(commit: StoredImage | None) -> None:
    found = plan(content=OURS, commit=commit, followed=OURS)
    assert (found.builds, found.moves) == (False, (COMMIT,))


def test_a_followed_tag_that_was_moved_elsewhere_stays_until_the_option_moves_it() -> None:
    stays = plan(content=OURS, commit=OURS, followed=OTHER)
    assert stays.is_empty
    assert list(stays.lines())[-1] == (
        "  latest stays at content-ffffffffffffffff (pushed 2026-11-20 10:00 UTC), which is not"
        f" this source's {CONTENT}: --move-latest moves it"
    )
    moved = plan(content=OURS, commit=OURS, followed=OTHER, move_followed=True)
    assert moved.moves == ("latest",)


def test_a_followed_tag_that_does_not_exist_is_made() -> None:
    assert plan(content=OURS, commit=OURS).moves == ("latest",)


def test_a_rebuild_moves_the_contents_tag_and_all_others() -> None:
    found = plan(content=OURS, commit=OURS, followed=OURS, rebuild=True)
    assert found.builds
    assert found.moves == (CONTENT, COMMIT, "latest")
    assert "is built anew, and moves from sha256:aaaaaaaaaaaa" in next(found.lines())


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("content", [None, OURS])
def test_a_release_never_gets_other_content(content: StoredImage | None, rebuild: bool) -> None:
    found = plan(tag="v1.2.3", content=content, followed=OTHER, move_followed=True, rebuild=rebuild)
    assert not found.builds
    assert "v1.2.3" not in found.moves
    assert "the release v1.2.3 exists" in next(found.lines())


def test_a_new_release_is_built_under_its_name() -> None:
    assert plan(tag="v1.2.3").moves == (CONTENT, COMMIT, "v1.2.3")


def test_only_what_ecr_says_of_tags_makes_another_plan() -> None:
    scanned = replace(OURS, scan_status="COMPLETE")
    one, other = plan(content=OURS), plan(content=scanned)
    assert one.does_as(other)
    assert not one.does_as(plan())
    assert not one.does_as(plan(content=OURS, followed=OTHER))


def test_the_images_of_a_stack_are_read_from_its_json(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "Dockerfile").write_text("FROM scratch\n")
    file = tmp_path / "tiny-e.toml"
    file.write_text(
        'name = "tiny-e"\n[services.api]\nimage_tag = "alpha"\n'
        '[services.other]\nsource = "api"\npath = "/other"\nimage_tag = "content"\n'
    )
    environment = load_environment(file)
    synthesise([environment], project_folder=tmp_path, output_folder=tmp_path / "out")
    stack = Stack("tiny-e-image", tmp_path / "out" / "stacks" / "tiny-e-image")

    api, other = synthesised_images(environment, stack)

    assert (api.repository.name, other.repository.name) == ("tiny-e-api", "tiny-e-other")
    assert api.tags == (other.content_tag, "alpha")
    assert (api.followed_tag, other.followed_tag) == ("alpha", None)
    assert api.image == other.image
    assert (len(api.pushes), len(other.pushes)) == (2, 1)
    assert api.log == stack.folder / "api-image.log"


@pytest.mark.parametrize(
    ("followed", "expected"),
    [(None, True), (OTHER, True), (replace(OURS, tags=("latest",)), False)],
)
def test_a_service_runs_another_image_only_where_its_tag_named_another(
    followed: StoredImage | None, expected: bool
) -> None:
    assert plan(followed=followed, rebuild=True).follows_another(OURS.digest) is expected
