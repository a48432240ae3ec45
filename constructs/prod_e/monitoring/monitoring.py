"""Who is told, and of what."""

from collections.abc import Sequence
from functools import singledispatch
from typing import Annotated

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription
from constructs import Construct

from prod_e.database.database_base import DatabaseBase
from prod_e.delivery.redeploy_on_push import RedeployOnPush
from prod_e.doc import Doc
from prod_e.load_balancer.load_balancer import LoadBalancerBase
from prod_e.monitoring.alarms.alarms import Alarms
from prod_e.monitoring.alarms.database_alarms import watch_database
from prod_e.monitoring.alarms.load_balancer_alarms import watch_load_balancer
from prod_e.monitoring.alarms.service_alarms import watch_redeployment, watch_service
from prod_e.monitoring.alarms.thresholds import Thresholds
from prod_e.monitoring.dashboard import Dashboard
from prod_e.monitoring.topic import AlarmTopic
from prod_e.monitoring.watch import Watch
from prod_e.service.fargate_service import FargateService


class Monitoring(Construct):
    """An encrypted SNS topic, the alarms that ring there, a dashboard and Logs Insights queries.

    It watches nothing until `watch` is called.

    `topic`, `key`: the resources. `dashboard`: see `Dashboard`.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/WhatIsCloudWatch.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: Annotated[
            str | None, Doc("the prefix of names, and the dashboard's; default: the stack's id")
        ] = None,
        alarm_emails: Annotated[
            Sequence[str], Doc("who is told; each address confirms once; default: nobody")
        ] = (),
        thresholds: Annotated[Thresholds | None, Doc("where alarms ring")] = None,
    ) -> None:
        super().__init__(scope, id)
        self.name = name or TerraformStack.of(self).node.id
        self._thresholds = thresholds or Thresholds()
        topic = AlarmTopic(self, name=self.name)
        self.topic = topic.topic
        self.key = topic.key
        self._rules_role_arn = topic.rules_role_arn
        for number, address in enumerate(alarm_emails, start=1):
            SnsTopicSubscription(
                self,
                f"email-{number}",
                topic_arn=self.topic.arn,
                protocol="email",
                endpoint=address,
            )
        self._alarms = Alarms(self, name=self.name, topic_arn=self.topic.arn)
        self.dashboard = Dashboard(self, name=self.name)

    def watch(
        self,
        watched: Annotated[
            FargateService | RedeployOnPush | LoadBalancerBase | DatabaseBase,
            Doc("a service after its routes, its redeployment, a load balancer, or a database"),
        ],
        *,
        id: Annotated[
            str | None, Doc("what alarms and widgets call it; default: the construct's id")
        ] = None,
    ) -> None:
        """Adds alarms, widgets and queries; a service's deployment then fails if callers suffer.

        Raises `ValueError` for a database that is no RDS instance: CloudWatch knows nothing of it.
        """
        _watch(
            watched,
            Watch(
                id=id or watched.node.id,
                scope=self,
                name=self.name,
                alarms=self._alarms,
                dashboard=self.dashboard,
                thresholds=self._thresholds,
                topic_arn=self.topic.arn,
                rules_role_arn=self._rules_role_arn,
            ),
        )


@singledispatch
def _watch(watched: Construct, watch: Watch) -> None:
    """Watches a construct with what CloudWatch and EventBridge know of its kind."""
    raise TypeError(f"nothing is known to watch of a {type(watched).__name__}")


_watch.register(FargateService, watch_service)
_watch.register(RedeployOnPush, watch_redeployment)
_watch.register(LoadBalancerBase, watch_load_balancer)
_watch.register(DatabaseBase, watch_database)
