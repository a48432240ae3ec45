"""The topic that alarms and rules tell, encrypted, and who may publish there."""

from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from constructs import Construct

from prod_e.account import Account
from prod_e.iam import ServiceRole, Statement, policy_document

_ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
_PUBLISHING = ("kms:Decrypt", "kms:GenerateDataKey")
_DAYS_UNTIL_DELETION = 7


class AlarmTopic(Construct):
    """An SNS topic under a KMS key of its own, which CloudWatch's alarms and EventBridge may use.

    AWS's own key for SNS lets CloudWatch publish nothing, and nobody can change its policy.

    `topic`, `key`: the resources. `rules_role_arn`: what a rule's target publishes with.
    `name`: the prefix of the alarms' names, and of the topic's, the alias's and the role's.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    """

    def __init__(self, scope: Construct, *, name: str) -> None:
        # Its resources were the scope's own before there was a key.
        super().__init__(scope, "topic")
        account = Account.of(self)
        self.key = KmsKey(
            self,
            "key",
            description=f"What the alarms of {name} say",
            enable_key_rotation=True,
            deletion_window_in_days=_DAYS_UNTIL_DELETION,
            policy=policy_document(*_key_statements(account)),
            tags={"Name": f"{name}-alarms"},
        )
        KmsAlias(self, "alias", name=f"alias/{name}-alarms", target_key_id=self.key.key_id)
        self.topic = SnsTopic(
            scope, "alarms", name=f"{name}-alarms", kms_master_key_id=self.key.key_id
        )
        SnsTopicPolicy(
            scope,
            "alarms-policy",
            arn=self.topic.arn,
            policy=policy_document(
                Statement(
                    actions=("sns:Publish",),
                    resources=(self.topic.arn,),
                    principal={"Service": "cloudwatch.amazonaws.com"},
                    conditions={
                        "ArnLike": {
                            "aws:SourceArn": account.arn("cloudwatch", f"alarm:{name}-*"),
                        }
                    },
                ),
            ),
        )
        # EventBridge honours no condition of a topic's policy; a role's trust keeps others out:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        self.rules_role_arn = ServiceRole(
            scope,
            "rules-role",
            name=f"{name}-alarms",
            service="events.amazonaws.com",
            account_id=account.id,
            statements=(
                Statement(actions=("sns:Publish",), resources=(self.topic.arn,)),
                Statement(actions=_PUBLISHING, resources=(self.key.arn,)),
            ),
        ).arn


def _key_statements(account: Account) -> tuple[Statement, ...]:
    this_key = "in a key's policy * is that key"
    return (
        # What IAM policies of the account say, counts: without it nobody could change the key.
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
        Statement(
            actions=(*_ADMINISTRATION, *_PUBLISHING),
            resources=("*",),
            any_resource_because=this_key,
            principal={"AWS": f"arn:{account.partition}:iam::{account.id}:root"},
        ),
        # CloudWatch asks KMS itself. Whose alarms may publish is said by the topic's policy:
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
        Statement(
            actions=_PUBLISHING,
            resources=("*",),
            any_resource_because=this_key,
            principal={"Service": "cloudwatch.amazonaws.com"},
        ),
    )
