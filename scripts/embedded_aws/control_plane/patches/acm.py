"""Certificate Manager."""

import hashlib
import math
from typing import Any

from moto import settings
from moto.acm.models import CertBundle
from moto.core.utils import utcnow
from moto.route53.models import route53_backends


def apply() -> None:
    _certificates_keep_their_names_in_order()
    _certificates_are_issued_once_their_records_exist()
    _certificates_say_what_they_are()


def _certificates_keep_their_names_in_order() -> None:
    # https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
    generate = CertBundle.generate_cert.__func__

    def generate_cert(
        cls: Any, /, domain_name: str, *arguments: Any, sans: Any = None, **named: Any
    ) -> Any:
        certificate = generate(cls, domain_name, *arguments, sans=sans, **named)
        certificate.sans = list(dict.fromkeys([domain_name, *(sans or ())]))
        return certificate

    CertBundle.generate_cert = classmethod(generate_cert)


def _certificates_are_issued_once_their_records_exist() -> None:
    # moto issues a certificate a minute after the request, whatever is in the zone.
    # https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
    settings.ACM_VALIDATION_WAIT = math.inf
    check = CertBundle.check

    def check_records(self: Any) -> None:
        check(self)
        if self.status == "PENDING_VALIDATION":
            account_id = self.arn.split(":")[4]
            wanted = {_key(_record_of(name, account_id)) for name in self.sans}
            if wanted <= _cnames(account_id):
                self.status = "ISSUED"
                self.issued_at = utcnow()

    CertBundle.check = check_records


def _certificates_say_what_they_are() -> None:
    # https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html
    describe = CertBundle.describe

    def describe_certificate(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = describe(self)
        detail = answer["Certificate"]
        detail["KeyAlgorithm"] = detail["KeyAlgorithm"].replace("RSA_", "RSA-")
        serial = f"{self._cert.serial_number:032x}"[:32]
        detail["Serial"] = ":".join(serial[n : n + 2] for n in range(0, 32, 2))
        if self.type != "AMAZON_ISSUED":
            return answer
        detail["SignatureAlgorithm"] = "SHA256WITHRSA"
        status = "SUCCESS" if self.status == "ISSUED" else self.status
        detail["DomainValidationOptions"] = [
            {
                "DomainName": name,
                "ValidationDomain": name,
                "ValidationStatus": status,
                "ValidationMethod": "DNS",
                "ResourceRecord": _record_of(name, self.arn.split(":")[4]),
            }
            for name in self.sans
        ]
        if hasattr(self, "issued_at"):
            detail["IssuedAt"] = self.issued_at.timestamp()
        else:
            for key in ("IssuedAt", "NotBefore", "NotAfter", "Serial"):
                del detail[key]
        return answer

    CertBundle.describe = describe_certificate


def _record_of(name: str, account_id: str) -> dict[str, str]:
    """The record that proves a name: one for each account and name, and none for the wildcard.

    https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
    """
    base = name.removeprefix("*.")
    token, value = (
        hashlib.sha256(f"{which}{account_id}{base}".encode()).hexdigest()[:32]
        for which in ("name", "value")
    )
    return {
        "Name": f"_{token}.{base}.",
        "Type": "CNAME",
        "Value": f"_{value}.ykybfrwcxw.acm-validations.aws.",
    }


def _key(record: dict[str, str]) -> tuple[str, str]:
    return record["Name"].removesuffix("."), record["Value"].removesuffix(".")


def _cnames(account_id: str) -> set[tuple[str, str]]:
    return {
        _key({"Name": record.name, "Value": value})
        for zone in route53_backends[account_id]["aws"].zones.values()
        for record in zone.rrsets
        if record.type == "CNAME"
        for value in record.records
    }
