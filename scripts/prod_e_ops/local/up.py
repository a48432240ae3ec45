"""An environment that is brought up, stays up and follows its sources, until Ctrl-C."""

import asyncio
import shlex
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from prod_e.names import ServiceNames
from prod_e_ops import next_commands
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.beside import beside
from prod_e_ops.demo.life import Life, first_versions, until_interrupted
from prod_e_ops.demo.live.front_door import FrontDoor
from prod_e_ops.demo.live.versions import Version
from prod_e_ops.errors import OpsError
from prod_e_ops.local.log_lines import LogLines
from prod_e_ops.local.results import LocalListener, LocalResult
from prod_e_ops.local.running import Place
from prod_e_ops.local.watch import Watch
from prod_e_ops.terminal.json_output import to_json

_POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class LocalEnvironment:
    """`place`: where commands find it. `began_at`: by `time.monotonic`.

    `watches`: whether changes of sources are rolled out. `shows_logs`: whether containers' lines
    are shown. `prints_json`: whether what it comes to is printed as JSON.
    """

    life: Life
    place: Place
    began_at: float
    watches: bool
    shows_logs: bool
    prints_json: bool

    async def live(self) -> None:
        """Brings it up and keeps it up; raises `OpsError` if it does not come up."""
        life, run = self.life, self.life.run
        first = first_versions(run, life.scratch / "sources")
        say = run.context.terminal.say
        self.place.note(run.aws.variables())
        async with AsyncExitStack() as going_on:

            async def beside_this(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
                return await going_on.enter_async_context(beside(work))

            if self.shows_logs:
                logs = LogLines(environment=run.environment, clients=run.clients)
                await beside_this(logs.follow(say))
            deploying = await beside_this(self._deploy(first))
            answering = await beside_this(self._until_it_answers())
            # Terraform ends later than somebody answers, and not at all before.
            await asyncio.wait({deploying, answering}, return_when=asyncio.FIRST_COMPLETED)
            if deploying.done():
                deploying.result()
            if self._asked:
                await answering
            result = await in_thread(self._result)
            if self.prints_json:
                run.context.terminal.result(to_json(result))
            for line in self._ways_in(result):
                say(line)
            if self.watches:
                watch = Watch(
                    run=run,
                    delivery=life.delivery,
                    scratch=life.scratch / "versions",
                    delivered=dict(first),
                )
                await beside_this(watch.follow())
            # Terraform may still wait for what nobody needs.
            await until_interrupted(deploying)

    async def _deploy(self, first: Mapping[str, Version]) -> None:
        await self.life.deploy(first, None)
        run = self.life.run
        if failed := run.report.failed:
            raise OpsError(
                f"{run.environment.name} is not up:",
                details=[f"{stack.name}: {reason}" for stack, reason in failed.items()],
            )

    @property
    def _asked(self) -> Mapping[str, str]:
        """The health paths of the services that all paths lead to, by their target groups."""
        environment = self.life.run.environment
        return {
            ServiceNames.of(environment.name, key, each).target_group: each.health_path
            for key, each in environment.services.items()
            if each.path == "/*" and not each.host
        }

    async def _until_it_answers(self) -> None:
        """Tells where it is once a task answers through the load balancer."""
        run = self.life.run
        while True:
            try:
                door = await in_thread(lambda: FrontDoor.of(run.aws, run.environment.name))
                if await in_thread(partial(self._is_answered, door)):
                    break
            except OpsError:
                pass
            await asyncio.sleep(_POLL_SECONDS)
        run.context.terminal.say(
            f"✓ {run.environment.name} answers at {door.url} after"
            f" {time.monotonic() - self.began_at:.0f} s"
        )

    def _is_answered(self, door: FrontDoor) -> bool:
        # Before a target is healthy, the load balancer asks them all, also one that is not ready.
        elb = self.life.run.clients("elbv2")
        targets = (
            target
            for group in elb.describe_target_groups()["TargetGroups"]
            if group["TargetGroupName"] in self._asked
            for target in elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                "TargetHealthDescriptions"
            ]
        )
        return any(each["TargetHealth"]["State"] == "healthy" for each in targets) and any(
            door.get(path).status == HTTPStatus.OK for path in self._asked.values()
        )

    def _result(self) -> LocalResult:
        aws = self.life.run.aws
        return LocalResult(
            environment=self.place.environment,
            seconds=round(time.monotonic() - self.began_at, 1),
            page=aws.page_url,
            listeners=[
                LocalListener(
                    load_balancer=each["load_balancer"], port=each["port"], url=each["url"]
                )
                for each in aws.listeners()
            ],
            variables=aws.variables(),
        )

    def _ways_in(self, result: LocalResult) -> Iterator[str]:
        yield ""
        yield f"{result.environment} is up:"
        for each in result.listeners:
            yield f"  {each.load_balancer}:{each.port} is at {each.url}"
        yield f"  a page that shows what happens: {result.page}"
        yield "In another terminal, commands work on it with --local:"
        yield f"  {next_commands.local_status(result.environment)}"
        yield "and AWS's own tools with"
        for variable, value in result.variables.items():
            yield f"  export {variable}={shlex.quote(value)}"
        if self.watches:
            yield "A change of a source is built and rolled out."
        yield "Ctrl-C ends it."
