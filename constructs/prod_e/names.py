"""What things are called in AWS. It needs no cdktf, so that any tool can ask it quickly."""

from dataclasses import dataclass
from typing import Annotated, Protocol, Self

from prod_e.doc import Doc

LOG_STREAM_PREFIX = "ecs"

ENVIRONMENT_TAG = "prod-e:environment"
"""The key of the tag with the environment's name that everything made has: what has it is ours."""


_LONGEST = 255


def with_end(
    name: Annotated[str, Doc("such as prod-e-service, of at most 255 characters")],
    end: Annotated[str, Doc("such as cpu")],
) -> str:
    """A name of at most 255 characters, as ECS and what scales it take, cut for its end's sake."""
    return f"{name[: _LONGEST - len(end) - 1]}-{end}"


class NamedService(Protocol):
    """The names that a service's settings give; `None` where they give none."""

    @property
    def repository(self) -> str | None:
        """The ECR repository."""

    @property
    def task_family(self) -> str | None:
        """The task definition's family."""

    @property
    def container(self) -> str | None:
        """The container in the task."""

    @property
    def service(self) -> str | None:
        """The ECS service."""

    @property
    def log_group(self) -> str | None:
        """The CloudWatch log group."""


@dataclass(frozen=True)
class EnvironmentNames:
    """What an environment's own resources and stacks are called."""

    prefix: Annotated[str, Doc("the environment's name, such as prod-e")]
    existing_cluster: Annotated[str | None, Doc("the name of a cluster that is there already")] = (
        None
    )

    @property
    def main_stack(self) -> str:
        """The stack of everything that runs."""
        return self.prefix

    @property
    def registry_stack(self) -> str:
        """The stack of the ECR repositories."""
        return f"{self.prefix}-registry"

    @property
    def image_stack(self) -> str:
        """The stack of the images that Terraform builds."""
        return f"{self.prefix}-image"

    @property
    def stacks(self) -> tuple[str, str, str]:
        """All stacks, in the order in which they are applied."""
        return self.registry_stack, self.image_stack, self.main_stack

    @property
    def cluster(self) -> str:
        """The ECS cluster."""
        return self.existing_cluster or f"{self.prefix}-cluster"

    @property
    def load_balancer(self) -> str:
        """The Application Load Balancer."""
        return f"{self.prefix}-alb"

    @property
    def web_acl(self) -> str:
        """The load balancer's web ACL."""
        return f"{self.prefix}-waf"

    @property
    def database(self) -> str:
        """The RDS instance's identifier."""
        return f"{self.prefix}-database"

    def parameter_group(
        self, engine_version: Annotated[str, Doc("the database's, such as 16 or 16.4")]
    ) -> str:
        """The database's parameter group."""
        return f"{self.prefix}-postgres{engine_version.split('.')[0]}"

    @property
    def dashboard(self) -> str:
        """The CloudWatch dashboard."""
        return self.prefix

    @property
    def alarm_topic(self) -> str:
        """The SNS topic of all alarms."""
        return f"{self.prefix}-alarms"

    def alarm(
        self,
        watched: Annotated[str, Doc("a service's key, load-balancer, or database")],
        kind: Annotated[str, Doc("such as cpu")],
    ) -> str:
        """An alarm."""
        return f"{self.prefix}-{watched}-{kind}"

    @property
    def delivery_role(self) -> str:
        """The IAM role with which continuous integration pushes images."""
        return f"{self.prefix}-delivery"


@dataclass(frozen=True, kw_only=True)
class ServiceNames:
    """What a service's resources are called in AWS."""

    prefix: Annotated[str, Doc("what the names of roles and target groups begin with")]
    repository: Annotated[str, Doc("the ECR repository")]
    task_family: Annotated[str, Doc("the task definition's family")]
    container: Annotated[str, Doc("the container in the task")]
    service: Annotated[str, Doc("the ECS service")]
    log_group: Annotated[str, Doc("the CloudWatch log group")]
    redeploy: Annotated[
        str, Doc("the rule and the state machine that deploy it anew when its tag is pushed")
    ]

    @classmethod
    def of(
        cls,
        environment_name: Annotated[str, Doc("such as prod-e")],
        key: Annotated[str, Doc("the service's in the settings")],
        service: Annotated[NamedService, Doc("the names that its settings give")],
    ) -> Self:
        """The names that the settings give, or those made of the environment and the service."""
        default = f"{environment_name}-{key}"
        return cls(
            prefix=default,
            repository=service.repository or default,
            task_family=service.task_family or default,
            container=service.container or default,
            service=service.service or default,
            log_group=service.log_group or f"/ecs/{default}",
            redeploy=f"{default}-redeploy",
        )

    def log_stream(
        self,
        task_id: Annotated[str, Doc("the end of the task's ARN")],
        container: Annotated[str, Doc("the container in the task")],
    ) -> str:
        """The stream of the log group that a container of a task writes to.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html
        """
        return f"{LOG_STREAM_PREFIX}/{container}/{task_id}"

    @property
    def target_group(self) -> str:
        """The load balancer's target group of its tasks, where it is new."""
        return self.prefix
