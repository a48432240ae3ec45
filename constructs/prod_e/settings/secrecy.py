"""What looks like a secret, by the name of a variable or by its value."""

import re

_NAME = re.compile(
    r"(^|_)(PASS|PASSWORD|PASSWD|PASSPHRASE|PWD|PAT|CREDENTIALS?|SECRETS?|TOKENS?)$"
    r"|(PASSWORD|PASSWD|SECRET|TOKEN)$"
    r"|(API|ACCESS|SECRET|PRIVATE|SIGNING|ENCRYPTION|MASTER|SSH|LICENSE)_?KEY(_ID)?$",
    re.IGNORECASE,
)

# The library detect-secrets has these forms too, and its entropy takes UUIDs, digests and paths for
# secrets, which would be refused.
_VALUES = (
    # A URL with a password. Of its scheme the end is enough, and found in linear time.
    re.compile(r"[A-Za-z0-9+.-]://[^/\s:@]*:[^/\s@]+@"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"\b(AKIA|ASIA)[A-Z2-7]{16}\b"),  # AWS
    re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})"),
    re.compile(r"\bglpat-[A-Za-z0-9_-]{20}"),
    re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),  # Slack
    re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}"),  # Stripe
    re.compile(r"\bsk-[A-Za-z0-9_-]{32,}"),
    re.compile(r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),  # SendGrid
    re.compile(r"\bnpm_[A-Za-z0-9]{36}"),
    re.compile(r"\bAIza[A-Za-z0-9_-]{35}"),  # Google
    # A JSON Web Token.
    re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."),
)


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable's name, or its value, is such as secrets have."""
    return _NAME.search(name) is not None or any(form.search(value) for form in _VALUES)
