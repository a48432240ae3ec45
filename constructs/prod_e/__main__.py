"""`python -m prod_e main.py`: runs a CDKTF app with fast imports, whatever it imports first."""

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from prod_e.app import fast_imports

_USAGE = "usage: python -m prod_e <script.py> [argument ...]"


def main(arguments: Sequence[str]) -> int:
    """Runs a script as `python <script>` does, after `fast_imports.enable()`.

    `arguments`: the script's path, and then what it is given. The exit status is the script's own;
    2 if there is no such script.
    """
    if not arguments or not Path(arguments[0]).is_file():
        print(
            f"{arguments[0]} is not a file; {_USAGE}" if arguments else _USAGE,
            file=sys.stderr,
        )
        return 2
    fast_imports.enable()
    script, sys.argv = arguments[0], list(arguments)
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(script).resolve().parent)
    sys.excepthook = lambda kind, error, traceback: sys.__excepthook__(
        kind, error, _from_script_on(traceback, script)
    )
    runpy.run_path(script, run_name="__main__")
    return 0


def _from_script_on(traceback: TracebackType | None, script: str) -> TracebackType | None:
    """The part of a traceback that running the script directly would show."""
    inner = traceback
    while inner and inner.tb_frame.f_code.co_filename != script:
        inner = inner.tb_next
    return inner or traceback


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
