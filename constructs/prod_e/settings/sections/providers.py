"""`[providers]`: which versions of Terraform's providers the stacks take."""

from typing import Annotated

from prod_e.settings.fields import Section, matching
from prod_e.version_constraint import PATTERN, VersionConstraint

_VersionConstraint = Annotated[
    str,
    matching(PATTERN, "a version constraint such as ~> 5.100 or >= 5.100, < 6.0", max_length=256),
]

_WITHOUT_TAG_EXCLUSIONS = (
    "5.100.0",
    *(f"6.{minor}.{patch}" for minor in range(10) for patch in range(4)),
)


class Providers(Section):
    """Which versions of Terraform's providers the stacks take; the defaults are what is tested."""

    aws: _VersionConstraint = "~> 5.100"
    """hashicorp/aws, 5.100 or 6."""

    docker: _VersionConstraint = "~> 3.6.2"
    """kreuzwerker/docker, which builds images."""

    @property
    def leaves_tags_out(self) -> bool:
        """Whether every version that `aws` takes can leave tags out of a repository's immutability.

        https://github.com/hashicorp/terraform-provider-aws/blob/main/CHANGELOG.md
        """
        constraint = VersionConstraint(self.aws)
        return not any(map(constraint.allows, _WITHOUT_TAG_EXCLUSIONS))
