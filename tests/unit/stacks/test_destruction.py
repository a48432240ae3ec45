"""The end of an environment: what is shown and typed before, what goes first, what is said."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.commands.infrastructure import destroy as module
from prod_e_ops.commands.infrastructure.destroy import destroy_environment
from prod_e_ops.errors import Declined, DestroyRefused, PlanIsStale
from prod_e_ops.images.ecr import StoredImage
from prod_e_ops.stacks.images import repository_images
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from prod_e_ops.terraform.states.state import StateResource
from tests.support.project.prepared_world import (
    NOTHING,
    PlannedTerraform,
    change,
    prepared_in,
    screen_of,
)

NAMES = ("tiny-e-registry", "tiny-e")
FREE = """\
[services.backend]
[load_balancer]
deletion_protection = false
access_logs = false
"""


class Repositories:
    """An ECR whose repositories have images; those of an index show once the index is gone."""

    def __init__(self, **images: Sequence[Sequence[str]]) -> None:
        self.left = {name: list(of) for name, of in images.items()}
        self.deleted: list[Sequence[str]] = []

    def __call__(self, region: str, name: str) -> "Repository":
        assert region == "us-west-2"
        return Repository(self, name)


class Repository:
    def __init__(self, of: Repositories, name: str) -> None:
        self.name = name
        self._of = of

    async def images(self) -> Sequence[StoredImage]:
        now = next(iter(self._of.left[self.name]), ())
        pushed = datetime(2026, 1, 1, tzinfo=UTC)
        return [StoredImage(digest=each, tags=(), pushed_at=pushed, size_bytes=1) for each in now]

    async def delete(self, digests: Sequence[str]) -> None:
        self._of.deleted.append(digests)
        self._of.left[self.name].pop(0)


@pytest.fixture(autouse=True)
def ecr(monkeypatch: pytest.MonkeyPatch) -> Repositories:
    found = Repositories(backend=[["index"], ["part", "other"]], empty=[])
    monkeypatch.setattr(repository_images, "Repository", found)
    return found


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    async def orphans(_: object) -> None:
        found.append("orphans")

    monkeypatch.setattr(module, "tell_orphans", orphans)
    return found


def resource(address: str, **values: Any) -> StateResource:
    return StateResource(address=address, values=values, is_tainted=False)


STATE = {
    "tiny-e-registry": [
        resource("aws_ecr_repository.a", name="backend"),
        resource("aws_ecr_repository.b", name="empty"),
        resource("aws_ecr_repository.stays", name="stays"),
    ],
    "tiny-e": [resource("aws_sns_topic.a")],
}
REPOSITORIES = PlanSummary(
    destroyed=(change("aws_ecr_repository.a"), change("aws_ecr_repository.b"))
)
TOPIC = PlanSummary(destroyed=(change("aws_sns_topic.a"),))


def terraform_with(**more: Any) -> PlannedTerraform:
    plans = {"tiny-e-registry": [REPOSITORIES], "tiny-e": [TOPIC]}
    return PlannedTerraform(**{"plans": plans, "state": STATE, **more})


def destroyed(
    prepared: PreparedStacks,
    monkeypatch: pytest.MonkeyPatch,
    *,
    yes: bool = False,
    as_json: bool = False,
) -> None:
    @asynccontextmanager
    async def prepare(*_: object) -> AsyncIterator[PreparedStacks]:
        yield prepared

    monkeypatch.setattr(module, "prepare_stacks", prepare)
    asyncio.run(destroy_environment(prepared.context, None, yes=yes, as_json=as_json))


def test_what_exists_is_shown_its_name_is_typed_and_the_last_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ecr: Repositories, told: list[str]
) -> None:
    terraform = terraform_with()
    prepared = prepared_in(tmp_path, terraform, *NAMES, settings=FREE)
    destroyed(prepared, monkeypatch)
    assert terraform.done == [
        "plan tiny-e {'destroy': True}",
        "plan tiny-e-registry {'destroy': True}",
        "apply tiny-e",
        "apply tiny-e-registry",
    ]
    screen = screen_of(prepared)
    assert screen.asked == [
        (
            "Destroy tiny-e in the account 123456789012? Type its name to go on:",
            "Nothing was changed.",
        )
    ]
    assert "  - aws_sns_topic.a" in screen.results
    assert any("full plan:" in line for line in screen.results)
    # ECR deletes no repository that holds any.
    assert ecr.deleted == [["index"], ["part", "other"]]
    assert "The repository backend goes with 1 image." in screen.lines
    assert not any("empty" in line for line in screen.lines)
    assert screen.lines[-1] == "tiny-e is gone."
    assert told == ["orphans"]


def test_with_yes_it_is_shown_and_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = terraform_with()
    prepared = prepared_in(tmp_path, terraform, *NAMES, settings=FREE)
    destroyed(prepared, monkeypatch, yes=True)
    screen = screen_of(prepared)
    assert screen.asked == []
    assert "  - aws_sns_topic.a" in screen.results
    assert not any("full plan:" in line for line in screen.results)
    assert terraform.done[-1] == "apply tiny-e-registry"


def test_as_json_stdout_is_for_the_result_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepared_in(tmp_path, terraform_with(), *NAMES, settings=FREE)
    destroyed(prepared, monkeypatch, yes=True, as_json=True)
    (result,) = screen_of(prepared).results
    shown = json.loads(result)
    assert shown["environment"] == "tiny-e"
    assert [stack["stack"] for stack in shown["stacks"]] == ["tiny-e", "tiny-e-registry"]


@pytest.mark.parametrize("as_json", [True, False])
def test_where_nothing_exists_nothing_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str], as_json: bool
) -> None:
    terraform = terraform_with(state={})
    # What protects it is nothing that keeps nothing.
    prepared = prepared_in(tmp_path, terraform, *NAMES)
    destroyed(prepared, monkeypatch, as_json=as_json)
    assert terraform.done == []
    screen = screen_of(prepared)
    assert screen.lines == ["Nothing of tiny-e exists."]
    assert told == ["orphans"]
    results = [json.loads(each) for each in screen.results]
    assert results == ([{"environment": "tiny-e", "stacks": []}] if as_json else [])


def test_a_stack_that_does_not_exist_is_not_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = terraform_with(state={"tiny-e-registry": STATE["tiny-e-registry"]})
    prepared = prepared_in(tmp_path, terraform, *NAMES, settings=FREE)
    destroyed(prepared, monkeypatch)
    assert terraform.done == ["plan tiny-e-registry {'destroy': True}", "apply tiny-e-registry"]


def test_what_the_settings_protect_is_not_even_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = terraform_with()
    prepared = prepared_in(tmp_path, terraform, *NAMES)
    with pytest.raises(DestroyRefused):
        destroyed(prepared, monkeypatch, yes=True)
    assert terraform.done == []


def test_a_name_that_is_not_typed_leaves_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ecr: Repositories
) -> None:
    terraform = terraform_with()
    prepared = prepared_in(tmp_path, terraform, *NAMES, settings=FREE)
    screen_of(prepared).declines = "Destroy"
    with pytest.raises(Declined, match="Nothing was changed"):
        destroyed(prepared, monkeypatch)
    assert ecr.deleted == []
    assert not any(each.startswith("apply") for each in terraform.done)


def test_a_stale_plan_is_made_and_asked_about_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = terraform_with(ends={"tiny-e": [PlanIsStale("It has changed.")]})
    prepared = prepared_in(tmp_path, terraform, *NAMES, settings=FREE)
    destroyed(prepared, monkeypatch)
    assert terraform.done[2:] == [
        "fail tiny-e",
        "plan tiny-e {'destroy': True}",
        "apply tiny-e",
        "apply tiny-e-registry",
    ]
    assert [declined for _, declined in screen_of(prepared).asked] == [
        "Nothing was changed.",
        "tiny-e is as it was.",
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("", []),
        ("[database]\ndeletion_protection = false\n", ["leaves a final snapshot, which you pay"]),
        (
            "[database]\ndeletion_protection = false\nfinal_snapshot = false\n",
            ["no final snapshot: its data is lost"],
        ),
    ],
)
def test_what_becomes_of_the_data_is_said_before_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, said: Sequence[str]
) -> None:
    prepared = prepared_in(tmp_path, terraform_with(), *NAMES, settings=FREE + settings)
    destroyed(prepared, monkeypatch)
    lines = [line for line in screen_of(prepared).lines if "The database leaves" in line]
    assert len(lines) == len(said)
    for line, expected in zip(lines, said, strict=True):
        assert expected in line
    assert not any("access logs" in line for line in screen_of(prepared).lines)


def test_access_logs_are_said_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = FREE.replace("access_logs = false", "access_logs = true")
    prepared = prepared_in(tmp_path, terraform_with(), *NAMES, settings=settings)
    destroyed(prepared, monkeypatch)
    assert any("access logs are deleted with their bucket" in x for x in screen_of(prepared).lines)


def test_a_stack_with_nothing_to_destroy_is_not_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = terraform_with(plans={"tiny-e-registry": [REPOSITORIES], "tiny-e": [NOTHING]})
    prepared = prepared_in(tmp_path, terraform, *NAMES, settings=FREE)
    destroyed(prepared, monkeypatch)
    assert terraform.done[2:] == ["apply tiny-e-registry"]
