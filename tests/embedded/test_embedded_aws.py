"""The embedded AWS keeps what moto forgets, and answers where moto does not."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws, EmbeddedAwsError
from embedded_aws.control_plane.not_implemented import answering_everything
from tests.support.processes import is_running

SUBNET_CIDRS = ("10.0.1.0/24", "10.0.2.0/24")

Clients = Callable[[str], Any]


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """One without a data plane."""
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def clients(aws: EmbeddedAws) -> Iterator[Clients]:
    made = []

    def client(service: str) -> Any:
        made.append(_client(aws, service))
        return made[-1]

    yield client
    for each in made:
        each.close()


def _client(aws: EmbeddedAws, service: Any) -> Any:
    variables = aws.variables()
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name=aws.region,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


class Service:
    """A Fargate service behind a target group, in a network and a cluster of its own."""

    def __init__(self, clients: Clients, **arguments: Any) -> None:
        self.ecs, self.ec2, self.elbv2 = clients("ecs"), clients("ec2"), clients("elbv2")
        self.cluster = f"cluster-{uuid4().hex[:8]}"
        self.name = "service"
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"us-west-2{zone}")[
                "Subnet"
            ]["SubnetId"]
            for cidr, zone in zip(SUBNET_CIDRS, "ab", strict=True)
        ]
        security_group = self.ec2.create_security_group(
            GroupName="tasks", Description="tasks", VpcId=vpc
        )["GroupId"]
        self.target_group = self.elbv2.create_target_group(
            Name=self.cluster, Protocol="HTTP", Port=3000, VpcId=vpc, TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        self.ecs.create_cluster(clusterName=self.cluster)
        self.task_definition = self.register_task_definition()
        self.created = self.ecs.create_service(
            **{
                "cluster": self.cluster,
                "serviceName": self.name,
                "taskDefinition": self.task_definition,
                "desiredCount": 2,
                "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
                "networkConfiguration": {
                    "awsvpcConfiguration": {
                        "subnets": self.subnets,
                        "securityGroups": [security_group],
                    }
                },
                "loadBalancers": [
                    {
                        "targetGroupArn": self.target_group,
                        "containerName": "app",
                        "containerPort": 3000,
                    }
                ],
                **arguments,
            }
        )["service"]

    def register_task_definition(self, image: str = "app", command: Sequence[str] = ()) -> str:
        arn: str = self.ecs.register_task_definition(
            family=self.cluster,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {"name": "app", "image": image, "essential": True, "command": list(command)}
            ],
        )["taskDefinition"]["taskDefinitionArn"]
        return arn

    def describe(self) -> dict[str, Any]:
        answer = self.ecs.describe_services(cluster=self.cluster, services=[self.name])
        described: dict[str, Any] = answer["services"][0]
        return described

    def update(self, **arguments: Any) -> None:
        self.ecs.update_service(cluster=self.cluster, service=self.name, **arguments)

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(
            cluster=self.cluster, serviceName=self.name, desiredStatus=status
        )["taskArns"]
        if not arns:
            return []
        described: list[dict[str, Any]] = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)[
            "tasks"
        ]
        return described

    def task_arns(self) -> set[str]:
        return {task["taskArn"] for task in self.tasks()}

    def targets(self) -> list[dict[str, Any]]:
        described: list[dict[str, Any]] = self.elbv2.describe_target_health(
            TargetGroupArn=self.target_group
        )["TargetHealthDescriptions"]
        return described

    def deployments(self, **arguments: Any) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.ecs.list_service_deployments(
            cluster=self.cluster, service=self.name, **arguments
        )["serviceDeployments"]
        return listed


ROLLED_BACK = {
    "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
}


def _ecr(service: Service, tag: str) -> str:
    return f"123456789012.dkr.ecr.us-west-2.amazonaws.com/{service.cluster}:{tag}"


def _push(clients: Clients, repository: str, tag: str, content: str = "") -> str:
    ecr = clients("ecr")
    media_type = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": {}, "layers": []}
    with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName=repository)
    digest: str = ecr.put_image(
        repositoryName=repository,
        imageManifest=json.dumps({**manifest, "content": content}),
        imageTag=tag,
    )["image"]["imageId"]["imageDigest"]
    return digest


def _address(task: dict[str, Any]) -> str:
    details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
    address: str = details["privateIPv4Address"]
    return address


class TestService:
    def test_it_remembers_every_field_it_was_created_with(self, clients: Clients) -> None:
        fields = {
            "availabilityZoneRebalancing": "ENABLED",
            "enableECSManagedTags": True,
            "enableExecuteCommand": True,
            "healthCheckGracePeriodSeconds": 60,
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
                "maximumPercent": 200,
                "minimumHealthyPercent": 100,
                "alarms": {"alarmNames": ["5xx"], "enable": True, "rollback": True},
            },
        }
        described = Service(clients, **fields).describe()
        assert {field: described[field] for field in fields} == fields

    def test_its_task_definition_has_both_lists_of_capabilities(self, clients: Clients) -> None:
        # https://github.com/terraform-aws-modules/terraform-aws-ecs/issues/176
        container = {
            "name": "app",
            "image": "app",
            "memory": 128,
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
        }
        ecs = clients("ecs")
        given = ecs.register_task_definition(family="f", containerDefinitions=[container])
        described = ecs.describe_task_definition(taskDefinition="f")
        for answer in (given, described):
            (answered,) = answer["taskDefinition"]["containerDefinitions"]
            assert answered["linuxParameters"]["capabilities"] == {"add": [], "drop": ["ALL"]}

    def test_with_capacity_providers_it_has_no_launch_type(self, clients: Clients) -> None:
        described = Service(clients).describe()
        assert "launchType" not in described
        assert described["capacityProviderStrategy"][0]["capacityProvider"] == "FARGATE"

    def test_it_runs_the_tasks_it_desires(self, clients: Clients) -> None:
        service = Service(clients, desiredCount=3)
        assert [task["lastStatus"] for task in service.tasks()] == ["RUNNING"] * 3
        assert {t["taskDefinitionArn"] for t in service.tasks()} == {service.task_definition}
        assert service.describe()["runningCount"] == 3
        assert service.describe()["deployments"][0]["rolloutState"] == "COMPLETED"

    def test_its_tasks_have_addresses_in_its_subnets_one_after_the_other(
        self, clients: Clients
    ) -> None:
        service = Service(clients, desiredCount=4)
        tasks = service.tasks()
        zones = sorted(task["availabilityZone"] for task in tasks)
        assert zones == ["us-west-2a"] * 2 + ["us-west-2b"] * 2
        for task in tasks:
            cidr = SUBNET_CIDRS["ab".index(task["availabilityZone"][-1])]
            assert ip_address(_address(task)) in ip_network(cidr)

    def test_its_tasks_are_the_healthy_targets_of_its_load_balancer(self, clients: Clients) -> None:
        service = Service(clients)
        assert {
            (target["Target"]["Id"], target["Target"]["Port"], target["TargetHealth"]["State"])
            for target in service.targets()
        } == {(_address(task), 3000, "healthy") for task in service.tasks()}

    def test_its_tasks_keep_running_however_often_they_are_looked_at(
        self, clients: Clients
    ) -> None:
        service = Service(clients)
        for _ in range(5):
            assert {task["lastStatus"] for task in service.tasks()} == {"RUNNING"}

    def test_another_service_has_tasks_of_its_own(self, clients: Clients) -> None:
        assert Service(clients).task_arns().isdisjoint(Service(clients).task_arns())

    def test_bases_come_before_weights_when_tasks_are_shared_among_capacity_providers(
        self, clients: Clients
    ) -> None:
        strategy = [
            {"capacityProvider": "FARGATE", "base": 2, "weight": 1},
            {"capacityProvider": "FARGATE_SPOT", "weight": 3},
        ]
        service = Service(clients, desiredCount=6, capacityProviderStrategy=strategy)
        providers = sorted(task["capacityProviderName"] for task in service.tasks())
        assert providers == ["FARGATE"] * 3 + ["FARGATE_SPOT"] * 3

    def test_scaling_is_no_deployment(self, clients: Clients) -> None:
        service = Service(clients)
        before = service.task_arns()
        service.update(desiredCount=3)
        assert before < service.task_arns()
        service.update(desiredCount=1)
        assert len(service.tasks()) == len(service.targets()) == 1
        assert len(service.deployments()) == 1

    def test_a_new_task_definition_replaces_every_task(self, clients: Clients) -> None:
        service = Service(clients)
        before = service.task_arns()
        deployment_id = service.describe()["deployments"][0]["id"]
        new = service.register_task_definition()
        service.update(taskDefinition=service.cluster)
        assert service.describe()["taskDefinition"] == new
        assert service.describe()["deployments"][0]["id"] != deployment_id
        assert service.task_arns().isdisjoint(before)
        assert {task["taskDefinitionArn"] for task in service.tasks()} == {new}
        assert len(service.targets()) == 2
        assert {task["taskArn"] for task in service.tasks("STOPPED")} == before

    def test_a_forced_deployment_replaces_every_task(self, clients: Clients) -> None:
        service = Service(clients)
        before = service.task_arns()
        service.update(forceNewDeployment=True)
        assert len(service.tasks()) == 2
        assert service.task_arns().isdisjoint(before)

    def test_a_stopped_task_is_replaced(self, clients: Clients) -> None:
        service = Service(clients)
        stopped, kept = service.task_arns()
        service.ecs.stop_task(cluster=service.cluster, task=stopped, reason="a test")
        assert len(service.tasks()) == len(service.targets()) == 2
        assert kept in service.task_arns()
        assert [task["stoppedReason"] for task in service.tasks("STOPPED")] == ["a test"]

    def test_its_deployments_are_listed_from_the_newest(self, clients: Clients) -> None:
        service = Service(clients)
        between = datetime.now(UTC)
        service.update(forceNewDeployment=True)
        newest, first = service.deployments()
        assert newest["createdAt"] > between > first["createdAt"]
        assert service.deployments(createdAt={"after": between}) == [newest]
        assert service.deployments(createdAt={"before": between}) == [first]
        assert service.deployments(status=["ROLLBACK_SUCCESSFUL"]) == []
        assert service.describe()["currentServiceDeployment"] == newest["serviceDeploymentArn"]

    def test_a_deployment_says_what_it_replaced_by_what(self, clients: Clients) -> None:
        service = Service(clients)
        new = service.register_task_definition()
        service.update(taskDefinition=new)
        deployment = service.ecs.describe_service_deployments(
            serviceDeploymentArns=[service.deployments()[0]["serviceDeploymentArn"]]
        )["serviceDeployments"][0]
        assert deployment["status"] == "SUCCESSFUL"
        revisions = service.ecs.describe_service_revisions(
            serviceRevisionArns=[
                deployment["sourceServiceRevisions"][0]["arn"],
                deployment["targetServiceRevision"]["arn"],
            ]
        )["serviceRevisions"]
        assert [r["taskDefinition"] for r in revisions] == [service.task_definition, new]

    def test_the_current_deployment_is_found_by_its_id(self, clients: Clients) -> None:
        service = Service(clients)
        serial = service.describe()["deployments"][0]["id"].removeprefix("ecs-svc/")
        assert serial in service.deployments()[0]["targetServiceRevisionArn"]

    def test_a_deployment_whose_image_is_not_in_ecr_is_rolled_back(self, clients: Clients) -> None:
        service = Service(clients, **ROLLED_BACK)
        before, first = service.task_arns(), service.describe()["deployments"][0]["id"]
        _push(clients, service.cluster, "good")
        service.update(taskDefinition=service.register_task_definition(_ecr(service, "gone")))
        deployment = service.deployments()[0]
        assert deployment["status"] == "ROLLBACK_SUCCESSFUL"
        assert service.task_arns() == before
        assert service.describe()["taskDefinition"] == service.task_definition
        assert [d["id"] for d in service.describe()["deployments"]] == [first]
        stopped = service.tasks("STOPPED")
        assert len(stopped) == 2
        for task in stopped:
            assert task["stoppedReason"].startswith("CannotPullContainerError")
            assert task["startedBy"].split("/")[-1] in deployment["targetServiceRevisionArn"]
        assert len(service.targets()) == 2

    def test_a_container_that_exits_says_with_what(self, clients: Clients) -> None:
        service = Service(clients, **ROLLED_BACK)
        service.update(taskDefinition=service.register_task_definition(command=["exit 3"]))
        assert service.deployments()[0]["status"] == "ROLLBACK_SUCCESSFUL"
        (code,) = {task["containers"][0]["exitCode"] for task in service.tasks("STOPPED")}
        assert code == 3

    def test_without_a_circuit_breaker_a_failing_deployment_goes_on(self, clients: Clients) -> None:
        service = Service(clients)
        before = service.task_arns()
        service.update(taskDefinition=service.register_task_definition(command=["exit 3"]))
        assert service.deployments()[0]["status"] == "IN_PROGRESS"
        assert service.task_arns() == before

    def test_what_a_tag_names_is_fixed_when_the_deployment_begins(self, clients: Clients) -> None:
        service = Service(clients)
        digests = [_push(clients, service.cluster, "moving", content="one")]
        service.update(taskDefinition=service.register_task_definition(_ecr(service, "moving")))
        digests.append(_push(clients, service.cluster, "moving", content="two"))
        service.update(desiredCount=3)
        running = {task["containers"][0]["imageDigest"] for task in service.tasks()}
        assert running == {digests[0]}
        service.update(forceNewDeployment=True)
        running = {task["containers"][0]["imageDigest"] for task in service.tasks()}
        assert running == {digests[1]}
        revisions = service.ecs.describe_service_revisions(
            serviceRevisionArns=[d["targetServiceRevisionArn"] for d in service.deployments()[:2]]
        )["serviceRevisions"]
        assert {r["containerImages"][0]["imageDigest"] for r in revisions} == set(digests)

    def test_while_a_deployment_takes_time_the_old_tasks_run(self) -> None:
        with EmbeddedAws(deployment_seconds=3600) as slow:
            service = Service(lambda name: _client(slow, name), desiredCount=1)
            (task,) = service.tasks()
            assert task["lastStatus"] == "PENDING"
            assert service.targets() == []
            described = service.describe()
            assert (described["runningCount"], described["pendingCount"]) == (0, 1)
            assert described["deployments"][0]["rolloutState"] == "IN_PROGRESS"
            assert service.deployments()[0]["status"] == "IN_PROGRESS"
            service.update(forceNewDeployment=True)
            assert [d["status"] for d in service.deployments()] == ["IN_PROGRESS", "STOPPED"]

    def test_once_deleted_it_leaves_nothing_running(self, clients: Clients) -> None:
        service = Service(clients)
        service.ecs.delete_service(cluster=service.cluster, service=service.name, force=True)
        assert service.tasks() == service.targets() == []
        interfaces = service.ec2.describe_network_interfaces(
            Filters=[{"Name": "subnet-id", "Values": service.subnets}]
        )["NetworkInterfaces"]
        assert interfaces == []


def _database(clients: Clients, **arguments: Any) -> dict[str, Any]:
    database: dict[str, Any] = clients("rds").create_db_instance(
        DBInstanceIdentifier=f"database-{uuid4().hex[:8]}",
        DBInstanceClass="db.t4g.small",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        **arguments,
    )["DBInstance"]
    return database


class TestDatabase:
    def test_it_remembers_performance_insights(self, clients: Clients) -> None:
        database = _database(
            clients, EnablePerformanceInsights=True, PerformanceInsightsRetentionPeriod=31
        )
        assert database["PerformanceInsightsEnabled"] is True
        assert database["PerformanceInsightsRetentionPeriod"] == 31

    def test_performance_insights_can_be_switched_on_later(self, clients: Clients) -> None:
        database = _database(clients)
        assert database["PerformanceInsightsEnabled"] is False
        modified = clients("rds").modify_db_instance(
            DBInstanceIdentifier=database["DBInstanceIdentifier"], EnablePerformanceInsights=True
        )["DBInstance"]
        assert modified["PerformanceInsightsEnabled"] is True

    def test_each_has_a_resource_id_of_its_own(self, clients: Clients) -> None:
        assert _database(clients)["DbiResourceId"] != _database(clients)["DbiResourceId"]

    def test_a_parameter_that_was_set_says_that_a_user_did(self, clients: Clients) -> None:
        rds = clients("rds")
        group = f"parameters-{uuid4().hex[:8]}"
        rds.create_db_parameter_group(
            DBParameterGroupName=group, DBParameterGroupFamily="postgres16", Description="d"
        )
        rds.modify_db_parameter_group(
            DBParameterGroupName=group,
            Parameters=[
                {
                    "ParameterName": "rds.force_ssl",
                    "ParameterValue": "1",
                    "ApplyMethod": "immediate",
                }
            ],
        )
        (parameter,) = rds.describe_db_parameters(DBParameterGroupName=group)["Parameters"]
        assert (parameter["ParameterValue"], parameter["Source"]) == ("1", "user")


@pytest.mark.parametrize("kind", ["group", "prefix list", "address range"])
def test_a_security_group_rule_keeps_its_description(clients: Clients, kind: str) -> None:
    ec2 = clients("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    prefix_list = ec2.describe_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    peers = {
        "group": {"UserIdGroupPairs": [{"GroupId": group, "Description": "to a peer"}]},
        "prefix list": {
            "PrefixListIds": [{"PrefixListId": prefix_list, "Description": "to a peer"}]
        },
        "address range": {"IpRanges": [{"CidrIp": "10.1.0.0/16", "Description": "to a peer"}]},
    }
    rule = ec2.authorize_security_group_egress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, **peers[kind]}],
    )["SecurityGroupRules"][0]
    described = ec2.describe_security_group_rules(
        SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
    )["SecurityGroupRules"]
    assert described[0]["Description"] == "to a peer"


def test_a_scalable_target_keeps_its_tags(clients: Clients) -> None:
    service, scaling = Service(clients), clients("application-autoscaling")
    arn = scaling.register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{service.cluster}/{service.name}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=2,
        Tags={"Project": "prod-e"},
    )["ScalableTargetARN"]
    scaling.tag_resource(ResourceARN=arn, Tags={"Owner": "me"})
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {
        "Project": "prod-e",
        "Owner": "me",
    }
    scaling.untag_resource(ResourceARN=arn, TagKeys=["Project"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"Owner": "me"}


def test_a_saved_query_is_kept_until_it_is_deleted(clients: Clients) -> None:
    logs = clients("logs")
    name = f"queries-{uuid4().hex[:8]}/errors"
    query = {"name": name, "queryString": "fields @message", "logGroupNames": ["/ecs/prod-e-task"]}
    id = logs.put_query_definition(**query)["queryDefinitionId"]
    logs.put_query_definition(**query | {"queryString": "fields @log"}, queryDefinitionId=id)
    (kept,) = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
    assert kept["queryString"] == "fields @log"
    assert kept["logGroupNames"] == ["/ecs/prod-e-task"]
    assert logs.delete_query_definition(queryDefinitionId=id)["success"] is True
    assert logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"] == []


@pytest.mark.parametrize(
    ("definition", "result"),
    [
        ({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}, "OK"),
        ({"StartAt": "Done"}, "FAIL"),
        ({"StartAt": "Done", "States": {"Done": {"Type": "Success"}}}, "FAIL"),
    ],
)
def test_a_state_machine_definition_is_validated(
    clients: Clients, definition: dict[str, Any], result: str
) -> None:
    answer = clients("stepfunctions").validate_state_machine_definition(
        definition=json.dumps(definition)
    )
    assert answer["result"] == result
    assert bool(answer["diagnostics"]) is (result == "FAIL")


def test_a_certificate_is_issued_once_its_validation_record_exists(clients: Clients) -> None:
    acm, route53 = clients("acm"), clients("route53")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference=uuid4().hex)
    arn = acm.request_certificate(DomainName="api.example.com", ValidationMethod="DNS")[
        "CertificateArn"
    ]
    certificate = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert certificate["Status"] == "PENDING_VALIDATION"
    record = certificate["DomainValidationOptions"][0]["ResourceRecord"]
    route53.change_resource_record_sets(
        HostedZoneId=zone["HostedZone"]["Id"],
        ChangeBatch={
            "Changes": [
                {
                    "Action": "CREATE",
                    "ResourceRecordSet": {
                        "Name": record["Name"],
                        "Type": record["Type"],
                        "TTL": 60,
                        "ResourceRecords": [{"Value": record["Value"]}],
                    },
                }
            ]
        },
    )
    issued = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert issued["Status"] == "ISSUED"


@pytest.mark.parametrize(
    ("service", "action", "arguments"),
    [
        ("ecs", "stop_service_deployment", {"serviceDeploymentArn": "arn"}),
        ("rds", "describe_certificates", {}),
        ("ec2", "describe_fast_launch_images", {}),
        ("iot", "list_audit_tasks", {"startTime": 0, "endTime": 1}),
    ],
)
def test_an_action_that_it_lacks_is_refused_at_once(
    aws: EmbeddedAws, clients: Clients, service: str, action: str, arguments: dict[str, Any]
) -> None:
    client = clients(service)
    with pytest.raises(ClientError) as refusal:
        getattr(client, action)(**arguments)
    assert refusal.value.response["Error"]["Code"] == "NotImplemented"
    assert refusal.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    _wait_until(lambda: any(call.startswith(f"{service}.") for call in aws.unimplemented_calls))


def test_a_call_on_which_it_breaks_is_refused_with_the_reason() -> None:
    def breaking(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise KeyError("Id")

    events: list[dict[str, str]] = []
    heads: list[tuple[Any, ...]] = []
    app = answering_everything(breaking, "ecs", tell=events.append)
    environ = {
        "REQUEST_METHOD": "POST",
        "HTTP_X_AMZ_TARGET": "AmazonEC2ContainerServiceV20141113.CreateService",
        "wsgi.input": BytesIO(),
    }
    body = b"".join(app(environ, lambda *head: heads.append(head)))
    assert events == [{"failed": "ecs.CreateService: KeyError: 'Id'"}]
    assert heads[0][0].startswith("501 ")
    assert "KeyError: 'Id'" in json.loads(body)["message"]


def test_nothing_of_another_aws_gets_into_its_environment(aws: EmbeddedAws) -> None:
    users = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "secret",
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/admin",
        "AWS_ENDPOINT_URL_S3": "https://example.com",
        "TF_AWS_RUNTIME_ENVIRONMENT": "lambda",
        "NO_PROXY": "example.com",
    }
    environment = aws.environment(users)
    assert environment["PATH"] == "/bin"
    assert environment["NO_PROXY"] == "example.com,127.0.0.1"
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint_url
    assert not users.keys() & environment.keys() - {"PATH", "NO_PROXY"}


def test_two_of_them_share_nothing(aws: EmbeddedAws, clients: Clients) -> None:
    topic = clients("sns").create_topic(Name="alarms")["TopicArn"]
    with EmbeddedAws(region="eu-west-1", account_id="210987654321") as other:
        client, identity = _client(other, "sns"), _client(other, "sts")
        assert client.list_topics()["Topics"] == []
        assert identity.get_caller_identity()["Account"] == "210987654321"
        client.close()
        identity.close()
    assert {"TopicArn": topic} in clients("sns").list_topics()["Topics"]


def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import time\n"
        "from embedded_aws import EmbeddedAws\n"
        "with EmbeddedAws() as aws:\n"
        "    print(aws._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    _wait_until(lambda: not is_running(child))


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_start_that_fails_says_what_was_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no module named moto' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(EmbeddedAwsError, match="no module named moto"), EmbeddedAws():
        pass
