"""The three stacks of an environment, each wired from constructs."""

from collections.abc import Mapping

from cdktf import (
    LocalBackend,
    S3Backend,
    TerraformLocal,
    TerraformOutput,
    TerraformStack,
    TerraformVariable,
)
from cdktf_cdktf_provider_aws.data_aws_ecr_authorization_token import DataAwsEcrAuthorizationToken
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from cdktf_cdktf_provider_docker.provider import DockerProvider, DockerProviderRegistryAuth
from constructs import Construct

from prod_e.account import Account
from prod_e.database.database import Database
from prod_e.delivery.build_context import BuildContext
from prod_e.delivery.container_image import ContainerImage
from prod_e.delivery.delivery_role import DeliveryRole
from prod_e.delivery.image_build import (
    BUILD_NETWORK_VARIABLE,
    REBUILD_VARIABLE,
    Build,
    content_tag,
)
from prod_e.delivery.image_repository import ImageRepository
from prod_e.delivery.redeploy_on_push import RedeployOnPush
from prod_e.load_balancer.load_balancer import LoadBalancer
from prod_e.monitoring.monitoring import Monitoring
from prod_e.names import ServiceNames, cluster_name
from prod_e.network.network import Network
from prod_e.service.cluster import Cluster
from prod_e.service.fargate_service import FargateService
from prod_e.settings import Environment, Service, State

FROM_STACK_TO_PROJECT = "../../.."
"""The way from `cdktf.out/stacks/<stack>`, where Terraform runs, to the project's root."""


class RegistryStack(TerraformStack):
    """Where the environment's images live: ECR repositories, and who else may push to them."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(scope, f"{environment.name}-registry")
        _use_aws(self, environment)
        arns = []
        for key, service in environment.services.items():
            repository = ImageRepository(
                self,
                f"{key}-repository",
                name=ServiceNames.of(environment.name, key, service).repository,
            )
            arns.append(repository.arn)
            _output(self, f"{key}_repository_url", repository.repository_url, "ECR repository")
        if environment.delivery:
            role = DeliveryRole(
                self,
                "delivery",
                name=environment.name,
                account=Account(self, "account", region=environment.region),
                settings=environment.delivery,
                repository_arns=arns,
            )
            _output(self, "delivery_role_arn", role.arn, "What GitHub Actions assumes")


class ImageStack(TerraformStack):
    """The images that Terraform builds and pushes: those of services with `build = "terraform"`.

    A service that is pinned to a build that exists is left out: it was built and pushed before.
    Services of one source are built once.

    Its state holds the registry's password (a token that lasts twelve hours), as the provider's
    data source gives it: keep it private.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        contexts: Mapping[str, BuildContext],
    ) -> None:
        super().__init__(scope, f"{environment.name}-image")
        _use_aws(self, environment)
        self.add_override(
            "terraform.required_providers.docker.version", environment.providers.docker
        )
        account = Account(self, "account", region=environment.region)
        # By this name an override file can lead all of it to another registry.
        registry = TerraformLocal(self, "registry", account.registry).as_string
        token = DataAwsEcrAuthorizationToken(self, "token")
        DockerProvider(
            self,
            "docker",
            registry_auth=[
                DockerProviderRegistryAuth(
                    address=registry, username=token.user_name, password=token.password
                )
            ],
        )
        network = TerraformVariable(
            self,
            BUILD_NETWORK_VARIABLE,
            type="string",
            default="",
            description="The network of a build's steps where the settings name none.",
        ).string_value
        rebuild = TerraformVariable(
            self,
            REBUILD_VARIABLE,
            type="bool",
            default=False,
            description="Whether a build takes nothing from the cache, and the newest base image.",
        ).fqn
        built: dict[object, ContainerImage] = {}
        for key, service in environment.services.items():
            if not service.is_built:
                continue
            context = contexts[key]
            build = Build.of(
                context, architecture=service.architecture, followed_tag=service.image_tag
            )
            # What these agree on is one image.
            source = (context.folder, build.content_hash, build.platform, service.build_network)
            repository = ServiceNames.of(environment.name, key, service).repository
            image = ContainerImage(
                self,
                f"{key}-image",
                repository_url=f"{registry}/{repository}",
                context_path=(
                    f"${{path.module}}/{FROM_STACK_TO_PROJECT}/{context.folder.as_posix()}"
                ),
                build=build,
                network=service.build_network or network,
                rebuild=rebuild,
                same_as=built.get(source),
            )
            built.setdefault(source, image)


class EnvironmentStack(TerraformStack):
    """Everything that runs: network, load balancer, database, services, monitoring."""

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        contexts: Mapping[str, BuildContext],
    ) -> None:
        super().__init__(scope, environment.name)
        name = environment.name
        services = environment.services
        _use_aws(self, environment)
        account = Account(self, "account", region=environment.region)
        network = Network(
            self,
            "network",
            name=name,
            account=account,
            settings=environment.network,
            execute_command=any(service.execute_command for service in services.values()),
        )
        load_balancer = LoadBalancer(
            self,
            "load-balancer",
            name=name,
            account=account,
            network=network,
            settings=environment.load_balancer,
            hosts=tuple(sorted({s.host for s in services.values() if s.host})),
        )
        database = (
            Database(
                self,
                "database",
                name=name,
                network=network,
                settings=environment.database,
                log_retention_days=environment.monitoring.log_retention_days,
            )
            if environment.database
            else None
        )
        cluster = Cluster(self, "cluster", name=cluster_name(name))
        monitoring = Monitoring(
            self, "monitoring", name=name, account=account, settings=environment.monitoring
        )

        _output(self, "service_url", load_balancer.url, "Where the services answer")
        _output(self, "cluster_name", cluster.name, "ECS cluster")
        for key, settings in services.items():
            names = ServiceNames.of(name, key, settings)
            repository_url = f"{account.registry}/{names.repository}"
            target = load_balancer.add_target(key, settings=settings)
            service = FargateService(
                self,
                f"{key}-service",
                name=f"{name}-{key}",
                names=names,
                settings=settings,
                account=account,
                network=network,
                cluster=cluster,
                load_balancer=load_balancer,
                target=target,
                image=f"{repository_url}:{_deployed_tag(settings, contexts.get(key))}",
                database=database if settings.database else None,
                log_retention_days=environment.monitoring.log_retention_days,
                rollback_alarms=monitoring.watch_target(key, target),
            )
            monitoring.watch_service(key, service)
            if settings.image_tag == "latest":
                RedeployOnPush(
                    self,
                    f"{key}-redeploy",
                    name=names.redeploy,
                    account=account,
                    repository=names.repository,
                    tag=settings.image_tag,
                    cluster_name=cluster.name,
                    service_name=names.service,
                    service_arn=service.arn,
                )
            _output(self, f"{key}_repository_url", repository_url, "ECR repository")
            _output(self, f"{key}_service_name", service.service_name, "ECS service")
            _output(self, f"{key}_log_group", service.log_group_name, "CloudWatch log group")
        if database:
            monitoring.watch_database(database)
            _output(self, "database_endpoint", database.endpoint, "PostgreSQL host and port")
        _output(self, "dashboard_url", monitoring.add_dashboard(), "CloudWatch dashboard")


def _deployed_tag(service: Service, context: BuildContext | None) -> str:
    if service.image_tag == "content" and context:
        return content_tag(context.content_hash)
    return service.image_tag


def _use_aws(stack: TerraformStack, environment: Environment) -> None:
    AwsProvider(
        stack,
        "aws",
        region=environment.region,
        allowed_account_ids=[environment.account] if environment.account else None,
        default_tags=[AwsProviderDefaultTags(tags=environment.tags)] if environment.tags else None,
    )
    # Whatever the bindings were made from, the synthesised JSON keeps to what versions 5.100 and 6
    # both have.
    stack.add_override("terraform.required_providers.aws.version", environment.providers.aws)
    stack.add_override("terraform.required_version", ">= 1.10")
    _keep_state(stack, environment.state, environment.region, stack.node.id)


def _keep_state(stack: TerraformStack, state: State, region: str, name: str) -> None:
    if state.kind == "local":
        LocalBackend(stack, path=f"{FROM_STACK_TO_PROJECT}/terraform.{name}.tfstate")
        return
    S3Backend(
        stack,
        bucket=state.bucket or "",
        key=f"prod-e/{name}.tfstate",
        region=state.region or region,
        encrypt=True,
    )
    stack.add_override("terraform.backend.s3.use_lockfile", True)


def _output(stack: TerraformStack, name: str, value: str, description: str) -> None:
    TerraformOutput(stack, name, value=value, description=description, static_id=True)
