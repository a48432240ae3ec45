"""`prod-e push`: what is checked, built, uploaded and moved, in which order, and what is told."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prod_e_ops.commands.delivery import push as module
from prod_e_ops.commands.delivery.push import push_image
from prod_e_ops.errors import Declined, NotYetVisible, SourceChanged
from prod_e_ops.images.push.plan import PushOptions, PushPlan
from prod_e_ops.project.project import Project
from prod_e_ops.stacks.images import repositories
from tests.support.fakes import FakeDocker, FakeRepository, stored_image
from tests.support.project.demo_run import Screen

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = "sha256:1"


class Docker(FakeDocker):
    """One that builds, too. `source`: a file that changes during the build."""

    def __init__(self, world: "World") -> None:
        super().__init__(None)
        self.__dict__["world"] = world

    world: "World"

    async def build(self, folder: Path, **options: Any) -> list[str]:
        world = self.world
        options.pop("on_step")("Step 1/2 : FROM scratch")
        world.built.append((folder, options))
        if world.changes:
            (folder / "Dockerfile").write_text("FROM other\n")
        return ["npm warns"]

    async def push(self, image: str, **options: Any) -> str:
        digest = await super().push(image, **options)
        self.world.repository.put(stored_image(digest, image.rpartition(":")[2]))
        return digest


class World:
    """A project with one service, Docker, and what AWS has."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.repository = FakeRepository()
        self.is_there = True
        self.becomes_visible = True
        self.changes = False
        self.built: list[tuple[Path, dict[str, Any]]] = []
        self.followed: list[tuple[str, Any]] = []
        self.created: list[str] = []
        self.screen = Screen()
        self.docker = Docker(self)
        (folder / "environments").mkdir()
        (folder / "api").mkdir()
        (folder / "api" / "Dockerfile").write_text("FROM scratch\n")
        self.settings("")
        monkeypatch.setattr(PushPlan, "repository", property(lambda _: self.repository))
        monkeypatch.setattr(FakeRepository, "find", lambda _: self._find())
        monkeypatch.setattr(module, "find_docker", self._docker)
        monkeypatch.setattr(module, "check_account", self._account)
        monkeypatch.setattr(module, "newest_deployment", self._newest)
        monkeypatch.setattr(module, "follow_deployment", self._follow)
        monkeypatch.setattr(module, "verify_service", self._verify)
        monkeypatch.setattr(repositories, "create_repositories", self._create)

    def settings(self, text: str) -> None:
        settings = f'name = "tiny-e"\n[services.api]\nsource = "api"\n{text}'
        (self.folder / "environments" / "tiny-e.toml").write_text(settings)

    async def _find(self) -> Any:
        return self.repository.found if self.is_there else None

    async def _docker(self, processes: object) -> Docker:
        assert processes == "processes"
        return self.docker

    async def _account(self, environment: Any) -> str:
        assert environment.name == "tiny-e"
        return "111122223333"

    async def _newest(self, environment: Any, key: str) -> Any:
        assert environment.name == "tiny-e"
        self.followed.append(("newest", key))
        return SimpleNamespace(created_at=BEFORE)

    async def _follow(self, environment: Any, key: str, **options: Any) -> None:
        assert options.pop("terminal") is self.screen
        self.followed.append((f"follow {key}", options))

    async def _verify(self, environment: Any, key: str, **options: Any) -> None:
        assert options.pop("terminal") is self.screen
        self.followed.append((f"verify {key}", options))

    async def _create(self, context: Any, environment: Any) -> None:
        assert context.terminal is self.screen
        self.created.append(environment.name)
        self.is_there = self.becomes_visible

    def push(self, **options: Any) -> list[str]:
        """Gives what is printed."""
        context: Any = SimpleNamespace(
            project=Project(self.folder, self.folder / "cdktf.out"),
            terminal=self.screen,
            processes="processes",
        )
        asyncio.run(push_image(context, "tiny-e", "api", options=PushOptions(**options)))
        return self.screen.results

    @property
    def content_tag(self) -> str:
        (image,) = {pushed.rpartition(":")[2] for pushed in self.docker.pushed}
        return image


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return World(tmp_path, monkeypatch)


def test_what_ecr_has_not_is_built_uploaded_and_then_named(world: World) -> None:
    uri = world.repository.found.uri
    assert world.push(tags=("mine",)) == [f"{uri}@{DIGEST}"]
    ((folder, options),) = world.built
    content_tag = world.content_tag
    assert folder == world.folder / "api"
    assert options["image"] == f"{uri}:{content_tag}"
    assert options["platform"] == "linux/amd64"
    assert options["network"] is None
    assert options["rebuild"] is False
    assert options["build_args"]["VERSION"] == content_tag.removeprefix("content-")
    assert world.docker.pushed == [f"{uri}:{content_tag}"]
    # What starts a deployment moves last.
    assert [tag for move in world.repository.moves for tag in move][-1] == "latest"
    assert {tag for move in world.repository.moves for tag in move} == {"mine", "latest"}
    assert "Check Docker, the AWS account and the repository" in world.screen.lines
    assert "Build api for linux/amd64" in world.screen.lines
    assert "api: npm warns" in world.screen.lines
    assert "Upload to 1.dkr.ecr.us-west-2.amazonaws.com" in world.screen.lines
    assert "Move the tags" in world.screen.lines
    assert any(line.startswith("hint: ECS deploys it by itself") for line in world.screen.lines)
    assert world.followed == []


def test_the_json_is_all_of_it(world: World) -> None:
    (printed,) = world.push(as_json=True)
    told = json.loads(printed)
    assert told == {
        "repository": world.repository.found.uri,
        "digest": DIGEST,
        "tags": [world.content_tag, "latest"],
        "built": True,
        "pushed": True,
    }


def test_what_ecr_has_is_not_built_again_unless_that_is_asked_for(world: World) -> None:
    world.push()
    world.docker.said.append(None)
    (printed, again) = world.push(as_json=True)
    assert printed.endswith(DIGEST)
    assert (json.loads(again)["built"], json.loads(again)["pushed"]) == (False, False)
    assert len(world.built) == 1
    assert f"ECR has {world.content_tag} already: nothing is built." in world.screen.lines
    world.push(rebuild=True)
    assert [options["rebuild"] for _, options in world.built] == [False, True]


def test_a_deployment_is_followed_where_that_is_asked_for(world: World) -> None:
    world.push(wait=True)
    assert world.followed == [
        ("newest", "api"), ("newest", "api"), ("follow api", {"since": BEFORE}),
    ]  # fmt: skip
    assert not any(line.startswith("hint: ") for line in world.screen.lines)
    # A second push moves nothing: what runs is looked at.
    world.push(wait=True)
    assert world.followed[-1] == ("verify api", {"digests": frozenset({DIGEST})})
    assert "`latest` named this image before: nothing is deployed." in world.screen.lines


def test_a_source_that_changes_while_it_is_built_is_not_pushed(world: World) -> None:
    world.changes = True
    with pytest.raises(SourceChanged) as failure:
        world.push()
    assert "changed during the build" in failure.value.message
    assert failure.value.details == ("Nothing was pushed.",)
    assert failure.value.next_step == "Run the command again."
    assert (world.docker.pushed, world.repository.moves) == ([], [])


def test_another_architecture_than_the_tasks_is_told(world: World) -> None:
    world.push(platform="linux/arm64")
    (warned,) = (line for line in world.screen.lines if line.startswith("Warning: "))
    assert "run tasks of api on x86_64, which cannot run this image" in warned
    assert world.built[0][1]["platform"] == "linux/arm64"
    assert "latest" not in {tag for move in world.repository.moves for tag in move}


def test_the_settings_network_is_the_builds(world: World) -> None:
    world.settings('build_network = "host"\n')
    world.push()
    assert world.built[0][1]["network"] == "host"


@pytest.mark.parametrize("yes", [False, True])
def test_a_repository_that_is_not_there_is_made_after_a_question(world: World, yes: bool) -> None:
    world.is_there = False
    world.push(yes=yes)
    assert world.created == ["tiny-e"]
    assert (
        "The account 111122223333 has no ECR repository tiny-e-api in us-west-2; the stack"
        " tiny-e-registry creates it." in world.screen.lines
    )
    asked = [question for question, _ in world.screen.asked]
    assert asked == ([] if yes else ["Deploy tiny-e-registry now?"])
    assert len(world.built) == 1


def test_nothing_is_made_without_consent(world: World) -> None:
    world.is_there = False
    world.screen.declines = "Deploy"
    with pytest.raises(Declined):
        world.push()
    assert (world.created, world.built) == ([], [])


def test_a_repository_that_ecr_does_not_show_yet_is_told(world: World) -> None:
    world.is_there = world.becomes_visible = False
    with pytest.raises(NotYetVisible) as failure:
        world.push(yes=True)
    assert failure.value.message == (
        "tiny-e-registry is deployed, but ECR does not show tiny-e-api."
    )
    assert failure.value.details == ("Nothing was built.",)
    assert failure.value.next_step == "Run the command again in a minute."


@pytest.mark.parametrize(("image_tag", "is_told"), [("latest", True), ("content", False)])
def test_one_that_is_stopped_says_what_has_not_moved(
    world: World, monkeypatch: pytest.MonkeyPatch, image_tag: str, is_told: bool
) -> None:
    async def stopped(*_: object) -> None:
        raise asyncio.CancelledError

    world.settings(f'image_tag = "{image_tag}"\n')
    monkeypatch.setattr(module, "move_tags", stopped)
    with pytest.raises(asyncio.CancelledError):
        world.push()
    told = "Stopped. `latest` moves last, and only when everything is uploaded."
    assert (told in world.screen.lines) is is_told
