"""The option `--runtime` of commands that run an environment on this machine."""

from typing import Annotated

import typer

from prod_e_ops.demo.begin import Runtime

RuntimeOption = Annotated[
    Runtime,
    typer.Option(
        "--runtime",
        help="What tasks run on: images in Docker, or the source folders as processes; auto:"
        " Docker where a daemon answers.",
    ),
]
"""Its default is `Runtime.AUTO`."""
