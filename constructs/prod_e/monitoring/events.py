"""What a topic is told of by EventBridge: deployments that fail, and what RDS does to a database.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules.html
"""

import json
from collections.abc import Mapping

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget

from prod_e.monitoring.watch import Watch
from prod_e.service.fargate_service import FargateService

_DATABASE_EVENT_CATEGORIES = (
    "availability",
    "deletion",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "notification",
    "recovery",
    "security",
    "security patching",
)
"""Of RDS's categories those that somebody should hear of; backups, and changes of the
configuration, such as the weekly one of the master password, are everyday.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
"""


def tell_of_failed_deployments(service: FargateService, watch: Watch) -> None:
    """Tells the topic when a deployment of a service fails.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html
    """
    _tell(
        watch,
        "failed-deployment",
        f"A deployment of {service.service_name} failed",
        {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Deployment State Change"],
            "resources": [service.arn],
            "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
        },
    )


def tell_of_database_events(identifier: str, watch: Watch) -> None:
    """Tells the topic what RDS does to the instance of that identifier, and what befalls it.

    An event subscription of RDS's own cannot publish to a topic that is encrypted.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateEventSubscription.html
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-cloud-watch-events.html
    """
    _tell(
        watch,
        "events",
        f"RDS tells of {identifier}",
        {
            "source": ["aws.rds"],
            "detail-type": ["RDS DB Instance Event"],
            "detail": {
                "SourceIdentifier": [identifier],
                "EventCategories": list(_DATABASE_EVENT_CATEGORIES),
            },
        },
    )


def _tell(watch: Watch, id: str, description: str, pattern: Mapping[str, object]) -> None:
    id = f"{watch.id}-{id}"
    rule = CloudwatchEventRule(
        watch.scope,
        id,
        name=f"{watch.name}-{id}",
        description=description,
        event_pattern=json.dumps(pattern),
    )
    CloudwatchEventTarget(
        watch.scope,
        f"{id}-target",
        rule=rule.name,
        arn=watch.topic_arn,
        role_arn=watch.rules_role_arn,
    )
