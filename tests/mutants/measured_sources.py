"""The sources as they were when a test was measured, and where their lines are today."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

from tests.mutants.faults import PROJECT, SOURCES


@dataclass(frozen=True, kw_only=True)
class MeasuredSources:
    """A copy of the project's sources in a folder that is named after their content."""

    folder: Path

    @classmethod
    def keep(cls, folder: Path) -> "MeasuredSources":
        """Keeps those of today in a folder, where they are not kept there already."""
        kept = folder / content_of(PROJECT / source for source in SOURCES)
        if not kept.exists():
            for source in SOURCES:
                pattern = shutil.ignore_patterns("__pycache__", "*.egg-info")
                shutil.copytree(PROJECT / source, kept / source, ignore=pattern)
        return cls(folder=kept)

    def lines_today(self, file: str) -> Mapping[int, int]:
        """Where the lines of a file are today that it still has, by where they were."""
        return _moved_lines(self.folder / file, PROJECT / file)


def content_of(places: Iterable[Path]) -> str:
    """A name for what Python files, or all those in folders, have in them."""
    digest = hashlib.sha256()
    for place in places:
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(PROJECT)} {content}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _moved_lines(before: Path, today: Path) -> Mapping[int, int]:
    if not before.is_file() or not today.is_file():
        return {}
    old, new = (file.read_text("utf-8").splitlines() for file in (before, today))
    same = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {
        block.a + number: block.b + number for block in same for number in range(1, block.size + 1)
    }
