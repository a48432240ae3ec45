"""Gateways without anything behind them, for tests that need no server."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from prod_e_ops.images.docker.docker import Docker, TransferFailed
from prod_e_ops.images.ecr import Login, Repository, RepositoryFound, StoredImage

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def stored_image(digest: str, *tags: str) -> StoredImage:
    return StoredImage(digest=digest, tags=tags, pushed_at=NOW, size_bytes=1)


class FakeRepository(Repository):
    """A repository in memory. `moves`: the tags of each call that moved some, in their order."""

    def __init__(self, *images: StoredImage) -> None:
        super().__init__("us-west-2", "tiny-e-api")
        self.__dict__.update(stored={image.digest: image for image in images}, moves=[], logins=0)

    stored: dict[str, StoredImage]
    moves: list[tuple[str, ...]]
    logins: int

    @property
    def found(self) -> RepositoryFound:
        return RepositoryFound(
            uri="1.dkr.ecr.us-west-2.amazonaws.com/tiny-e-api", registry_id="1", arn="arn:r"
        )

    def put(self, image: StoredImage) -> None:
        """Stores an image as a push does: its tags are nobody else's any more."""
        for digest, other in self.stored.items():
            left = tuple(tag for tag in other.tags if tag not in image.tags)
            self.stored[digest] = replace(other, tags=left)
        self.stored[image.digest] = image

    async def image(self, reference: str) -> StoredImage | None:
        if reference in self.stored:
            return self.stored[reference]
        return next((image for image in self.stored.values() if reference in image.tags), None)

    async def tag(self, digest: str, tags: Sequence[str]) -> None:
        image = self.stored[digest]
        self.moves.append(tuple(tags))
        self.put(replace(image, tags=(*image.tags, *tags)))

    async def login(self) -> Login:
        self.__dict__["logins"] = self.logins + 1
        return Login(user="AWS", token=str(self.logins), host=self.found.host, expires_at=NOW)


class FakeDocker(Docker):
    """A docker tool whose pushes end as the test says. `said`: what Docker says; None: success."""

    def __init__(self, *said: str | None) -> None:
        self.__dict__.update(said=list(said), pushed=[])

    said: list[str | None]
    pushed: list[str]

    async def login(self, host: str, *, user: str, password: str) -> None:
        pass

    async def push(
        self, image: str, *, user: str, password: str, on_line: Callable[[str], object]
    ) -> str:
        self.pushed.append(image)
        on_line("0123456789ab: Pushed")
        said = self.said.pop(0)
        if said is not None:
            raise TransferFailed(said)
        return "sha256:1"
