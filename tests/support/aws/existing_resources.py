"""What a company has already: a VPC with subnets, a cluster, a load balancer, a database."""

from dataclasses import asdict, dataclass

from embedded_aws import EmbeddedAws
from tests.support.aws.aws_clients import client_of
from tests.support.project.variants import NOWHERE

NAME = "company"


@dataclass(frozen=True, kw_only=True)
class ExistingResources:
    """Their ids and ARNs; each resource is called `company`."""

    vpc_id: str
    public_subnet_ids: tuple[str, str]
    private_subnet_ids: tuple[str, str]
    cluster_arn: str
    listener_arn: str
    load_balancer_group: str
    database_arn: str
    database_group: str

    def settings(self, name: str) -> str:
        """The settings of an environment, in the VPC, that makes nothing of which there is one."""
        return f"""
name = "{name}"
[network]
vpc_id = "{self.vpc_id}"
private_subnet_ids = ["{'", "'.join(self.private_subnet_ids)}"]
[cluster]
arn = "{self.cluster_arn}"
[load_balancer]
listener_arn = "{self.listener_arn}"
security_group_id = "{self.load_balancer_group}"
[database]
arn = "{self.database_arn}"
security_group_id = "{self.database_group}"
[services.backend]
build = "external"
path = "/reports/*"
"""


def infrastructure(aws: EmbeddedAws) -> dict[str, list[str]]:
    """The VPCs, subnets, load balancers, clusters and databases that are there."""
    ec2, elb, ecs = (client_of(aws, service) for service in ("ec2", "elbv2", "ecs"))
    # ECS goes on listing clusters that were deleted, as inactive.
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    found = {
        "vpcs": [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]],
        "subnets": [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]],
        "load balancers": [
            each["LoadBalancerArn"] for each in elb.describe_load_balancers()["LoadBalancers"]
        ],
        "clusters": [each["clusterArn"] for each in clusters if each["status"] == "ACTIVE"],
        "databases": [
            each["DBInstanceArn"]
            for each in client_of(aws, "rds").describe_db_instances()["DBInstances"]
        ],
    }
    return {kind: sorted(names) for kind, names in found.items()}


def security_group_rules(aws: EmbeddedAws) -> list[str]:
    """The ids of all rules of security groups."""
    rules = client_of(aws, "ec2").describe_security_group_rules()["SecurityGroupRules"]
    return sorted(rule["SecurityGroupRuleId"] for rule in rules)


def make_existing_resources(aws: EmbeddedAws) -> ExistingResources:
    """Makes them on an embedded AWS."""
    ec2, elb, rds = (client_of(aws, service) for service in ("ec2", "elbv2", "rds"))
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]

    def subnet(number: int) -> str:
        made = ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.7.{number}.0/24",
            AvailabilityZone=f"{aws.region}{'ab'[number % 2]}",
        )
        return str(made["Subnet"]["SubnetId"])

    def group(name: str) -> str:
        made = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)
        return str(made["GroupId"])

    public, private = (subnet(0), subnet(1)), (subnet(2), subnet(3))
    balancer_group, database_group = group("company-alb"), group("company-db")
    balancer = elb.create_load_balancer(
        Name=NAME, Subnets=list(public), SecurityGroups=[balancer_group], Type="application"
    )["LoadBalancers"][0]["LoadBalancerArn"]
    listener = elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[
            {
                "Type": "fixed-response",
                "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"},
            }
        ],
    )["Listeners"][0]["ListenerArn"]
    rds.create_db_subnet_group(
        DBSubnetGroupName=NAME, DBSubnetGroupDescription=NAME, SubnetIds=list(private)
    )
    database = rds.create_db_instance(
        DBInstanceIdentifier=NAME,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        DBName=NAME,
        AllocatedStorage=20,
        StorageEncrypted=True,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        DBSubnetGroupName=NAME,
        VpcSecurityGroupIds=[database_group],
    )["DBInstance"]["DBInstanceArn"]
    cluster = client_of(aws, "ecs").create_cluster(
        clusterName=NAME, capacityProviders=["FARGATE", "FARGATE_SPOT"]
    )["cluster"]["clusterArn"]
    return ExistingResources(
        vpc_id=vpc,
        public_subnet_ids=public,
        private_subnet_ids=private,
        cluster_arn=cluster,
        listener_arn=listener,
        load_balancer_group=balancer_group,
        database_arn=database,
        database_group=database_group,
    )


def make_what_variants_name(aws: EmbeddedAws) -> dict[str, str]:
    """Makes what they name as being there already; returns each one's id, ARN or name."""
    existing = asdict(make_existing_resources(aws))
    for tier in ("public", "private"):
        ids = existing.pop(f"{tier}_subnet_ids")
        existing |= {f"{tier}_{number}": id for number, id in enumerate(ids, start=1)}
    client_of(aws, "s3").create_bucket(
        Bucket=NOWHERE["state_bucket"],
        CreateBucketConfiguration={"LocationConstraint": aws.region},
    )
    zone = client_of(aws, "route53").create_hosted_zone(
        Name="example.com", CallerReference="variants"
    )
    certificate = client_of(aws, "acm").request_certificate(
        DomainName="shop.example.com", ValidationMethod="DNS"
    )
    secret = client_of(aws, "secretsmanager").create_secret(
        Name="company-login", SecretString='{"username": "shop", "password": "-"}'
    )
    client_of(aws, "rds").create_db_snapshot(
        DBInstanceIdentifier=existing["database_arn"].rpartition(":")[2],
        DBSnapshotIdentifier=NOWHERE["snapshot"],
    )
    return {
        **existing,
        "snapshot": NOWHERE["snapshot"],
        "state_bucket": NOWHERE["state_bucket"],
        "hosted_zone_id": zone["HostedZone"]["Id"].removeprefix("/hostedzone/"),
        "certificate_arn": certificate["CertificateArn"],
        "secret_arn": secret["ARN"],
    }
