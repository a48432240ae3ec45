"""What every section of the settings is made of: a base model, fields with their rules."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema


def _no_truth(value: object) -> object:
    """True and False are the numbers 1 and 0 to Python, and no number in a settings file."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "a whole number")
    return value


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("repeated", "each value once")
    return values


T = TypeVar("T", bound=str)

Distinct = Annotated[tuple[T, ...], Field(strict=False), AfterValidator(_each_once)]
"""A list in which no value stands twice."""

LogRetentionDays = Annotated[
    Literal[
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
        3288, 3653,
    ],
    BeforeValidator(_no_truth),
]  # fmt: skip
"""What CloudWatch Logs offers:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

ALLOWED: dict[str, str] = {}
"""What each pattern allows, in words for people."""


def matching(pattern: str, allowed: str, **limits: int) -> Any:
    """A field that matches a pattern; `allowed` says so in words."""
    ALLOWED[pattern] = allowed
    return Field(pattern=pattern, **limits)  # type: ignore[call-overload]


def parsed_text(parse: Callable[[str], object], rule: Any) -> GetPydanticSchema:
    """A text of the file that obeys a rule, such as `matching` gives, and is an object then."""
    return GetPydanticSchema(
        lambda _, handler: core_schema.no_info_after_validator_function(
            parse,
            handler.generate_schema(Annotated[str, rule]),
        )
    )


EcsName = Annotated[
    str,
    matching(r"^[A-Za-z0-9_-]{1,255}$", "letters, digits, underscores and hyphens, at most 255"),
]
Region = Annotated[str, matching(r"^[a-z]{2}(-[a-z]+)+-[0-9]$", "a region such as us-west-2")]
SecurityGroupId = Annotated[
    str, matching(r"^sg-[0-9a-f]{8,17}$", "a security group's id such as sg-0123456789abcdef0")
]
DOMAIN_NAME = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{0,58}[a-z0-9])$"

Mistake = tuple[str, str]
"""A key below the model, and what is wrong with its value."""


class BrokenRules(ValueError):
    """Rules between fields that do not hold."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(f"{key}: {problem}" for key, problem in mistakes))
        self.mistakes = tuple(mistakes)


class Section(BaseModel):
    """A table of the file: unknown keys are refused, values keep their type, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def _mistakes(self) -> Iterator[Mistake]:
        """Yields each rule between fields that does not hold."""
        yield from ()

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        if mistakes := list(self._mistakes()):
            raise BrokenRules(mistakes)
        return self


def listed(values: Sequence[object]) -> str:
    """The values that are allowed, in words."""
    if len(values) > 8 and isinstance(values[0], int):
        step = int(str(values[1])) - int(str(values[0]))
        return f"{values[0]} to {values[-1]} in steps of {step}"
    return ", ".join(str(value) for value in values)


BucketName = Annotated[
    str,
    matching(
        r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens",
    ),
]
