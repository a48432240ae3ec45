"""Simple Notification Service."""

import json
from collections import deque
from typing import Any

from moto.core.responses import ActionResult
from moto.sns.models import DEFAULT_EFFECTIVE_DELIVERY_POLICY, SNSBackend, Topic
from moto.sns.responses import SNSResponse

_WAITS_FOR_A_PERSON = ("email", "email-json")


def apply() -> None:
    _topics_deliver_over_http_by_a_policy_of_its_own()
    _people_confirm_their_subscription()


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
        # moto keeps them for those who test with it, and nobody here.
        self.sent_notifications = deque(maxlen=0)
        self.effective_delivery_policy = json.dumps(policy, separators=(",", ":"))

    Topic.__init__ = topic


def _people_confirm_their_subscription() -> None:
    # Nobody does here.
    # https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
    make, respond = SNSBackend.subscribe, SNSResponse.subscribe

    def subscribe(self: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
        subscription = make(self, topic_arn, endpoint, protocol)
        if protocol in _WAITS_FOR_A_PERSON:
            subscription.attributes["PendingConfirmation"] = "true"
            subscription.attributes["ConfirmationWasAuthenticated"] = "false"
        return subscription

    def answer(self: Any) -> ActionResult:
        answer = respond(self)
        waits = self._get_param("Protocol") in _WAITS_FOR_A_PERSON
        if waits and not self._get_param("ReturnSubscriptionArn"):
            return ActionResult({"SubscriptionArn": "pending confirmation"})
        return answer

    SNSBackend.subscribe = subscribe
    SNSResponse.subscribe = answer
