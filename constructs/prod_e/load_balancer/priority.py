"""In which order a load balancer tries its rules. It needs no cdktf."""

import zlib

HIGHEST_PRIORITY = 50_000
"""The last one that AWS allows; the lowest number is tried first."""

_LONGEST_PATH = 128
_FIRST_WITHOUT_HOST = 20_001


def rule_priority(path: str, host: str | None) -> int:
    """A listener rule's priority, derived from its route alone: the more specific one first.

    It must not depend on the other rules: AWS refuses two rules that swap priorities.
    """
    shortness = _LONGEST_PATH - min(len(path), _LONGEST_PATH)
    spread = zlib.crc32(f"{host or ''}{path}".encode()) % 100
    return (1 if host else _FIRST_WITHOUT_HOST) + shortness * 100 + spread
