"""Resource Groups Tagging API."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from moto.core.resource_tagging import TaggedResource
from moto.resourcegroupstaggingapi import models


def apply() -> None:
    _lists_what_more_services_have()


def _lists_what_more_services_have() -> None:
    # https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html
    taggable = models.iter_taggable_backends

    def iter_taggable_backends(account_id: str, region_name: str) -> Iterator[Any]:
        yield from taggable(account_id, region_name)
        for service, tagged in _TAGGED.items():
            # What nobody has used yet is not loaded, and has nothing.
            if module := sys.modules.get(f"moto.{service}.models"):
                backends = getattr(module, f"{service}_backends")
                yield _Listed(tagged=tagged, backend=backends[account_id][region_name])

    models.iter_taggable_backends = iter_taggable_backends


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """What a backend has that moto's list lacks."""

    tagged: Callable[[Any], Iterable[TaggedResource]]
    backend: Any

    def iter_tagged_resources(self) -> Iterable[TaggedResource]:
        return self.tagged(self.backend)


def _repositories(ecr: Any) -> Iterator[TaggedResource]:
    for repository in ecr.repositories.values():
        yield _by_tagger("ecr:repository", repository.arn, ecr.tagger)


def _listeners(elbv2: Any) -> Iterator[TaggedResource]:
    tagger = elbv2.tagging_service
    for load_balancer in elbv2.load_balancers.values():
        for listener in load_balancer.listeners.values():
            yield _by_tagger("elasticloadbalancing:listener", listener.arn, tagger)
            for rule in listener.rules.values():
                yield _by_tagger("elasticloadbalancing:listener-rule", rule.arn, tagger)


def _rules(events: Any) -> Iterator[TaggedResource]:
    for bus in events.event_buses.values():
        for rule in bus.rules.values():
            yield _by_tagger("events:rule", rule.arn, events.tagger)


def _groups(rds: Any) -> Iterator[TaggedResource]:
    for kind, groups in (("pg", rds.db_parameter_groups), ("subgrp", rds.subnet_groups)):
        for group in groups.values():
            tags = {tag["Key"]: tag["Value"] for tag in group.get_tags()}
            yield TaggedResource(arn=group.arn, tags=tags, resource_type=f"rds:{kind}")


def _web_acls(wafv2: Any) -> Iterator[TaggedResource]:
    for web_acl in wafv2.wacls.values():
        yield _by_tagger("wafv2:webacl", web_acl.arn, wafv2.tagging_service)


def _by_tagger(resource_type: str, arn: str, tagger: Any) -> TaggedResource:
    return TaggedResource(
        arn=arn, tags=tagger.get_tag_dict_for_resource(arn), resource_type=resource_type
    )


_TAGGED = {
    "ecr": _repositories,
    "elbv2": _listeners,
    "events": _rules,
    "rds": _groups,
    "wafv2": _web_acls,
}
"""By moto's name of the service."""
