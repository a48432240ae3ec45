"""A new deployment whenever the tag that a service follows is pushed."""

import json
from typing import Annotated

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.sfn_state_machine import (
    SfnStateMachine,
    SfnStateMachineLoggingConfiguration,
)
from constructs import Construct

from prod_e.account import Account
from prod_e.doc import Doc
from prod_e.iam import ServiceRole, Statement
from prod_e.service.fargate_service import FargateService

_LOG_ACTIONS = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
"""https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html"""

_NO_SERVICE = (
    "Ecs.ClusterNotFoundException",
    "Ecs.ServiceNotFoundException",
    "Ecs.ServiceNotActiveException",
)
"""What ECS says of a service that is still to be made, or was deleted.

One that is made later starts with the image that the tag names then: were the call tried until the
service is there, that would deploy the same image a second time, amid the next push perhaps.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""


class RedeployOnPush(Construct):
    """Deploys a service anew when ECR reports a successful push of a tag.

    ECS resolves a tag once per deployment and does not watch ECR. EventBridge sees the push and
    starts a state machine, which calls `ecs:UpdateService` with `forceNewDeployment`, retries when
    ECS is busy, and needs no code of ours to run. A push before there is a service deploys nothing.

    `rule`, `state_machine`, `log_group`: the resources.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Annotated[FargateService, Doc("what is deployed")],
        repository: Annotated[str, Doc("the ECR repository that is watched")],
        tag: Annotated[str, Doc("that the service follows; default latest")] = "latest",
        name: Annotated[
            str | None, Doc("the rule's, the state machine's and its role's; <service>-redeploy")
        ] = None,
        log_retention_days: Annotated[
            int, Doc("how long CloudWatch keeps the log of failed executions; default 30")
        ] = 30,
    ) -> None:
        super().__init__(scope, id)
        name = name or f"{service.name}-redeploy"
        account = Account.of(self)
        self.log_group = CloudwatchLogGroup(
            self,
            "log-group",
            name=f"/aws/vendedlogs/states/{name}",
            retention_in_days=log_retention_days,
        )
        may_update = ServiceRole(
            self,
            "state-machine-role",
            name=name,
            service="states.amazonaws.com",
            account_id=account.id,
            statements=(
                Statement(actions=("ecs:UpdateService",), resources=(service.arn,)),
                Statement(
                    actions=_LOG_ACTIONS,
                    resources=("*",),
                    any_resource_because="log deliveries are the account's and have no ARN",
                ),
            ),
        )
        self.state_machine = SfnStateMachine(
            self,
            "state-machine",
            name=name,
            role_arn=may_update.arn,
            logging_configuration=SfnStateMachineLoggingConfiguration(
                level="ERROR",
                include_execution_data=True,
                log_destination=f"{self.log_group.arn}:*",
            ),
            depends_on=may_update.resources,
            definition=json.dumps(
                {
                    "Comment": (
                        f"Deploys {service.service_name} with the image that {tag} now names."
                    ),
                    "StartAt": "UpdateService",
                    "States": {
                        "UpdateService": {
                            "Type": "Task",
                            "Resource": (
                                f"arn:{account.partition}:states:::aws-sdk:ecs:updateService"
                            ),
                            "Parameters": {
                                "Cluster": service.cluster.name,
                                "Service": service.service_name,
                                "ForceNewDeployment": True,
                            },
                            # The answer holds the whole service, which nobody reads.
                            "ResultPath": None,
                            "Retry": [
                                # The first match counts.
                                {"ErrorEquals": _NO_SERVICE, "MaxAttempts": 0},
                                {
                                    "ErrorEquals": ["States.ALL"],
                                    "IntervalSeconds": 5,
                                    "MaxAttempts": 4,
                                    "BackoffRate": 2,
                                },
                            ],
                            "Catch": [
                                {
                                    "ErrorEquals": _NO_SERVICE,
                                    "ResultPath": None,
                                    "Next": "NothingToDeploy",
                                }
                            ],
                            "End": True,
                        },
                        "NothingToDeploy": {"Type": "Succeed"},
                    },
                }
            ),
        )
        may_start = ServiceRole(
            self,
            "rule-role",
            name=f"{name}-rule",
            service="events.amazonaws.com",
            account_id=account.id,
            statements=(
                Statement(actions=("states:StartExecution",), resources=(self.state_machine.arn,)),
            ),
        )
        self.rule = CloudwatchEventRule(
            self,
            "rule",
            name=name,
            description=f"{tag} was pushed to {repository}",
            event_pattern=json.dumps(
                {
                    "source": ["aws.ecr"],
                    "detail-type": ["ECR Image Action"],
                    "detail": {
                        "action-type": ["PUSH"],
                        "result": ["SUCCESS"],
                        "repository-name": [repository],
                        "image-tag": [tag],
                    },
                }
            ),
        )
        CloudwatchEventTarget(
            self, "target", rule=self.rule.name, arn=self.state_machine.arn, role_arn=may_start.arn
        )
