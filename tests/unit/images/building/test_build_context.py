"""The content hash covers what docker would send of a folder, and nothing else."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prod_e.app.synthesis import synthesise
from prod_e.delivery.build_context import BuildContext, included_files, read_build_context
from prod_e.settings import SettingsError, load_environment

SOURCES = (
    "README.md",
    "app/main.js",
    "app/main.test.js",
    "app/lib/notes.js",
    "docs/guide.md",
    "docs/deep/more.md",
    "log1",
    "logs",
    "node_modules/x/index.js",
)
ALWAYS = {"Dockerfile", ".dockerignore"}


def made(folder: Path, dockerignore: str = "") -> Path:
    for name in SOURCES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / ".dockerignore").write_text(dockerignore)
    return folder


def content_hash(folder: Path, *, architecture: str = "x86_64") -> str:
    return read_build_context(folder, architecture=architecture).content_hash


# What each of these leaves out is what the docker command line leaves out.
@pytest.mark.parametrize(
    ("dockerignore", "left_out"),
    [
        ("", set()),
        ("# docs\n\n", set()),
        ("docs", {"docs/guide.md", "docs/deep/more.md"}),
        ("docs/", {"docs/guide.md", "docs/deep/more.md"}),
        ("/docs", {"docs/guide.md", "docs/deep/more.md"}),
        ("./app/../docs//", {"docs/guide.md", "docs/deep/more.md"}),
        ("  docs  \r\n", {"docs/guide.md", "docs/deep/more.md"}),
        ("\ufeffdocs", {"docs/guide.md", "docs/deep/more.md"}),
        ("deep", set()),
        ("../docs", set()),
        ("*/deep", {"docs/deep/more.md"}),
        ("**/deep", {"docs/deep/more.md"}),
        ("**/**/deep", {"docs/deep/more.md"}),
        ("docs/**", {"docs/guide.md", "docs/deep/more.md"}),
        ("docs/**/**", {"docs/guide.md", "docs/deep/more.md"}),
        ("*.md", {"README.md"}),
        ("**/*.md", {"README.md", "docs/guide.md", "docs/deep/more.md"}),
        ("**.md", {"README.md", "docs/guide.md", "docs/deep/more.md"}),
        ("docs/**.md", set()),
        ("docs/**/*.md", {"docs/guide.md", "docs/deep/more.md"}),
        ("log?", {"log1", "logs"}),
        ("log[0-9]", {"log1"}),
        ("log[^0-9]", {"logs"}),
        ("log[!0-9]", {"log1"}),
        ("docs/guide\\.md", {"docs/guide.md"}),
        ("docs\n!docs/deep", {"docs/guide.md"}),
        ("docs\n! /docs/deep/", {"docs/guide.md"}),
        ("!docs/deep\ndocs", {"docs/guide.md", "docs/deep/more.md"}),
        ("**/*.md\n!README.md", {"docs/guide.md", "docs/deep/more.md"}),
        ("*\n!app\n**/*.test.js", {*SOURCES} - {"app/main.js", "app/lib/notes.js"}),
        ("*", {*SOURCES}),
        ("**", {*SOURCES}),
        ("Dockerfile\n.dockerignore", set()),
    ],
)
def test_what_dockerignore_names_is_left_out(
    tmp_path: Path, dockerignore: str, left_out: set[str]
) -> None:
    folder = made(tmp_path, dockerignore)
    assert set(included_files(folder)) == {*SOURCES, *ALWAYS} - left_out


def test_without_a_dockerignore_everything_counts_in_the_order_of_its_name(
    tmp_path: Path,
) -> None:
    folder = made(tmp_path)
    (folder / ".dockerignore").unlink()
    assert included_files(folder) == sorted([*SOURCES, "Dockerfile"])


def test_only_what_an_image_can_hold_counts(tmp_path: Path) -> None:
    folder = made(tmp_path)
    before = content_hash(folder)
    os.mkfifo(folder / "pipe")
    (folder / "empty").mkdir()
    assert content_hash(folder) == before


def test_the_folder_and_the_times_of_its_files_do_not_count(tmp_path: Path) -> None:
    one = made(tmp_path / "one")
    other = shutil.copytree(one, tmp_path / "else" / "where", copy_function=shutil.copyfile)
    for number, path in enumerate(other.rglob("*")):
        os.utime(path, (number, number))
    assert content_hash(other) == content_hash(one)


def test_what_is_left_out_does_not_count(tmp_path: Path) -> None:
    folder = made(tmp_path, "docs\n")
    before = content_hash(folder)
    (folder / "docs" / "guide.md").write_text("changed")
    (folder / "docs" / "new.md").touch()
    assert content_hash(folder) == before


def rewrite(folder: Path) -> None:
    (folder / "log1").write_text("changed")


def rename(folder: Path) -> None:
    (folder / "log1").rename(folder / "log2")


def add(folder: Path) -> None:
    (folder / "empty").touch()


def make_executable(folder: Path) -> None:
    (folder / "log1").chmod(0o755)


def make_a_link(folder: Path) -> None:
    (folder / "log1").unlink()
    (folder / "log1").symlink_to("logs")


def move_a_byte_from_name_to_content(folder: Path) -> None:
    (folder / "logs").unlink()
    (folder / "log").write_text("slogs\n")


def change_the_dockerfile(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\nUSER 1\n")


@pytest.mark.parametrize(
    "change",
    [
        rewrite,
        rename,
        add,
        make_executable,
        make_a_link,
        move_a_byte_from_name_to_content,
        change_the_dockerfile,
    ],
)
def test_what_docker_would_see_changes_the_hash(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = made(tmp_path, "Dockerfile\n")
    before = content_hash(folder)
    change(folder)
    assert content_hash(folder) != before


def test_the_target_of_a_link_counts_and_is_not_followed(tmp_path: Path) -> None:
    folder = made(tmp_path / "context")
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "link").symlink_to("../outside")
    linked = content_hash(folder)
    (outside / "file").touch()
    assert content_hash(folder) == linked
    (folder / "link").unlink()
    (folder / "link").symlink_to("../elsewhere")
    assert content_hash(folder) != linked


def test_the_hash_of_a_content_stays_what_it_was(tmp_path: Path) -> None:
    """With another one everything would be built and deployed anew."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "link").symlink_to("Dockerfile")
    (tmp_path / "program").touch(mode=0o755)
    context = read_build_context(tmp_path, architecture="x86_64", build_args={"A": "1"})
    assert context.content_hash == "ab593146e6af4c20"


def test_each_architecture_has_its_own_hash(tmp_path: Path) -> None:
    folder = made(tmp_path)
    assert content_hash(folder, architecture="arm64") != content_hash(folder)


def test_each_build_argument_counts_and_their_order_does_not(tmp_path: Path) -> None:
    made(tmp_path)

    def hash_with(**build_args: str) -> str:
        return read_build_context(
            tmp_path, architecture="x86_64", build_args=build_args
        ).content_hash

    hashes = [
        hash_with(),
        hash_with(EDITION="1"),
        hash_with(EDITION="2"),
        hash_with(OTHER="1"),
        hash_with(EDITION="1", OTHER="1"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert hash_with(OTHER="1", EDITION="1") == hashes[-1]
    assert hash_with() == content_hash(tmp_path)


def test_a_name_that_is_not_utf_8_is_hashed(tmp_path: Path) -> None:
    folder = made(tmp_path)
    before = content_hash(folder)
    (folder / os.fsdecode(b"caf\xe9")).touch()
    assert content_hash(folder) != before


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("gone", "'gone' is not a folder; allowed: a folder of the project with a Dockerfile"),
        ("a-file", "'a-file' is not a folder; allowed:"),
        ("empty", "'empty' has no Dockerfile; allowed: a folder of the project with a Dockerfile"),
        ("wrong", "'wrong' has '[a' in .dockerignore, which is not a pattern; allowed:"),
        ("void", "'void' has '!' in .dockerignore, which is not a pattern; allowed:"),
    ],
)
def test_a_source_that_cannot_be_built_is_told_with_its_file_and_key(
    tmp_path: Path, source: str, told: str
) -> None:
    made(tmp_path / "wrong", "docs\n[a\n")
    made(tmp_path / "void", "!\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a-file").touch()
    file = tmp_path / "environments" / "given.toml"
    file.parent.mkdir()
    file.write_text(f'name = "tiny-e"\n[services.api]\nsource = "{source}"\n')
    with pytest.raises(SettingsError) as raised:
        synthesise(
            [load_environment(file)], project_folder=tmp_path, output_folder=tmp_path / "out"
        )
    (message,) = raised.value.messages
    assert message.startswith(f"environments/given.toml: services.api.source: {told}")
    assert not (tmp_path / "out").exists()


def test_stars_that_could_match_in_many_ways_take_no_time(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    (tmp_path / ("a" * 200)).touch()
    (tmp_path / f"{'a' * 200}b").touch()
    (tmp_path / ".dockerignore").write_text(f"{'*a' * 12}*b\n")
    begun = time.monotonic()
    files = included_files(tmp_path)
    assert time.monotonic() - begun < 5
    assert "a" * 200 in files
    assert f"{'a' * 200}b" not in files


def test_any_folders_named_again_and_again_take_no_time(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    deep = tmp_path.joinpath(*"abcdefghijklmnopqr")
    deep.mkdir(parents=True)
    for name in ("x", "y"):
        (deep / name).touch()
    (tmp_path / ".dockerignore").write_text(f"{'**/' * 12}x\n")
    begun = time.monotonic()
    files = included_files(tmp_path)
    assert time.monotonic() - begun < 5
    assert [Path(file).name for file in files] == [".dockerignore", "Dockerfile", "y"]


def test_folders_that_could_match_in_many_ways_take_no_time(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    deep = tmp_path.joinpath(*"a" * 40)
    deep.mkdir(parents=True)
    for name in ("x", "y"):
        (deep / name).touch()
    (tmp_path / ".dockerignore").write_text(f"{'a/**/' * 12}z\n{'**/a*/' * 12}**/x\n")
    begun = time.monotonic()
    files = included_files(tmp_path)
    assert time.monotonic() - begun < 5
    assert [Path(file).name for file in files] == [".dockerignore", "Dockerfile", "y"]


def test_names_that_could_match_in_too_many_ways_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    (tmp_path / "aaaae").touch()
    (tmp_path / ".dockerignore").write_text("a**a**a**a**e\n")
    assert included_files(tmp_path) == [".dockerignore", "Dockerfile"]
    (tmp_path / ".dockerignore").write_text("a**a**a**a**a**e\n")
    with pytest.raises(ValueError, match="amid more than 3 names") as raised:
        included_files(tmp_path)
    assert len(str(raised.value)) < 200


def test_a_folder_in_git_has_its_last_commit_and_says_what_is_not_in_it(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        return subprocess.run(
            ["git", *identity, *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def read() -> BuildContext:
        return read_build_context(folder, architecture="x86_64")

    folder = made(tmp_path / "app")
    assert (read().commit, read().is_dirty, read().revision) == (None, False, "")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    commit = git("rev-parse", "HEAD")
    assert (read().commit, read().is_dirty, read().revision) == (commit, False, commit)
    # Elsewhere in the repository is no matter of this folder's.
    (tmp_path / "elsewhere").touch()
    assert read().revision == commit
    (folder / "more").touch()
    assert (read().commit, read().is_dirty, read().revision) == (commit, True, f"{commit}-dirty")
