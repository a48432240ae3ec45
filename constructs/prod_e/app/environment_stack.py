"""The stack of everything that runs, wired from constructs."""

import json
from collections.abc import Mapping

from cdktf import (
    TerraformStack,
)
from constructs import Construct

from prod_e.account import Account
from prod_e.app.moved import keep_former_addresses
from prod_e.app.stack import output, use_aws
from prod_e.database.database import Database
from prod_e.database.database_base import DatabaseBase
from prod_e.database.restore import Restore
from prod_e.delivery.build_context import BuildContext
from prod_e.delivery.redeploy_on_push import RedeployOnPush
from prod_e.load_balancer.certificate import Domain
from prod_e.load_balancer.load_balancer import AccessLogs, LoadBalancer, LoadBalancerBase
from prod_e.load_balancer.target_group import HealthCheck
from prod_e.load_balancer.waf import Waf
from prod_e.monitoring.alarms.thresholds import Thresholds
from prod_e.monitoring.monitoring import Monitoring
from prod_e.names import ServiceNames
from prod_e.network.network import Network, NetworkBase
from prod_e.service.arguments import ContainerHealthCheck, EcrImage, TaskNames
from prod_e.service.cluster import Cluster, ClusterBase
from prod_e.service.fargate_service import FargateService
from prod_e.service.scaling import Scaling
from prod_e.settings import Database as DatabaseSettings
from prod_e.settings import Environment, Service

_TO_BE_FOUND_HEALTHY_SECONDS = 30
"""From a task's first good answer until the load balancer has had enough of them."""


class EnvironmentStack(TerraformStack):
    """Everything that runs: network, load balancer, database, services, monitoring.

    `services`: by their keys in the settings. `databases`: by what alarms call them; `database`:
    the one that services use, `None` without one.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        contexts: Mapping[str, BuildContext],
    ) -> None:
        names = environment.names
        super().__init__(scope, names.main_stack)
        self._environment = environment
        self._names = names
        use_aws(self, environment)
        self.account = Account(self, region=environment.region)
        self.network = self._network()
        self.load_balancer = self._load_balancer()
        original = self._database()
        restored = self._restored_database(original)
        self.databases = {
            id: database
            for id, database in (("database", original), ("restored-database", restored))
            if database
        }
        serves = self._environment.database and self._environment.database.restored
        self.database = restored if serves and serves.serves else original
        self.cluster = self._cluster()
        self.monitoring = self._monitoring()
        if environment.load_balancer.is_made:
            self.monitoring.watch(self.load_balancer)
        output(self, "service_url", self.load_balancer.url, "Where the services answer")
        output(self, "cluster_name", self.cluster.name, "ECS cluster")
        self.services = {
            key: self._service(key, service, contexts.get(key))
            for key, service in environment.services.items()
        }
        for id, database in self.databases.items():
            # CloudWatch has metrics of RDS instances only.
            if database.identifier:
                self.monitoring.watch(database, id=id)
        if self.database:
            output(self, "database_endpoint", self.database.endpoint, "PostgreSQL host and port")
        if restored and restored is not self.database:
            output(self, "restored_database_endpoint", restored.endpoint, "Not used by services")
        output(self, "dashboard_url", self.monitoring.dashboard.url, "CloudWatch dashboard")
        keep_former_addresses(self)

    def _network(self) -> NetworkBase:
        settings = self._environment.network
        if settings.vpc_id:
            return Network.from_existing(
                self,
                "network",
                name=self._environment.name,
                vpc_id=settings.vpc_id,
                public_subnet_ids=settings.public_subnet_ids,
                private_subnet_ids=settings.private_subnet_ids,
                isolated_subnet_ids=settings.isolated_subnet_ids,
            )
        return Network(
            self,
            "network",
            name=self._environment.name,
            cidr=settings.cidr,
            availability_zones=settings.availability_zones,
            egress=settings.egress,
            nat_gateways=settings.nat_gateways or "single",
            flow_log_retention_days=settings.flow_log_retention_days,
            foreign_buckets=settings.foreign_buckets,
        )

    def _cluster(self) -> ClusterBase:
        if self._names.existing_cluster:
            return Cluster.from_existing(self, "cluster", name=self._names.existing_cluster)
        return Cluster(self, "cluster", name=self._names.cluster)

    def _load_balancer(self) -> LoadBalancerBase:
        settings = self._environment.load_balancer
        if settings.listener_arn and settings.security_group_id:
            return LoadBalancer.from_existing(
                self,
                "load-balancer",
                network=self.network,
                listener_arn=settings.listener_arn,
                security_group_id=settings.security_group_id,
                host=settings.domain_name,
            )
        hosts = {service.host for service in self._environment.services.values() if service.host}
        return LoadBalancer(
            self,
            "load-balancer",
            name=self._names.load_balancer,
            network=self.network,
            domain=Domain(
                name=settings.domain_name,
                hosted_zone_id=settings.hosted_zone_id,
                further_names=tuple(sorted(hosts)),
            )
            if settings.domain_name and settings.hosted_zone_id
            else None,
            certificate_arn=settings.certificate_arn,
            access_logs=AccessLogs(retention_days=settings.access_log_days)
            if settings.access_logs
            else None,
            waf=Waf(name=self._names.web_acl) if settings.waf else None,
            deletion_protection=settings.deletion_protection,
        )

    def _database(self) -> DatabaseBase | None:
        settings = self._environment.database
        if settings is None:
            return None
        if not settings.is_made and settings.security_group_id:
            return Database.from_existing(
                self,
                "database",
                identifier=settings.existing_identifier,
                host=settings.host,
                port=settings.port,
                database_name=settings.name,
                secret_arn=settings.secret_arn,
                security_group_id=settings.security_group_id,
                storage_gib=settings.storage_gib
                if "storage_gib" in settings.model_fields_set
                else None,
            )
        names, restored = self._names, settings.restored
        if restored and restored.original == "removed":
            return None
        return self._made_database(
            settings,
            id="database",
            identifier=names.database,
            parameter_group_name=names.parameter_group(settings.engine_version),
        )

    def _restored_database(self, original: DatabaseBase | None) -> Database | None:
        settings = self._environment.database
        if settings is None or settings.restored is None:
            return None
        restored = settings.restored
        return self._made_database(
            settings,
            # Of its own for each identifier: RDS would give the same instance another name.
            id=f"restored-{restored.identifier}",
            identifier=restored.identifier,
            restore=Restore(
                snapshot=restored.snapshot,
                instance=original.instance.identifier
                if restored.time and isinstance(original, Database)
                else None,
                time=None if restored.time == "latest" else restored.time,
            )
            if restored.snapshot or restored.time
            else None,
            is_restored=True,
        )

    def _made_database(
        self,
        settings: DatabaseSettings,
        *,
        id: str,
        identifier: str,
        parameter_group_name: str | None = None,
        restore: Restore | None = None,
        is_restored: bool = False,
    ) -> Database:
        return Database(
            self,
            id,
            network=self.network,
            identifier=identifier,
            parameter_group_name=parameter_group_name,
            database_name=settings.name or self._environment.name.replace("-", "_"),
            engine_version=settings.engine_version,
            instance_class=settings.instance_class,
            storage_gib=settings.storage_gib,
            max_storage_gib=settings.max_storage_gib,
            multi_az=settings.multi_az,
            backup_days=settings.backup_days,
            apply_immediately=settings.apply == "immediately",
            deletion_protection=settings.deletion_protection,
            final_snapshot=settings.final_snapshot,
            log_retention_days=self._environment.monitoring.log_retention_days,
            restore=restore,
            is_restored=is_restored,
        )

    def _monitoring(self) -> Monitoring:
        settings = self._environment.monitoring
        return Monitoring(
            self,
            "monitoring",
            name=self._environment.name,
            alarm_emails=settings.alarm_emails,
            thresholds=self._thresholds(),
        )

    def _thresholds(self) -> Thresholds:
        given = self._environment.monitoring.thresholds.model_dump(exclude_none=True)
        if allowed := self._environment.connections_allowed:
            given.setdefault("database_connections", allowed * 9 // 10)
        return Thresholds(**given)

    def _service(self, key: str, settings: Service, context: BuildContext | None) -> FargateService:
        names = ServiceNames.of(self._environment.name, key, settings)
        service = FargateService(
            self,
            f"{key}-service",
            network=self.network,
            cluster=self.cluster,
            image=EcrImage(
                repository=names.repository,
                tag=settings.image_tag.resolve(context.content_hash if context else ""),
            ),
            port=settings.port,
            name=names.prefix,
            service_name=names.service,
            names=TaskNames(
                family=names.task_family, container=names.container, log_group=names.log_group
            ),
            environment=settings.environment,
            secrets=settings.secrets,
            secrets_kms_key_arns=settings.secrets_kms_key_arns,
            cpu_units=settings.cpu_units,
            memory_mib=settings.memory_mib,
            architecture=settings.architecture,
            health_check=_container_health_check(settings),
            execute_command=settings.execute_command,
            desired_tasks=settings.desired_tasks,
            scaling=_scaling(settings),
            spot_percent=settings.spot_weight,
            log_retention_days=self._environment.monitoring.log_retention_days,
        )
        self.load_balancer.route(
            service,
            id=key,
            path=settings.path,
            host=settings.host,
            priority=settings.rule_priority,
            health_check=HealthCheck(
                path=settings.health_path,
                interval_seconds=settings.health_interval_seconds,
                grace_period_seconds=settings.startup_seconds + _TO_BE_FOUND_HEALTHY_SECONDS,
            ),
            target_group_name=names.target_group,
        )
        if self.database and self._environment.uses_database(key):
            self._let_into(self.database, service, key, settings)
        self.monitoring.watch(service, id=key)
        if settings.image_tag.follows:
            redeployment = RedeployOnPush(
                self,
                f"{key}-redeploy",
                service=service,
                repository=names.repository,
                tag=settings.image_tag.follows,
                name=names.redeploy,
                log_retention_days=self._environment.monitoring.log_retention_days,
            )
            self.monitoring.watch(redeployment, id=key)
        repository_url = f"{self.account.registry}/{names.repository}"
        output(self, f"{key}_repository_url", repository_url, "ECR repository")
        output(self, f"{key}_service_name", service.service.name, "ECS service")
        output(self, f"{key}_log_group", service.log_group.name, "CloudWatch log group")
        return service

    def _let_into(
        self, database: DatabaseBase, service: FargateService, key: str, settings: Service
    ) -> None:
        if settings.database_secret_arn:
            database.allow_from(
                service,
                secret_arn=settings.database_secret_arn,
                kms_key_arns=settings.secrets_kms_key_arns,
            )
        else:
            database.add_user(service, migration_command=settings.migration_command)
        for other in self.databases.values():
            # Tasks that were started with it use it until they end; a roll-back starts some again.
            if other is not database and settings.database_secret_arn:
                other.open_to(service)
            elif other is not database:
                other.keep_user(service)
        service.add_environment(DB_CONNECTIONS_MAX=str(self._environment.database_connections(key)))


def _scaling(service: Service) -> Scaling | None:
    if not service.autoscaling:
        return None
    return Scaling(
        min_tasks=service.min_tasks,
        max_tasks=service.max_tasks,
        cpu_target_percent=service.cpu_target_percent,
        memory_target_percent=service.memory_target_percent,
        requests_per_task_and_minute=service.requests_per_task_and_minute,
    )


def _container_health_check(service: Service) -> ContainerHealthCheck:
    # Slim images have no curl; the settings' health_command is for images without node.
    address = json.dumps(f"http://127.0.0.1:{service.port}{service.health_path}")
    return ContainerHealthCheck(
        command=service.health_command
        or (
            "CMD",
            "node",
            "-e",
            f"require('http').get({address}, r => process.exit(r.statusCode === 200 ? 0 : 1))"
            ".on('error', () => process.exit(1))",
        ),
        interval_seconds=service.health_interval_seconds,
        start_period_seconds=service.startup_seconds,
    )
