"""The tags that the settings give, and those that are prod-e's."""

import re
from collections.abc import Iterator, Mapping

from prod_e.names import ENVIRONMENT_TAG
from prod_e.settings.fields import Mistake
from prod_e.settings.secrecy import looks_secret

_TAG = re.compile(r"[\w .:/=+@-]*")

_MOST_TAGS = 50
"""https://docs.aws.amazon.com/tag-editor/latest/userguide/reference.html"""

_MADE_TAGS = 3
"""Each resource has that of the environment, and a subnet a `Name` and a `Tier` besides."""


_REFUSED_BY_RDS = ("aws:", "rds:")
"""How neither a key nor a value begins:
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Tag.html"""


def tag_mistakes(tags: Mapping[str, str], *, have_database: bool) -> Iterator[Mistake]:
    """What AWS, or prod-e, refuses of an environment's tags.

    `have_database`: whether an RDS instance gets them, too.
    """
    if len(tags) > _MOST_TAGS - _MADE_TAGS:
        yield (
            "tags",
            f"has {len(tags)}; AWS allows {_MOST_TAGS}, of which {_MADE_TAGS} are prod-e's",
        )
    others: dict[str, str] = {}
    for key, value in tags.items():
        # IAM takes keys that differ in case alone for one.
        if key.lower() == ENVIRONMENT_TAG:
            yield (
                f"tags.{key}",
                f"is prod-e's own: by {ENVIRONMENT_TAG} it knows what it made; choose another key",
            )
        elif (
            key.lower().startswith("aws:")
            or not 1 <= len(key) <= 128
            or len(value) > 256
            or not _TAG.fullmatch(key + value)
        ):
            yield (
                f"tags.{key}",
                "is refused by AWS; allowed: keys of 1 to 128 characters that do not start"
                " with aws:, values of at most 256, made of letters, digits, spaces and"
                " _ . : / = + - @",
            )
        elif (other := others.setdefault(key.lower(), key)) != key:
            yield f"tags.{key}", f"is tags.{other} to IAM, which knows no case; keep one of the two"
        elif have_database and any(
            text.lower().startswith(_REFUSED_BY_RDS) for text in (key, value)
        ):
            yield (
                f"tags.{key}",
                "is refused by RDS: no key and no value may begin with aws: or rds:",
            )
        elif looks_secret("", value) or looks_secret("", key):
            yield f"tags.{key}", "looks like a secret, and whoever sees the account reads its tags"
