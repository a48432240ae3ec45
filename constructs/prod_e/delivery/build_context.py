"""What a docker build of a folder would see, and the hash and commit that name it."""

import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HASH_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """The source of an image.

    `folder`: the folder with the Dockerfile. `content_hash`: of all that a build would see.
    `commit`: the last commit that changed the folder; None outside of git. `is_dirty`: whether the
    folder has changes that are not committed. `build_args`: the user's own for the Dockerfile.
    """

    folder: Path
    content_hash: str
    commit: str | None
    is_dirty: bool = False
    build_args: Mapping[str, str] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """The commit as an image is told it; empty if there is none."""
        return f"{self.commit}-dirty" if self.commit and self.is_dirty else self.commit or ""


def read_build_context(
    folder: Path, *, architecture: str, build_args: Mapping[str, str] | None = None
) -> BuildContext:
    """Hashes `folder` as a docker build for `architecture` would see it.

    `build_args`: the service's in the settings; they make another content.

    Raises `ValueError` if docker could not build it; its text goes on where a sentence about the
    folder has begun, such as "has no Dockerfile".
    """
    if not folder.is_dir():
        raise ValueError("is not a folder")
    if not (folder / "Dockerfile").is_file():
        raise ValueError("has no Dockerfile")
    digest = hashlib.sha256(architecture.encode())

    def add(*parts: bytes) -> None:
        for part in parts:
            # The length keeps the end of one part from counting as the start of the next.
            digest.update(len(part).to_bytes(8, "big") + part)

    for name, value in sorted((build_args or {}).items()):
        add(name.encode(), b"argument", value.encode())
    for name in included_files(folder):
        path = folder / name
        if path.is_symlink():
            kind, content = "link", os.fsencode(path.readlink())
        else:
            kind = "program" if path.stat().st_mode & stat.S_IXUSR else "file"
            content = path.read_bytes()
        add(os.fsencode(name), kind.encode(), content)
    commit, is_dirty = _last_commit(folder)
    return BuildContext(
        folder=folder,
        content_hash=digest.hexdigest()[:HASH_LENGTH],
        commit=commit,
        is_dirty=is_dirty,
        build_args=dict(build_args or {}),
    )


def included_files(folder: Path) -> list[str]:
    """The files below `folder` that `.dockerignore` does not leave out, sorted, with `/`.

    Follows https://docs.docker.com/build/concepts/context/#dockerignore-files: the last pattern
    that matches a file or a folder above it wins, and every pattern starts at the folder.

    Raises `ValueError` if `.dockerignore` has a line that docker refuses, or whose matching could
    take forever, see `read_build_context`.
    """
    patterns = list(_patterns(folder / ".dockerignore"))
    may_return = any(pattern.is_exception for pattern in patterns)

    def is_ignored(name: str) -> bool:
        last = next((p for p in reversed(patterns) if p.matching.fullmatch(name)), None)
        return last is not None and not last.is_exception

    def walk(below: str) -> Iterator[str]:
        with os.scandir(folder / below) as entries:
            for entry in entries:
                name = f"{below}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    # An exception may bring back a file of a folder that is left out.
                    if may_return or not is_ignored(name):
                        yield from walk(f"{name}/")
                elif (entry.is_file() or entry.is_symlink()) and not is_ignored(name):
                    yield name

    # Docker sends the Dockerfile and .dockerignore whatever the patterns say.
    return sorted({*walk(""), *_always_sent(folder)})


def _always_sent(folder: Path) -> list[str]:
    return [name for name in ("Dockerfile", ".dockerignore") if (folder / name).is_file()]


@dataclass(frozen=True)
class _Pattern:
    """A line of `.dockerignore`: the paths that it is about, and whether it starts with `!`."""

    matching: re.Pattern[str]
    is_exception: bool


def _patterns(dockerignore: Path) -> Iterator[_Pattern]:
    if not dockerignore.is_file():
        return
    for line in dockerignore.read_text("utf-8-sig", "surrogateescape").split("\n"):
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        pattern = text.removeprefix("!").strip()
        try:
            if not pattern:
                raise ValueError(_NO_PATTERN)
            expression = _expression(os.path.normpath(pattern).lstrip("/"))
            yield _Pattern(re.compile(expression), is_exception=text.startswith("!"))
        except (ValueError, re.error) as error:
            why = _NO_PATTERN if isinstance(error, re.error) else error
            raise ValueError(f"has {text[:100]!r} in .dockerignore, which {why}") from None


_NO_PATTERN = "is not a pattern"


_PART = re.compile(
    # One after another they are one: tried each by itself they take forever.
    r"(?P<folders>(?:\*\*/?)+)|(?P<some>\*)|(?P<one>\?)"
    r"|\[(?P<negated>\^?)(?P<members>(?:\\.|[^\]\\])+)\]|\\(?P<escaped>.)|(?P<plain>[^\[\\])"
)


_STAR = "[^/]*"
_FOLDERS = "(?:.*/)?"
_INSIDE_MAX = 3
"""How often a pattern may have `**` amid a name, such as `a**b`: a path takes time to the power."""


def _expression(pattern: str) -> str:
    """A regular expression for the paths that a pattern names, and for all below them.

    Not git's rules: here `**` reaches over folders wherever it stands, and `[!a]` is no negation.
    `docker.utils.exclude_paths` of Docker's Python SDK (7.2.0) takes `**.md`, `[^a]`, `[!a]` and a
    backslash otherwise than the builder does.
    https://pkg.go.dev/github.com/moby/patternmatcher
    """
    if ending := re.fullmatch(r"\*\*([^/*?\[\]\\][^*?\[\]\\]*)", pattern):
        return f".*{re.escape(ending[1])}(?:/.*)?"
    expression, position = "", 0
    since_star: str | None = None
    since_folders: int | None = None
    inside = 0
    while position < len(pattern):
        part = _PART.match(pattern, position)
        if part is None:
            raise ValueError(_NO_PATTERN)
        position = part.end()
        if part["folders"]:
            expression += _STAR + since_star if since_star is not None else ""
            since_star = None
            if since_folders is not None and expression.endswith("/"):
                # Whole folders, too, are looked for once between `**` and `**`.
                between = expression[since_folders:]
                expression = f"{expression[: since_folders - len(_FOLDERS)]}(?>(?:.*?/)??{between})"
            elif since_folders is not None and (inside := inside + 1) > _INSIDE_MAX:
                raise ValueError(f"has ** amid more than {_INSIDE_MAX} names")
            expression += _FOLDERS if position < len(pattern) else ".*"
            since_folders = len(expression)
            continue
        if part["some"]:
            # What lies between two stars is looked for once, at its first place: further ones
            # would be of no use, and trying them all takes forever for *a*a*a*a*b.
            expression += f"(?>{_STAR}?{since_star})" if since_star is not None else ""
            since_star = ""
            continue
        if part["one"]:
            one = "[^/]"
        elif part["members"]:
            members = re.sub(r"[\[&|~]", r"\\\g<0>", part["members"])
            one = f"[{part['negated']}{members}]"
        else:
            one = re.escape(part["escaped"] or part["plain"])
        if since_star is None:
            expression += one
        else:
            since_star += one
    expression += _STAR + since_star if since_star is not None else ""
    return f"{expression}(?:/.*)?"


def _last_commit(folder: Path) -> tuple[str | None, bool]:
    try:
        commit = _git(folder, "log", "-1", "--format=%H", "--", ".")
        return commit or None, bool(_git(folder, "status", "--porcelain", "--", "."))
    except (OSError, subprocess.CalledProcessError):
        return None, False


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()
