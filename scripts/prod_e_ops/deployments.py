"""The deployments of a service, as ECS tells of them: under way, in the past, and followed live.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prod_e.names import EnvironmentNames, ServiceNames
from prod_e_ops.aws import aws_client, aws_errors
from prod_e_ops.console import Terminal
from prod_e_ops.errors import OpsError, UserMistake
from prod_e_ops.project import service_settings

if TYPE_CHECKING:
    from prod_e.settings import Environment

_POLL_SECONDS = 3.0

# How long a push may take to become a deployment: EventBridge, Step Functions, ECS.
_BEGIN_SECONDS = 90.0

# ECS itself sets no limit. A new task that pulls, starts and becomes healthy takes minutes.
_PATIENCE_SECONDS = 3600.0

# How long before the primary deployment the newest one may have begun.
_LONGEST_DEPLOYMENT = timedelta(days=2)

# What one call may name:
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
_MOST_DESCRIBED = 20
_MOST_TASKS_DESCRIBED = 100

_STATES = {
    "PENDING": "waiting to begin",
    "IN_PROGRESS": "under way",
    "SUCCESSFUL": "succeeded",
    "STOP_REQUESTED": "being stopped",
    "STOPPED": "stopped",
    "ROLLBACK_REQUESTED": "being rolled back",
    "ROLLBACK_IN_PROGRESS": "being rolled back",
    "ROLLBACK_SUCCESSFUL": "rolled back",
    "ROLLBACK_FAILED": "failed, and could not be rolled back",
    "FAILED": "failed",
}
_UNDER_WAY = frozenset(
    {"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"}
)
_ROLLOUT_STATES = {"COMPLETED": "SUCCESSFUL", "IN_PROGRESS": "IN_PROGRESS", "FAILED": "FAILED"}


@dataclass(frozen=True, kw_only=True)
class Revision:
    """What a deployment is to run.

    `id`: of the service revision. `task_definition`: family and number, such as `prod-e-task:12`.
    `image`: as the task definition names it. `digest`: what that was when the deployment began;
    None if ECS does not tell.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html
    """

    id: str
    task_definition: str
    image: str = ""
    digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment of a service.

    `status`: `PENDING`, `IN_PROGRESS`, `SUCCESSFUL`, `STOPPED`, `ROLLBACK_SUCCESSFUL`, ...:
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
    (`FAILED` where ECS keeps no such record any more, which it does for 90 days).
    `reason`: why it ended otherwise than by success; may be empty.
    """

    id: str
    status: str
    reason: str
    created_at: datetime
    finished_at: datetime | None
    revision: Revision

    @property
    def under_way(self) -> bool:
        """Whether ECS is still at it, be it forwards or back."""
        return self.status in _UNDER_WAY

    @property
    def succeeded(self) -> bool:
        """Whether its tasks became healthy and took over."""
        return self.status == "SUCCESSFUL"

    @property
    def failed(self) -> bool:
        """Whether it has ended, and the service does not run what it was to run."""
        return not self.under_way and not self.succeeded

    @property
    def state(self) -> str:
        """The status in words, such as `rolled back`."""
        return _STATES.get(self.status, self.status)

    def as_json(self) -> dict[str, object]:
        """For machines; times in ISO 8601, UTC."""
        return {
            "id": self.id,
            "status": self.status,
            "reason": self.reason,
            "created_at": _iso(self.created_at),
            "finished_at": _iso(self.finished_at),
            "task_definition": self.revision.task_definition,
            "image": self.revision.image,
            "digest": self.revision.digest,
        }


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task. `deployment`: the id of the revision that it belongs to.

    `digests`: of its containers' images, by container. `exits`: one line for each container that
    ended: its name, exit code and reason.
    """

    id: str
    status: str
    deployment: str
    task_definition: str
    digests: Mapping[str, str]
    stopped_reason: str
    exits: tuple[str, ...]

    @property
    def epitaph(self) -> str:
        """Why it stopped."""
        return "; ".join(filter(None, (self.stopped_reason, *self.exits)))


@dataclass(frozen=True, kw_only=True)
class Event:
    """A line of the service's own log."""

    id: str
    at: datetime
    message: str

    def __str__(self) -> str:
        """One line for people."""
        message = re.sub(r"^\(service [^)]*\) ", "", self.message)
        return f"{self.at.astimezone(UTC):%H:%M:%S} {message}"


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """A revision of a task definition. `name`: family and number. `image`: of the container."""

    name: str
    image: str
    is_active: bool

    @property
    def number(self) -> int:
        """The revision's number."""
        return int(self.name.rpartition(":")[2])


@dataclass(frozen=True, kw_only=True)
class ServiceStatus:
    """How a service is doing.

    `task_definition`: what it is set to run, such as `prod-e-task:12`. `old_running`: tasks of
    earlier deployments that still run. `digests`: of the images that tasks run, or are about to.
    `targets`: how many per state of health, such as `{"healthy": 2}`. `events`: the newest first.
    """

    key: str
    service: str
    cluster: str
    task_definition: str
    desired: int
    running: int
    pending: int
    old_running: int
    digests: tuple[str, ...]
    targets: Mapping[str, int]
    deployment: Deployment
    events: tuple[Event, ...]

    @property
    def summary(self) -> str:
        """One line for people."""
        text = f"{self.service} runs {self.running} of {self.desired} tasks"
        if self.deployment.succeeded:
            return text
        reason = f": {self.deployment.reason}" if self.deployment.reason else ""
        return f"{text}, its last deployment is {self.deployment.state}{reason}"

    @property
    def progress(self) -> str:
        """What changes while a deployment is under way, in one line."""
        new = self.running - self.old_running
        parts = [f"new tasks {new} of {self.desired} running"]
        if self.pending:
            parts[0] += f", {self.pending} pending"
        parts.append(f"old tasks {self.old_running} running")
        if self.targets:
            parts.append(f"targets {_counted(self.targets)}")
        return "; ".join(parts)

    def lines(self, *, tags: Sequence[str] = (), events: int = 5) -> Iterator[str]:
        """For people. `tags`: of the image in the registry. `events`: how many of the newest."""
        deployment, revision = self.deployment, self.deployment.revision
        image = revision.image.rpartition("/")[2]
        named = revision.image.rpartition(":")[2]
        others = ", ".join(tag for tag in tags if tag != named)
        began = f"began {shown_time(deployment.created_at)}"
        if deployment.finished_at:
            began += f", ended {shown_time(deployment.finished_at)}"
        rows = {
            "deployment": f"{deployment.id}, {began}",
            "reason": deployment.reason if deployment.failed else "",
            "tasks": f"{self.running} running, {self.pending} pending, {self.desired} desired"
            + (f"; {self.old_running} of the running are old" if self.old_running else ""),
            "targets": _counted(self.targets),
            "image": f"{image} ({others})" if others else image,
            "digest": revision.digest or "",
            "definition": revision.task_definition,
            "now runs": ", ".join((self.task_definition, *self.digests))
            if deployment.failed
            else "",
        }
        yield f"{self.key} ({self.service}): {deployment.state}"
        yield from (f"  {name:10}  {value}" for name, value in rows.items() if value)
        if shown := self.events[:events]:
            yield "  newest events"
            yield from (f"    {event}" for event in shown)

    def as_json(self, *, tags: Sequence[str] = ()) -> dict[str, object]:
        """For machines. `tags`: of the image in the registry."""
        return {
            "key": self.key,
            "service": self.service,
            "cluster": self.cluster,
            "task_definition": self.task_definition,
            "tasks": {
                "desired": self.desired,
                "running": self.running,
                "pending": self.pending,
                "old": self.old_running,
            },
            "running_digests": list(self.digests),
            "targets": dict(self.targets),
            "deployment": {**self.deployment.as_json(), "tags": list(tags)},
            "events": [
                {"at": _iso(event.at), "message": event.message} for event in self.events[:20]
            ],
        }


class Deployments:
    """The deployments of one service. Its methods wait for AWS and may run in any thread.

    All raise `UserMistake` for a service that does not exist or credentials that AWS does not
    accept, and `OpsError` for an AWS that fails.
    """

    def __init__(self, environment: "Environment", key: str) -> None:
        """`key`: of the service in the settings; raises `UserMistake` if there is none."""
        self.environment = environment
        self.key = key
        self.settings = service_settings(environment, key)
        self.names = ServiceNames.of(environment.name, key, self.settings)
        self.cluster = EnvironmentNames(environment.name).cluster

    def status(self) -> ServiceStatus:
        """The service, and its newest deployment."""
        service = self._service()
        primary = next(d for d in service["deployments"] if d["status"] == "PRIMARY")
        # After a rollback the primary deployment is one that began when the newest had failed.
        newest = self.history(after=primary["createdAt"] - _LONGEST_DEPLOYMENT)
        deployment = newest[0] if newest else self._of_primary(primary)
        tasks = self.tasks()
        return ServiceStatus(
            key=self.key,
            service=self.names.service,
            cluster=self.cluster,
            task_definition=_last(service["taskDefinition"]),
            desired=service["desiredCount"],
            running=service["runningCount"],
            pending=service["pendingCount"],
            old_running=sum(
                task.status == "RUNNING" and task.deployment != deployment.revision.id
                for task in tasks
            ),
            digests=tuple(sorted(self._digests(tasks))),
            targets=self._targets(service),
            deployment=deployment,
            events=tuple(
                Event(id=event["id"], at=event["createdAt"], message=event["message"])
                for event in service["events"]
            ),
        )

    def history(self, *, after: datetime | None = None) -> Sequence[Deployment]:
        """Every deployment of the last 90 days, or those begun after a moment, the newest first."""
        with self._errors("deployments"):
            listed: list[Mapping[str, Any]] = []
            token: dict[str, str] = {}
            while True:
                answer = self._ecs.list_service_deployments(
                    cluster=self.cluster,
                    service=self.names.service,
                    **({"createdAt": {"after": after}} if after else {}),
                    **token,
                )
                listed += answer["serviceDeployments"]
                if "nextToken" not in answer:
                    break
                token = {"nextToken": answer["nextToken"]}
            revisions = self._revisions([each["targetServiceRevisionArn"] for each in listed])
            reasons = self._rollback_reasons(listed)
        found = [
            Deployment(
                id=_last(each["serviceDeploymentArn"]),
                status=each["status"],
                reason=reasons.get(each["serviceDeploymentArn"]) or each.get("statusReason", ""),
                created_at=each["createdAt"],
                finished_at=each.get("finishedAt"),
                revision=revisions[each["targetServiceRevisionArn"]],
            )
            for each in listed
            if each["targetServiceRevisionArn"] in revisions
        ]
        return sorted(found, key=lambda deployment: deployment.created_at, reverse=True)

    def tasks(self, *, stopped: bool = False) -> Sequence[Task]:
        """The tasks that are to run, or those stopped within the last hour."""
        with self._errors("tasks"):
            arns = [
                arn
                for page in self._ecs.get_paginator("list_tasks").paginate(
                    cluster=self.cluster,
                    serviceName=self.names.service,
                    desiredStatus="STOPPED" if stopped else "RUNNING",
                )
                for arn in page["taskArns"]
            ]
            found = []
            for start in range(0, len(arns), _MOST_TASKS_DESCRIBED):
                part = arns[start : start + _MOST_TASKS_DESCRIBED]
                found += self._ecs.describe_tasks(cluster=self.cluster, tasks=part)["tasks"]
        return [_task(each) for each in found]

    def running_digests(self) -> frozenset[str]:
        """The digests of the images that the service's tasks run, or are about to."""
        return self._digests(self.tasks())

    def task_definitions(self) -> Iterator[TaskDefinition]:
        """The active revisions of the task definition, the newest first; each costs a call."""
        with self._errors("task definitions"):
            arns = [
                arn
                for page in self._ecs.get_paginator("list_task_definitions").paginate(
                    familyPrefix=self.names.task_family, status="ACTIVE"
                )
                for arn in page["taskDefinitionArns"]
            ]
        # Another family's name may begin with this one's.
        ours = [arn for arn in arns if _last(arn).rpartition(":")[0] == self.names.task_family]
        for arn in sorted(ours, key=lambda arn: int(arn.rpartition(":")[2]), reverse=True):
            definition = self.task_definition(_last(arn))
            if definition:
                yield definition

    def task_definition(self, name: str) -> TaskDefinition | None:
        """The revision of that name (`prod-e-task:12`); None if there is none."""
        with self._errors("task definition"):
            try:
                answer = self._ecs.describe_task_definition(taskDefinition=name)
            except self._ecs.exceptions.ClientException:
                return None
        definition = answer["taskDefinition"]
        image = next(
            (
                container["image"]
                for container in definition["containerDefinitions"]
                if container["name"] == self.names.container
            ),
            definition["containerDefinitions"][0]["image"],
        )
        return TaskDefinition(
            name=_last(definition["taskDefinitionArn"]),
            image=image,
            is_active=definition.get("status") == "ACTIVE",
        )

    def begin(
        self, *, task_definition: str | None = None, left: str = "nothing was changed"
    ) -> None:
        """Begins a deployment of that revision, or of the present one anew.

        `left`: for the message if ECS refuses: what was done before.
        """
        with aws_errors(f"ECS did not begin a deployment of {self.names.service}", left=left):
            self._ecs.update_service(
                cluster=self.cluster,
                service=self.names.service,
                **({"taskDefinition": task_definition} if task_definition else {}),
                forceNewDeployment=True,
            )

    def why_stopped(self, deployment: Deployment) -> Sequence[str]:
        """Why tasks of a deployment failed: one line for each reason, with how many."""
        stopped = self.tasks(stopped=True)
        counted = Counter(
            task.epitaph
            for task in stopped
            if task.deployment == deployment.revision.id
            and task.epitaph
            and not task.stopped_reason.startswith("Scaling activity")
        )
        return [
            f"{count} {'task' if count == 1 else 'tasks'} failed: {reason}"
            for reason, count in counted.most_common(5)
        ]

    def exists(self) -> bool:
        """Whether the service is deployed."""
        return self._find() is not None

    def _digests(self, tasks: Sequence[Task]) -> frozenset[str]:
        container = self.names.container
        return frozenset(task.digests[container] for task in tasks if container in task.digests)

    def _service(self) -> Mapping[str, Any]:
        service = self._find()
        if service is None:
            raise UserMistake(
                f"There is no service {self.names.service} in the cluster {self.cluster}"
                f" ({self.environment.region}).",
                next_step="Deploy the environment first:"
                f" npm run deploy -- {self.environment.name}",
            )
        return service

    def _find(self) -> Mapping[str, Any] | None:
        with self._errors("state"):
            try:
                answer = self._ecs.describe_services(
                    cluster=self.cluster, services=[self.names.service]
                )
            except self._ecs.exceptions.ClusterNotFoundException:
                return None
        return next((each for each in answer["services"] if each["status"] == "ACTIVE"), None)

    def _of_primary(self, primary: Mapping[str, Any]) -> Deployment:
        """The primary deployment, of which ECS keeps no record any more."""
        definition = self.task_definition(_last(primary["taskDefinition"]))
        return Deployment(
            id=_last(primary["id"]),
            status=_ROLLOUT_STATES.get(primary.get("rolloutState", ""), "SUCCESSFUL"),
            reason="",
            created_at=primary["createdAt"],
            finished_at=None,
            revision=Revision(
                id=_last(primary["id"]),
                task_definition=_last(primary["taskDefinition"]),
                image=definition.image if definition else "",
            ),
        )

    def _revisions(self, arns: Sequence[str]) -> dict[str, Revision]:
        found = {}
        for part in _parts(sorted(set(arns))):
            answer = self._ecs.describe_service_revisions(serviceRevisionArns=part)
            for each in answer["serviceRevisions"]:
                images = each.get("containerImages", ())
                ours = next(
                    (i for i in images if i["containerName"] == self.names.container),
                    images[0] if images else {},
                )
                found[each["serviceRevisionArn"]] = Revision(
                    id=_last(each["serviceRevisionArn"]),
                    task_definition=_last(each["taskDefinition"]),
                    image=ours.get("image", ""),
                    digest=ours.get("imageDigest"),
                )
        return found

    def _rollback_reasons(self, listed: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Why deployments were rolled back, which the list does not say."""
        arns = [d["serviceDeploymentArn"] for d in listed if d["status"].startswith("ROLLBACK")]
        return {
            each["serviceDeploymentArn"]: each.get("rollback", {}).get("reason", "")
            for part in _parts(arns)
            for each in self._ecs.describe_service_deployments(serviceDeploymentArns=part)[
                "serviceDeployments"
            ]
        }

    def _targets(self, service: Mapping[str, Any]) -> Mapping[str, int]:
        states: Counter[str] = Counter()
        with aws_errors(f"The health of {self.names.service}'s targets cannot be told"):
            for balancer in service["loadBalancers"]:
                if arn := balancer.get("targetGroupArn"):
                    answer = self._elbv2.describe_target_health(TargetGroupArn=arn)
                    states.update(
                        target["TargetHealth"]["State"]
                        for target in answer["TargetHealthDescriptions"]
                    )
        return dict(sorted(states.items()))

    def _errors(self, what: str) -> Any:
        return aws_errors(f"The {what} of {self.names.service} cannot be looked up")

    @cached_property
    def _ecs(self) -> Any:
        with aws_errors("ECS cannot be asked"):
            return aws_client("ecs", region=self.environment.region)

    @cached_property
    def _elbv2(self) -> Any:
        with aws_errors("The load balancer cannot be asked"):
            return aws_client("elbv2", region=self.environment.region)


async def service_statuses(services: Sequence[Deployments]) -> Sequence[ServiceStatus]:
    """The status of each of these services."""
    return [await asyncio.to_thread(service.status) for service in services]


async def newest_deployment(environment: "Environment", key: str) -> Deployment:
    """The newest deployment of a service, under way or not; see `follow_deployment`."""
    return (await asyncio.to_thread(Deployments(environment, key).status)).deployment


async def deployment_begun(
    deployments: Deployments,
    *,
    since: datetime,
    within: float,
    waiting: Callable[[], object] = lambda: None,
) -> Deployment | None:
    """The newest deployment begun after `since`; None if none begins `within` so many seconds.

    `waiting` is called each time that there is none yet.
    """
    deadline = time.monotonic() + within
    while True:
        found = await asyncio.to_thread(deployments.history, after=since)
        newer = [deployment for deployment in found if deployment.created_at > since]
        if newer:
            return newer[0]
        if time.monotonic() >= deadline:
            return None
        waiting()
        await asyncio.sleep(min(_POLL_SECONDS, max(deadline - time.monotonic(), 0.0)))


async def follow_deployment(
    environment: "Environment",
    key: str,
    *,
    since: datetime | None,
    terminal: Terminal,
    begins_within: float = _BEGIN_SECONDS,
    patience: float = _PATIENCE_SECONDS,
) -> Deployment:
    """Shows a deployment live until it has succeeded.

    `key`: of the service in the settings. `since`: `created_at` of the newest deployment before,
    as `newest_deployment` gives it (AWS's clock, not this machine's); None: the newest there is.
    `begins_within`: seconds in which one must begin after `since`. `patience`: seconds that it may
    take.

    Raises `OpsError` if none begins, if it does not end in time, or if it ends otherwise than by
    success: then with ECS's reason and those of the tasks that stopped.
    """
    deployments = Deployments(environment, key)
    service = deployments.names.service
    again = f"prod-e deploy-status {key} --environment {environment.name}"
    try:
        with terminal.step(f"Deploy {service}") as step:
            if since is None:
                followed = (await asyncio.to_thread(deployments.status)).deployment
            else:
                step.update("waiting for the deployment to begin")
                begun = await deployment_begun(
                    deployments,
                    since=since,
                    within=begins_within,
                    waiting=lambda: step.update("waiting for the deployment to begin"),
                )
                if begun is None:
                    raise OpsError(
                        f"No deployment of {service} began within {begins_within:.0f} seconds.",
                        next_step="The service runs what it ran before. `prod-e rollback"
                        f" {key}` shows the images; `npm run plan -- {environment.name}` shows"
                        " whether the redeployment on push is deployed.",
                    )
                followed = begun
            deadline = time.monotonic() + patience
            told: set[str] = set()
            while True:
                status = await asyncio.to_thread(deployments.status)
                for event in reversed(status.events):
                    # Their times are whole seconds in places.
                    is_new = event.at >= followed.created_at - timedelta(seconds=1)
                    if is_new and event.id not in told:
                        told.add(event.id)
                        terminal.say(f"  {event}")
                step.update(status.progress)
                ended = await _ended(deployments, followed, status)
                if ended is not None:
                    break
                if time.monotonic() >= deadline:
                    raise OpsError(
                        f"The deployment of {service} is still {status.deployment.state} after"
                        f" {step.seconds / 60:.0f} minutes: {status.progress}.",
                        details=await asyncio.to_thread(deployments.why_stopped, followed),
                        next_step=f"ECS goes on with it. Watch it with `{again} --wait`.",
                    )
                await asyncio.sleep(_POLL_SECONDS)
            step.outcome = (
                f"{status.running} of {status.desired} tasks run {ended.revision.task_definition}"
                if ended.succeeded
                else ended.state
            )
            if not ended.succeeded:
                raise await failure(deployments, ended)
    except asyncio.CancelledError:
        terminal.say(f"ECS goes on with the deployment. Watch it with `{again} --wait`.")
        raise
    return ended


async def failure(deployments: Deployments, deployment: Deployment) -> OpsError:
    """The error for a deployment that has failed, with what is known about why."""
    service, key = deployments.names.service, deployments.key
    at = f"{key} --environment {deployments.environment.name}"
    reasons = await asyncio.to_thread(deployments.why_stopped, deployment)
    because = f": {deployment.reason}" if deployment.reason else "."
    if deployment.status == "STOPPED":
        return OpsError(
            f"The deployment of {service} was stopped before it was complete{because}",
            details=reasons,
            next_step=f"Another one may have taken its place: prod-e deploy-status {at} --wait",
        )
    followed = deployments.settings.image_tag
    still = f"the tag {followed} still names" if followed == "latest" else "the settings still pin"
    message, left = {
        "ROLLBACK_SUCCESSFUL": (
            f"ECS rolled the deployment of {service} back{because}",
            f"The service runs what it ran before, and {still} what failed: push a repaired image,"
            f" or go back with `prod-e rollback {at}`.",
        ),
        "ROLLBACK_FAILED": (
            f"The deployment of {service} failed, and ECS could not roll it back{because}",
            f"Nothing may be running: go back with `prod-e rollback {at}`.",
        ),
    }.get(
        deployment.status,
        (
            f"The deployment of {service} failed{because}",
            f"Go back with `prod-e rollback {at}`.",
        ),
    )
    return OpsError(
        message,
        details=[
            *(reasons or ["ECS keeps no stopped task of it any more, which would say why."]),
            f"What its containers wrote is in the log group {deployments.names.log_group}.",
        ],
        next_step=left,
    )


async def _ended(
    deployments: Deployments, followed: Deployment, status: ServiceStatus
) -> Deployment | None:
    """The followed deployment, if it has ended."""
    now = status.deployment
    if now.id != followed.id:
        after = followed.created_at - timedelta(seconds=1)
        found = await asyncio.to_thread(deployments.history, after=after)
        now = next((each for each in found if each.id == followed.id), followed)
    return None if now.under_way else now


def shown_time(moment: datetime) -> str:
    """A moment for people, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def shown_minute(moment: datetime) -> str:
    """A moment in a column of a table, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _task(values: Mapping[str, Any]) -> Task:
    containers = values.get("containers", ())
    return Task(
        id=_last(values["taskArn"]),
        status=values["lastStatus"],
        deployment=_last(values.get("startedBy", "")),
        task_definition=_last(values["taskDefinitionArn"]),
        digests={c["name"]: c["imageDigest"] for c in containers if c.get("imageDigest")},
        stopped_reason=values.get("stoppedReason", ""),
        exits=tuple(
            f"container {c['name']} exited with {c['exitCode']}"
            + (f" ({c['reason']})" if c.get("reason") else "")
            for c in containers
            if c.get("exitCode") is not None
        ),
    )


def _parts(arns: Sequence[str]) -> Iterator[Sequence[str]]:
    return (arns[start : start + _MOST_DESCRIBED] for start in range(0, len(arns), _MOST_DESCRIBED))


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None
