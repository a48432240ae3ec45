"""`[state]`: where Terraform keeps its state."""

import re
from collections.abc import Iterator
from typing import Literal

from prod_e.settings.fields import BucketName, Mistake, Region, Section


class State(Section):
    """Where Terraform keeps its state."""

    kind: Literal["local", "s3"] = "local"
    """`local`: files in the project's root. `s3`: a bucket of yours, locked by S3's native lock
    file."""

    bucket: BucketName | None = None
    """The bucket; only with `kind = "s3"`, which needs it."""

    region: Region | None = None
    """The bucket's region; default: the environment's."""

    def _mistakes(self) -> Iterator[Mistake]:
        if self.kind == "s3" and self.bucket is None:
            yield "bucket", 'is missing; state.kind = "s3" needs the name of an S3 bucket of yours'
        if self.bucket is not None:
            for problem in bucket_problems(self.bucket):
                yield "bucket", f"{self.bucket!r} is refused by AWS: {problem}"
        if self.kind == "local":
            for key in ("bucket", "region"):
                if getattr(self, key) is not None:
                    yield key, 'has no meaning with state.kind = "local"; leave it out'


def bucket_problems(name: str) -> Iterator[str]:
    """What AWS has against a bucket's name that is made of the right characters.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    if len(name) > 63:
        yield f"it has {len(name)} characters, and 63 are allowed"
    if ".." in name:
        yield "two dots may not follow each other"
    if re.fullmatch(r"\d+(\.\d+){3}", name):
        yield "it may not look like an IP address"
    for beginning in ("xn--", "sthree-", "amzn-s3-demo-"):
        if name.startswith(beginning):
            yield f"it may not begin with {beginning!r}"
    for end in ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"):
        if name.endswith(end):
            yield f"it may not end with {end!r}"
