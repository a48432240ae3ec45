"""Route 53."""

from typing import Any

from moto.core.exceptions import ServiceException
from moto.route53 import models
from moto.route53.models import FakeZone, Route53Backend

_UNESCAPED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.\\")


def apply() -> None:
    _zones_have_ids_of_their_kind()
    _names_are_told_in_one_form()
    _changes_fit_what_is_there()


def _zones_have_ids_of_their_kind() -> None:
    # https://docs.aws.amazon.com/Route53/latest/APIReference/API_HostedZone.html
    make = models.create_route53_zone_id
    models.create_route53_zone_id = lambda **named: f"Z{make(**named)[1:]}"


def _form(name: str) -> str:
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    characters = (c if c in _UNESCAPED else f"\\{ord(c):03o}" for c in name.lower())
    return "".join(characters).rstrip(".") + "."


def _names_are_told_in_one_form() -> None:
    # Lower case, what is no letter, digit, hyphen or underscore as octal code, a dot at the end:
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    change, get = Route53Backend.change_resource_record_sets, FakeZone.get_record_sets

    def change_resource_record_sets(
        self: Any, zoneid: str, change_list: list[dict[str, Any]]
    ) -> None:
        for each in change_list:
            record = each["ResourceRecordSet"]
            record["Name"] = _form(record["Name"])
            if alias := record.get("AliasTarget"):
                alias["DNSName"] = _form(alias["DNSName"])
        change(self, zoneid, change_list)

    def get_record_sets(self: Any, start_type: str, start_name: str) -> Any:
        return get(self, start_type, start_name and _form(start_name))

    Route53Backend.change_resource_record_sets = change_resource_record_sets
    FakeZone.get_record_sets = get_record_sets


def _changes_fit_what_is_there() -> None:
    # https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    change = Route53Backend.change_resource_record_sets

    def change_resource_record_sets(
        self: Any, zoneid: str, change_list: list[dict[str, Any]]
    ) -> None:
        known = {(r.name, r.type, r.set_identifier) for r in self.get_hosted_zone(zoneid).rrsets}
        for each in change_list:
            record = each["ResourceRecordSet"]
            key = (_form(record["Name"]), record["Type"], record.get("SetIdentifier"))
            what = f"resource record set [name='{key[0]}', type='{key[1]}']"
            if each["Action"] == "CREATE" and key in known:
                raise InvalidChangeBatch(f"[Tried to create {what} but it already exists]")
            if each["Action"] == "DELETE" and key not in known:
                raise InvalidChangeBatch(f"[Tried to delete {what} but it was not found]")
        change(self, zoneid, change_list)

    Route53Backend.change_resource_record_sets = change_resource_record_sets


class InvalidChangeBatch(ServiceException):  # type: ignore[misc]
    """A change that does not fit what is there; the class's name is AWS's code."""

    code = "InvalidChangeBatch"
