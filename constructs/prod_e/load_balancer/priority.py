"""What a load balancer's rules ask of a path, and in which order they are tried, without cdktf."""

import zlib

HIGHEST_PRIORITY = 50_000
"""The last one that AWS allows; the lowest number is tried first."""

LONGEST_PATTERN = 128
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html"""

_FIRST_WITHOUT_HOST = 20_001


def path_patterns(path: str) -> tuple[str, ...]:
    """What a route's path asks of a request's: one without wildcards is it and all below it.

    The load balancer itself takes `/api` for that one path.
    """
    if "*" in path or "?" in path:
        return (path,)
    return path, f"{path.rstrip('/')}/*"


def rule_priority(path: str, host: str | None) -> int:
    """A listener rule's priority, derived from its route alone: the more specific one first.

    It must not depend on the other rules: AWS refuses two rules that swap priorities.
    """
    shortness = LONGEST_PATTERN - min(len(path), LONGEST_PATTERN)
    spread = zlib.crc32(f"{host or ''}{path}".encode()) % 100
    return (1 if host else _FIRST_WITHOUT_HOST) + shortness * 100 + spread
