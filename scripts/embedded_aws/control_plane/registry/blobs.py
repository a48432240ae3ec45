"""The blobs of images: layers and configurations, in files named by their digests."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from embedded_aws.control_plane.registry.errors import RegistryError, digest_invalid

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(kw_only=True)
class Upload:
    """A blob that arrives. `repository`: the one that it is for."""

    id: str
    repository: str
    file: IO[bytes]
    path: Path
    hash: Any = field(default_factory=hashlib.sha256)
    size: int = 0

    def write(self, part: bytes) -> None:
        """Takes the next bytes of it."""
        self.file.write(part)
        self.hash.update(part)
        self.size += len(part)


class Blobs:
    """Keeps blobs in a folder. Which repositories have which is not known here."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._arriving = folder / "uploads"
        for each in (self._blobs, self._arriving):
            each.mkdir(parents=True, exist_ok=True)
        self._uploads: dict[str, Upload] = {}

    def path(self, digest: str) -> Path:
        """Where a blob is. Raises `RegistryError` for what is no digest."""
        if not _DIGEST.fullmatch(digest):
            raise RegistryError(400, "DIGEST_INVALID", f"Invalid digest '{digest}'")
        return self._blobs / digest.removeprefix("sha256:")

    def begin(self, repository: str) -> Upload:
        """Begins to take a blob in."""
        id = str(uuid4())
        path = self._arriving / id
        upload = Upload(id=id, repository=repository, file=path.open("wb"), path=path)
        self._uploads[id] = upload
        return upload

    def upload(self, id: str, repository: str) -> Upload:
        """One that has begun. Raises `RegistryError` if there is none."""
        found = self._uploads.get(id)
        if found is None or found.repository != repository:
            raise RegistryError(404, "BLOB_UPLOAD_UNKNOWN", f"There is no upload with id '{id}'")
        return found

    def complete(self, upload: Upload, digest: str) -> None:
        """Keeps what has arrived. Raises `RegistryError` if that has another digest."""
        kept = self.path(digest)
        self._forget(upload)
        found = f"sha256:{upload.hash.hexdigest()}"
        if found != digest:
            upload.path.unlink()
            raise digest_invalid(digest, found)
        upload.path.replace(kept)

    def cancel(self, upload: Upload) -> None:
        """Throws away what has arrived."""
        self._forget(upload)
        upload.path.unlink()

    def _forget(self, upload: Upload) -> None:
        upload.file.close()
        self._uploads.pop(upload.id, None)
