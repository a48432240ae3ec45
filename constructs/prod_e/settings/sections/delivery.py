"""`[delivery]`: who else may push images."""

from typing import Annotated

from prod_e.settings.fields import Section, matching


class Delivery(Section):
    """Lets GitHub Actions push images, without stored keys."""

    github_repository: Annotated[
        str, matching(r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", "owner/name", max_length=140)
    ]
    """Whose workflows may push, as `owner/name`."""

    branch: Annotated[str, matching(r"^[A-Za-z0-9_./-]+$", "a branch's name", max_length=255)] = (
        "main"
    )
    """The branch whose runs may push."""

    create_oidc_provider: bool = True
    """False where the account has GitHub's identity provider already; it can have only one."""
