"""What a killed process was writing is whole for the next one."""

from pathlib import Path

import pytest

from embedded_aws.whole_file import write_whole


def test_a_file_that_is_not_wholly_written_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "position"
    write_whole(file, "first")

    def killed(self: Path, text: str, encoding: str) -> int:
        with self.open("w", encoding=encoding):  # It is empty then.
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, "second")
    assert file.read_text("utf-8") == "first"


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "position"
    for text in ("first", "second"):
        write_whole(file, text)
    assert file.read_text("utf-8") == "second"
    assert list(tmp_path.iterdir()) == [file]
