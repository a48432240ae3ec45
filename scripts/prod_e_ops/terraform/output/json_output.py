"""What a Terraform that runs with `-json` writes, line by line as it comes."""

import json
from collections.abc import Callable

from prod_e_ops.terraform.limits import SignOfLife
from prod_e_ops.terraform.output.diagnostics import Diagnostic
from prod_e_ops.terraform.output.events import Event


class JsonOutput:
    """Reads the output of one run: it tells events and keeps the errors.

    `errors`: those that were reported. `completed`: how many changes came to their end.
    `sign_of_life`: whether there was news of late.

    https://developer.hashicorp.com/terraform/internals/machine-readable-ui
    """

    def __init__(
        self, stack: str, *, on_event: Callable[[Event], None], limit_seconds: float
    ) -> None:
        self.errors: list[Diagnostic] = []
        self.completed = 0
        self.sign_of_life = SignOfLife(limit_seconds=limit_seconds)
        self._stack = stack
        self._on_event = on_event

    def read(self, line: str) -> None:
        """Takes the next line; one that is no JSON object, such as a provider's, says nothing."""
        try:
            values = json.loads(line)
        except ValueError:
            return
        if not isinstance(values, dict):
            return
        if values.get("type") == "diagnostic":
            if values["diagnostic"]["severity"] == "error":
                self.errors.append(Diagnostic.of(values["diagnostic"]))
            return
        event = Event.of(self._stack, values)
        self.completed += event.completes_change
        # That it still waits for something, which it says for as long as it does, is no news.
        if event.kind != "apply_progress":
            self.sign_of_life.renew()
        self._on_event(event)
