"""`[cluster]`: the ECS cluster of an environment's services."""

from typing import Annotated

from prod_e.settings.fields import Section, matching


class Cluster(Section):
    """The ECS cluster of an environment's services."""

    arn: (
        Annotated[
            str,
            matching(
                r"^arn:aws[a-z-]*:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]{1,255}$",
                "the ARN of an ECS cluster in the environment's region",
            ),
        ]
        | None
    ) = None
    """A cluster that is there already, in place of one that is made, with the capacity providers
    FARGATE and FARGATE_SPOT; the alarm on running tasks needs its Container Insights.
    In another cluster the services are deleted and made anew."""

    @property
    def existing_name(self) -> str | None:
        """The name of the cluster that is there already."""
        return self.arn.rpartition("/")[2] if self.arn else None
