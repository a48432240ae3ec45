"""Alarms, the dashboard and saved queries."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import (
    CloudwatchMetricAlarm,
    CloudwatchMetricAlarmMetricQuery,
    CloudwatchMetricAlarmMetricQueryMetric,
)
from cdktf_cdktf_provider_aws.cloudwatch_query_definition import CloudwatchQueryDefinition
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription
from constructs import Construct

from prod_e import settings
from prod_e.account import Account
from prod_e.database.database import Database
from prod_e.iam import Statement, policy_document
from prod_e.load_balancer.load_balancer import Target
from prod_e.service.fargate_service import FargateService

_GIB = 1024**3
_PERIOD_SECONDS = 60

_QUERIES = {
    "errors": """fields @timestamp, @message
| filter level in ["error", "fatal"] or level >= 50
| sort @timestamp desc
| limit 100""",
    "slow-requests": """fields @timestamp, method, path, status, durationMs
| filter durationMs > 500
| sort durationMs desc
| limit 100""",
    "requests-by-status": """filter ispresent(status)
| stats count(*) as requests, pct(durationMs, 95) as p95 by status, bin(5m)""",
}


@dataclass(frozen=True, kw_only=True)
class _Metric:
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str

    def widget_row(self, label: str) -> list[object]:
        flat = [part for pair in self.dimensions.items() for part in pair]
        return [self.namespace, self.name, *flat, {"stat": self.statistic, "label": label}]


class Monitoring(Construct):
    """An SNS topic, the alarms that ring there, a dashboard and saved Logs Insights queries.

    Call `watch_target`, `watch_service` and `watch_database` for what there is, then
    `add_dashboard`.

    `name`: the prefix of names. `account`: where it is made. `settings`: see
    `settings.Monitoring`.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        account: Account,
        settings: settings.Monitoring,
    ) -> None:
        super().__init__(scope, id)
        self._name = name
        self._region = account.region
        self._thresholds = settings.thresholds
        self._widgets: list[dict[str, Any]] = []
        self._topic = SnsTopic(self, "alarms", name=f"{name}-alarms")
        SnsTopicPolicy(
            self,
            "alarms-policy",
            arn=self._topic.arn,
            policy=policy_document(
                Statement(
                    actions=("sns:Publish",),
                    resources=(self._topic.arn,),
                    principal={"Service": "cloudwatch.amazonaws.com"},
                    conditions={
                        "ArnLike": {
                            "aws:SourceArn": account.arn("cloudwatch", f"alarm:{name}-*"),
                        }
                    },
                ),
                Statement(
                    actions=("sns:Publish",),
                    resources=(self._topic.arn,),
                    principal={"Service": "events.amazonaws.com"},
                    conditions={
                        "ArnLike": {"aws:SourceArn": account.arn("events", f"rule/{name}-*")}
                    },
                ),
            ),
        )
        for number, address in enumerate(settings.alarm_emails, start=1):
            SnsTopicSubscription(
                self,
                f"email-{number}",
                topic_arn=self._topic.arn,
                protocol="email",
                endpoint=address,
            )

    def watch_target(self, id: str, target: Target) -> tuple[CloudwatchMetricAlarm, ...]:
        """Alarms on what callers of service `id` notice; returns those that fail a deployment."""
        balancer = {"LoadBalancer": target.load_balancer_arn_suffix}
        dimensions = {**balancer, "TargetGroup": target.arn_suffix}

        def metric(name: str, statistic: str) -> _Metric:
            return _Metric(
                namespace="AWS/ApplicationELB",
                name=name,
                dimensions=dimensions,
                statistic=statistic,
            )

        requests = metric("RequestCount", "Sum")
        errors = metric("HTTPCode_Target_5XX_Count", "Sum")
        latency = metric("TargetResponseTime", "p95")
        unhealthy = metric("UnHealthyHostCount", "Maximum")
        alarms = (
            self._math_alarm(
                f"{id}-5xx",
                f"More than {self._thresholds.http_5xx_percent} % of answers are errors",
                "100 * FILL(errors, 0) / requests",
                {"errors": errors, "requests": requests},
                threshold=self._thresholds.http_5xx_percent,
                periods=3,
            ),
            self._alarm(
                f"{id}-unhealthy-hosts",
                "A task fails its health check",
                unhealthy,
                threshold=0,
                periods=3,
            ),
        )
        self._alarm(
            f"{id}-p95-latency",
            f"5 % of answers take over {self._thresholds.p95_latency_seconds} s",
            latency,
            threshold=self._thresholds.p95_latency_seconds,
            periods=5,
        )
        self._widget(f"{id}: requests", [requests.widget_row("requests"), errors.widget_row("5xx")])
        self._widget(f"{id}: p95 latency", [latency.widget_row("seconds")])
        self._widget(
            f"{id}: hosts",
            [
                metric("HealthyHostCount", "Minimum").widget_row("healthy"),
                unhealthy.widget_row("unhealthy"),
            ],
        )
        return alarms

    def watch_service(self, id: str, service: FargateService) -> None:
        """Alarms on a service's tasks and deployments, and queries of its log."""
        dimensions = {
            "ClusterName": service.cluster.name,
            "ServiceName": service.names.service,
        }
        rows = []
        for resource, threshold in (
            ("CPU", self._thresholds.task_cpu_percent),
            ("Memory", self._thresholds.task_memory_percent),
        ):
            metric = _Metric(
                namespace="AWS/ECS",
                name=f"{resource}Utilization",
                dimensions=dimensions,
                statistic="Average",
            )
            rows.append(metric.widget_row(resource))
            self._alarm(
                f"{id}-{resource.lower()}",
                f"Tasks use over {threshold} % of their {resource}",
                metric,
                threshold=threshold,
                periods=5,
            )
        counts = {
            kind: _Metric(
                namespace="ECS/ContainerInsights",
                name=f"{kind.capitalize()}TaskCount",
                dimensions=dimensions,
                statistic="Average",
            )
            for kind in ("desired", "running")
        }
        self._math_alarm(
            f"{id}-tasks-below-desired",
            "Fewer tasks run than are wanted",
            "desired - running",
            counts,
            threshold=0,
            periods=10,
        )
        self._widget(f"{id}: CPU and memory in percent", rows)
        self._widget(f"{id}: tasks", [metric.widget_row(kind) for kind, metric in counts.items()])
        self._tell_of_failed_deployments(id, service)
        for title, query in _QUERIES.items():
            CloudwatchQueryDefinition(
                self,
                f"{id}-query-{title}",
                name=f"{self._name}/{id}/{title}",
                log_group_names=[service.log_group_name],
                query_string=query,
            )

    def watch_database(self, database: Database) -> None:
        """Alarms on the database's CPU, storage and connections."""

        def metric(name: str) -> _Metric:
            return _Metric(
                namespace="AWS/RDS",
                name=name,
                dimensions={"DBInstanceIdentifier": database.identifier},
                statistic="Average",
            )

        cpu, storage, connections = (
            metric("CPUUtilization"),
            metric("FreeStorageSpace"),
            metric("DatabaseConnections"),
        )
        free_percent = self._thresholds.database_free_storage_percent
        self._alarm(
            "database-cpu",
            f"The database uses over {self._thresholds.database_cpu_percent} % of its CPU",
            cpu,
            threshold=self._thresholds.database_cpu_percent,
            periods=10,
        )
        self._alarm(
            "database-storage",
            f"Less than {free_percent} % of the database's storage is free",
            storage,
            threshold=database.settings.storage_gib * _GIB * free_percent // 100,
            below=True,
            periods=5,
        )
        self._alarm(
            "database-connections",
            f"More than {self._thresholds.database_connections} connections to the database",
            connections,
            threshold=self._thresholds.database_connections,
            periods=5,
        )
        self._widget("database: CPU in percent", [cpu.widget_row("CPU")])
        self._widget("database: free storage in bytes", [storage.widget_row("free")])
        self._widget("database: connections", [connections.widget_row("connections")])

    def add_dashboard(self) -> str:
        """Makes the dashboard of all that is watched and returns its address."""
        dashboard = CloudwatchDashboard(
            self,
            "dashboard",
            dashboard_name=self._name,
            dashboard_body=json.dumps({"widgets": self._widgets}),
        )
        return (
            f"https://{self._region}.console.aws.amazon.com/cloudwatch/home"
            f"?region={self._region}#dashboards/dashboard/{dashboard.dashboard_name}"
        )

    def _alarm(
        self,
        id: str,
        description: str,
        metric: _Metric,
        *,
        threshold: float,
        periods: int,
        below: bool = False,
    ) -> CloudwatchMetricAlarm:
        is_percentile = metric.statistic.startswith("p")
        return CloudwatchMetricAlarm(
            self,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=description,
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=metric.dimensions,
            statistic=None if is_percentile else metric.statistic,
            extended_statistic=metric.statistic if is_percentile else None,
            period=_PERIOD_SECONDS,
            comparison_operator="LessThanThreshold" if below else "GreaterThanThreshold",
            threshold=threshold,
            evaluation_periods=periods,
            treat_missing_data="notBreaching",
            alarm_actions=[self._topic.arn],
            ok_actions=[self._topic.arn],
        )

    def _math_alarm(
        self,
        id: str,
        description: str,
        expression: str,
        metrics: Mapping[str, _Metric],
        *,
        threshold: float,
        periods: int,
    ) -> CloudwatchMetricAlarm:
        return CloudwatchMetricAlarm(
            self,
            id,
            alarm_name=f"{self._name}-{id}",
            alarm_description=description,
            metric_query=[
                CloudwatchMetricAlarmMetricQuery(
                    id="result", expression=expression, label=description, return_data=True
                ),
                *(
                    CloudwatchMetricAlarmMetricQuery(
                        id=key,
                        metric=CloudwatchMetricAlarmMetricQueryMetric(
                            namespace=metric.namespace,
                            metric_name=metric.name,
                            dimensions=metric.dimensions,
                            stat=metric.statistic,
                            period=_PERIOD_SECONDS,
                        ),
                    )
                    for key, metric in metrics.items()
                ),
            ],
            comparison_operator="GreaterThanThreshold",
            threshold=threshold,
            evaluation_periods=periods,
            treat_missing_data="notBreaching",
            alarm_actions=[self._topic.arn],
            ok_actions=[self._topic.arn],
        )

    def _tell_of_failed_deployments(self, id: str, service: FargateService) -> None:
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
        rule = CloudwatchEventRule(
            self,
            f"{id}-failed-deployment",
            name=f"{self._name}-{id}-failed-deployment",
            description=f"A deployment of {service.names.service} failed",
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
            self, f"{id}-failed-deployment-target", rule=rule.name, arn=self._topic.arn
        )

    def _widget(self, title: str, metrics: list[list[object]]) -> None:
        number = len(self._widgets)
        self._widgets.append(
            {
                "type": "metric",
                "x": number % 3 * 8,
                "y": number // 3 * 6,
                "width": 8,
                "height": 6,
                "properties": {
                    "title": title,
                    "region": self._region,
                    "period": _PERIOD_SECONDS,
                    "metrics": metrics,
                },
            }
        )
