"""Simple Notification Service."""

import json
from typing import Any

from moto.sns.models import DEFAULT_EFFECTIVE_DELIVERY_POLICY, Topic


def apply() -> None:
    _topics_deliver_over_http_by_a_policy_of_its_own()


def _topics_deliver_over_http_by_a_policy_of_its_own() -> None:
    # https://docs.aws.amazon.com/sns/latest/dg/creating-delivery-policy.html
    make = Topic.__init__
    retries = DEFAULT_EFFECTIVE_DELIVERY_POLICY["defaultHealthyRetryPolicy"]
    policy = {
        "http": {
            "defaultHealthyRetryPolicy": retries,
            "disableSubscriptionOverrides": False,
            "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
        }
    }

    def topic(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.effective_delivery_policy = json.dumps(policy, separators=(",", ":"))

    Topic.__init__ = topic
