"""Where the `prod-e` command starts."""

import sys

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line; Ctrl-C ends it without a traceback while it is still loading too."""
    try:
        from prod_e_ops.cli import app

        app(prog_name="prod-e")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
