"""The ECS cluster that services share."""

from typing import Annotated

from cdktf import ITerraformDependable, TerraformStack
from cdktf_cdktf_provider_aws.ecs_cluster import EcsCluster, EcsClusterSetting
from cdktf_cdktf_provider_aws.ecs_cluster_capacity_providers import EcsClusterCapacityProviders
from constructs import Construct

from prod_e.account import Account
from prod_e.doc import Doc


class ClusterBase(Construct):
    """What a service needs of a cluster, whether it is made here or was there before.

    `dependables`: what must exist before a service can run in it.
    """

    name: str
    arn: str
    dependables: list[ITerraformDependable]


class Cluster(ClusterBase):
    """An ECS cluster with Fargate and Fargate Spot, and Container Insights.

    `cluster`, `capacity_providers`: the resources.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: Annotated[
            str | None,
            Doc("1 to 255 letters, digits, hyphens and underscores; default: <stack>-<id>"),
        ] = None,
    ) -> None:
        super().__init__(scope, id)
        self.name = name or f"{TerraformStack.of(self).node.id}-{id}"
        self.cluster = EcsCluster(
            self,
            "cluster",
            name=self.name,
            # The alarm on running tasks needs its metrics.
            setting=[EcsClusterSetting(name="containerInsights", value="enabled")],
        )
        self.arn = self.cluster.arn
        self.capacity_providers = EcsClusterCapacityProviders(
            self,
            "capacity-providers",
            cluster_name=self.cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
        )
        self.dependables = [self.capacity_providers]

    @staticmethod
    def from_existing(
        scope: Construct,
        id: str,
        *,
        name: Annotated[str, Doc("the name of a cluster in this account and region")],
    ) -> ClusterBase:
        """A cluster that is there already; it has the capacity providers FARGATE(_SPOT)."""
        return ExistingCluster(scope, id, name=name)


class ExistingCluster(ClusterBase):
    """A cluster that somebody else made; see `Cluster.from_existing`."""

    def __init__(self, scope: Construct, id: str, *, name: str) -> None:
        super().__init__(scope, id)
        self.name = name
        self.arn = Account.of(self).arn("ecs", f"cluster/{name}")
        self.dependables = []
