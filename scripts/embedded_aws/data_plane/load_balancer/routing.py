"""Which action a request gets: rules by priority, their conditions, redirects.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

import ipaddress
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from embedded_aws.protocol import Action, Listener


@dataclass(frozen=True, kw_only=True)
class RequestHead:
    """What rules look at. `host`: without a port. `path`: as it was sent, without the query."""

    method: str
    host: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    source_ip: str


def action_for(listener: Listener, request: RequestHead) -> Action:
    """The action of the first rule that the request meets, else the listener's default."""
    for rule in listener["rules"]:
        if all(_meets(condition, request) for condition in rule["conditions"]):
            return _last(rule["actions"])
    return _last(listener["default_actions"])


def _last(actions: Sequence[Action]) -> Action:
    # Those before it authenticate, which is not played.
    return max(actions, key=lambda action: int(action.get("Order") or 0))


def _meets(condition: Mapping[str, Any], request: RequestHead) -> bool:
    field = condition["Field"]
    values = list(condition.get("Values") or ())
    for key, more in condition.items():
        if key.endswith("Config") and isinstance(more, Mapping):
            values += more.get("Values") or ()
    if field == "path-pattern":
        return any(_matches(value, request.path) for value in values)
    if field == "host-header":
        return any(_matches(value.lower(), request.host.lower()) for value in values)
    if field == "http-request-method":
        return request.method in values
    if field == "http-header":
        given = request.headers.get(condition["HttpHeaderConfig"]["HttpHeaderName"])
        return given is not None and any(_matches(v.lower(), given.lower()) for v in values)
    if field == "query-string":
        return any(
            _matches(value["Value"].lower(), given.lower())
            and value.get("Key", name).lower() == name.lower()
            for value in values
            for name, given in request.query
        )
    if field == "source-ip":
        address = ipaddress.ip_address(request.source_ip)
        return any(address in ipaddress.ip_network(value) for value in values)
    return False


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(c, re.escape(c)) for c in pattern), re.DOTALL)


def target_group_for(action: Action) -> str | None:
    """The target group that a forward action leads to, by weight; None if all weigh nothing."""
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or ()
    if not groups:
        return action.get("TargetGroupArn")
    weights = [int(group.get("Weight", 1)) for group in groups]
    if not any(weights):
        return None
    chosen: str = random.choices(groups, weights)[0]["TargetGroupArn"]  # noqa: S311 no secret
    return chosen


def redirect_location(
    action: Action,
    request: RequestHead,
    *,
    protocol: str,
    port: int,
    query: str,
    ports: Mapping[int, int],
) -> str:
    """Where a redirect leads. `ports`: where on loopback the balancer's listeners are."""
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RedirectActionConfig.html
    wanted = {
        "Protocol": "#{protocol}",
        "Host": "#{host}",
        "Port": "#{port}",
        "Path": "/#{path}",
        "Query": "#{query}",
        **{key: value for key, value in action["RedirectConfig"].items() if value},
    }
    given = {
        "protocol": protocol.lower(),
        "host": request.host,
        "port": str(port),
        "path": request.path.lstrip("/"),
        "query": query,
    }

    def filled(part: str) -> str:
        return re.sub(r"#\{(\w+)\}", lambda m: given.get(m[1], ""), str(wanted[part]))

    location = f"{filled('Protocol').lower()}://{filled('Host')}"
    there = int(filled("Port"))
    location += f":{ports.get(there, there)}{filled('Path')}"
    return f"{location}?{filled('Query')}" if filled("Query") else location
