"""Which versions of a provider a stack takes, as Terraform's version constraints say it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_VERSION = r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?"
_COMPARISON = re.compile(rf" *(=|!=|>=|<=|>|<|~>)? ?{_VERSION} *", re.ASCII)

PATTERN = (
    r"^ *(=|!=|>=|<=|>|<|~>)? ?[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)? *"
    r"(, *(=|!=|>=|<=|>|<|~>)? ?[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)? *)*$"
)
"""What Terraform accepts of a provider, as a regular expression."""


@dataclass(frozen=True)
class VersionConstraint:
    """A version constraint such as `~> 5.100` or `>= 5.100, < 7.0`.

    Raises `ValueError` if it is none.

    https://developer.hashicorp.com/terraform/language/expressions/version-constraints
    """

    text: str

    def __post_init__(self) -> None:
        if not all(_COMPARISON.fullmatch(part) for part in self.text.split(",")):
            raise ValueError(f"{self.text!r} is not a version constraint")

    def allows(self, version: str) -> bool:
        """Whether a version such as `5.100.0` is in the range.

        A pre-release is only if it is named itself, as in Terraform.
        """
        return all(_holds(part, version) for part in self.text.split(","))


def sort_key(version: str) -> tuple[Sequence[int], bool, str]:
    """Orders versions from the oldest to the newest, a pre-release before its release."""
    *numbers, pre_release = _parts(version)
    return [int(number or 0) for number in numbers], pre_release is None, pre_release or ""


def _holds(comparison: str, version: str) -> bool:
    match = _COMPARISON.fullmatch(comparison)
    assert match is not None
    operator, *bound, bound_pre_release = match.groups()
    *numbers, pre_release = _parts(version)
    given = [int(number or 0) for number in numbers]
    limit = [int(number or 0) for number in bound]
    is_same = (given, pre_release) == (limit, bound_pre_release)
    if operator in (None, "="):
        return is_same
    if operator == "!=":
        return not is_same
    if pre_release is not None:
        return False
    match operator:
        case ">":
            return given > limit
        case ">=":
            return given >= limit
        case "<":
            return given < limit
        case "<=":
            return given <= limit
    # The last number that is given may grow; a major version alone stands for its first minor one.
    fixed = max(sum(number is not None for number in bound) - 1, 1)
    return given >= limit and given[:fixed] == limit[:fixed]


def _parts(version: str) -> Sequence[str | None]:
    match = re.fullmatch(_VERSION, version, re.ASCII)
    if match is None:
        raise ValueError(f"{version!r} is not a version")
    return match.groups()
