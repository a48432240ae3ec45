"""What a docker build of a folder would see, and the hash and commit that name it."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import PathSpec

HASH_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """The source of an image.

    `folder`: the folder with the Dockerfile. `content_hash`: of all that a build would see.
    `commit`: the last commit that changed the folder; None outside of git, or with changes that
    are not committed.
    """

    folder: Path
    content_hash: str
    commit: str | None


def read_build_context(folder: Path, *, architecture: str) -> BuildContext:
    """Hashes `folder` as a docker build for `architecture` would see it.

    Raises `FileNotFoundError` if there is no Dockerfile in it.
    """
    if not (folder / "Dockerfile").is_file():
        raise FileNotFoundError(folder / "Dockerfile")
    digest = hashlib.sha256(architecture.encode())
    for name in included_files(folder):
        path = folder / name
        if path.is_symlink():
            kind, content = "link", str(path.readlink()).encode()
        else:
            kind = "program" if os.access(path, os.X_OK) else "file"
            content = path.read_bytes()
        for part in (name.encode(), kind.encode(), content):
            # The length keeps the end of one part from counting as the start of the next.
            digest.update(len(part).to_bytes(8, "big") + part)
    return BuildContext(
        folder=folder,
        content_hash=digest.hexdigest()[:HASH_LENGTH],
        commit=_last_commit(folder),
    )


def included_files(folder: Path) -> list[str]:
    """The files below `folder` that `.dockerignore` does not leave out, sorted, with `/`.

    Follows https://docs.docker.com/build/concepts/context/#dockerignore-files: the last pattern
    that matches wins, and every pattern starts at the folder.
    """
    ignored = PathSpec.from_lines("gitwildmatch", _patterns(folder / ".dockerignore"))
    may_return = any(pattern.include is False for pattern in ignored.patterns)

    def walk(below: str) -> Iterator[str]:
        with os.scandir(folder / below) as entries:
            for entry in entries:
                name = f"{below}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    # An exception may bring back a file of a folder that is left out.
                    if may_return or not ignored.match_file(f"{name}/"):
                        yield from walk(f"{name}/")
                elif not ignored.match_file(name):
                    yield name

    # Docker sends the Dockerfile and .dockerignore whatever the patterns say.
    return sorted({*walk(""), *_always_sent(folder)})


def _always_sent(folder: Path) -> list[str]:
    return [name for name in ("Dockerfile", ".dockerignore") if (folder / name).is_file()]


def _patterns(dockerignore: Path) -> Iterator[str]:
    if not dockerignore.is_file():
        return
    for line in dockerignore.read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        negated = pattern.startswith("!")
        # Git lets a bare name match at any depth; the leading slash holds it to the folder.
        anchored = "/" + os.path.normpath(pattern.lstrip("!").strip()).lstrip("/")
        yield f"!{anchored}" if negated else anchored


def _last_commit(folder: Path) -> str | None:
    try:
        if _git(folder, "status", "--porcelain", "--", "."):
            return None
        return _git(folder, "log", "-1", "--format=%H", "--", ".") or None
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()
