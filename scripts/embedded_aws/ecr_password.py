"""Passwords as ECR hands them out: what `aws ecr get-login-password` prints.

AWS calls them opaque, and programs still look into them: kreuzwerker's docker provider (3.6.2,
`internal/provider/authentication_helpers.go`) uses one that begins with `ey` as it is, and ends
itself where another is not base64. The form is what those of the real ECR decode to: base64 of a
JSON text, some 2,000 characters in all. The keys in it encrypt nothing here.
"""

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta

LIFETIME = timedelta(hours=12)
"""https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html"""

_PAYLOAD_BYTES = 864
_DATA_KEY_BYTES = 184


def make_password(*, lifetime: timedelta = LIFETIME) -> str:
    """A password that was never handed out before, and that holds for `lifetime` from now."""
    expiration = datetime.now(UTC) + lifetime
    text = json.dumps(
        {
            "payload": _random(_PAYLOAD_BYTES),
            "datakey": _random(_DATA_KEY_BYTES),
            "version": "2",
            "type": "DATA_KEY",
            "expiration": int(expiration.timestamp()),
        },
        separators=(",", ":"),
    )
    return base64.b64encode(text.encode()).decode()


def expiration_of(password: str) -> datetime:
    """Until when a password holds."""
    return datetime.fromtimestamp(json.loads(base64.b64decode(password))["expiration"], UTC)


def _random(length_bytes: int) -> str:
    return base64.b64encode(secrets.token_bytes(length_bytes)).decode()
