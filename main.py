"""The CDKTF app: every environment's stacks."""

import os
import sys
from pathlib import Path

import prod_e

prod_e.enable_fast_imports()  # before anything imports cdktf

from prod_e import SettingsError, load_environments, synthesise  # noqa: E402

PROJECT = Path(__file__).resolve().parent


def main() -> int:
    """Synthesises every environment; the exit status is 2 if the settings are wrong."""
    try:
        synthesise(
            load_environments(PROJECT / "environments"),
            project_folder=PROJECT,
            output_folder=Path(os.environ.get("CDKTF_OUTDIR", PROJECT / "cdktf.out")),
        )
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
