"""A project in a folder of its own, and the `prod-e` command run in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.command.forked_command import run_prod_e
from tests.support.command.json_output import check_json_output

PROJECT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = PROJECT / "tests" / "environments"
"""The settings of the seed system and of its variant as shipped; the user's may change."""

# Without what makes AWS slow to create: its database, and the load balancer's logs.
TINY = """
name = "tiny-e"
[services.backend]
build = "external"
[network]
egress = "nat"
nat_gateways = "single"
[load_balancer]
access_logs = false
deletion_protection = false
"""

WITH_DATABASE = (
    TINY
    + """
[database]
deletion_protection = false
final_snapshot = false
"""
)


def make_project(folder: Path, **environments: str) -> Path:
    """A project with these environments, which shares the installed packages."""
    (folder / "environments").mkdir(parents=True)
    for name, toml in environments.items():
        (folder / "environments" / f"{name}.toml").write_text(toml)
    for name in ("main.py", "cdktf.json"):
        shutil.copy(PROJECT / name, folder)
    for name in ("backend", "node_modules", "scripts"):
        (folder / name).symlink_to(PROJECT / name)
    return folder


def prod_e(
    folder: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    timeout_seconds: float = 500,
) -> subprocess.CompletedProcess[str]:
    done = run_prod_e(
        *arguments,
        folder=folder,
        variables={**(variables or os.environ), "VIRTUAL_ENV": sys.prefix},
        timeout_seconds=timeout_seconds,
    )
    check_json_output(arguments, done.stdout)
    return done


def without_credentials() -> dict[str, str]:
    """The variables of a user who has no AWS credentials."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return variables | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
