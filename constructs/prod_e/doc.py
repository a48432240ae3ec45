"""How arguments and fields are documented: beside themselves, for readers and for pages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Doc:
    """What an argument or a field is, as `Annotated[int, Doc("seconds, 5 to 300; default 10")]`.

    `text`: what it is for, its unit, what is allowed, its default, and AWS's page about it.
    """

    text: str
