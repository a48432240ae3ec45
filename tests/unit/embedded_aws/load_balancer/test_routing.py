"""Which action a request gets from a listener's rules, and where a redirect leads."""

from collections import Counter
from typing import Any

import pytest

from embedded_aws.data_plane.load_balancer.routing import (
    RequestHead,
    action_for,
    redirect_location,
    target_group_for,
)


def request(**given: Any) -> RequestHead:
    return RequestHead(
        **{
            "method": "GET",
            "host": "api.example.com",
            "path": "/jobs/1",
            "query": (("Page", "Two"), ("all", "")),
            "headers": {"X-Client": "Phone 7"},
            "source_ip": "10.0.1.9",
            **given,
        }
    )


def action(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "forward", "TargetGroupArn": name, **more}


def chosen(*conditions: dict[str, Any], **given: Any) -> bool:
    """Whether a request meets a rule with these conditions."""
    listener: Any = {
        "rules": [{"conditions": conditions, "actions": [action("rule's")]}],
        "default_actions": [action("default")],
    }
    return bool(action_for(listener, request(**given)) == action("rule's"))


def condition(field: str, *values: object) -> dict[str, Any]:
    return {"Field": field, "Values": list(values)}


@pytest.mark.parametrize(
    ("pattern", "meets"),
    [
        ("/jobs/*", True),
        ("/jobs/?", True),
        ("/jobs/1", True),
        ("/jobs/??", False),
        ("/jobs", False),
        ("/JOBS/*", False),  # Paths are case-sensitive.
        ("/jobs/.", False),
        ("*", True),
    ],
)
def test_a_path_is_matched_as_a_whole_with_wildcards(pattern: str, meets: bool) -> None:
    assert chosen(condition("path-pattern", pattern)) is meets
    assert chosen(condition("path-pattern", "/no", pattern)) is meets


def test_values_may_be_in_the_conditions_own_configuration() -> None:
    assert chosen({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/jobs/*"]}})
    assert not chosen({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/no"]}})
    assert not chosen({"Field": "path-pattern", "PathPatternConfig": None})


@pytest.mark.parametrize(
    ("given", "meets"),
    [
        ("api.example.com", True),
        ("API.*.com", True),
        ("*.example.com", True),
        ("example.com", False),
    ],
)
def test_a_host_is_matched_whatever_its_case(given: str, meets: bool) -> None:
    assert chosen(condition("host-header", given)) is meets
    assert chosen(condition("host-header", given), host="Api.Example.Com") is meets


def test_a_method_is_one_of_those_given() -> None:
    assert chosen(condition("http-request-method", "POST", "GET"))
    assert not chosen(condition("http-request-method", "POST"))
    assert not chosen(condition("http-request-method", "G*"))


@pytest.mark.parametrize(
    ("name", "value", "meets"),
    [
        ("X-Client", "phone ?", True),
        ("X-Client", "PHONE*", True),
        ("X-Client", "tablet*", False),
        ("X-Other", "*", False),
    ],
)
def test_a_header_is_there_and_matched_whatever_its_case(
    name: str, value: str, meets: bool
) -> None:
    config = {"HttpHeaderName": name, "Values": [value]}
    assert chosen({"Field": "http-header", "HttpHeaderConfig": config}) is meets


@pytest.mark.parametrize(
    ("value", "meets"),
    [
        ({"Key": "page", "Value": "t?o"}, True),
        ({"Value": "TWO"}, True),
        ({"Key": "all", "Value": "two"}, False),
        ({"Key": "page", "Value": "three"}, False),
    ],
)
def test_a_query_has_the_value_and_where_one_is_given_the_key(
    value: dict[str, str], meets: bool
) -> None:
    assert chosen(condition("query-string", value)) is meets


def test_a_source_address_is_within_a_block() -> None:
    assert chosen(condition("source-ip", "192.168.0.0/16", "10.0.0.0/16"))
    assert not chosen(condition("source-ip", "192.168.0.0/16"))


def test_a_condition_that_is_not_known_is_never_met() -> None:
    assert not chosen(condition("moon-phase", "full"))


def test_all_conditions_of_a_rule_are_met_and_the_first_rule_wins() -> None:
    path, method = condition("path-pattern", "/jobs/*"), condition("http-request-method", "POST")
    assert not chosen(path, method)
    listener: Any = {
        "rules": [
            {"conditions": [path, method], "actions": [action("first")]},
            {"conditions": [path], "actions": [action("second")]},
            {"conditions": [], "actions": [action("third")]},
        ],
        "default_actions": [action("default")],
    }
    assert action_for(listener, request()) == action("second")
    assert action_for(listener, request(method="POST")) == action("first")


def test_the_last_action_by_order_counts_for_those_before_it_authenticate() -> None:
    forward, login = action("web", Order=2), {"Type": "authenticate-oidc", "Order": 1}
    listener: Any = {"rules": [], "default_actions": [forward, login]}
    assert action_for(listener, request()) == forward


def test_requests_are_forwarded_by_weight() -> None:
    def groups(*weights: int | None) -> dict[str, Any]:
        return {
            "ForwardConfig": {
                "TargetGroups": [
                    {"TargetGroupArn": str(n), **({} if weight is None else {"Weight": weight})}
                    for n, weight in enumerate(weights)
                ]
            }
        }

    assert target_group_for(action("only one")) == "only one"
    assert target_group_for({}) is None
    assert target_group_for(groups(0, 0)) is None
    assert target_group_for(groups(0, 5)) == "1"
    assert target_group_for(groups(0, None)) == "1"
    counted = Counter(target_group_for(groups(9, 1)) for _ in range(1000))
    assert counted["0"] > 700
    assert counted["1"] > 20


@pytest.mark.parametrize(
    ("config", "location"),
    [
        ({}, "http://api.example.com:8080/jobs/1?a=b"),
        ({"Protocol": "HTTPS", "Port": "443"}, "https://api.example.com:40443/jobs/1?a=b"),
        ({"Host": "www.#{host}", "Path": "/v2/#{path}", "Query": "#{query}&c=d"},
         "http://www.api.example.com:8080/v2/jobs/1?a=b&c=d"),
        ({"Port": "9000", "Path": "/", "Query": "x=#{nothing}"},
         "http://api.example.com:9000/?x="),
    ],
)  # fmt: skip
def test_a_redirect_changes_what_it_says_and_keeps_the_rest(
    config: dict[str, str], location: str
) -> None:
    found = redirect_location(
        {"RedirectConfig": {**config, "StatusCode": "HTTP_301", "Empty": ""}},
        request(),
        protocol="HTTP",
        port=8080,
        query="a=b",
        ports={443: 40443},
    )
    assert found == location


def test_a_redirect_without_a_query_has_no_question_mark() -> None:
    found = redirect_location(
        {"RedirectConfig": {}}, request(), protocol="HTTP", port=80, query="", ports={80: 40080}
    )
    assert found == "http://api.example.com:40080/jobs/1"
