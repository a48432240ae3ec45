"""What Terraform imports with a stack's next plan.

https://developer.hashicorp.com/terraform/language/import
"""

import json
from collections.abc import Mapping

from prod_e_ops.project.project import Stack

_FILE = "prod-e-imports.tf.json"


def write_imports(stack: Stack, ids: Mapping[str, str]) -> None:
    """Lets the stack's next plans import these, and nothing else. `ids`: by address."""
    blocks = [{"to": address, "id": id} for address, id in sorted(ids.items())]
    file = stack.folder / _FILE
    file.touch(mode=0o600)
    file.write_text(json.dumps({"import": blocks}), "utf-8")


def forget_imports(stack: Stack) -> None:
    """Lets the stack's next plans import nothing."""
    (stack.folder / _FILE).unlink(missing_ok=True)
