"""WAF."""

from typing import Any

from moto.wafv2.models import FakeRule

_EVALUATION_WINDOW_SECONDS = 300


def apply() -> None:
    _rates_have_a_window()


def _rates_have_a_window() -> None:
    # https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html
    make = FakeRule.__init__

    def rule(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        if rate := self.statement.get("RateBasedStatement"):
            window = {"EvaluationWindowSec": _EVALUATION_WINDOW_SECONDS}
            self.statement = {"RateBasedStatement": {**window, **rate}}

    FakeRule.__init__ = rule
