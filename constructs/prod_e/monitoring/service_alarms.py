"""What is watched of a service: its answers, its tasks, its deployments."""

import json
import math

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from constructs import Construct

from prod_e.delivery.redeploy_on_push import RedeployOnPush
from prod_e.monitoring.alarms import Alarms
from prod_e.monitoring.dashboard import Dashboard
from prod_e.monitoring.metric import Metric
from prod_e.monitoring.thresholds import Thresholds
from prod_e.service.fargate_service import FargateService
from prod_e.service.route import Route


def watch_route(
    id: str,
    route: Route,
    *,
    after: ITerraformDependable,
    alarms: Alarms,
    dashboard: Dashboard,
    thresholds: Thresholds,
) -> tuple[CloudwatchMetricAlarm, ...]:
    """Alarms on what callers notice; returns those that fail a deployment.

    `after`: the service, without which no task can be healthy.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    """
    balancer = {"LoadBalancer": route.load_balancer_arn_suffix}
    dimensions = {**balancer, "TargetGroup": route.target_group.arn_suffix}

    def metric(name: str, statistic: str) -> Metric:
        return Metric(
            namespace="AWS/ApplicationELB",
            name=name,
            dimensions=dimensions,
            statistic=statistic,
        )

    requests = metric("RequestCount", "Sum")
    errors = metric("HTTPCode_Target_5XX_Count", "Sum")
    latency = metric("TargetResponseTime", "p95")
    unhealthy = metric("UnHealthyHostCount", "Maximum")
    rolling_back = (
        alarms.math_alarm(
            f"{id}-5xx",
            f"More than {thresholds.http_5xx_percent} % of answers are errors",
            "100 * FILL(errors, 0) / requests",
            {"errors": errors, "requests": requests},
            threshold=thresholds.http_5xx_percent,
            periods=3,
            missing="notBreaching",  # nobody asked
        ),
        alarms.metric_alarm(
            f"{id}-unhealthy-hosts",
            "A task fails its health check",
            unhealthy,
            threshold=0,
            # Longer than a task that starts may be found unhealthy: its grace touches one minute
            # more than it is long.
            periods=math.ceil(route.grace_period_seconds / 60) + 2,
            missing="notBreaching",  # no task is registered: see the next alarm
        ),
    )
    # It must not roll back: it rings before the deployment that would repair it.
    alarms.metric_alarm(
        f"{id}-no-healthy-hosts",
        "No task is healthy, so that nobody gets an answer",
        metric("HealthyHostCount", "Maximum"),
        threshold=1,
        below=True,
        periods=3,
        missing="breaching",  # it is reported only while tasks are registered
        after=after,
    )
    alarms.metric_alarm(
        f"{id}-p95-latency",
        f"5 % of answers take over {thresholds.p95_latency_seconds} s",
        latency,
        threshold=thresholds.p95_latency_seconds,
        periods=5,
        missing="notBreaching",  # nobody asked
    )
    dashboard.add(f"{id}: requests", [requests.widget_row("requests"), errors.widget_row("5xx")])
    dashboard.add(f"{id}: p95 latency", [latency.widget_row("seconds")])
    dashboard.add(
        f"{id}: hosts",
        [
            metric("HealthyHostCount", "Minimum").widget_row("healthy"),
            unhealthy.widget_row("unhealthy"),
        ],
    )
    return rolling_back


def watch_tasks(
    id: str,
    service: FargateService,
    *,
    alarms: Alarms,
    dashboard: Dashboard,
    thresholds: Thresholds,
) -> None:
    """Alarms on the load of a service's tasks and on their number.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
    """
    dimensions = {
        "ClusterName": service.cluster.name,
        "ServiceName": service.service_name,
    }
    rows = []
    for resource, threshold in (
        ("CPU", thresholds.task_cpu_percent),
        ("Memory", thresholds.task_memory_percent),
    ):
        metric = Metric(
            namespace="AWS/ECS",
            name=f"{resource}Utilization",
            dimensions=dimensions,
            statistic="Average",
        )
        rows.append(metric.widget_row(resource))
        alarms.metric_alarm(
            f"{id}-{resource.lower()}",
            f"Tasks use over {threshold} % of their {resource}",
            metric,
            threshold=threshold,
            periods=5,
            missing="notBreaching",  # no task runs
        )
    counts = {
        kind: Metric(
            namespace="ECS/ContainerInsights",
            name=f"{kind.capitalize()}TaskCount",
            dimensions=dimensions,
            statistic="Average",
        )
        for kind in ("desired", "running")
    }
    alarms.math_alarm(
        f"{id}-tasks-below-desired",
        "Fewer tasks run than are wanted",
        "desired - running",
        counts,
        threshold=0,
        periods=10,
        missing="notBreaching",  # none runs and none should
    )
    dashboard.add(f"{id}: CPU and memory in percent", rows)
    dashboard.add(f"{id}: tasks", [metric.widget_row(kind) for kind, metric in counts.items()])


def watch_redeployment(id: str, redeployment: RedeployOnPush, *, alarms: Alarms) -> None:
    """An alarm on pushes that nothing was deployed after.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    alarms.math_alarm(
        f"{id}-redeploy-failed",
        "A pushed image was not deployed",
        "FILL(failed, 0) + FILL(undelivered, 0)",
        {
            "failed": Metric(
                namespace="AWS/States",
                name="ExecutionsFailed",
                dimensions={"StateMachineArn": redeployment.state_machine.arn},
                statistic="Sum",
            ),
            "undelivered": Metric(
                namespace="AWS/Events",
                name="FailedInvocations",
                dimensions={"RuleName": redeployment.rule.name},
                statistic="Sum",
            ),
        },
        threshold=0,
        periods=1,
        missing="notBreaching",  # nothing was pushed
    )


def tell_of_failed_deployments(
    scope: Construct,
    id: str,
    service: FargateService,
    *,
    name: str,
    topic_arn: str,
    role_arn: str,
) -> None:
    """Tells a topic when a deployment of a service fails. `role_arn`: may publish there.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
    """
    rule = CloudwatchEventRule(
        scope,
        f"{id}-failed-deployment",
        name=f"{name}-{id}-failed-deployment",
        description=f"A deployment of {service.service_name} failed",
        event_pattern=json.dumps(
            {
                "source": ["aws.ecs"],
                "detail-type": ["ECS Deployment State Change"],
                "resources": [service.arn],
                "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
            }
        ),
    )
    CloudwatchEventTarget(
        scope,
        f"{id}-failed-deployment-target",
        rule=rule.name,
        arn=topic_arn,
        role_arn=role_arn,
    )
