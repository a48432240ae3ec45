"""Versions of a service's source that the demo delivers: as it is, and changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prod_e.delivery.build_context import read_build_context
from prod_e.delivery.image_build import Build
from prod_e.delivery.image_tag import content_tag
from prod_e_ops.demo.project_copy import copy_source
from prod_e_ops.errors import UserMistake

if TYPE_CHECKING:
    from prod_e.settings import Service

CHANGED_FILE = Path("src") / "main.ts"
"""What the demo changes of a source, by a line at its end."""

NOTES = "/notes"
"""What the service that has the database keeps there."""

_SECOND = "console.log('This is the second version.');\n"
_BROKEN = "throw new Error('This version crashes when it starts.');\n"
_ERRING = """\
import {{ ServerResponse }} from 'node:http';

const writeHead = ServerResponse.prototype.writeHead as (...all: unknown[]) => ServerResponse;
ServerResponse.prototype.writeHead = function (this: ServerResponse, ...all: unknown[]) {{
  return writeHead.apply(this, this.req.url?.startsWith('{path}') ? [500, ...all.slice(1)] : all);
}} as typeof ServerResponse.prototype.writeHead;
"""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of a source. `folder`: a copy of it. `build`: how an image of it is tagged."""

    folder: Path
    build: Build

    @property
    def tag(self) -> str:
        """The tag that names this content and no other."""
        return content_tag(self.build.content_hash)

    @classmethod
    def of(cls, source: Path, settings: "Service", *, copy: Path, lines: str = "") -> "Version":
        """A copy of a source, with lines at the end of `CHANGED_FILE`.

        Raises `UserMistake` for a folder that no image can be built from.
        """
        copy_source(source, copy)
        if lines:
            with (copy / CHANGED_FILE).open("a", encoding="utf-8") as file:
                file.write(lines)
        return cls(folder=copy, build=build_of(copy, settings))


@dataclass(frozen=True, kw_only=True)
class Versions:
    """Those of the service `key`.

    `first`: the source as it is. `second`: one that works, too. `broken`: ends at its start.
    `erring`: is healthy, and answers `NOTES` with the status 500.
    """

    key: str
    first: Version
    second: Version
    broken: Version
    erring: Version

    @classmethod
    def of(cls, key: str, first: Version, settings: "Service", scratch: Path) -> "Versions | None":
        """Changed copies in the folder `scratch`; None if there is no `CHANGED_FILE` to change."""
        source = first.folder
        if not (source / CHANGED_FILE).is_file():
            return None
        return cls(
            key=key,
            first=first,
            second=Version.of(source, settings, copy=scratch / "second", lines=_SECOND),
            broken=Version.of(source, settings, copy=scratch / "broken", lines=_BROKEN),
            erring=Version.of(
                source, settings, copy=scratch / "erring", lines=_ERRING.format(path=NOTES)
            ),
        )


def build_of(source: Path, settings: "Service") -> Build:
    """How an image of a source, as it is now, is tagged.

    Raises `UserMistake` for a folder that no image can be built from.
    """
    try:
        context = read_build_context(
            source, architecture=settings.architecture, build_args=settings.build_args
        )
    except ValueError as error:
        raise UserMistake(f"The source {source} {error}.") from None
    return Build.of(
        context,
        architecture=settings.architecture,
        image_tag=settings.image_tag,
        immutable_tags=settings.immutable_tags,
    )
