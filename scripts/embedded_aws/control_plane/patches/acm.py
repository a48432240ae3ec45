"""Certificate Manager."""

import math
from typing import Any

from moto import settings
from moto.acm.models import CertBundle
from moto.route53.models import route53_backends


def apply() -> None:
    _certificates_are_issued_once_their_records_exist()


def _certificates_are_issued_once_their_records_exist() -> None:
    # moto issues a certificate a minute after the request, whatever is in the zone.
    # https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
    settings.ACM_VALIDATION_WAIT = math.inf
    check = CertBundle.check

    def check_records(self: Any) -> None:
        check(self)
        if self.status == "PENDING_VALIDATION":
            options = self.describe()["Certificate"]["DomainValidationOptions"]
            wanted = {_record(option["ResourceRecord"]) for option in options}
            if wanted <= _cnames(account_id=self.arn.split(":")[4]):
                self.status = "ISSUED"

    CertBundle.check = check_records


def _record(record: dict[str, str]) -> tuple[str, str]:
    return record["Name"].rstrip("."), record["Value"].rstrip(".")


def _cnames(*, account_id: str) -> set[tuple[str, str]]:
    return {
        _record({"Name": record.name, "Value": value})
        for zone in route53_backends[account_id]["aws"].zones.values()
        for record in zone.rrsets
        if record.type == "CNAME"
        for value in record.records
    }
