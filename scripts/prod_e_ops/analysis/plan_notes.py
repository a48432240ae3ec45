"""What a plan means, where its list of changes does not say it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from prod_e.names import ServiceNames
from prod_e_ops.analysis.database_changes import waiting_changes
from prod_e_ops.analysis.extended_support import extended_support
from prod_e_ops.terraform.plans.plan_changes import Change, PlanSummary

if TYPE_CHECKING:
    from prod_e.settings import Environment

RESPONSIBLE: Mapping[tuple[str, str], str] = {
    ("aws_cloudwatch_log_group", "name"): "services.{service}.log_group",
    ("aws_db_instance", "db_name"): "database.name",
    ("aws_ecr_repository", "name"): "services.{service}.repository",
    ("aws_ecs_cluster", "name"): "name",
    ("aws_ecs_service", "cluster"): "cluster.arn",
    ("aws_ecs_service", "name"): "services.{service}.service",
    ("aws_lb", "name"): "name",
    ("aws_subnet", "cidr_block"): "network.cidr",
    ("aws_vpc", "cidr_block"): "network.cidr",
}
"""The setting behind each argument whose change makes AWS replace a resource."""

_CALLED = {
    "aws_cloudwatch_log_group": "log group",
    "aws_db_instance": "database",
    "aws_ecr_repository": "repository",
    "aws_ecs_cluster": "cluster",
    "aws_ecs_service": "service",
    "aws_lb": "load balancer",
    "aws_subnet": "subnet",
    "aws_vpc": "VPC",
}
_NAMED_BY = ("identifier", "name", "cidr_block")


def plan_notes(
    summary: PlanSummary, environment: "Environment", *, is_main_stack: bool, now: datetime
) -> Iterator[str]:
    """Sentences about a plan: what it replaces and why, what waits, what comes with it.

    `is_main_stack`: whether the plan is that of what runs; then what the environment lacks or pays
    for is said too, whether it changes or not.
    """
    for change in summary.replaced:
        if change.type in _CALLED:
            yield _replacement(change, environment)
    for waiting in waiting_changes(summary, now=now):
        yield waiting.sentence
    for change in summary.changed:
        yield from _newest_image(change, environment)
    for change in (*summary.changed, *summary.unchanged):
        yield from _desired_tasks(change, environment)
    if is_main_stack:
        yield from _of_environment(environment, now)


def _replacement(change: Change, environment: "Environment") -> str:
    """A resource that is replaced, and the settings that it is replaced for."""
    name = next((change.before[key] for key in _NAMED_BY if change.before.get(key)), change.address)
    because = [_setting(change, key, environment) for key in change.changed_keys] or [
        change.reason or "something that it is made of is replaced"
    ]
    return (
        f"The {_CALLED[change.type]} {name} is deleted and made anew, because of"
        f" {' and '.join(because)}."
    )


def _setting(change: Change, key: str, environment: "Environment") -> str:
    setting = RESPONSIBLE.get((change.type, key))
    before = change.before.get(key)
    if setting is None:
        return f"its {key}"
    if "{service}" in setting:
        field = setting.rpartition(".")[2]
        services = [
            each
            for each in environment.services
            if getattr(_names(environment, each), field) == change.after.get(key)
        ]
        if not services:
            return f"its {key}"
        setting = setting.format(service=services[0])
    return f"{setting} (it was {before!r})" if isinstance(before, str) else setting


def _newest_image(change: Change, environment: "Environment") -> Iterator[str]:
    """A service that is changed in place deploys whatever its tag names by then.

    Other tags alone begin no deployment.
    """
    if change.type != "aws_ecs_service" or {*change.changed_keys} <= {"tags", "tags_all"}:
        return
    for key, settings in environment.services.items():
        names = _names(environment, key)
        if names.service == change.after.get("name") and settings.image_tag.follows:
            yield (
                f"The change of {names.service} is a new deployment, of the image that"
                f" {settings.image_tag.follows} in {names.repository} names by then."
            )


def _desired_tasks(change: Change, environment: "Environment") -> Iterator[str]:
    """A number of tasks that is left to autoscaling once the service exists."""
    if change.type != "aws_ecs_service":
        return
    now = change.before.get("desired_count")
    for key, settings in environment.services.items():
        if (
            _names(environment, key).service == change.before.get("name")
            and settings.autoscaling
            and now not in (None, settings.desired_tasks)
        ):
            yield (
                f"services.{key}.desired_tasks = {settings.desired_tasks} has no effect: it counts"
                f" when the service is created. Autoscaling keeps {settings.min_tasks} to"
                f" {settings.max_tasks} tasks, now {now}."
            )


def _of_environment(environment: "Environment", now: datetime) -> Iterator[str]:
    database = environment.database
    if database and database.is_made:
        costs = extended_support(
            engine_version=database.engine_version,
            instance_class=database.instance_class,
            is_multi_az=database.multi_az,
            today=now.date(),
        )
        if costs:
            yield costs
    if not environment.monitoring.alarm_emails:
        yield "Alarms ring at nobody: monitoring.alarm_emails is empty."


def _names(environment: "Environment", key: str) -> ServiceNames:
    return ServiceNames.of(environment.name, key, environment.services[key])
