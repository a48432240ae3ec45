"""The page for a browser: one file, which loads nothing but what this server has."""

from functools import cache
from pathlib import Path

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load, and that no other page may show it."""

_PICTURE = "picture.svg"


@cache
def page() -> bytes:
    """Its HTML."""
    return Path(__file__).with_name("page.html").read_bytes()


def picture(state_folder: Path) -> bytes:
    """The picture of the architecture, as SVG; empty if nobody has given one."""
    file = picture_file(state_folder)
    return file.read_bytes() if file.exists() else b""


def picture_file(state_folder: Path) -> Path:
    """Where the picture is kept."""
    return state_folder / _PICTURE
