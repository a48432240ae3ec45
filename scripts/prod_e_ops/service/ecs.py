"""One ECS service, asked by the AWS API."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from prod_e.names import ServiceNames
from prod_e_ops import next_commands
from prod_e_ops.aws.clients import aws_client, aws_errors
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.errors import ServiceNotDeployed
from prod_e_ops.project.project import service_settings
from prod_e_ops.service.model import (
    Deployment,
    Event,
    Revision,
    ServiceStatus,
    Task,
    TaskDefinition,
)

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.literals import DesiredStatusType
    from mypy_boto3_ecs.type_defs import (
        DeploymentTypeDef,
        ListServiceDeploymentsRequestTypeDef,
        ServiceDeploymentBriefTypeDef,
        ServiceTypeDef,
        TaskTypeDef,
        UpdateServiceRequestTypeDef,
    )
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import DescribeTargetHealthOutputTypeDef

    from prod_e.settings import Environment

# How long before the primary deployment the newest one may have begun.
_LONGEST_DEPLOYMENT = timedelta(days=2)

# What one call may name:
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
_MOST_DESCRIBED = 20
_MOST_TASKS_DESCRIBED = 100

_NEVER = datetime.min.replace(tzinfo=UTC)

_ROLLOUT_STATES = {"COMPLETED": "SUCCESSFUL", "IN_PROGRESS": "IN_PROGRESS", "FAILED": "FAILED"}


class Deployments:
    """The deployments of one service, as ECS knows them. Its coroutines wait for AWS.

    All raise `UserMistake` for a service that does not exist or credentials that AWS does not
    accept, and `OpsError` for an AWS that fails.
    """

    def __init__(self, environment: "Environment", key: str) -> None:
        """`key`: of the service in the settings; raises `UserMistake` if there is none."""
        self.environment = environment
        self.key = key
        self.settings = service_settings(environment, key)
        self.names = ServiceNames.of(environment.name, key, self.settings)
        self.cluster = environment.names.cluster

    async def status(self) -> ServiceStatus:
        """The service, and its newest deployment."""
        service = await self._service()
        primary = next(d for d in service["deployments"] if d["status"] == "PRIMARY")
        # After a rollback the primary deployment is one that began when the newest had failed.
        newest = await self.history(after=primary["createdAt"] - _LONGEST_DEPLOYMENT)
        deployment = newest[0] if newest else await self._of_primary(primary)
        tasks = await self.tasks()
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
            targets=await self._targets(service),
            deployment=deployment,
            events=tuple(
                Event(id=event["id"], at=event["createdAt"], message=event["message"])
                for event in service["events"]
            ),
        )

    async def history(self, *, after: datetime | None = None) -> Sequence[Deployment]:
        """Every deployment of the last 90 days, or those begun after a moment, the newest first."""
        with self._errors("deployments"):
            listed = await in_thread(lambda: self._listed_deployments(after))
            revisions = await self._revisions([each["targetServiceRevisionArn"] for each in listed])
            reasons = await self._rollback_reasons(listed)
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

    async def tasks(self, *, stopped: bool = False) -> Sequence[Task]:
        """The tasks that are to run, or those stopped within the last hour."""
        with self._errors("tasks"):
            found = await in_thread(
                lambda: self._described_tasks("STOPPED" if stopped else "RUNNING")
            )
        return [_task(each) for each in found]

    async def running_digests(self) -> frozenset[str]:
        """The digests of the images that the service's tasks run, or are about to."""
        return self._digests(await self.tasks())

    async def task_definitions(self) -> AsyncIterator[TaskDefinition]:
        """The active revisions of the task definition, the newest first; each costs a call."""
        with self._errors("task definitions"):
            arns = await in_thread(self._listed_task_definitions)
        # Another family's name may begin with this one's.
        ours = [arn for arn in arns if _last(arn).rpartition(":")[0] == self.names.task_family]
        for arn in sorted(ours, key=lambda arn: int(arn.rpartition(":")[2]), reverse=True):
            definition = await self.task_definition(_last(arn))
            if definition:
                yield definition

    async def task_definition(self, name: str) -> TaskDefinition | None:
        """The revision of that name (`prod-e-task:12`); None if there is none."""
        with self._errors("task definition"):
            try:
                answer = await in_thread(
                    lambda: self._ecs.describe_task_definition(taskDefinition=name)
                )
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

    async def begin(
        self, *, task_definition: str | None = None, left: str = "nothing was changed"
    ) -> None:
        """Begins a deployment of that revision, or of the present one anew.

        `left`: for the message if ECS refuses: what was done before.
        """
        request: UpdateServiceRequestTypeDef = {
            "cluster": self.cluster,
            "service": self.names.service,
            "forceNewDeployment": True,
        }
        if task_definition:
            request["taskDefinition"] = task_definition
        with aws_errors(f"ECS did not begin a deployment of {self.names.service}", left=left):
            await in_thread(lambda: self._ecs.update_service(**request))

    async def failed_tasks(self, deployment: Deployment) -> Sequence[Task]:
        """The tasks of a deployment that failed within the last hour, the newest first."""
        failed = [
            task
            for task in await self.tasks(stopped=True)
            if task.deployment == deployment.revision.id
            and task.why_stopped
            and not task.stopped_reason.startswith("Scaling activity")
        ]
        return sorted(failed, key=lambda task: task.stopped_at or _NEVER, reverse=True)

    async def exists(self) -> bool:
        """Whether the service is deployed."""
        return await self._find() is not None

    def _digests(self, tasks: Sequence[Task]) -> frozenset[str]:
        container = self.names.container
        return frozenset(task.digests[container] for task in tasks if container in task.digests)

    async def _service(self) -> "ServiceTypeDef":
        service = await self._find()
        if service is None:
            raise ServiceNotDeployed(
                f"There is no service {self.names.service} in the cluster {self.cluster}"
                f" ({self.environment.region}).",
                next_step="Deploy the environment first:"
                f" {next_commands.deploy(self.environment.name)}",
            )
        return service

    async def _find(self) -> "ServiceTypeDef | None":
        with self._errors("state"):
            try:
                answer = await in_thread(
                    lambda: self._ecs.describe_services(
                        cluster=self.cluster, services=[self.names.service]
                    )
                )
            except self._ecs.exceptions.ClusterNotFoundException:
                return None
        return next((each for each in answer["services"] if each["status"] == "ACTIVE"), None)

    async def _of_primary(self, primary: "DeploymentTypeDef") -> Deployment:
        """The primary deployment, of which ECS keeps no record any more."""
        definition = await self.task_definition(_last(primary["taskDefinition"]))
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

    async def _revisions(self, arns: Sequence[str]) -> dict[str, Revision]:
        found = {}
        for part in _parts(sorted(set(arns))):
            describe = partial(self._ecs.describe_service_revisions, serviceRevisionArns=part)
            answer = await in_thread(describe)
            for each in answer["serviceRevisions"]:
                images = each.get("containerImages", ())
                ours = next(
                    (i for i in images if i["containerName"] == self.names.container),
                    images[0] if images else None,
                )
                found[each["serviceRevisionArn"]] = Revision(
                    id=_last(each["serviceRevisionArn"]),
                    task_definition=_last(each["taskDefinition"]),
                    image=ours.get("image", "") if ours else "",
                    digest=ours.get("imageDigest") if ours else None,
                )
        return found

    async def _rollback_reasons(
        self, listed: "Sequence[ServiceDeploymentBriefTypeDef]"
    ) -> dict[str, str]:
        """Why deployments were rolled back, which the list does not say."""
        arns = [d["serviceDeploymentArn"] for d in listed if d["status"].startswith("ROLLBACK")]
        reasons = {}
        for part in _parts(arns):
            describe = partial(self._ecs.describe_service_deployments, serviceDeploymentArns=part)
            for each in (await in_thread(describe))["serviceDeployments"]:
                reason = each.get("rollback", {}).get("reason", "")
                reasons[each["serviceDeploymentArn"]] = reason
        return reasons

    async def _targets(self, service: "ServiceTypeDef") -> Mapping[str, int]:
        states: Counter[str] = Counter()
        with aws_errors(f"Cannot read the health of {self.names.service}'s targets"):
            for balancer in service["loadBalancers"]:
                if arn := balancer.get("targetGroupArn"):
                    answer = await in_thread(partial(self._target_health, arn))
                    states.update(
                        target["TargetHealth"]["State"]
                        for target in answer["TargetHealthDescriptions"]
                    )
        return dict(sorted(states.items()))

    def _listed_deployments(
        self, after: datetime | None
    ) -> "Sequence[ServiceDeploymentBriefTypeDef]":
        # botocore has no paginator for it.
        listed: list[ServiceDeploymentBriefTypeDef] = []
        request: ListServiceDeploymentsRequestTypeDef = {
            "cluster": self.cluster,
            "service": self.names.service,
        }
        if after:
            request["createdAt"] = {"after": after}
        while True:
            answer = self._ecs.list_service_deployments(**request)
            listed += answer["serviceDeployments"]
            if "nextToken" not in answer:
                return listed
            request["nextToken"] = answer["nextToken"]

    def _described_tasks(self, desired_status: "DesiredStatusType") -> "Sequence[TaskTypeDef]":
        pages = self._ecs.get_paginator("list_tasks").paginate(
            cluster=self.cluster, serviceName=self.names.service, desiredStatus=desired_status
        )
        arns = [arn for page in pages for arn in page["taskArns"]]
        found: list[TaskTypeDef] = []
        for start in range(0, len(arns), _MOST_TASKS_DESCRIBED):
            part = arns[start : start + _MOST_TASKS_DESCRIBED]
            found += self._ecs.describe_tasks(cluster=self.cluster, tasks=part)["tasks"]
        return found

    def _listed_task_definitions(self) -> Sequence[str]:
        pages = self._ecs.get_paginator("list_task_definitions").paginate(
            familyPrefix=self.names.task_family, status="ACTIVE"
        )
        return [arn for page in pages for arn in page["taskDefinitionArns"]]

    def _target_health(self, arn: str) -> "DescribeTargetHealthOutputTypeDef":
        return self._elbv2.describe_target_health(TargetGroupArn=arn)

    def _errors(self, what: str) -> AbstractContextManager[None]:
        return aws_errors(f"Cannot read the {what} of {self.names.service}")

    @cached_property
    def _ecs(self) -> "ECSClient":
        with aws_errors("Cannot call ECS"):
            return aws_client("ecs", region=self.environment.region)

    @cached_property
    def _elbv2(self) -> "ElasticLoadBalancingv2Client":
        with aws_errors("Cannot call Elastic Load Balancing"):
            return aws_client("elbv2", region=self.environment.region)


def _task(values: "TaskTypeDef") -> Task:
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
        failed_containers=tuple(c["name"] for c in containers if c.get("exitCode")),
        stopped_at=values.get("stoppedAt"),
    )


def _parts(arns: Sequence[str]) -> Iterator[Sequence[str]]:
    return (arns[start : start + _MOST_DESCRIBED] for start in range(0, len(arns), _MOST_DESCRIBED))


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]
