"""The CDKTF app: every environment's stacks."""

import os
import sys
from pathlib import Path

from prod_e.app.synthesis import synthesise
from prod_e.settings import SettingsError, load_environments

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
