"""Changes of the services' sources, each of which is built and rolled out."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.live.delivery import Delivery
from prod_e_ops.demo.live.versions import Version, build_of
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError

_POLL_SECONDS = 1.0


@dataclass(kw_only=True)
class Watch:
    """The sources of an environment in the user's project, whose versions its copy runs.

    `scratch`: a folder for copies. `delivered`: what was delivered last, by service.
    """

    run: Run
    delivery: Delivery
    scratch: Path
    delivered: dict[str, Version]
    _seen: dict[str, str] = field(default_factory=dict)
    _tried: dict[str, str] = field(default_factory=dict)

    async def follow(self) -> None:
        """Rolls out what changes, one service after the other, until it is cancelled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            for key in self.run.environment.services:
                if await self._has_changed(key):
                    await self._roll_out(key)

    async def _has_changed(self, key: str) -> bool:
        """Whether a source is another than was tried last, and has stood still since then."""
        environment = self.run.environment
        source = self.run.context.project.folder / environment.source_of(key)
        try:
            found = await in_thread(
                lambda: build_of(source, environment.services[key]).content_hash
            )
        except (OpsError, OSError):
            # In the midst of being written; once it stands still, its mistake is told.
            found = "unreadable"
        stands_still = self._seen.get(key) == found
        self._seen[key] = found
        last = self._tried.get(key) or self.delivered[key].build.content_hash
        return stands_still and found != last

    async def _roll_out(self, key: str) -> None:
        environment, terminal = self.run.environment, self.run.context.terminal
        source = self.run.context.project.folder / environment.source_of(key)
        # Tried once, whatever comes of it: what fails fails again until it is changed.
        self._tried[key] = self._seen[key]
        try:
            version = await in_thread(
                lambda: Version.of(
                    source, environment.services[key], copy=self.scratch / self._seen[key] / key
                )
            )
            self._tried[key] = version.build.content_hash
            terminal.say(f"{environment.source_of(key)} has changed: {version.tag}")
            await self.delivery.prepare(self.run, key, version)
            await in_thread(lambda: self._replace(key, version))
            await self.delivery.deploy(self.run, key, version)
        except (OpsError, TimeoutError) as error:
            told = error if isinstance(error, OpsError) else OpsError("It takes too long.")
            terminal.error(told)
        else:
            terminal.say(f"{version.tag} runs.")

    def _replace(self, key: str, version: Version) -> None:
        """Removes what this version has no more from the copy that is built."""
        copy = self.run.project.folder / self.run.environment.source_of(key)
        former = self.delivered[key].folder
        for file in former.rglob("*"):
            inside = file.relative_to(former)
            if file.is_file() and not (version.folder / inside).exists():
                (copy / inside).unlink(missing_ok=True)
        self.delivered[key] = version
