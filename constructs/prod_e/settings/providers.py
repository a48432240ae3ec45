"""`[providers]`: which versions of Terraform's providers the stacks take."""

from typing import Annotated

from prod_e.settings.fields import Section, matching
from prod_e.version_constraint import PATTERN

_VersionConstraint = Annotated[
    str,
    matching(PATTERN, "a version constraint such as ~> 5.100 or >= 5.100, < 6.0", max_length=256),
]


class Providers(Section):
    """Which versions of Terraform's providers the stacks take; the defaults are what is tested."""

    aws: _VersionConstraint = "~> 5.100"
    """hashicorp/aws, 5.100 or 6."""

    docker: _VersionConstraint = "~> 3.6.2"
    """kreuzwerker/docker, which builds images."""
