"""A real provider program for Terraform, which ends as soon as Terraform talks to it."""

import json
import subprocess
import sys
from pathlib import Path

# It greets as providers do (https://github.com/hashicorp/go-plugin/blob/main/docs/internals.md) and
# answers nothing.
_PROGRAM = """#!{python}
import os, socket, sys, tempfile

with tempfile.TemporaryDirectory() as folder:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.join(folder, "socket"))
        server.listen()
        print(f"1|5|unix|{{folder}}/socket|grpc|", flush=True)
        server.accept()
sys.stderr.write({last_words!r})
sys.stderr.flush()
os._exit(2)
"""

PANIC = (
    "panic: runtime error: index out of range [3] with length 3\n\n"
    "goroutine 52 [running]:\nmain.configure()\n\t/src/main.go:12 +0x1d\n"
)


def add_dying_provider(mirror: Path, source: str, version: str, *, last_words: str = "") -> None:
    """Puts it into a filesystem mirror, as the provider `source` (`namespace/name`)."""
    answered = subprocess.run(
        ["terraform", "version", "-json"], capture_output=True, text=True, check=True
    )
    platform = json.loads(answered.stdout)["platform"]
    folder = mirror / "registry.terraform.io" / source / version / platform
    folder.mkdir(parents=True)
    program = folder / f"terraform-provider-{source.rpartition('/')[2]}_v{version}"
    program.write_text(_PROGRAM.format(python=sys.executable, last_words=last_words))
    program.chmod(0o755)
