"""Whether images can be built here."""

import os
import shutil
from pathlib import Path

from prod_e_ops.supervisor import Supervisor


async def why_no_docker(supervisor: Supervisor) -> str | None:
    """Says what keeps a Docker daemon from answering; None if one does."""
    program = shutil.which("docker")
    if program is None:
        return "the docker command is not installed"
    answer = await supervisor.call(
        [program, "info", "--format", "{{.ServerVersion}}"],
        folder=Path.cwd(),
        environment=os.environ,
        patience=1,
    )
    if answer.status == 0 and answer.stdout.strip():
        return None
    lines = [line for line in answer.stderr.splitlines() if line.strip()]
    return f"no Docker daemon answers ({lines[-1].strip() if lines else 'it gave no reason'})"
