"""What a service runs, and what each kind of tag promises."""

import pytest

from prod_e.delivery.image_tag import ImageTag, TagKind, commit_in, commit_tag, content_tag

HASH = "0123456789abcdef"


@pytest.mark.parametrize(
    ("setting", "follows", "built_from_source", "pinned_build", "moves_to_builds", "resolved"),
    [
        ("latest", "latest", False, None, "latest", "latest"),
        ("content", None, True, None, None, f"content-{HASH}"),
        ("content-1", None, False, "content-1", None, "content-1"),
        ("git-1", None, False, "git-1", None, "git-1"),
        ("v1.2.3", None, False, None, "v1.2.3", "v1.2.3"),
        ("stable", None, False, None, "stable", "stable"),
        ("contents", None, False, None, "contents", "contents"),
    ],
)
def test_a_setting_says_what_a_service_runs_and_what_a_push_does(
    setting: str,
    follows: str | None,
    built_from_source: bool,
    pinned_build: str | None,
    moves_to_builds: str | None,
    resolved: str,
) -> None:
    tag = ImageTag(setting)
    assert str(tag) == setting
    assert tag.follows == follows
    assert tag.built_from_source is built_from_source
    assert tag.pinned_build == pinned_build
    assert tag.moves_to_builds == moves_to_builds
    assert tag.resolve(HASH) == resolved


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (content_tag(HASH), TagKind.CONTENT),
        (commit_tag("0123456789abcdef", is_dirty=False), TagKind.COMMIT),
        ("v1.2.3", TagKind.RELEASE),
        ("latest", TagKind.FOLLOWED),
        ("v1", TagKind.OTHER),
        ("content", TagKind.OTHER),
        ("gitlab", TagKind.OTHER),
    ],
)
def test_a_tag_in_a_repository_is_of_one_kind(tag: str, kind: TagKind) -> None:
    assert TagKind.of(tag) is kind


def test_a_commits_tag_says_which_and_whether_all_of_it_was_committed() -> None:
    assert commit_tag("0123456789abcdef", is_dirty=False) == "git-0123456789ab"
    assert commit_in(commit_tag("0123456789abcdef", is_dirty=True)) == "0123456789ab-dirty"
    assert commit_in("v1.2.3") is None
