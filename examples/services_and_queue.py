"""Two services and a queue of one's own: `python -m prod_e examples/services_and_queue.py`."""

from cdktf import App, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from constructs import Construct

from prod_e import (
    Cluster,
    Database,
    FargateService,
    HealthCheck,
    LoadBalancer,
    Network,
    Statement,
)

IMAGE = "public.ecr.aws/docker/library/python:3.13-slim"


class Shop(TerraformStack):
    """An API takes orders and queues them; a worker, which nobody can reach, does the rest."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        AwsProvider(self, "aws", region="us-west-2")
        network = Network(self, "network", egress="endpoints")
        cluster = Cluster(self, "cluster")
        api = FargateService(self, "api", network=network, cluster=cluster, image=IMAGE, port=8000)
        worker = FargateService(
            self, "worker", network=network, cluster=cluster, image=IMAGE, desired_tasks=1
        )
        alb = LoadBalancer(self, "alb", network=network)
        alb.route(api, path="/orders/*", health_check=HealthCheck(path="/orders/health"))

        database = Database(self, "db", network=network)
        database.add_user(api, migration_command=("python", "-m", "api.migrate"))
        database.add_user(worker, migration_command=("python", "-m", "worker.migrate"))

        orders = SqsQueue(self, "orders", name="shop-orders", sqs_managed_sse_enabled=True)
        for service, actions in (
            (api, ("sqs:SendMessage",)),
            (worker, ("sqs:DeleteMessage", "sqs:ReceiveMessage")),
        ):
            service.add_environment(ORDERS_URL=orders.url)
            service.add_to_task_policy(Statement(actions=actions, resources=(orders.arn,)))
        TerraformOutput(self, "url", value=alb.url)


if __name__ == "__main__":
    app = App()
    Shop(app, "shop")
    app.synth()
