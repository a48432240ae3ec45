"""Options that npm keeps for itself: `npm run plan --json` runs `plan` without `--json`.

https://docs.npmjs.com/cli/v10/commands/npm-run-script
"""

import os
import shlex
import sys
from collections.abc import Iterable

from prod_e_ops import next_commands
from prod_e_ops.errors import InvalidOption


def refuse_kept_options(names: Iterable[str]) -> None:
    """Raises `InvalidOption` if npm took one of these options (`--json`), which it tells scripts.

    https://docs.npmjs.com/cli/v10/using-npm/config#environment-variables
    """
    if "npm_lifecycle_event" not in os.environ:
        return
    kept = []
    for name in names:
        value = os.environ.get(f"npm_config_{name.removeprefix('--').replace('-', '_')}")
        if value:
            kept.append(name if value == "true" else f"{name}={shlex.quote(value)}")
    if kept:
        words = shlex.join(sys.argv[1:])
        raise InvalidOption(
            f"npm kept {' and '.join(kept)} for itself: an option after `npm run` needs a -- before"
            " it.",
            details=["Nothing was done."],
            next_step=f"Run it without npm: {next_commands.launched(words, *kept)}",
        )
