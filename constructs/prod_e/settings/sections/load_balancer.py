"""`[load_balancer]`: the Application Load Balancer in front of an environment's services."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from prod_e.settings.fields import DOMAIN_NAME, Mistake, Section, SecurityGroupId, matching

_LONGEST_OF_ACM = 64
"""https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html"""


class LoadBalancer(Section):
    """The Application Load Balancer in front of an environment's services."""

    domain_name: (
        Annotated[
            str, matching(DOMAIN_NAME, "a domain name such as api.example.com", max_length=253)
        ]
        | None
    ) = None
    """With `hosted_zone_id`: HTTPS for this domain with a certificate of ACM, HTTP redirected.
    With `listener_arn`: the name under which people reach that load balancer."""

    hosted_zone_id: (
        Annotated[
            str, matching(r"^Z[A-Z0-9]{1,31}$", "a hosted zone's id such as Z0123456789ABCDEFGHIJ")
        ]
        | None
    ) = None
    """The Route 53 zone that holds the domain, where the certificate is validated."""

    certificate_arn: (
        Annotated[
            str,
            matching(
                r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+$",
                "the ARN of an ACM certificate in the environment's region",
            ),
        ]
        | None
    ) = None
    """A certificate that is there already, in place of one that is made: HTTPS with it, HTTP
    redirected."""

    access_logs: bool = True
    """Whether requests are logged to an S3 bucket."""

    access_log_days: Annotated[int, Field(ge=1, le=3653)] = 90
    """How long the bucket keeps them."""

    waf: bool = False
    """Whether AWS's managed rule groups and a rate limit stand in front; what the groups find in
    bodies is only counted."""

    deletion_protection: bool = True
    """Elastic Load Balancing refuses to delete the load balancer."""

    listener_arn: (
        Annotated[
            str,
            matching(
                r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/app/[A-Za-z0-9_/-]+$",
                "the ARN of an Application Load Balancer's listener in the environment's region",
            ),
        ]
        | None
    ) = None
    """A listener of a load balancer that is there already, in place of one that is made: it gets
    the rules of the services. Only `security_group_id` and `domain_name` have a meaning then."""

    security_group_id: SecurityGroupId | None = None
    """One of that load balancer's security groups, which gets rules to the tasks."""

    @property
    def is_made(self) -> bool:
        """Whether there is a load balancer of the environment's own."""
        return self.listener_arn is None

    def _mistakes(self) -> Iterator[Mistake]:
        if self.listener_arn is not None:
            yield from self._existing_mistakes()
            return
        if self.security_group_id:
            yield (
                "listener_arn",
                "is missing for security_group_id; give the ARN of that load balancer's listener",
            )
        if self.hosted_zone_id and self.domain_name and len(self.domain_name) > _LONGEST_OF_ACM:
            yield (
                "domain_name",
                f"has {len(self.domain_name)} characters; ACM issues certificates for at most"
                f" {_LONGEST_OF_ACM}",
            )
        if self.domain_name and not self.hosted_zone_id:
            yield (
                "hosted_zone_id",
                f"is missing for domain_name = {self.domain_name!r}; give the id of the Route 53"
                " zone that holds the domain, where the certificate is validated",
            )
        if self.hosted_zone_id and not self.domain_name:
            yield "domain_name", f"is missing for hosted_zone_id = {self.hosted_zone_id!r}"

    def _existing_mistakes(self) -> Iterator[Mistake]:
        if self.security_group_id is None:
            yield (
                "security_group_id",
                "is missing for listener_arn; give the id of a security group of its load balancer",
            )
        known = {"listener_arn", "security_group_id", "domain_name"}
        for key in sorted(self.model_fields_set - known):
            yield key, "has no meaning with listener_arn; leave it out"
