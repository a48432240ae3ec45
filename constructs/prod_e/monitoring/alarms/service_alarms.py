"""What is watched of a service: its answers, its tasks, its deployments."""

import math
from dataclasses import replace

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm

from prod_e.delivery.redeploy_on_push import RedeployOnPush
from prod_e.monitoring.database_log import watch_database_log
from prod_e.monitoring.events import tell_of_failed_deployments
from prod_e.monitoring.log_queries import add_log_queries
from prod_e.monitoring.metric import Metric
from prod_e.monitoring.watch import Watch
from prod_e.service.fargate_service import FargateService
from prod_e.service.route import Route


def watch_service(service: FargateService, watch: Watch) -> None:
    """Watches a service and those of its routes that it has by now, and saves queries of its log.

    A deployment after which callers suffer is rolled back.
    """
    excused = watch_database_log(service, watch) if service.uses_database else None
    # A service's routes of one load balancer share a target group.
    by_load_balancer = {route.load_balancer_arn_suffix: route for route in service.routes}
    rolling_back = [
        alarm
        for number, route in enumerate(by_load_balancer.values(), start=1)
        for alarm in _watch_route(
            route,
            replace(watch, id=watch.id if number == 1 else f"{watch.id}-{number}"),
            after=service.service,
            excused=excused,
        )
    ]
    if rolling_back:
        service.roll_back_on(rolling_back)
    _watch_tasks(service, watch)
    tell_of_failed_deployments(service, watch)
    add_log_queries(
        watch.scope,
        watch.id,
        name=f"{watch.name}/{watch.id}",
        log_group_name=service.log_group.name,
    )


def watch_redeployment(redeployment: RedeployOnPush, watch: Watch) -> None:
    """An alarm on pushes that nothing was deployed after.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    watch.alarms.math_alarm(
        f"{watch.id}-redeploy-failed",
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


def _watch_route(
    route: Route, watch: Watch, *, after: ITerraformDependable, excused: Metric | None
) -> tuple[CloudwatchMetricAlarm, ...]:
    """Alarms on what callers notice; returns those that fail a deployment.

    `after`: the service, without which no task can be healthy. `excused`: errors that no deployment
    is to blame for, whichever load balancer the requests came through.

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
    counted = {"errors": errors, "requests": requests, **({"excused": excused} if excused else {})}
    blamed = "(FILL(errors, 0) - FILL(excused, 0))" if excused else "FILL(errors, 0)"
    rolling_back = (
        watch.alarms.math_alarm(
            f"{watch.id}-5xx",
            f"More than {watch.thresholds.http_5xx_percent} % of answers are errors",
            f"100 * {blamed} / requests",
            counted,
            threshold=watch.thresholds.http_5xx_percent,
            periods=3,
            missing="notBreaching",  # nobody asked
        ),
        watch.alarms.metric_alarm(
            f"{watch.id}-unhealthy-hosts",
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
    watch.alarms.metric_alarm(
        f"{watch.id}-no-healthy-hosts",
        "No task is healthy, so that nobody gets an answer",
        metric("HealthyHostCount", "Maximum"),
        threshold=1,
        below=True,
        periods=3,
        missing="breaching",  # it is reported only while tasks are registered
        after=after,
    )
    watch.alarms.metric_alarm(
        f"{watch.id}-p95-latency",
        f"5 % of answers take over {watch.thresholds.p95_latency_seconds} s",
        latency,
        threshold=watch.thresholds.p95_latency_seconds,
        periods=5,
        missing="notBreaching",  # nobody asked
    )
    watch.dashboard.add(
        f"{watch.id}: requests", [requests.widget_row("requests"), errors.widget_row("5xx")]
    )
    watch.dashboard.add(f"{watch.id}: p95 latency", [latency.widget_row("seconds")])
    watch.dashboard.add(
        f"{watch.id}: hosts",
        [
            metric("HealthyHostCount", "Minimum").widget_row("healthy"),
            unhealthy.widget_row("unhealthy"),
        ],
    )
    return rolling_back


def _watch_tasks(service: FargateService, watch: Watch) -> None:
    """Alarms on the load of a service's tasks and on their number.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
    """
    dimensions = {
        "ClusterName": service.cluster.name,
        "ServiceName": service.service_name,
    }
    rows = []
    for resource, threshold in (
        ("CPU", watch.thresholds.task_cpu_percent),
        ("Memory", watch.thresholds.task_memory_percent),
    ):
        metric = Metric(
            namespace="AWS/ECS",
            name=f"{resource}Utilization",
            dimensions=dimensions,
            statistic="Average",
        )
        rows.append(metric.widget_row(resource))
        watch.alarms.metric_alarm(
            f"{watch.id}-{resource.lower()}",
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
    watch.alarms.math_alarm(
        f"{watch.id}-tasks-below-desired",
        "Fewer tasks run than are wanted",
        "desired - running",
        counts,
        threshold=0,
        periods=10,
        missing="notBreaching",  # none runs and none should
    )
    watch.dashboard.add(f"{watch.id}: CPU and memory in percent", rows)
    watch.dashboard.add(
        f"{watch.id}: tasks", [metric.widget_row(kind) for kind, metric in counts.items()]
    )
