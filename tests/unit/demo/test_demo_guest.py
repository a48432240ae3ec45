"""A service that joins an environment and leaves it: its settings, and what changes meanwhile."""

import asyncio
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.demo.infrastructure.infrastructure import Changes
from prod_e_ops.demo.live import guest as guest_module
from prod_e_ops.demo.live.front_door import Answer
from prod_e_ops.demo.live.guest import KEY, Guest, Visit
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError
from tests.support.project.demo_run import run_of

SETTINGS = """
[services.backend]
port = 8080
memory_mib = 1024
health_command = ["CMD", "node", "check.js"]
database = true
[services.backend.environment]
NODE_ENV = "production"
QUOTED = 'a "word"'
[services.backend.build_args]
NODE_VERSION = "22"
[database]
"""


def run_with_source(folder: Path, settings: str = SETTINGS) -> Run:
    source = folder / "backend"
    (source / "node_modules").mkdir(parents=True)
    (source / "Dockerfile").write_text("FROM scratch\n")
    return run_of(folder, settings)


def guest_of(run: Run, scratch: Path) -> Guest | None:
    return Guest.of(run.environment, run.project, model="backend", scratch=scratch)


def test_it_is_as_its_model_but_for_a_name_and_without_a_database(tmp_path: Path) -> None:
    run = run_with_source(tmp_path / "project")
    guest = guest_of(run, tmp_path)
    assert guest
    service = guest.environment.services[KEY]
    model = run.environment.services["backend"]
    for same in ("port", "health_command", "environment", "build_args"):
        assert getattr(service, same) == getattr(model, same)
    assert service.host == "guest.example.com"
    assert (service.min_tasks, service.desired_tasks, service.max_tasks) == (1, 1, 1)
    assert not guest.environment.uses_database(KEY)
    assert guest.names.repository == "tiny-e-guest"
    assert (
        tomllib.loads(guest.settings)["services"]["backend"]
        == tomllib.loads(guest.before)["services"]["backend"]
    )
    assert guest.before == (tmp_path / "project/environments/tiny-e.toml").read_text()
    copied = sorted(each.name for each in (tmp_path / "project" / KEY).iterdir())
    assert copied == ["Dockerfile"]


@pytest.mark.parametrize(
    "settings",
    [
        "[services.backend]\n[services.guest]\npath = '/g'\n",
        # Each of several services says whether it may reach the database.
        "[services.backend]\n[database]\n",
    ],
)
def test_settings_without_room_for_it_have_none(tmp_path: Path, settings: str) -> None:
    run = run_with_source(tmp_path / "project", settings)
    assert guest_of(run, tmp_path) is None
    assert not (tmp_path / "project" / KEY).exists()


def test_a_folder_of_the_users_is_left_as_it_is(tmp_path: Path) -> None:
    run = run_with_source(tmp_path / "project")
    (tmp_path / "project" / KEY).mkdir()
    assert guest_of(run, tmp_path) is None
    assert not list((tmp_path / "project" / KEY).iterdir())


@dataclass(kw_only=True)
class Told:
    """Notes what a visit does, as its Terraform, its delivery, its door and its AWS."""

    run: Run
    plans: list[Changes]
    status: int = 200
    done: list[str] = field(default_factory=list)

    @property
    def _settings(self) -> str:
        file = self.run.project.folder / "environments" / "tiny-e.toml"
        return "with it" if "[services.guest]" in file.read_text() else "without it"

    async def write_stacks(self) -> None:
        self.done.append(f"stacks {self._settings}")

    async def change(self, name: str) -> Changes:
        self.done.append(f"change {name}")
        return self.plans.pop(0)

    async def push(self, run: Run, key: str, version: Any) -> None:
        assert key in run.environment.services
        # A copy: what is delivered is put into the service's folder.
        assert version.folder != run.project.folder / run.environment.source_of(key)
        self.done.append(f"push {key} of {version.folder.name}")

    def get(self, path: str, *, host: str) -> Answer:
        self.done.append(f"GET {path} of {host}")
        return Answer(status=self.status, body={})


def visited(folder: Path, plans: Sequence[Changes], *, status: int = 200) -> Told:
    run = run_with_source(folder / "project")
    guest = guest_of(run, folder)
    assert guest
    told: Any = Told(run=run, plans=list(plans), status=status)
    deleted: list[str] = told.done

    def delete(_: object, repository: str) -> None:
        deleted.append(f"delete images of {repository}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guest_module, "delete_images", delete)
        patch.setattr(guest_module, "_ANSWER_TIMEOUT_SECONDS", 0)
        object.__setattr__(run, "clients", lambda _: None)
        visit = Visit(
            guest=guest,
            run=run,
            infrastructure=told,
            delivery=told,
            door=told,
            scratch=folder / "scratch",
        )
        asyncio.run(visit.take_place())
    result: Told = told
    return result


JOINED = [Changes(created=("repository",)), Changes(created=("a", "b"))]
LEFT = [Changes(destroyed=("a", "b")), Changes(destroyed=("repository",))]


def test_it_joins_is_asked_and_leaves(tmp_path: Path) -> None:
    told = visited(tmp_path, [*JOINED, *LEFT])
    assert told.done == [
        "stacks with it",
        "change tiny-e-registry",
        "push guest of guest",
        "change tiny-e",
        "GET /health of guest.example.com",
        "stacks without it",
        "change tiny-e",
        "delete images of tiny-e-guest",
        "change tiny-e-registry",
    ]
    results = {step.step: step.result for step in told.run.report.steps}
    assert results == {
        "Add a service": "3 resources created, nothing else replaced; GET /health of"
        " guest.example.com 200",
        "Remove it again": "3 resources destroyed, nothing else replaced",
    }


@pytest.mark.parametrize(
    ("joined", "left"),
    [
        (Changes(created=("a", "b"), replaced=("backend",)), LEFT[0]),
        (Changes(created=("a", "b"), destroyed=("backend",)), LEFT[0]),
        (JOINED[1], Changes(destroyed=("a", "b"), created=("backend",))),
        (JOINED[1], Changes(destroyed=("a", "b"), replaced=("backend",))),
    ],
)
def test_what_is_not_its_own_is_neither_replaced_nor_made_nor_destroyed(
    tmp_path: Path, joined: Changes, left: Changes
) -> None:
    with pytest.raises(OpsError, match="not guest alone") as error:
        visited(tmp_path, [JOINED[0], joined, left, LEFT[1]])
    assert error.value.details == ("backend",)


def test_all_of_it_goes(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="Of the 3 resources of guest not all are gone"):
        visited(tmp_path, [*JOINED, Changes(destroyed=("a",)), LEFT[1]])


def test_it_has_to_answer(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"guest\.example\.com does not answer: /health 503"):
        visited(tmp_path, [*JOINED, *LEFT], status=503)
