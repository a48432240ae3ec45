"""A web service without a database: `python -m prod_e examples/web_service.py`."""

from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from constructs import Construct

from prod_e import FargateService, HealthCheck, LoadBalancer, Monitoring, Network, Scaling


class WebService(TerraformStack):
    """nginx behind a load balancer, in two zones, with alarms."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        AwsProvider(self, "aws", region="us-west-2")
        network = Network(self, "network", cidr="10.0.0.0/16")
        alb = LoadBalancer(self, "alb", network=network)
        web = FargateService(
            self,
            "web",
            network=network,
            image="nginxinc/nginx-unprivileged:1.29",
            port=8080,
            scaling=Scaling(min_tasks=2, max_tasks=4),
        )
        alb.route(web, health_check=HealthCheck(path="/"))
        Monitoring(self, "monitoring").watch(web)


if __name__ == "__main__":
    app = App()
    WebService(app, "web-service")
    app.synth()
