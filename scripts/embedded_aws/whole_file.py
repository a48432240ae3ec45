"""Files that another process reads, or the one that comes after this one was killed."""

from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """Writes a file so that whoever reads it finds what was there before, or all of it."""
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(text, "utf-8")
    partial.replace(file)
