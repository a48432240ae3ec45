"""What is known of an image decides whether it may go, and how it is called."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from prod_e_ops.images.ecr import StoredImage
from prod_e_ops.images.inventory import (
    ImageUse,
    ServiceImages,
    most_specific_tag,
    names_image,
    reference_in,
)
from prod_e_ops.images.render import image_rows, shown_findings, shown_size, shown_use
from prod_e_ops.images.retention import verdicts
from prod_e_ops.service.model import TaskDefinition
from prod_e_ops.service.rollback.render import never_healthy
from prod_e_ops.service.rollback.target import RollbackTarget

NOW = datetime(2026, 1, 31, tzinfo=UTC)
HOST = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
NAMED = TaskDefinition(name="task:7", image=f"{HOST}/app:x", is_active=True)


def image(*tags: str, days_old: int = 0, findings: dict[str, int] | None = None) -> StoredImage:
    return StoredImage(
        digest=f"sha256:{abs(hash((tags, days_old))):064x}",
        tags=tags,
        pushed_at=NOW - timedelta(days=days_old),
        size_bytes=1,
        findings=findings,
    )


def use(*tags: str, days_old: int = 0, **known: object) -> ImageUse:
    values = {
        "runs": False,
        "healthy_at": None,
        "has_failed": False,
        "last_ran_as": None,
        "deployments": (),
        "definitions": (),
        **known,
    }
    return ImageUse(image=image(*tags, days_old=days_old), **values)  # type: ignore[arg-type]


def of(*uses: ImageUse) -> ServiceImages:
    return ServiceImages(uses=uses, running=frozenset(u.image.digest for u in uses if u.runs))


class TestAnIndex:
    """What BuildKit pushes where it attests its images: an index, and its parts without tags."""

    index = replace(image("latest", "content-1"), parts=("sha256:part", "sha256:attestation"))

    def test_it_runs_where_tasks_run_it_or_a_part_of_it(self) -> None:
        for running in (self.index.digest, "sha256:part"):
            assert ServiceImages(uses=(), running=frozenset({running})).run_only(self.index)

    def test_it_does_not_run_where_nothing_or_something_else_does(self) -> None:
        for running in ((), ("sha256:other",), ("sha256:part", "sha256:other")):
            assert not ServiceImages(uses=(), running=frozenset(running)).run_only(self.index)

    def test_what_a_kept_one_is_made_of_is_kept(self) -> None:
        part = use("amd64")
        index = use("followed")
        index = replace(index, image=replace(index.image, parts=(part.image.digest,)))
        found = list(verdicts(of(index, part), followed="followed", keep=0))
        assert found[1].keeps == "the index followed is made of it"
        found = list(verdicts(of(index, part), followed=None, keep=0))
        assert [verdict.keeps for verdict in found] == [None, None]


class TestPruning:
    @pytest.mark.parametrize(
        ("needed", "reason"),
        [
            (use("a", runs=True), "a task runs it"),
            (use("a", deployments=("d1",)), "the deployment d1 can be rolled back to"),
            (use("a", definitions=(NAMED,)), "the task definition task:7 names it"),
            (use("followed"), "the settings have the service run the tag followed"),
            (use("v1.2.3"), "it is the release v1.2.3"),
            (use("v2.0.0-rc.1"), "it is the release v2.0.0-rc.1"),
        ],
    )
    def test_each_use_alone_keeps_an_image(self, needed: ImageUse, reason: str) -> None:
        (verdict,) = verdicts(of(needed), followed="followed", keep=0)
        assert verdict.keeps == reason

    @pytest.mark.parametrize("tags", [(), ("a",), ("latest",), ("content-1", "git-1"), ("v1",)])
    def test_without_any_it_goes_whatever_its_tags(self, tags: tuple[str, ...]) -> None:
        (verdict,) = verdicts(of(use(*tags)), followed="followed", keep=0)
        assert verdict.keeps is None

    def test_those_that_are_needed_do_not_count_among_the_newest(self) -> None:
        found = of(use("run", runs=True), use("a", days_old=1), use("b", days_old=2))
        assert [v.keeps for v in verdicts(found, followed=None, keep=1)] == [
            "a task runs it",
            "among the newest 1",
            None,
        ]


def test_the_last_healthy_image_is_the_one_deployed_last_that_does_not_run() -> None:
    runs = use("c", runs=True, healthy_at=NOW)
    older = use("b", healthy_at=NOW - timedelta(days=2))
    # Pushed before the other, and deployed again after it.
    again = use("a", days_old=9, healthy_at=NOW - timedelta(days=1))
    found = of(runs, older, again, use("never"))
    assert found.last_healthy is again
    assert [shown_use(each, found) for each in found.uses] == [
        "runs",
        "was healthy",
        "last healthy",
        "-",
    ]


def test_an_image_whose_newest_deployment_failed_is_marked() -> None:
    found = of(use("c", healthy_at=NOW, has_failed=True), use("b", runs=True, has_failed=True))
    assert [shown_use(each, found) for each in found.uses] == ["failed", "runs"]


def test_the_images_are_told_in_utc_and_in_eighty_columns() -> None:
    heading, (*cells, names) = image_rows(of(use("v1.0.0", has_failed=True)))
    assert heading[1] == "PUSHED (UTC)"
    assert cells[1] == "2026-01-31 00:00"
    assert names == "-; v1.0.0"
    assert sum(max(len(a), len(b)) + 2 for a, b in zip(heading, cells, strict=False)) <= 70


@pytest.mark.parametrize(
    ("has_failed", "so_far"),
    [(True, "its newest deployment failed"), (False, "ECS has never deployed it")],
)
def test_going_back_to_an_image_that_was_never_healthy_is_warned_of(
    has_failed: bool, so_far: str
) -> None:
    chosen = use("v1.0.0", has_failed=has_failed)
    target = RollbackTarget(image=chosen.image, definition=None, change=None)
    assert never_healthy(of(chosen), target) == (
        f"Warning: v1.0.0 is not known to have been healthy: {so_far}."
    )
    assert never_healthy(of(use("v1.0.0", healthy_at=NOW)), target) is None


@pytest.mark.parametrize(
    ("tags", "telling"),
    [
        (("content-1", "git-1", "latest", "v1.0.0"), "v1.0.0"),
        (("content-1", "git-1", "latest", "mine"), "mine"),
        (("content-1", "git-1", "latest"), "content-1"),
        (("git-1", "latest"), "git-1"),
        (("latest",), "latest"),
        ((), None),
    ],
)
def test_an_image_is_called_by_the_tag_that_says_most(
    tags: tuple[str, ...], telling: str | None
) -> None:
    assert most_specific_tag(image(*tags)) == telling


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        (f"{HOST}/team/app:v1", "v1"),
        (f"{HOST}/team/app", "latest"),
        (f"{HOST}/team/app@sha256:1", "sha256:1"),
        (f"{HOST}/team/app:v1@sha256:1", "sha256:1"),
        ("localhost:5000/team/app:v1", "v1"),
        (f"{HOST}/app:v1", None),
        (f"{HOST}/other/team/app:v1", None),
        ("public.ecr.aws/nginx:1", None),
        ("app", None),
    ],
)
def test_a_reference_is_read_where_it_is_of_the_repository(
    reference: str, found: str | None
) -> None:
    assert reference_in(reference, repository="team/app") == found


def test_an_image_is_named_by_each_of_its_tags_and_its_digest() -> None:
    stored = image("a", "b")
    for named in (":a", ":b", f"@{stored.digest}"):
        assert names_image(f"{HOST}/app{named}", stored, repository="app")
    assert not names_image(f"{HOST}/app:c", stored, repository="app")
    assert not names_image(f"{HOST}/app@sha256:1", stored, repository="app")


@pytest.mark.parametrize(
    ("findings", "shown"),
    [
        ({"LOW": 3, "CRITICAL": 1, "HIGH": 2}, "1 critical, 2 high, 3 low"),
        ({"HIGH": 0, "NEW_KIND": 1, "LOW": 1}, "1 low, 1 new_kind"),
        ({}, "none"),
        (None, "not scanned"),
    ],
)
def test_findings_are_counted_the_worst_first(findings: dict[str, int] | None, shown: str) -> None:
    assert shown_findings(image("a", findings=findings)) == shown


def test_sizes_are_short() -> None:
    assert [shown_size(size) for size in (57_400_000, 1_250_000_000)] == ["57 MB", "1.2 GB"]
