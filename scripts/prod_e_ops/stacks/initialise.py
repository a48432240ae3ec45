"""The stacks of an environment initialised, as far as that is possible on this machine."""

from collections.abc import Callable, Sequence

from prod_e_ops.errors import ProviderUnavailable
from prod_e_ops.images.docker.docker_daemon import why_no_docker
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.model import SkippedStack
from prod_e_ops.terraform.parallel import for_each
from prod_e_ops.terraform.providers.dependency_lock import DependencyLock
from prod_e_ops.terraform.providers.versions import InstalledVersions, shown
from prod_e_ops.terraform.runner import Terraform


async def initialise(
    terraform: Terraform,
    stacks: Sequence[Stack],
    *,
    on_stack: Callable[[str], object],
    lock: DependencyLock | None = None,
) -> tuple[list[Stack], list[SkippedStack]]:
    """Initialises the stacks; the ones that need a Docker that is not to be had are skipped.

    They are initialised beside each other, except where providers may go through Terraform's cache,
    which is not safe for several runs at once:
    https://developer.hashicorp.com/terraform/cli/config/config-file#provider-plugin-cache

    `on_stack`: told the name of each stack that begins. `lock`: see `Terraform.init`.

    Gives the initialised ones and the skipped ones, both in their order.
    """

    async def init(stack: Stack) -> str | None:
        on_stack(stack.name)
        if stack.needs_docker and (reason := await why_no_docker()):
            return reason
        try:
            await terraform.init(stack, lock=lock)
        except ProviderUnavailable as error:
            if not stack.needs_docker:
                raise
            return error.reason
        return None

    if terraform.may_cache_providers:
        reasons: Sequence[str | None] = [await init(stack) for stack in stacks]
    else:
        reasons = await for_each(stacks, init)
    looked_at = list(zip(stacks, reasons, strict=True))
    return (
        [stack for stack, reason in looked_at if reason is None],
        [SkippedStack(stack=stack, reason=reason) for stack, reason in looked_at if reason],
    )


def describe(terraform: Terraform, installed: InstalledVersions) -> str:
    """For people: what plans, with which providers, and where they come from."""
    providers = shown(installed) or "providers"
    return f"{terraform.name} {terraform.version}, {providers} {terraform.providers.origin}"
