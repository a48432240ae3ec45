"""Snapshots as files of a folder `snapshots` beside their test, each under the name it is given.

`pytest --snapshot-update` accepts what changed; git diff shows it.
"""

import json
from pathlib import Path
from typing import Any

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation
from syrupy.types import SnapshotIndex


class TextFile(SingleFileSnapshotExtension):
    """A text, as it is."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        return str(Path(test_location.filepath).parent / "snapshots")

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: SnapshotIndex = 0) -> str:
        return str(index)


class JsonFile(TextFile):
    """Values as JSON, in the order of their names."""

    file_extension = "json"

    def serialize(self, data: object, **_: Any) -> str:
        return json.dumps(data, indent=2, sort_keys=True) + "\n"
