"""Services of ECS, whose deployments are simulated."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

from embedded_aws import EmbeddedAws
from tests.embedded.control_plane.clients import (
    ROLLED_BACK,
    SUBNET_CIDRS,
    Clients,
    Service,
    address,
    ecr_image,
    push,
)
from tests.support.aws.aws_clients import client_of


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
                "strategy": "ROLLING",
                "bakeTimeInMinutes": 0,
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

    def test_without_security_groups_its_tasks_have_the_default_one(self, clients: Clients) -> None:
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html
        network = Service(clients)
        other = network.ecs.create_service(
            cluster=network.cluster,
            serviceName="other",
            taskDefinition=network.task_definition,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": network.subnets}},
        )["service"]
        assert other["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] == []
        arns = network.ecs.list_tasks(cluster=network.cluster, serviceName="other")["taskArns"]
        (task,) = network.ecs.describe_tasks(cluster=network.cluster, tasks=arns)["tasks"]
        details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
        (interface,) = network.ec2.describe_network_interfaces(
            NetworkInterfaceIds=[details["networkInterfaceId"]]
        )["NetworkInterfaces"]
        assert [group["GroupName"] for group in interface["Groups"]] == ["default"]

    def test_its_tasks_have_every_container(self, clients: Clients) -> None:
        service = Service(clients, desiredCount=0)
        containers = [{"name": name, "image": f"{name}:1"} for name in ("app", "beside")]
        service.update(taskDefinition=service.register_containers(*containers), desiredCount=1)
        (task,) = service.tasks()
        described = [(each["name"], each["image"]) for each in task["containers"]]
        assert described == [(each["name"], each["image"]) for each in containers]
        assert {each["lastStatus"] for each in task["containers"]} == {"RUNNING"}
        assert {each["taskArn"] for each in task["containers"]} == {task["taskArn"]}

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
            assert ip_address(address(task)) in ip_network(cidr)

    def test_its_tasks_are_the_healthy_targets_of_its_load_balancer(self, clients: Clients) -> None:
        service = Service(clients)
        assert {
            (target["Target"]["Id"], target["Target"]["Port"], target["TargetHealth"]["State"])
            for target in service.targets()
        } == {(address(task), 3000, "healthy") for task in service.tasks()}

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
        push(clients, service.cluster, "good")
        service.update(taskDefinition=service.register_task_definition(ecr_image(service, "gone")))
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

    def test_an_image_has_its_digest_by_the_repositorys_address_too(
        self, aws: EmbeddedAws, clients: Clients
    ) -> None:
        service = Service(clients)
        digest = push(clients, service.cluster, "v1")
        image = f"{aws.registry_address}/{service.cluster}:v1"
        service.update(taskDefinition=service.register_task_definition(image))
        running = {task["containers"][0]["imageDigest"] for task in service.tasks()}
        assert running == {digest}

    def test_what_a_tag_names_is_fixed_when_the_deployment_begins(self, clients: Clients) -> None:
        service = Service(clients)
        digests = [push(clients, service.cluster, "moving", content="one")]
        service.update(
            taskDefinition=service.register_task_definition(ecr_image(service, "moving"))
        )
        digests.append(push(clients, service.cluster, "moving", content="two"))
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
            service = Service(lambda name: client_of(slow, name), desiredCount=1)
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
