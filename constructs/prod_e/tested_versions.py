"""The versions of other programs that prod-e was run with: `tested_versions.toml`, as an object."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, kw_only=True)
class Versions:
    """Versions, each list from the oldest to the newest, as they stand in `tested_versions.toml`.

    `docker` is the daemon; `providers` are by their name in Terraform's registry, for example
    `hashicorp/aws`.
    """

    terraform: Sequence[str]
    opentofu: Sequence[str]
    node: Sequence[str]
    python: Sequence[str]
    docker: Sequence[str]
    providers: Mapping[str, Sequence[str]]


@cache
def read() -> Versions:
    """The versions that this copy of prod-e was run with."""
    return Versions(**tomllib.loads(FILE.read_text("utf-8")))


def covers(tested: Sequence[str], version: str) -> bool:
    """Whether a version is one of the tested ones: `20.20` stands for `20.20.2`, not for `20.2`.

    `version`: as the program prints it, with or without a leading `v`.
    """
    parts = version.removeprefix("v").split(".")
    return any(parts[: len(known)] == known for known in (entry.split(".") for entry in tested))
