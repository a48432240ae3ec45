"""The ECS cluster that an environment's services share."""

from cdktf_cdktf_provider_aws.ecs_cluster import EcsCluster, EcsClusterSetting
from cdktf_cdktf_provider_aws.ecs_cluster_capacity_providers import EcsClusterCapacityProviders
from constructs import Construct


class Cluster(Construct):
    """An ECS cluster with Fargate and Fargate Spot, and Container Insights.

    `name`: 1 to 255 letters, digits, hyphens and underscores.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
    """

    def __init__(self, scope: Construct, id: str, *, name: str) -> None:
        super().__init__(scope, id)
        cluster = EcsCluster(
            self,
            "cluster",
            name=name,
            # The alarm on running tasks needs its metrics.
            setting=[EcsClusterSetting(name="containerInsights", value="enabled")],
        )
        self.capacity_providers = EcsClusterCapacityProviders(
            self,
            "capacity-providers",
            cluster_name=cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
        )
        self.name = name
        self.arn = cluster.arn
