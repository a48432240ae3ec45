"""How the requests of each second are made of totals."""

from embedded_aws.control_plane.overview.request_rates import SECONDS, RequestRates


def test_each_second_has_what_was_answered_in_it() -> None:
    rates = RequestRates()
    rates.take({"alb": {"count": 2, "failed": 0}}, now=100.1)
    rates.take({"alb": {"count": 5, "failed": 1}}, now=100.9)
    rates.take({"alb": {"count": 9, "failed": 1}}, now=101.2)
    history = rates.history("alb", now=102.0)
    assert len(history) == SECONDS
    assert history[-2:] == [{"requests": 5, "failed": 1}, {"requests": 4, "failed": 0}]
    assert history[-3] == {"requests": 0, "failed": 0}
    assert rates.total("alb") == {"count": 9, "failed": 1}


def test_the_second_that_is_not_over_is_not_told() -> None:
    rates = RequestRates()
    rates.take({"alb": {"count": 7, "failed": 0}}, now=100.1)
    assert rates.history("alb", now=100.9)[-1]["requests"] == 0
    assert rates.history("alb", now=101.0)[-1]["requests"] == 7


def test_a_data_plane_that_is_started_again_counts_from_nothing() -> None:
    rates = RequestRates()
    rates.take({"alb": {"count": 50, "failed": 3}}, now=100.0)
    rates.take({"alb": {"count": 4, "failed": 1}}, now=101.0)
    assert rates.history("alb", now=102.0)[-1] == {"requests": 4, "failed": 1}


def test_what_is_older_than_a_minute_is_forgotten() -> None:
    rates = RequestRates()
    rates.take({"alb": {"count": 50, "failed": 0}}, now=100.0)
    rates.take({"alb": {"count": 51, "failed": 0}}, now=300.0)
    history = rates.history("alb", now=301.0)
    assert sum(each["requests"] for each in history) == 1


def test_a_load_balancer_that_answered_nothing_has_a_history_too() -> None:
    assert RequestRates().history("alb", now=100.0) == [{"requests": 0, "failed": 0}] * SECONDS
    assert RequestRates().total("alb") == {"count": 0, "failed": 0}
