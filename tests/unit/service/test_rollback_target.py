"""What `--to` of a rollback means, what it changes in the settings, and what is refused."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e.delivery.image_tag import ImageTag
from prod_e_ops.errors import ImageMissing, InvalidOption, OpsError, TaskDefinitionMissing
from prod_e_ops.images.ecr import StoredImage
from prod_e_ops.images.inventory import ImageUse, ServiceImages
from prod_e_ops.service.model import TaskDefinition
from prod_e_ops.service.rollback.render import candidate_rows, next_steps, result_line
from prod_e_ops.service.rollback.state import ServiceState
from prod_e_ops.service.rollback.target import RollbackTarget, resolve_target, runs_already
from tests.support.service_status import UNDER_WAY

ADDRESS = "123456789012.dkr.ecr.us-west-2.amazonaws.com/tiny-e-api"
PUSHED = datetime(2026, 1, 30, 10, 20, tzinfo=UTC)
OLD, NEW, LOST = (
    StoredImage(digest=f"sha256:{digit * 64}", tags=tags, pushed_at=PUSHED, size_bytes=1)
    for digit, tags in (
        ("a", ("content-0123456789abcdef", "git-0123456789ab", "v1.0.0")),
        ("b", ("7", "latest")),
        ("c", ()),
    )
)


def definition(number: int, reference: str, *, is_active: bool = True) -> TaskDefinition:
    return TaskDefinition(name=f"tiny-e-api:{number}", image=reference, is_active=is_active)


REVISIONS: Mapping[str, TaskDefinition] = {
    each.name: each
    for each in (
        definition(1, f"{ADDRESS}:v1.0.0"),
        definition(2, f"{ADDRESS}:latest"),
        definition(3, f"{ADDRESS}:gone"),
        definition(4, "public.ecr.aws/nginx:1"),
        definition(5, f"{ADDRESS}@{OLD.digest}"),
        definition(6, f"{ADDRESS}:v1.0.0", is_active=False),
    )
}


def use(image: StoredImage, *definitions: TaskDefinition, **known: Any) -> ImageUse:
    values = {
        "runs": False, "healthy_at": None, "has_failed": False, "last_ran_as": None,
        "deployments": (), **known,
    }  # fmt: skip
    return ImageUse(image=image, definitions=definitions, **values)


class World:
    """A service with images, and the settings that say which it runs."""

    def __init__(self, folder: Path, image_tag: str = "latest", build: str = "terraform") -> None:
        self.file = folder / "environments" / "tiny-e.toml"
        self.file.parent.mkdir()
        self.file.write_text(f'name = "tiny-e"\n[services.api]\nimage_tag = "{image_tag}"\n')
        self.project: Any = SimpleNamespace(folder=folder)
        self.uses: Sequence[ImageUse] = (
            use(NEW, REVISIONS["tiny-e-api:2"], runs=True),
            use(OLD, REVISIONS["tiny-e-api:5"], REVISIONS["tiny-e-api:1"]),
            use(LOST),
        )
        self._tag = image_tag
        self._build = build

    @property
    def state(self) -> ServiceState:
        async def task_definition(name: str) -> TaskDefinition | None:
            return REVISIONS.get(name)

        async def task_definitions() -> AsyncIterator[TaskDefinition]:
            for number in range(9, 0, -1):
                yield definition(number, "a")

        async def image(reference: str) -> StoredImage | None:
            images = [each.image for each in self.uses]
            fits = (each for each in images if reference in {each.digest, *each.tags})
            return next(fits, None)

        deployments: Any = SimpleNamespace(
            key="api",
            names=SimpleNamespace(task_family="tiny-e-api", service="tiny-e-api"),
            environment=SimpleNamespace(name="tiny-e", file="environments/tiny-e.toml"),
            settings=SimpleNamespace(image_tag=ImageTag(self._tag), build=self._build),
            task_definition=task_definition,
            task_definitions=task_definitions,
        )
        repository: Any = SimpleNamespace(name="tiny-e-api", image=image)
        running = frozenset(each.image.digest for each in self.uses if each.runs)
        return ServiceState(
            deployments=deployments,
            repository=repository,
            status=UNDER_WAY,
            found=ServiceImages(uses=tuple(self.uses), running=running),
            pinned_tag=self._tag,
        )

    def target(self, to: str) -> RollbackTarget:
        return asyncio.run(resolve_target(self.project, self.state, to))

    def refusal(self, to: str) -> OpsError:
        with pytest.raises(OpsError) as refused:
            self.target(to)
        assert refused.value.details[-1] == "Nothing was changed."
        return refused.value


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def pinned(tmp_path: Path) -> World:
    return World(tmp_path, image_tag="v2.0.0", build="external")


@pytest.mark.parametrize("to", ["v1.0.0", "git-0123456789ab", OLD.digest, "sha256:aaaaaaa"])
def test_a_tag_that_is_followed_moves_to_the_image(world: World, to: str) -> None:
    target = world.target(to)
    assert target == RollbackTarget(image=OLD, definition=None, change=None)
    assert target.name == "v1.0.0"


def test_an_image_without_a_tag_is_called_by_its_digest(world: World) -> None:
    assert world.target("sha256:ccccccc").name.startswith("sha256:ccccc")


def test_a_pinned_service_goes_back_to_the_newest_definition_of_the_image(pinned: World) -> None:
    target = pinned.target("v1.0.0")
    assert (target.image, target.definition) == (OLD, REVISIONS["tiny-e-api:5"])
    assert target.name == "tiny-e-api:5 (v1.0.0)"
    assert target.change is not None
    assert (target.change.old_value, target.change.new_value) == ("v2.0.0", "v1.0.0")
    assert 'image_tag = "v1.0.0"' in target.change.after


def test_what_terraform_builds_is_pinned_to_one_build(tmp_path: Path) -> None:
    world = World(tmp_path, image_tag="content")
    change = world.target("v1.0.0").change
    assert change is not None
    assert change.new_value in ("content-0123456789abcdef", "git-0123456789ab")


def test_settings_that_say_it_already_are_not_changed(tmp_path: Path) -> None:
    world = World(tmp_path, image_tag="v1.0.0", build="external")
    assert world.target("v1.0.0").change is None


def test_a_pinned_service_has_nothing_to_go_back_to_without_a_definition(pinned: World) -> None:
    refused = pinned.refusal(LOST.digest)
    assert isinstance(refused, ImageMissing)
    assert "No active revision of tiny-e-api runs sha256:ccccc" in refused.message
    assert refused.next_step is None
    pinned.uses = [use(OLD)]
    by_hand = str(pinned.refusal("v1.0.0").next_step)
    assert by_hand.startswith('Set image_tag = "v1.0.0" in environments/tiny-e.toml and deploy:')
    assert "deploy tiny-e" in by_hand


@pytest.mark.parametrize("to", ["1", "tiny-e-api:1"])
def test_a_revision_is_named_by_its_number(world: World, to: str) -> None:
    assert world.target(to) == RollbackTarget(
        image=OLD, definition=REVISIONS["tiny-e-api:1"], change=None
    )


def test_a_revision_of_a_pinned_service_is_pinned_by_what_it_names(pinned: World) -> None:
    for name in ("tiny-e-api:1", "tiny-e-api:5"):
        change = pinned.target(name).change
        assert change is not None
        assert change.new_value == "v1.0.0"


def test_an_image_of_another_registry_is_not_looked_at(world: World) -> None:
    target = world.target("4")
    assert target == RollbackTarget(image=None, definition=REVISIONS["tiny-e-api:4"], change=None)
    assert target.name == "tiny-e-api:4"


def test_what_is_a_tag_and_a_number_is_asked_for_more_clearly(world: World) -> None:
    refused = world.refusal("7")
    assert isinstance(refused, InvalidOption)
    assert refused.message == ("7 is both a tag in tiny-e-api and a number of a task definition.")
    assert str(refused.next_step).startswith("Say --to tiny-e-api:7 or --to sha256:bbbbb")


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("sha256:aaaaaa", "sha256:aaaaaa is too short: take 7 digits of a digest or more."),
        ("sha256:ddddddd", "sha256:ddddddd is not in tiny-e-api."),
        ("other:1", "other:1 is not a revision of tiny-e-api, the task definition of tiny-e-api."),
        ("8", "The task definition tiny-e-api:8 does not exist."),
        ("6", "The task definition tiny-e-api:6 is deregistered."),
        ("v1.0.1", "There is no image with the tag v1.0.1 in tiny-e-api."),
        ("3", f"tiny-e-api:3 runs {ADDRESS}:gone, which is not in tiny-e-api any more."),
        ("0", "There is no image with the tag 0 in tiny-e-api."),
    ],
)
def test_what_is_nothing_is_refused(world: World, to: str, told: str) -> None:
    assert world.refusal(to).message == told


def test_a_digest_that_several_begin_with_is_refused(world: World) -> None:
    twin = StoredImage(digest=f"sha256:{'a' * 63}f", tags=(), pushed_at=PUSHED, size_bytes=1)
    world.uses = [*world.uses, use(twin)]
    message = "sha256:aaaaaaa is the beginning of several digests in tiny-e-api."
    assert world.refusal("sha256:aaaaaaa").message == message


def test_a_refusal_says_what_there_is(world: World) -> None:
    family = world.refusal("other:1")
    assert family.next_step == "Say --to tiny-e-api:NUMBER."
    missing = world.refusal("8")
    assert isinstance(missing, TaskDefinitionMissing)
    newest = ", ".join(f"tiny-e-api:{number}" for number in range(9, 4, -1))
    assert missing.details[0] == f"Active, newest first: {newest}"
    misspelt = world.refusal("v1.0.1")
    assert isinstance(misspelt, ImageMissing)
    assert misspelt.details[0].startswith("Other images there are: v1.0.0, sha256:ccccc")
    assert "v1.0.0" in str(misspelt.next_step)
    assert "images" in str(misspelt.next_step)
    world.uses = [use(NEW, runs=True)]
    assert world.refusal("nothing").details[0] == "Other images there are: none"
    many = [
        StoredImage(digest=f"sha256:{n:064}", tags=(f"t{n}",), pushed_at=PUSHED, size_bytes=1)
        for n in range(12)
    ]
    world.uses = list(map(use, many))
    details = world.refusal("nothing").details[0]
    assert details == f"Other images there are: {', '.join(f't{n}' for n in range(10))} and 2 more"


def test_what_runs_already_needs_no_rollback(world: World) -> None:
    state = world.state
    status = state.status.task_definition
    assert runs_already(state, RollbackTarget(image=NEW, definition=None, change=None))
    assert not runs_already(state, RollbackTarget(image=OLD, definition=None, change=None))
    assert not runs_already(state, RollbackTarget(image=None, definition=None, change=None))
    for name, is_it in ((status, True), ("tiny-e-api:9", False)):
        set_to = TaskDefinition(name=name, image="a", is_active=True)
        assert (
            runs_already(state, RollbackTarget(image=NEW, definition=set_to, change=None)) is is_it
        )


def test_the_way_forward_is_told(world: World) -> None:
    state = world.state
    (moved,) = next_steps(state, RollbackTarget(image=OLD, definition=None, change=None))
    assert moved == "The next push or deployment of a changed source goes forward again."
    set_to = REVISIONS["tiny-e-api:1"]
    (kept,) = next_steps(state, RollbackTarget(image=OLD, definition=set_to, change=None))
    assert kept.startswith("The settings are as they were: the next deployment goes forward again")


def test_what_is_pinned_is_told_with_its_commit_and_how_to_go_forward(pinned: World) -> None:
    target = pinned.target("v1.0.0")
    pins, others = next_steps(pinned.state, target)
    assert pins == (
        "environments/tiny-e.toml pins v1.0.0 (commit 0123456789ab) now: commit it, and the next"
        ' deployment keeps it. `image_tag = "v2.0.0"` goes forward again.'
    )
    assert others == "Other settings of that revision go forward with the next deployment."
    assert result_line(pinned.state, target, None) == 'tiny-e.toml: image_tag = "v1.0.0"'
    done = result_line(pinned.state, target, UNDER_WAY.deployment)
    assert done == "tiny-e-api runs tiny-e-api:5 (v1.0.0)."
    nothing = RollbackTarget(image=OLD, definition=None, change=None)
    assert result_line(pinned.state, nothing, None) is None


def test_what_can_be_gone_back_to_is_a_numbered_list(world: World) -> None:
    world.uses = [
        use(NEW, runs=True, healthy_at=PUSHED),
        use(OLD, healthy_at=PUSHED),
        use(LOST),
    ]
    head, *rows = candidate_rows(world.state)
    assert head == ("#", "DIGEST", "PUSHED (UTC)", "HEALTHY (UTC)", "USE", "DEFINITION; TAGS")
    assert [row[0] for row in rows] == ["", "1", "2"]
    assert [row[2:4] for row in rows] == [
        ("2026-01-30 10:20", "2026-01-30 10:20"),
        ("2026-01-30 10:20", "2026-01-30 10:20"),
        ("2026-01-30 10:20", "never"),
    ]
    assert all(row[1].startswith("sha256:") for row in rows)


def test_a_long_list_ends_after_fifteen(world: World) -> None:
    world.uses = [
        use(StoredImage(digest=f"sha256:{n:064}", tags=(), pushed_at=PUSHED, size_bytes=1))
        for n in range(20)
    ]
    assert len(list(candidate_rows(world.state))) == 1 + 15
