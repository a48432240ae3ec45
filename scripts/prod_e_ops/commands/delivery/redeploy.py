"""`prod-e redeploy`: deploys what a service is set to run once more, without a push."""

from prod_e_ops.aws.account import check_account
from prod_e_ops.commands.arguments import EnvironmentOption, Json, ServiceArgument
from prod_e_ops.context import Context, run
from prod_e_ops.service.ecs import Deployments
from prod_e_ops.service.follow import follow_deployment
from prod_e_ops.service.results import DeploymentResult, RedeployResult
from prod_e_ops.terminal.json_output import to_json


def redeploy(
    service: ServiceArgument,
    environment: EnvironmentOption = None,
    json: Json = False,
) -> None:
    """Deploy a service anew without a push, and follow it to its end.

    New tasks of the same task definition take the place of those that run: they resolve the image's
    tag and read the secrets again. It is what `aws ecs update-service --force-new-deployment` does,
    and fails if ECS does not keep it.

    Example: ./prod-e redeploy backend
    """
    run(lambda context: deploy_again(context, environment, service, as_json=json))


async def deploy_again(
    context: Context, environment_name: str | None, key: str, *, as_json: bool
) -> None:
    """Has ECS begin a deployment of what the service is set to run, and waits until it succeeds.

    Raises `UserMistake` for a service that is not deployed, and `DeploymentFailed` if ECS does not
    keep it.
    """
    terminal = context.terminal
    environment = context.project.environment(environment_name)
    deployments = Deployments(environment, key)
    await check_account(environment)
    before = await deployments.status()
    await deployments.begin()
    deployment = await follow_deployment(
        environment, key, since=before.deployment.created_at, terminal=terminal
    )
    result = RedeployResult(
        environment=environment.name,
        service=deployments.names.service,
        deployment=DeploymentResult.of(deployment),
    )
    if as_json:
        terminal.result(to_json(result))
    else:
        deployed = result.deployment
        terminal.result(f"{deployed.image} {deployed.digest or ''}".rstrip())
