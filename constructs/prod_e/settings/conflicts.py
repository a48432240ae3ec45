"""What two environments cannot both have: AWS, or Terraform, would have it twice."""

from collections.abc import Iterator
from itertools import product

from prod_e.settings.environment import Environment
from prod_e.settings.fields import Mistake


def conflicts(one: Environment, other: Environment) -> Iterator[Mistake]:
    """The keys of `one`, and the problems, of what `other` has too, in files of its own."""
    if one.name == other.name:
        yield (
            "name",
            f"{one.name!r} is that of {other.file} too; each environment needs its own",
        )
    else:
        yield from _name_conflicts(one, other)
    if one.account == other.account and one.network.overlaps(other.network):
        yield (
            "network.cidr",
            f"{one.network.cidr!r} overlaps {other.network.cidr!r} of {other.file}; take another"
            " block, so that the two can ever be connected",
        )


def _name_conflicts(one: Environment, other: Environment) -> Iterator[Mistake]:
    for stack in sorted({*one.names.stacks} & {*other.names.stacks}):
        yield (
            "name",
            f"{one.name!r} makes the stack {stack!r}, as {other.file} does with {other.name!r};"
            " each environment needs a name of its own",
        )
    if one.account != other.account:
        return
    if (
        one.delivery
        and other.delivery
        and one.delivery.create_oidc_provider
        and other.delivery.create_oidc_provider
    ):
        yield (
            "delivery.create_oidc_provider",
            f"is true in {other.file} too, and an account has only one identity provider of"
            " GitHub; set it to false here",
        )
    for key, other_key in product(one.watched, other.watched):
        if (name := f"{one.name}-{key}") == f"{other.name}-{other_key}":
            yield (
                "name",
                f"{one.name!r} makes names that begin with {name!r} for {key!r}, as {other.file}"
                f" does for {other_key!r}; rename one of them",
            )
    if one.region == other.region:
        yield from _service_conflicts(one, other)
        yield from _database_conflicts(one, other)


def _service_conflicts(one: Environment, other: Environment) -> Iterator[Mistake]:
    fields = ["repository", "task_family", "log_group"]
    if one.cluster.arn and one.cluster.arn == other.cluster.arn:
        fields.append("service")
    listener = one.load_balancer.listener_arn
    share_listener = listener and listener == other.load_balancer.listener_arn
    for key, other_key in product(one.services, other.services):
        ours, theirs = one.service_names(key), other.service_names(other_key)
        if ours.prefix == theirs.prefix:
            continue
        whose = f"services.{other_key} in {other.file}"
        for field in fields:
            if (name := getattr(ours, field)) == getattr(theirs, field):
                yield (
                    f"services.{key}.{field}",
                    f"{name!r} is that of {whose} too; each environment needs its own",
                )
        priority = one.services[key].rule_priority
        if share_listener and priority == other.services[other_key].rule_priority:
            yield (
                f"services.{key}.priority",
                f"{priority} is that of {whose} too, at the same listener; set another, and where"
                " the routes are the same, another path or host",
            )


def _database_conflicts(one: Environment, other: Environment) -> Iterator[Mistake]:
    for key, identifier in one.made_databases.items():
        if identifier in other.made_databases.values():
            yield (
                key,
                f"{identifier!r} is an instance of {other.file} too; each needs its own",
            )
