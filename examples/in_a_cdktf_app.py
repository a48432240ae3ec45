"""One service in an app that has its network, cluster, load balancer and database already.

`python -m prod_e examples/in_a_cdktf_app.py`
"""

from cdktf import App, TerraformStack, TerraformVariable
from cdktf_cdktf_provider_aws.provider import AwsProvider
from constructs import Construct

from prod_e import Cluster, Database, EcrImage, FargateService, LoadBalancer, Network


class Reports(TerraformStack):
    """What is there comes as Terraform variables; only the service is made."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        AwsProvider(self, "aws", region="us-west-2")
        network = Network.from_existing(
            self,
            "network",
            vpc_id=self._variable("vpc_id"),
            private_subnet_ids=[self._variable("subnet_a"), self._variable("subnet_b")],
        )
        alb = LoadBalancer.from_existing(
            self,
            "alb",
            network=network,
            listener_arn=self._variable("listener_arn"),
            security_group_id=self._variable("alb_security_group_id"),
        )
        database = Database.from_existing(
            self,
            "db",
            identifier="company",
            security_group_id=self._variable("database_security_group_id"),
        )
        reports = FargateService(
            self,
            "service",
            network=network,
            cluster=Cluster.from_existing(self, "cluster", name="company"),
            image=EcrImage(repository="company/reports", tag="v1.4.0"),
            port=8080,
        )
        alb.route(reports, path="/reports/*")
        database.add_user(reports, migration_command=("reports", "migrate"), prefix="REPORTS_DB_")

    def _variable(self, name: str) -> str:
        return TerraformVariable(self, name, type="string").string_value


if __name__ == "__main__":
    app = App()
    Reports(app, "reports")
    app.synth()
