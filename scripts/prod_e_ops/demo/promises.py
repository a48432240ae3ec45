"""The step in which AWS is asked whether it holds what the settings promise."""

import asyncio
import time
from collections.abc import Sequence

from prod_e_ops.aws.threads import in_thread
from prod_e_ops.demo.beside import beside
from prod_e_ops.demo.checks import Check, check_environment
from prod_e_ops.demo.infrastructure.starting import until_one_fails
from prod_e_ops.demo.run import Run
from prod_e_ops.errors import OpsError

_HEALTHY_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.5


async def keep_promises(run: Run) -> None:
    """Shows each promise; raises `OpsError` if one is broken for longer than a task needs."""

    def check() -> Sequence[Check]:
        return list(check_environment(run.environment, run.clients))

    delivered = asyncio.Event()
    delivered.set()
    with run.step("Check with boto3") as step:
        deadline = time.monotonic() + _HEALTHY_TIMEOUT_SECONDS
        async with beside(until_one_fails(run, delivered)) as failing:
            checks = await in_thread(check)
            # Terraform waits until tasks run, which is before they stay and the load balancer has
            # found them healthy.
            while not all(each.holds for each in checks) and time.monotonic() < deadline:
                if failing.done():
                    failing.result()
                await asyncio.sleep(_POLL_SECONDS)
                checks = await in_thread(check)
        for each in checks:
            run.context.terminal.say(f"  {each}")
        if broken := [str(each) for each in checks if not each.holds]:
            raise OpsError("AWS does not hold what was deployed:", details=broken)
        step.outcome = f"{len(checks)} promises are kept"
