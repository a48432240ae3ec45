"""A domain's certificate and DNS records."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.acm_certificate import AcmCertificate
from cdktf_cdktf_provider_aws.acm_certificate_validation import AcmCertificateValidation
from cdktf_cdktf_provider_aws.lb import Lb
from cdktf_cdktf_provider_aws.route53_record import Route53Record, Route53RecordAlias
from constructs import Construct

from prod_e.doc import Doc


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The names under which a load balancer answers, in a zone of Route 53.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-to-elb-load-balancer.html
    """

    name: Annotated[str, Doc("such as api.example.com")]
    hosted_zone_id: Annotated[str, Doc("the zone that holds it, such as Z0123456789ABCDEFGHIJ")]
    further_names: Annotated[tuple[str, ...], Doc("names below it that routes use")] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, each once."""
        return tuple(dict.fromkeys((self.name, *self.further_names)))


def validated_certificate(scope: Construct, domain: Domain) -> AcmCertificateValidation:
    """An ACM certificate for all names of a domain, validated and renewed through DNS.

    https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
    """
    certificate = AcmCertificate(
        scope,
        "certificate",
        domain_name=domain.name,
        subject_alternative_names=list(domain.names[1:]) or None,
        validation_method="DNS",
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
    )
    validation = Route53Record(
        scope,
        "validation",
        zone_id=domain.hosted_zone_id,
        name="${each.value.resource_record_name}",
        type="${each.value.resource_record_type}",
        records=["${each.value.resource_record_value}"],
        ttl=60,
        # A certificate that is replaced is validated by the record of the one before.
        allow_overwrite=True,
    )
    # Only the names of the options are known before the certificate is made, and nothing at all of
    # the list that cdktf's own iterator makes of the set.
    validation.add_override(
        "for_each",
        f"${{{{for option in {certificate.fqn}.domain_validation_options :"
        f" option.domain_name => option{_without_twins(domain.names)}}}}}",
    )
    return AcmCertificateValidation(
        scope,
        "validated-certificate",
        certificate_arn=certificate.arn,
        depends_on=[validation],
    )


def _without_twins(names: Sequence[str]) -> str:
    """Leaves out wildcards beside the name that they stand below: both have the same record.

    https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
    """
    twins = [name for name in names if name.startswith("*.") and name[2:] in names]
    return f" if !contains({json.dumps(twins)}, option.domain_name)" if twins else ""


def add_alias_records(
    scope: Construct, domain: Domain, load_balancer: Lb
) -> dict[str, Route53Record]:
    """Leads all names of a domain to a load balancer; returns the record of each."""
    return {
        name: Route53Record(
            scope,
            # Numbered, two names would change places where one is added between them.
            "alias-1" if name == domain.name else f"alias-{name}",
            zone_id=domain.hosted_zone_id,
            name=name,
            type="A",
            alias=Route53RecordAlias(
                name=load_balancer.dns_name,
                zone_id=load_balancer.zone_id,
                evaluate_target_health=True,
            ),
        )
        for name in domain.names
    }
