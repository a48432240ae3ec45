"""A service that joins an environment and leaves it again, by its settings file alone."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from prod_e.names import EnvironmentNames, ServiceNames
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.infrastructure.infrastructure import Changes, Infrastructure
from prod_e_ops.demo.infrastructure.let_go import delete_images
from prod_e_ops.demo.live.delivery import Delivery
from prod_e_ops.demo.live.front_door import FrontDoor
from prod_e_ops.demo.live.versions import Version
from prod_e_ops.demo.project_copy import copy_source
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError
from prod_e_ops.project.project import Project

if TYPE_CHECKING:
    from prod_e.settings import Environment

KEY = "guest"
"""Its key in the settings, and the folder of its source."""

_HOST = f"{KEY}.example.com"
_AS_ITS_MODEL = {
    "architecture",
    "build_args",
    "build_network",
    "environment",
    "health_command",
    "health_path",
    "port",
    "startup_seconds",
}
_POLL_SECONDS = 0.5
_ANSWER_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Guest:
    """`environment`: with it. `before`, `settings`: the file's text without it and with it."""

    environment: "Environment"
    before: str
    settings: str

    @classmethod
    def of(
        cls, environment: "Environment", project: Project, *, model: str, scratch: Path
    ) -> "Guest | None":
        """One with the source of the service `model`, which is copied into the project.

        It has no database and a host name of its own. None where the settings have no room for it.
        `project`: a copy, which may be changed. `scratch`: a folder for what is in no project.
        """
        # Late, because it takes a moment to load.
        from prod_e.settings import SettingsError, load_environment

        folder = project.folder / KEY
        if folder.exists() or KEY in environment.services:
            return None
        before = _file(project, environment).read_text("utf-8")
        settings = before + _table(environment, model)
        tried = scratch / "with-guest.toml"
        tried.write_text(settings, "utf-8")
        try:
            found = load_environment(tried)
        except SettingsError:
            return None
        copy_source(project.folder / environment.source_of(model), folder)
        return cls(environment=found, before=before, settings=settings)

    @property
    def names(self) -> ServiceNames:
        """What it is called in AWS."""
        return ServiceNames.of(self.environment.name, KEY, self.environment.services[KEY])


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A guest's, beside what else happens: it is deployed, asked, and taken away again.

    Terraform does not look at AWS for it: what else happens there meanwhile is no change of its.
    `scratch`: a folder for what is in no project.
    """

    guest: Guest
    run: Run
    infrastructure: Infrastructure
    delivery: Delivery
    door: FrontDoor
    scratch: Path

    async def take_place(self) -> None:
        """Raises `OpsError` if anything but the guest is touched, or if it does not answer."""
        began = time.monotonic()
        self._write(self.guest.settings)
        await self.infrastructure.write_stacks()
        joined = [await self.infrastructure.change(self._names.registry_stack)]
        await self.delivery.push(self._run, KEY, self._version())
        joined.append(await self.infrastructure.change(self._names.main_stack))
        self._expect_only(joined, "created")
        await self._answers()
        count = sum(len(each.created) for each in joined)
        self.run.note(
            "Add a service",
            f"{count} resources created, nothing else replaced; GET"
            f" {self._health_path} of {_HOST} 200",
            seconds=time.monotonic() - began,
        )
        began = time.monotonic()
        self._write(self.guest.before)
        await self.infrastructure.write_stacks()
        left = [await self.infrastructure.change(self._names.main_stack)]
        repository = self.guest.names.repository
        await in_thread(lambda: delete_images(self.run.clients("ecr"), repository))
        left.append(await self.infrastructure.change(self._names.registry_stack))
        self._expect_only(left, "destroyed")
        if sum(len(each.destroyed) for each in left) != count:
            raise OpsError(f"Of the {count} resources of {KEY} not all are gone.")
        self.run.note(
            "Remove it again",
            f"{count} resources destroyed, nothing else replaced",
            seconds=time.monotonic() - began,
        )

    def _expect_only(self, done: Sequence[Changes], fate: str) -> None:
        """Raises `OpsError` if what is not the guest's was made, replaced or taken away."""
        others: list[str] = []
        for each in done:
            others += each.replaced
            others += each.destroyed if fate == "created" else each.created
        if others:
            raise OpsError(f"It is not {KEY} alone that is {fate}:", details=others)

    async def _answers(self) -> None:
        def status() -> int:
            return self.door.get(self._health_path, host=_HOST).status

        deadline = time.monotonic() + _ANSWER_TIMEOUT_SECONDS
        while (found := await in_thread(status)) != HTTPStatus.OK:
            if time.monotonic() > deadline:
                raise OpsError(f"{_HOST} does not answer: {self._health_path} {found}.")
            await asyncio.sleep(_POLL_SECONDS)

    def _write(self, settings: str) -> None:
        _file(self.run.project, self.run.environment).write_text(settings, "utf-8")

    def _version(self) -> Version:
        service = self.guest.environment.services[KEY]
        return Version.of(self.run.project.folder / KEY, service, copy=self.scratch / KEY)

    @property
    def _run(self) -> Run:
        return replace(self.run, environment=self.guest.environment)

    @property
    def _names(self) -> EnvironmentNames:
        return self.run.environment.names

    @property
    def _health_path(self) -> str:
        return self.guest.environment.services[KEY].health_path


def _file(project: Project, environment: "Environment") -> Path:
    return project.folder / "environments" / Path(environment.file).name


def _table(environment: "Environment", model: str) -> str:
    """The table of TOML that a user would add."""
    values = {
        **environment.services[model].model_dump(
            mode="json", include=_AS_ITS_MODEL, exclude_unset=True
        ),
        "build": "external",
        "host": _HOST,
        "min_tasks": 1,
        "desired_tasks": 1,
        "max_tasks": 1,
        **({"database": False} if environment.database else {}),
    }
    lines = (f"{key} = {_value(value)}" for key, value in values.items())
    return "\n".join(["", f"[services.{KEY}]", *lines, ""])


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)
