"""A domain's certificate and DNS records."""

from dataclasses import dataclass
from typing import Annotated

from cdktf import TerraformIterator, TerraformResourceLifecycle
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
    options = TerraformIterator.from_complex_list(
        certificate.domain_validation_options, "domain_name"
    )
    validation = Route53Record(
        scope,
        "validation",
        for_each=options,
        zone_id=domain.hosted_zone_id,
        name=options.get_string("resource_record_name"),
        type=options.get_string("resource_record_type"),
        records=[options.get_string("resource_record_value")],
        ttl=60,
        # A certificate that is replaced is validated by the record of the one before.
        allow_overwrite=True,
    )
    return AcmCertificateValidation(
        scope,
        "validated-certificate",
        certificate_arn=certificate.arn,
        depends_on=[validation],
    )


def add_alias_records(scope: Construct, domain: Domain, load_balancer: Lb) -> None:
    """Leads all names of a domain to a load balancer."""
    for number, name in enumerate(domain.names, start=1):
        Route53Record(
            scope,
            f"alias-{number}",
            zone_id=domain.hosted_zone_id,
            name=name,
            type="A",
            alias=Route53RecordAlias(
                name=load_balancer.dns_name,
                zone_id=load_balancer.zone_id,
                evaluate_target_health=True,
            ),
        )
