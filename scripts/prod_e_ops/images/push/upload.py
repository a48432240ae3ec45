"""An image's way to the registry, through broken connections and tokens that run out."""

import re
from collections.abc import Callable

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

from prod_e_ops.errors import UploadFailed
from prod_e_ops.images.docker.docker import Docker, TransferFailed
from prod_e_ops.images.ecr import Login, Repository, RepositoryFound

_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 1.0


async def upload(
    docker: Docker,
    repository: Repository,
    found: RepositoryFound,
    *,
    tag: str,
    unmoved: str,
    on_progress: Callable[[str], object],
) -> str:
    """Uploads the local image of this tag under it alone, and gives its digest.

    After a connection that broke, and with a new token after one that ran out, it goes on where it
    was: the registry has what arrived. `unmoved`: a sentence that says which tag is as it was.
    `on_progress`: told how far it is.

    Raises `UploadFailed` if the registry refuses the image or stays away.
    """
    login: Login | None = None

    def tell(state: RetryCallState) -> None:
        on_progress(f"{state.outcome and state.outcome.exception()}; trying again")

    try:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=_FIRST_PAUSE_SECONDS),  # Each is twice the last one.
            before_sleep=tell,
            reraise=True,
        ):
            with attempt:
                try:
                    if login is None:
                        login = await repository.login()
                        await docker.login(found.host, user=login.user, password=login.token)
                    return await docker.push(
                        f"{found.uri}:{tag}",
                        user=login.user,
                        password=login.token,
                        on_line=_Layers(on_progress),
                    )
                except TransferFailed as failure:
                    if failure.reason == "credentials":
                        login = None
                    raise
    except TransferFailed as failure:
        raise _not_uploaded(found, failure, unmoved) from None
    raise AssertionError("the last attempt gives a digest or raises")


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, TransferFailed) and error.reason != "refused"


class _Layers:
    """Tells how many of an image's layers are in the registry."""

    def __init__(self, on_progress: Callable[[str], object]) -> None:
        self._on_progress = on_progress
        self._states: dict[str, str] = {}

    def __call__(self, line: str) -> None:
        layer, is_layer, state = line.partition(": ")
        if is_layer and re.fullmatch(r"[0-9a-f]{12}", layer):
            self._states[layer] = state
        done = sum(state in ("Pushed", "Layer already exists") for state in self._states.values())
        self._on_progress(f"{done} of {len(self._states)} layers are there; {line}")


def _not_uploaded(found: RepositoryFound, failure: TransferFailed, unmoved: str) -> UploadFailed:
    if failure.reason == "refused":
        return UploadFailed(
            f"{found.host} refused the image:",
            details=[str(failure), unmoved],
            next_step="Fix this and run it again.",
        )
    why = (
        "does not accept the tokens that AWS gives for it"
        if failure.reason == "credentials"
        else "could not be reached, or dropped the connection,"
    )
    return UploadFailed(
        f"{found.host} {why} {_ATTEMPTS} times:",
        details=[str(failure), unmoved],
        next_step="Run the command again: layers that arrived are not sent again.",
    )
