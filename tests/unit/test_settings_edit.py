"""A setting changes in its file, and nothing else does."""

import stat
from pathlib import Path

import pytest

from prod_e_ops.errors import SettingsChanged, SettingsMistake, SettingsNotWritten
from prod_e_ops.project.settings_edit import edit_image_tag

FILE = """\
# A comment.
name = "x"

[services.backend]
port = 3000     # here
image_tag   =   "latest"  # and "here"

[services.backend.environment] # after
A = 'b'
"""


def changed(folder: Path, text: str) -> str:
    file = folder / "x.toml"
    file.write_bytes(text.encode())
    edit_image_tag(file, key="backend", tag="content-1").write()
    return file.read_bytes().decode()


def test_the_value_changes_and_every_comment_and_space_stays(tmp_path: Path) -> None:
    assert changed(tmp_path, FILE) == FILE.replace('"latest"', '"content-1"')


def test_a_setting_that_was_left_out_is_added_to_its_table(tmp_path: Path) -> None:
    without = FILE.replace('image_tag   =   "latest"  # and "here"\n', "")
    added = without.replace("# here\n", '# here\nimage_tag = "content-1"\n')
    assert changed(tmp_path, without) == added


@pytest.mark.parametrize(
    "line",
    [
        'services.backend.image_tag = "latest" # dotted\n',
        'services = { backend = { image_tag = "latest", port = 1 } } # inline\n',
        '[services]\nbackend = { image_tag = "latest" }\n',
        '[services.backend]\r\nimage_tag = "latest" # as on Windows\r\n',
        '["services"."backend"]\n"image_tag" = "latest"\n',
    ],
)
def test_any_way_to_write_the_table_will_do(tmp_path: Path, line: str) -> None:
    assert changed(tmp_path, line) == line.replace('"latest"', '"content-1"')


def test_the_line_is_shown_before_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(FILE)
    change = edit_image_tag(file, key="backend", tag="v2")
    assert list(change.lines()) == [
        '- image_tag   =   "latest"  # and "here"',
        '+ image_tag   =   "v2"  # and "here"',
    ]
    assert (change.setting, change.old_value) == ("services.backend.image_tag", "latest")
    assert file.read_text() == FILE


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(FILE)
    change = edit_image_tag(file, key="backend", tag="v2")
    file.write_text("# somebody else's\n")
    with pytest.raises(SettingsChanged) as refusal:
        change.write()
    assert refusal.value.next_step is not None
    assert 'Set services.backend.image_tag = "v2"' in refusal.value.next_step
    assert file.read_text() == "# somebody else's\n"
    assert list(tmp_path.iterdir()) == [file]


def test_the_files_mode_stays_and_a_link_still_leads_to_it(tmp_path: Path) -> None:
    file, link = tmp_path / "real.toml", tmp_path / "x.toml"
    file.write_text(FILE)
    file.chmod(0o640)
    link.symlink_to(file)
    edit_image_tag(link, key="backend", tag="v2").write()
    assert link.is_symlink()
    assert '"v2"' in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_file_that_is_gone_says_what_to_set_where(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(FILE)
    change = edit_image_tag(file, key="backend", tag="v2")
    file.unlink()
    with pytest.raises(SettingsNotWritten):
        change.write()


def test_a_service_that_is_not_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(FILE)
    with pytest.raises(SettingsMistake, match=r"has no \[services.frontend\]"):
        edit_image_tag(file, key="frontend", tag="v2")
