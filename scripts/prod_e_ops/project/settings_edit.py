"""A change of one setting in `environments/*.toml` that leaves the rest of the file as it is."""

import difflib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from prod_e_ops.errors import OpsError, SettingsChanged, SettingsMistake, SettingsNotWritten


@dataclass(frozen=True, kw_only=True)
class SettingsEdit:
    """A setting's new value, and the whole file before and after it.

    `setting`: for example `services.backend.image_tag`. `old_value`: None if it was left out.
    """

    file: Path
    setting: str
    old_value: str | None
    new_value: str
    before: str
    after: str

    def lines(self) -> Iterator[str]:
        """The lines that go and come, with `-` and `+` before them."""
        difference = difflib.ndiff(self.before.splitlines(), self.after.splitlines())
        return (line for line in difference if line[:2] in ("- ", "+ "))

    def write(self) -> None:
        """Replaces the file in one go, so that nobody ever reads half of it.

        Raises `SettingsChanged` if it was changed meanwhile, `SettingsNotWritten` if it cannot be.
        """
        where = self.file.resolve()
        by_hand = f'Set {self.setting} = "{self.new_value}" in it yourself.'
        try:
            if _read(where) != self.before:
                raise SettingsChanged(
                    f"{self.file} has changed in the meantime.", next_step=by_hand
                )
            descriptor, scratch = tempfile.mkstemp(dir=where.parent, prefix=f".{where.name}-")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                    file.write(self.after)
                    file.flush()
                    os.fsync(file.fileno())
                Path(scratch).chmod(where.stat().st_mode & 0o777)
                Path(scratch).replace(where)
            except BaseException:
                Path(scratch).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise SettingsNotWritten(
                f"{self.file} cannot be written: {error.strerror}.", next_step=by_hand
            ) from None


def edit_image_tag(file: Path, *, key: str, tag: str) -> SettingsEdit:
    """The change of `image_tag` of the service `key`; nothing is written yet.

    Raises `SettingsMistake` if the file has no such service, `OpsError` if it cannot be read.
    """
    setting = f"services.{key}.image_tag"
    try:
        before = _read(file)
        document: Any = tomlkit.parse(before)
        service = document["services"][key]
    except OSError as error:
        raise OpsError(f"{file} cannot be read: {error.strerror}.") from None
    except (TOMLKitError, KeyError) as error:
        raise SettingsMistake(f"{file} has no [services.{key}] to change: {error}.") from None
    old_value = service.get("image_tag")
    service["image_tag"] = tag
    return SettingsEdit(
        file=file,
        setting=setting,
        old_value=None if old_value is None else str(old_value),
        new_value=tag,
        before=before,
        after=tomlkit.dumps(document),
    )


def _read(file: Path) -> str:
    # As it is, with the ends of its lines.
    return file.read_bytes().decode("utf-8")
