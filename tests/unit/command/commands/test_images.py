"""`prod-e images`: what is shown, what is deleted after which question, and what stays."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.commands.delivery import images as module
from prod_e_ops.commands.delivery.images import show_or_prune
from prod_e_ops.errors import Declined
from prod_e_ops.images.inventory import ImageUse, ServiceImages
from tests.support.fakes import stored_image
from tests.support.project.demo_run import Screen

PUSHED = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)


def use(name: str, *tags: str, parts: Sequence[str] = (), **changes: Any) -> ImageUse:
    image = replace(
        stored_image(f"sha256:{name * 64}", *tags),
        pushed_at=PUSHED,
        size_bytes=3_000_000,
        parts=tuple(parts),
    )
    known = ImageUse(
        image=image,
        runs=False,
        healthy_at=None,
        has_failed=False,
        last_ran_as=None,
        deployments=(),
        definitions=(),
    )
    return replace(known, **changes)


class Images:
    """A service and the images in its repository, at each look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks: list[list[ImageUse]] = []
        self.deleted: list[list[str]] = []
        self.screen = Screen()
        self.environment = SimpleNamespace(name="tiny-e")
        self.deployments = SimpleNamespace(names=SimpleNamespace(service="tiny-e-api"))
        self.repository = SimpleNamespace(name="tiny-e-api", delete=self._delete)
        monkeypatch.setattr(module, "Deployments", self._deployments)
        monkeypatch.setattr(module, "check_account", self._account)
        monkeypatch.setattr(module, "existing_repository", self._existing)
        monkeypatch.setattr(module, "tag_in_settings", self._followed)
        monkeypatch.setattr(module, "service_images", self._images)
        monkeypatch.setattr(module, "with_scan_findings", self._scanned)

    def _deployments(self, environment: Any, key: str) -> Any:
        assert (environment, key) == (self.environment, "api")
        return self.deployments

    async def _account(self, environment: Any) -> None:
        assert environment is self.environment

    async def _existing(self, deployments: Any) -> Any:
        assert deployments is self.deployments
        return self.repository

    async def _followed(self, _: object, deployments: Any) -> str:
        assert deployments is self.deployments
        return "latest"

    async def _images(self, deployments: Any, repository: Any, *, definitions: bool) -> Any:
        assert (deployments, repository, definitions) == (self.deployments, self.repository, True)
        uses = tuple(self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])
        return ServiceImages(uses=uses, running=frozenset())

    async def _scanned(self, repository: Any, found: ServiceImages) -> ServiceImages:
        assert repository is self.repository
        return replace(
            found,
            uses=tuple(
                replace(each, image=replace(each.image, findings={"HIGH": 2}))
                for each in found.uses
            ),
        )

    async def _delete(self, digests: Sequence[str]) -> None:
        self.deleted.append([digest.removeprefix("sha256:")[:1] for digest in digests])

    def run(
        self, *, prune: bool = False, keep: int = 0, yes: bool = False, as_json: bool = False
    ) -> list[str]:
        context: Any = SimpleNamespace(
            project=SimpleNamespace(environment=lambda _: self.environment), terminal=self.screen
        )
        asyncio.run(
            show_or_prune(context, "api", None, prune=prune, keep=keep, yes=yes, as_json=as_json)
        )
        return self.screen.results


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Images:
    return Images(monkeypatch)


def test_each_is_shown_with_what_its_scan_found(images: Images) -> None:
    images.looks = [[use("a", "latest"), use("b", "v1.2.3")]]
    shown = images.run()
    assert any("latest" in line for line in shown)
    assert any("v1.2.3" in line for line in shown)
    assert any("2 high" in line.lower() for line in shown)
    assert images.deleted == []


def test_the_json_has_them_all(images: Images) -> None:
    images.looks = [[use("a", "latest"), use("b")]]
    (printed,) = images.run(as_json=True)
    told = json.loads(printed)
    assert (told["environment"], told["service"], told["repository"]) == (
        "tiny-e", "tiny-e-api", "tiny-e-api",
    )  # fmt: skip
    assert [each["tags"] for each in told["images"]] == [["latest"], []]


def test_an_empty_repository_leads_to_a_push(images: Images) -> None:
    images.looks = [[]]
    assert images.run() == []
    empty, hint = images.screen.lines
    assert empty == "tiny-e-api is empty."
    assert "push api" in hint
    assert hint.endswith("pushes the first image.")


def test_what_nothing_could_return_to_goes_after_a_question(images: Images) -> None:
    images.looks = [[use("a", "latest"), use("b", "old", "older"), use("c")]]
    assert images.run(prune=True) == ["2 images deleted, 1 kept."]
    b, c, step = images.screen.lines
    assert b == f"  {'sha256:' + 'b' * 12}  pushed 2026-01-31 12:30  old, older"
    assert c.endswith("pushed 2026-01-31 12:30  no tag")
    assert step == "Delete 2 images of tiny-e-api"
    assert [question for question, _ in images.screen.asked] == [
        "Delete these 2 of 3 images (6 MB) of tiny-e-api? They cannot be brought back."
    ]
    assert images.deleted == [["b", "c"], []]


def test_those_that_are_to_stay_stay(images: Images) -> None:
    images.looks = [[use("a", "latest"), use("b"), use("c")]]
    assert images.run(prune=True, keep=1, yes=True) == ["1 images deleted, 2 kept."]
    assert images.screen.asked == []
    assert images.deleted[0] == ["c"]


def test_nothing_is_asked_where_nothing_can_go(images: Images) -> None:
    images.looks = [[use("a", "latest")]]
    assert images.run(prune=True) == ["0 images deleted, 1 kept."]
    assert (images.screen.lines, images.screen.asked, images.deleted) == ([], [], [])


def test_nothing_goes_without_consent(images: Images) -> None:
    images.looks = [[use("a")]]
    images.screen.declines = "Delete"
    with pytest.raises(Declined):
        images.run(prune=True)
    assert images.deleted == []


def test_what_came_into_use_while_it_was_asked_stays(images: Images) -> None:
    images.looks = [[use("b"), use("c")], [use("b", runs=True), use("c")]]
    assert images.run(prune=True) == ["1 images deleted, 1 kept."]
    assert images.deleted[0] == ["c"]


def test_what_an_index_is_made_of_goes_with_it_unless_another_has_it(images: Images) -> None:
    d, e = "sha256:" + "d" * 64, "sha256:" + "e" * 64
    images.looks = [[use("a", "latest", parts=[e]), use("b", parts=[d, e])]]
    images.run(prune=True, yes=True)
    assert images.deleted == [["b"], ["d"]]


def test_the_json_names_what_was_deleted(images: Images) -> None:
    images.looks = [[use("a", "latest"), use("b", "old")]]
    (printed,) = images.run(prune=True, yes=True, as_json=True)
    assert json.loads(printed) == {
        "environment": "tiny-e",
        "repository": "tiny-e-api",
        "deleted": [{"digest": "sha256:" + "b" * 64, "tags": ["old"]}],
        "kept": 1,
    }
