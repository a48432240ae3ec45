"""What is synthesised for the project's environments changes only where somebody means it to."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

SNAPSHOTS = Path(__file__).with_name("snapshots")
UPDATE = "PROD_E_UPDATE_SNAPSHOTS"


@pytest.mark.parametrize("environment", ["seed", "staging"])
def test_the_synthesised_json_is_as_it_was(
    environment: str, request: pytest.FixtureRequest
) -> None:
    stacks: dict[str, Any] = request.getfixturevalue(environment)
    for name, stack in stacks.items():
        file = SNAPSHOTS / f"{name}.json"
        found = json.dumps(stack.values, indent=2, sort_keys=True) + "\n"
        if os.environ.get(UPDATE) == "1":
            file.parent.mkdir(exist_ok=True)
            file.write_text(found)
        assert found == file.read_text(), f"{UPDATE}=1 accepts the change; git diff shows it"
