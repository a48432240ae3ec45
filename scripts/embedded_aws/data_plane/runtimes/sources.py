"""Builds of source folders, for tasks that run as processes: once for each content."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_LEFT_OUT = frozenset({"node_modules", "dist", ".git", ".cache", ".venv", "__pycache__"})
"""Folders that are made from the rest, or are no part of it."""


class BuildError(Exception):
    """A source folder cannot be built; the message says why, with the last lines of the build."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """A built copy of a source folder. `digest`: of its content. `command`: what starts it."""

    folder: Path
    digest: str
    command: tuple[str, ...]


class Sources:
    """Builds Node.js projects: `npm ci`, the script `build` if there is one, the script `start`.

    `cache_folder`: where builds are kept, under the hash of their content. Several processes may
    share it: what one builds, the others wait for.
    """

    def __init__(self, cache_folder: Path) -> None:
        self._cache = cache_folder

    def digest(self, folder: Path) -> str:
        """The hash of a folder's content; raises `BuildError` if there is no such folder."""
        if not (folder / "package.json").is_file():
            raise BuildError(
                f"{folder} has no package.json: only Node.js projects run as processes"
            )
        found = hashlib.sha256()
        for path in _files(folder):
            found.update(f"{path.relative_to(folder)}\0{path.stat().st_mode & 0o111}\0".encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
        return f"sha256:{found.hexdigest()}"

    async def snapshot(self, folder: Path) -> str:
        """Keeps a folder's content as it is now; returns its digest."""
        digest = await asyncio.to_thread(self.digest, folder)
        copy = self._folder(digest)
        if not copy.exists():
            await asyncio.to_thread(_copy, folder, copy)
        return digest

    async def build(self, digest: str) -> Build:
        """Builds content that was kept, or finds that it is; raises `BuildError` if it fails."""
        folder = self._folder(digest)
        async with _alone(folder):
            if not folder.exists():
                raise BuildError(f"the content {digest} is no longer in {self._cache}")
            scripts = json.loads((folder / "package.json").read_text("utf-8")).get("scripts", {})
            if "start" not in scripts:
                raise BuildError("its package.json has no script `start`")
            if not (folder / ".built").exists():
                await self._install(folder)
                if "build" in scripts:
                    await _npm(folder, "run", "build")
                (folder / ".built").touch()
        # As npm runs it, without npm in between, which would not pass every signal on.
        return Build(folder=folder, digest=digest, command=("sh", "-c", f"exec {scripts['start']}"))

    async def _install(self, folder: Path) -> None:
        lock = folder / "package-lock.json"
        if not lock.exists() or not json.loads(lock.read_text("utf-8")).get(
            "packages", {}
        ).keys() - {""}:
            return
        project = json.loads((folder / "package.json").read_text("utf-8"))
        # Its scripts, which are not run, ask for no package.
        asked_for = json.dumps({**project, "scripts": None}, sort_keys=True).encode()
        named = hashlib.sha256(asked_for + lock.read_bytes())
        packages = self._cache / "packages" / named.hexdigest()
        async with _alone(packages):
            if not (packages / "node_modules").exists():
                partial = Path(tempfile.mkdtemp(dir=packages.parent))
                for name in ("package.json", "package-lock.json"):
                    shutil.copy(folder / name, partial)
                await _npm(partial, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
                _rename(partial, packages)
        link = folder / "node_modules"
        # A build that was killed may have left it.
        link.unlink(missing_ok=True)
        link.symlink_to(packages / "node_modules")

    def _folder(self, digest: str) -> Path:
        return self._cache / "sources" / digest.removeprefix("sha256:")


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """Holds what is made in a folder, which may not exist yet, against every other process."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Not a thread that waits: it could not be cancelled.
                await asyncio.sleep(0.1)
        yield


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        yield from (Path(parent) / name for name in sorted(names))


def _copy(folder: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=to.parent))
    for path in _files(folder):
        target = partial / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    _rename(partial, to)


def _rename(partial: Path, to: Path) -> None:
    partial.chmod(0o755)
    try:
        partial.rename(to)
    except OSError:
        # Another process was faster with the same content.
        shutil.rmtree(partial)


async def _npm(folder: Path, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "npm",
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        last = output.decode("utf-8", "replace").strip().splitlines()[-10:]
        raise BuildError("\n".join([f"npm {' '.join(arguments)} failed:", *last]))
