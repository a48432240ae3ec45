"""What looks like a secret, by the name of a variable or by its value."""

import re

_NAME = re.compile(
    r"("
    r"(^|_)(PASS|PASSPHRASE|PWD|PW|PAT|CREDS?|CREDENTIALS?|SECRETS|TOKENS)"
    r"|(?-i:[a-z](Pass|Pwd))"
    r"|(PASSWORDS?|PASSWD|SECRET|TOKEN)"
    r"|(API|ACCESS|ACCOUNT|SECRET|PRIVATE|SHARED|SIGNING|ENCRYPTION|MASTER|SSH|LICENSE|HMAC|JWT)"
    r"_?KEY(_ID|_BASE)?"
    r")(_?V?[0-9]+)?$",
    re.IGNORECASE,
)

_COUNTED = re.compile(r"TOKENS$", re.IGNORECASE)
"""What a language model is given so many of."""

_REFERENCE = r"\$\{?[A-Za-z_]+[A-Za-z0-9_]*\}?"
"""A variable in a shell's line."""

# The library detect-secrets has these forms too, and its entropy takes UUIDs, digests and paths for
# secrets, which would be refused.
_VALUES = (
    # A URL with a password. Of its scheme the end is enough, and found in linear time.
    re.compile(rf"[A-Za-z0-9+.-]://[^/\s:@]*:(?!{_REFERENCE}@|[0-9]{{1,5}}/)[^\s@]{{1,500}}@"),
    # As ODBC, JDBC, libpq and Azure write connections.
    re.compile(
        rf"\b(password|passwd|pwd|accountkey|sharedaccesskey)=(?!{_REFERENCE})[^\s;&'\"]{{4,}}",
        re.IGNORECASE,
    ),
    re.compile(r"\b(Bearer|Basic) [A-Za-z0-9+/=._~-]{16,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"\b(AKIA|ASIA)[A-Z2-7]{16}\b"),  # AWS
    re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})"),
    re.compile(r"\bglpat-[A-Za-z0-9_-]{20}"),
    re.compile(r"\b(xox[abeprs]|xapp)-[A-Za-z0-9-]{10,}"),  # Slack
    re.compile(r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,}"),
    re.compile(r"\b([rs]k_live|whsec)_[A-Za-z0-9]{16,}"),  # Stripe
    re.compile(r"\bsk-[A-Za-z0-9_-]{32,}"),
    re.compile(r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),  # SendGrid
    re.compile(r"\bnpm_[A-Za-z0-9]{36}"),
    re.compile(r"\bpypi-AgEI[A-Za-z0-9_-]{16,}"),
    re.compile(r"\bhf_[A-Za-z0-9]{34}"),  # Hugging Face
    re.compile(r"\bhvs\.[A-Za-z0-9_-]{24,}"),  # HashiCorp Vault
    re.compile(r"\b(dop_v1_[a-f0-9]{64}|shpat_[a-f0-9]{32})"),  # DigitalOcean, Shopify
    re.compile(r"\b(AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,})"),  # Google
    # A JSON Web Token.
    re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."),
)

_AROUND = " '\""


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable's name, or its value, is such as secrets have."""
    if _COUNTED.search(name) and value.isdecimal():
        return False
    return _NAME.search(name) is not None or any(form.search(value) for form in _VALUES)


def without_secrets(line: str) -> str:
    """A line without what looks like a secret, up to the quotes or spaces around it."""
    found = sorted(match.span() for form in _VALUES for match in form.finditer(line))
    kept: list[str] = []
    end = 0
    for first, last in found:
        if first < end:
            continue
        begin = max(line.rfind(mark, end, first) for mark in _AROUND) + 1
        kept += [line[end : max(begin, end)], "(it looks like a secret)"]
        ends = (line.find(mark, last) for mark in _AROUND)
        end = min((each for each in ends if each >= 0), default=len(line))
    return "".join([*kept, line[end:]])
