"""AWS's answers without what is anybody's: accounts, names, addresses, ids and secrets."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

ACCOUNT = "123456789012"
ENVIRONMENT = "recorded-e"
_REDACTED = "REDACTED"

_SECRET_KEY = re.compile(
    r"password|passwd|token|secret(?!arn|string_arn|s$)|credential|private.?key|authorization|cookie",
    re.IGNORECASE,
)
_OWNER_KEYS = frozenset({"DisplayName", "OwnerId", "CanonicalUserId"})
_LEFT_OUT = frozenset({"ResponseMetadata", "NextToken", "nextToken", "Marker"})

_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,}\b")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IPV4 = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b(?!/\d)")
_IPV6 = re.compile(r"\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b", re.IGNORECASE)
_AWS_ID = re.compile(r"\b((?:[a-z]{2,8}-)+)[0-9a-f]{8}(?:[0-9a-f]{9})?\b")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_LONG_HEX = re.compile(r"\b[0-9a-f]{16,}\b")
_HOST = re.compile(r"\b[\w-]+(?=\.(?:[\w-]+\.)*(?:elb|rds|amazonaws)\.)", re.IGNORECASE)
_IDENTITY = re.compile(r"(:(?:user|assumed-role|federated-user)/)[^\s\"',]+")
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_MACHINE_SUFFIX = re.compile(r"(?<=secret:)([\w/!+=.@-]+?)-[A-Za-z0-9]{6}\b")


class Redaction:
    """Takes out what is somebody's, the same thing always by the same stand-in.

    `environment`: the name of the one that was looked at, which becomes `recorded-e`.
    """

    def __init__(self, *, environment: str) -> None:
        self._environment = environment
        self._stand_ins: dict[str, str] = {}

    def __call__(self, value: Any, *, key: str = "") -> Any:
        """The value without it, as JSON. `key`: under which it stands."""
        if isinstance(value, dict):
            pair_key = str(value.get("Key", value.get("key", "")))
            return {
                self._text(str(name)): self(
                    each, key=pair_key if name in ("Value", "value") and pair_key else str(name)
                )
                for name, each in value.items()
                if name not in _LEFT_OUT
            }
        if isinstance(value, list | tuple):
            return [self(each, key=key) for each in value]
        if isinstance(value, datetime | date):
            return "2026-01-01T00:00:00+00:00"
        if isinstance(value, bytes):
            return _REDACTED
        if isinstance(value, str):
            if key in _OWNER_KEYS:
                return ACCOUNT
            return _REDACTED if self._is_secret(key, value) else self._text(value)
        return value

    @staticmethod
    def _is_secret(key: str, value: str) -> bool:
        return bool(_SECRET_KEY.search(key)) and not value.startswith("arn:")

    def _text(self, text: str) -> str:
        text = re.sub(re.escape(self._environment), ENVIRONMENT, text)
        text = text.replace(self._environment.replace("-", "_"), ENVIRONMENT.replace("-", "_"))
        text = _IDENTITY.sub(r"\1somebody", text)
        text = _ACCOUNT.sub(ACCOUNT, text)
        text = _ACCESS_KEY.sub(_REDACTED, text)
        text = _EMAIL.sub("somebody@example.com", text)
        text = _UUID.sub(self._numbered("uuid", "00000000-0000-4000-8000-{:012x}"), text)
        text = _AWS_ID.sub(self._id, text)
        text = _LONG_HEX.sub(self._numbered("hex", "{:016x}"), text)
        text = _MACHINE_SUFFIX.sub(r"\1-AbCdEf", text)
        text = _HOST.sub(self._numbered("host", "host-{}"), text)
        text = _IPV4.sub(self._address, text)
        return _IPV6.sub("2001:db8::1", text)

    def _id(self, found: re.Match[str]) -> str:
        kind = found[1]
        return self._numbered(kind, kind + "{:017x}")(found)

    def _address(self, found: re.Match[str]) -> str:
        # Blocks of addresses say nothing, and neither does the one that is none.
        if found[0] in ("0.0.0.0", "127.0.0.1", "255.255.255.255"):  # noqa: S104
            return found[0]
        return self._numbered("address", "192.0.2.{}")(found)

    def _numbered(self, kind: str, form: str) -> Callable[[re.Match[str]], str]:
        def stand_in(found: re.Match[str]) -> str:
            of_kind = [known for known in self._stand_ins if known.startswith(f"{kind} ")]
            return self._stand_ins.setdefault(
                f"{kind} {found[0]}", form.format(len(of_kind) % 254 + 1)
            )

        return stand_in
