"""Reads what an environment consists of from the Terraform JSON of its stacks."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prod_e.names import EnvironmentNames
from prod_e_ops.analysis.diagram.architecture import (
    AccessLogs,
    Architecture,
    Database,
    Firewall,
    LoadBalancer,
    LogGroup,
    NatGateway,
    Place,
    Redeployment,
    Repository,
    Service,
    Subnet,
    Topic,
    VpcEndpoint,
)

Json = Mapping[str, Any]

_REFERENCE = re.compile(r"\$\{(?:data\.)?\w+\.([\w-]+)\.")
_EXPRESSION = re.compile(r"\$\{[^}]*\}")
_CONTENT_TAG = re.compile(r"^content-[0-9a-f]+$")
_ENGINES = {"postgres": "PostgreSQL"}


def read_architecture(name: str, stacks: Mapping[str, Json]) -> Architecture:
    """Reads the environment `name` from the JSON of its stacks, by their names."""
    return _Reader(name, stacks).architecture()


class _Reader:
    def __init__(self, name: str, stacks: Mapping[str, Json]) -> None:
        self._name = name
        self._names = EnvironmentNames(name)
        self._stacks = stacks
        self._subnets = {
            key: Subnet(
                tier=subnet["tags"]["Tier"],
                zone=int(re.findall(r", (\d+)\)", subnet["availability_zone"])[0]),
                cidr=subnet["cidr_block"],
            )
            for key, subnet in self._of("aws_subnet").items()
        }

    def architecture(self) -> Architecture:
        (vpc,) = self._of("aws_vpc").values()
        alarms = self._of("aws_cloudwatch_metric_alarm")
        services = self._of("aws_ecs_service").values()
        databases = self._of("aws_db_instance").values()
        return Architecture(
            name=self._name,
            region=self._stacks[self._name]["provider"]["aws"][0]["region"],
            stacks=tuple(sorted(self._stacks)),
            vpc_cidr=vpc["cidr_block"],
            subnets=tuple(sorted(self._subnets.values(), key=lambda s: (_address(s.cidr), s.zone))),
            internet_gateway=bool(self._of("aws_internet_gateway")),
            nat_gateways=tuple(self._nat_gateways()),
            endpoints=tuple(map(self._endpoint, self._of("aws_vpc_endpoint").values())),
            firewall=next(map(_firewall, self._of("aws_wafv2_web_acl").values()), None),
            load_balancer=self._load_balancer(),
            access_logs=next(map(self._access_logs, self._of("aws_lb").values())),
            services=tuple(map(self._service, services)),
            database=next(map(self._database, databases), None),
            repositories=tuple(
                map(
                    self._repository,
                    self._of("aws_ecr_repository", self._names.registry_stack).values(),
                )
            ),
            pushers=tuple(self._pushers()),
            redeployments=tuple(self._redeployments()),
            log_groups=tuple(
                LogGroup(name=group["name"], days=group["retention_in_days"])
                for group in self._of("aws_cloudwatch_log_group").values()
            ),
            alarms=len(alarms),
            rollback_alarms=len(
                {
                    name
                    for service in services
                    for name in service.get("alarms", {}).get("alarm_names", ())
                }
            ),
            dashboards=tuple(
                dashboard["dashboard_name"]
                for dashboard in self._of("aws_cloudwatch_dashboard").values()
            ),
            topics=tuple(self._topics()),
        )

    def _of(self, type_name: str, stack: str | None = None) -> Mapping[str, Json]:
        """The resources of a type in the environment's main stack, or in another."""
        values = self._stacks.get(stack or self._names.main_stack, {})
        found: Mapping[str, Json] = values.get("resource", {}).get(type_name, {})
        return found

    def _referring(self, type_name: str, argument: str, key: str) -> list[Json]:
        """The resources of a type whose argument refers to the resource `key`."""
        return [
            resource
            for resource in self._of(type_name).values()
            if key in _references(resource.get(argument))
        ]

    def _key(self, type_name: str, resource: Json) -> str:
        return next(key for key, found in self._of(type_name).items() if found is resource)

    def _place(self, references: object) -> Place:
        subnets = [self._subnets[key] for key in _references(references)]
        (tier,) = {subnet.tier for subnet in subnets}
        return Place(tier=tier, zones=tuple(sorted({subnet.zone for subnet in subnets})))

    def _tables_place(self, tables: Iterable[str]) -> list[Subnet]:
        """The subnets that use one of the route tables."""
        given = set(tables)
        return [
            self._subnets[_references(association["subnet_id"])[0]]
            for association in self._of("aws_route_table_association").values()
            if _references(association["route_table_id"])[0] in given
        ]

    def _nat_gateways(self) -> Iterable[NatGateway]:
        for key, gateway in self._of("aws_nat_gateway").items():
            routes = self._referring("aws_route", "nat_gateway_id", key)
            tables = [_references(route["route_table_id"])[0] for route in routes]
            yield NatGateway(
                name=gateway["tags"]["Name"],
                place=self._place(gateway["subnet_id"]),
                used_by=frozenset(subnet.tier for subnet in self._tables_place(tables)),
            )

    def _endpoint(self, endpoint: Json) -> VpcEndpoint:
        if "subnet_ids" in endpoint:
            place = self._place(endpoint["subnet_ids"])
        else:
            subnets = self._tables_place(_references(endpoint["route_table_ids"]))
            (tier,) = {subnet.tier for subnet in subnets}
            place = Place(tier=tier, zones=tuple(sorted(subnet.zone for subnet in subnets)))
        return VpcEndpoint(
            service=endpoint["service_name"].split(".", 3)[3],
            kind=endpoint["vpc_endpoint_type"],
            place=place,
        )

    def _ports(self, destination: Sequence[str], sources: Sequence[str]) -> tuple[int, ...]:
        """The ports of security groups that other groups or, without any, the internet reach."""
        return tuple(
            sorted(
                {
                    rule["from_port"]
                    for rule in self._of("aws_vpc_security_group_ingress_rule").values()
                    if set(_references(rule["security_group_id"])) & set(destination)
                    and (
                        set(_references(rule.get("referenced_security_group_id"))) & set(sources)
                        if sources
                        else "cidr_ipv4" in rule
                    )
                }
            )
        )

    def _load_balancer(self) -> LoadBalancer:
        (balancer,) = self._of("aws_lb").values()
        certificates = self._of("aws_acm_certificate").values()
        listeners = sorted(
            self._of("aws_lb_listener").values(), key=lambda listener: -listener["port"]
        )
        return LoadBalancer(
            name=balancer["name"],
            place=self._place(balancer["subnets"]),
            listeners=tuple(map(_listener, listeners)),
            open_ports=self._ports(_references(balancer["security_groups"]), ()),
            domain_names=tuple(
                name
                for certificate in certificates
                for name in (
                    certificate["domain_name"],
                    *(certificate.get("subject_alternative_names") or ()),
                )
            ),
        )

    def _access_logs(self, balancer: Json) -> AccessLogs | None:
        if "access_logs" not in balancer:
            return None
        (key,) = _references(balancer["access_logs"]["bucket"])
        (lifecycle,) = self._referring("aws_s3_bucket_lifecycle_configuration", "bucket", key)
        return AccessLogs(
            bucket=_EXPRESSION.sub("…", self._of("aws_s3_bucket")[key]["bucket"]),
            days=lifecycle["rule"][0]["expiration"][0]["days"],
        )

    def _service(self, service: Json) -> Service:
        (task_key,) = _references(service["task_definition"])
        task = self._of("aws_ecs_task_definition")[task_key]
        container = json.loads(task["container_definitions"])[0]
        target = service["load_balancer"][0]
        (target_key,) = _references(target["target_group_arn"])
        group = self._of("aws_lb_target_group")[target_key]
        rules = [
            rule
            for rule in self._of("aws_lb_listener_rule").values()
            if target_key in _references([action["target_group_arn"] for action in rule["action"]])
        ]
        own = _references(service["network_configuration"]["security_groups"])
        balancers = self._of("aws_lb").values()
        databases = self._of("aws_db_instance").values()
        (cluster_key,) = _references(service["cluster"])
        return Service(
            name=service["name"],
            cluster=self._of("aws_ecs_cluster")[cluster_key]["name"],
            place=self._place(service["network_configuration"]["subnets"]),
            container=container["name"],
            image=_image(container["image"]),
            cpu_units=int(task["cpu"]),
            memory_mib=int(task["memory"]),
            architecture=task["runtime_platform"]["cpu_architecture"].lower(),
            capacity=_capacity(service["capacity_provider_strategy"]),
            tasks=self._tasks(service),
            port=target["container_port"],
            health_path=group["health_check"]["path"],
            routes=tuple(map(_route, rules)),
            open_ports=self._ports(
                own, [key for lb in balancers for key in _references(lb["security_groups"])]
            ),
            database_ports=self._ports(
                [key for db in databases for key in _references(db["vpc_security_group_ids"])], own
            ),
        )

    def _tasks(self, service: Json) -> str:
        key = self._key("aws_ecs_service", service)
        for target in self._referring("aws_appautoscaling_target", "resource_id", key):
            return f"{target['min_capacity']} to {target['max_capacity']} tasks"
        count = service["desired_count"]
        return f"{count} task" if count == 1 else f"{count} tasks"

    def _database(self, instance: Json) -> Database:
        (group,) = _references(instance["db_subnet_group_name"])
        (parameters,) = _references(instance["parameter_group_name"])
        maximum = instance.get("max_allocated_storage")
        days = instance["backup_retention_period"]
        traits = {
            "Multi-AZ": instance["multi_az"],
            "one zone": not instance["multi_az"],
            "encrypted": instance["storage_encrypted"],
            f"{days} days of backups" if days != 1 else "1 day of backups": days,
            "deletion protection": instance["deletion_protection"],
        }
        return Database(
            name=instance["identifier"],
            place=self._place(self._of("aws_db_subnet_group")[group]["subnet_ids"]),
            engine=f"{_ENGINES.get(instance['engine'], instance['engine'])} "
            f"{instance['engine_version']}",
            instance_class=instance["instance_class"],
            storage=f"{instance['allocated_storage']}{f' to {maximum}' if maximum else ''} GiB "
            f"{instance['storage_type']}",
            traits=tuple(trait for trait, holds in traits.items() if holds),
            encrypted_connections=("rds.force_ssl", "1")
            in [
                (parameter["name"], parameter["value"])
                for parameter in self._of("aws_db_parameter_group")[parameters]["parameter"]
            ],
            managed_password=instance.get("manage_master_user_password", False),
        )

    def _repository(self, repository: Json) -> Repository:
        builds = [
            image["build"]
            for image in self._of("docker_image", self._names.image_stack).values()
            if _image(image["name"]).split(":")[0] == repository["name"]
        ]
        return Repository(
            name=repository["name"],
            scan_on_push=repository["image_scanning_configuration"]["scan_on_push"],
            source=_EXPRESSION.sub("", builds[0]["context"]).replace("/..", "").lstrip("/")
            if builds
            else None,
            platform=builds[0]["platform"] if builds else None,
        )

    def _pushers(self) -> Iterable[str]:
        """Who may assume a role of the registry's: GitHub's `repo:owner/name:ref:...`."""
        for role in self._of("aws_iam_role", self._names.registry_stack).values():
            for statement in json.loads(role["assume_role_policy"])["Statement"]:
                for key, subject in statement.get("Condition", {}).get("StringEquals", {}).items():
                    if key.endswith(":sub"):
                        _, repository, _, branch = subject.split(":")
                        yield f"{repository} {branch.removeprefix('refs/heads/')}"

    def _redeployments(self) -> Iterable[Redeployment]:
        for key, machine in self._of("aws_sfn_state_machine").items():
            for target in self._referring("aws_cloudwatch_event_target", "arn", key):
                rule = self._of("aws_cloudwatch_event_rule")[_references(target["rule"])[0]]
                definition = json.loads(machine["definition"])
                state = definition["States"][definition["StartAt"]]
                yield Redeployment(
                    rule=rule["name"],
                    state_machine=machine["name"],
                    tags=tuple(json.loads(rule["event_pattern"])["detail"]["image-tag"]),
                    action=":".join(state["Resource"].split(":")[-2:]),
                )

    def _topics(self) -> Iterable[Topic]:
        for key, topic in self._of("aws_sns_topic").items():
            yield Topic(
                name=topic["name"],
                alarms=len(self._referring("aws_cloudwatch_metric_alarm", "alarm_actions", key)),
                rules=len(self._referring("aws_cloudwatch_event_target", "arn", key)),
                subscriptions=len(self._referring("aws_sns_topic_subscription", "topic_arn", key)),
            )


def _references(value: object) -> list[str]:
    """The names of the resources that an argument refers to."""
    return _REFERENCE.findall(json.dumps(value))


def _address(cidr: str) -> tuple[int, ...]:
    return tuple(map(int, cidr.split("/")[0].split(".")))


def _firewall(acl: Json) -> Firewall:
    return Firewall(name=acl["name"], rules=len(acl["rule"]))


def _listener(listener: Json) -> str:
    shown = f"{listener['protocol']} {listener['port']}"
    action = listener["default_action"][0]
    if action["type"] == "redirect":
        return f"{shown} redirects to {action['redirect']['protocol']}"
    if policy := listener.get("ssl_policy"):
        return f"{shown}, {policy}"
    return shown


def _route(rule: Json) -> str:
    conditions: dict[str, Any] = {
        kind: condition[kind]["values"]
        for condition in rule["condition"]
        for kind in ("host_header", "path_pattern")
        if kind in condition
    }
    # The first pattern is the route as it is written; a second one is all below it.
    return "".join([*conditions.get("host_header", ()), *conditions.get("path_pattern", ())[:1]])


def _image(image: str) -> str:
    """An image without its registry; a content hash is left out, as it changes with every edit."""
    repository, _, tag = image.split("/", 1)[1].partition(":")
    return f"{repository}:{'content-…' if _CONTENT_TAG.match(tag) else tag}"


def _capacity(strategy: Sequence[Json]) -> str:
    names = {"FARGATE": "Fargate", "FARGATE_SPOT": "Fargate Spot"}
    if len(strategy) == 1:
        return names[strategy[0]["capacity_provider"]]
    total = sum(provider["weight"] for provider in strategy)
    return ", ".join(
        f"{100 * provider['weight'] // total} % {names[provider['capacity_provider']]}"
        for provider in strategy
    )
