"""EventBridge."""

import copy
import json
from typing import Any

from moto.core.utils import iso_8601_datetime_without_milliseconds, utcfromtimestamp
from moto.events.models import EventPattern, Rule
from moto.events.responses import EventsHandler
from moto.stepfunctions.responses import get_backend
from moto.utilities.arns import parse_arn


def apply() -> None:
    _events_start_state_machines()
    _events_tests_patterns()


def _events_start_state_machines() -> None:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
    send = Rule.send_to_targets

    def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:
        rest = copy.copy(self)
        rest.targets = []
        for target in self.targets:
            if parse_arn(target["Arn"]).service != "states":
                rest.targets.append(target)
            elif self.state == "ENABLED" and self.event_pattern.matches_event(original_event):
                moment = utcfromtimestamp(float(original_event["time"]))
                event = {
                    **original_event,
                    "time": iso_8601_datetime_without_milliseconds(moment),
                }
                get_backend(self.account_id, self.region_name).start_execution(
                    target["Arn"], execution_input=json.dumps(event)
                )
        send(rest, original_event, transform_input)

    Rule.send_to_targets = send_to_targets


def _events_tests_patterns() -> None:
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
    def test_event_pattern(self: Any) -> str:
        pattern = EventPattern.load(self._get_param("EventPattern"))
        return json.dumps({"Result": pattern.matches_event(json.loads(self._get_param("Event")))})

    EventsHandler.test_event_pattern = test_event_pattern
