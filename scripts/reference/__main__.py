"""`npm run reference` writes the pages; with `--check` it fails where one is stale."""

import sys
from pathlib import Path

from reference import pages

PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Writes or checks the files; the exit status is 1 where a check finds a stale one."""
    stale = []
    for name, text in pages().items():
        file = PROJECT / name
        if "--check" not in arguments:
            file.write_text(text, "utf-8")
        elif not file.is_file() or file.read_text("utf-8") != text:
            stale.append(name)
    for name in stale:
        print(f"{name} is stale: run `npm run reference`.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
