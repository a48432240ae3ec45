"""A project with its output and a state, which a mistake must leave as they are."""

from collections.abc import Mapping
from pathlib import Path

# A state that a mistake must not touch.
STATE = '{"version": 4, "serial": 1, "lineage": "l", "outputs": {}, "resources": []}\n'


def written(project: Path) -> Mapping[str, bytes]:
    """What a mistake must leave as it is: the output and the states, byte for byte."""
    return {
        str(file.relative_to(project)): file.read_bytes()
        for file in sorted(project.rglob("*"))
        if file.is_file()
        and not file.is_symlink()
        and ".terraform" not in file.parts
        and "environments" not in file.parts
        and file.name != ".terraform.lock.hcl"
    }
