"""The Application Load Balancer: the only way in from the internet."""

from dataclasses import dataclass

from cdktf import TerraformIterator, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.acm_certificate import AcmCertificate
from cdktf_cdktf_provider_aws.acm_certificate_validation import AcmCertificateValidation
from cdktf_cdktf_provider_aws.lb import Lb, LbAccessLogs
from cdktf_cdktf_provider_aws.lb_listener import (
    LbListener,
    LbListenerDefaultAction,
    LbListenerDefaultActionFixedResponse,
    LbListenerDefaultActionRedirect,
)
from cdktf_cdktf_provider_aws.lb_listener_rule import (
    LbListenerRule,
    LbListenerRuleAction,
    LbListenerRuleCondition,
    LbListenerRuleConditionHostHeader,
    LbListenerRuleConditionPathPattern,
)
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup, LbTargetGroupHealthCheck
from cdktf_cdktf_provider_aws.route53_record import Route53Record, Route53RecordAlias
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
)
from cdktf_cdktf_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from cdktf_cdktf_provider_aws.wafv2_web_acl import (
    Wafv2WebAcl,
    Wafv2WebAclDefaultAction,
    Wafv2WebAclDefaultActionAllow,
    Wafv2WebAclVisibilityConfig,
)
from cdktf_cdktf_provider_aws.wafv2_web_acl_association import Wafv2WebAclAssociation
from constructs import Construct

from prod_e import settings
from prod_e.account import Account
from prod_e.iam import Statement, policy_document
from prod_e.network.network import Network

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.3 and, for older clients, 1.2 with forward secrecy:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html"""

WAF_REQUESTS_PER_5_MINUTES_AND_ADDRESS = 2000
_WAF_RULE_GROUPS = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesCommonRuleSet",
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A service's place behind the load balancer: its target group and the rule that leads to it.

    `arn_suffix` and `load_balancer_arn_suffix` are the CloudWatch dimensions.
    """

    target_group: LbTargetGroup
    listener_rule: LbListenerRule
    load_balancer_arn_suffix: str

    @property
    def arn(self) -> str:
        """The target group's ARN."""
        return self.target_group.arn

    @property
    def arn_suffix(self) -> str:
        """The target group's name in CloudWatch."""
        return self.target_group.arn_suffix


class LoadBalancer(Construct):
    """An internet-facing Application Load Balancer that answers 404 until a service has a route.

    With a domain it speaks HTTPS only, with an ACM certificate validated through Route 53, and
    redirects HTTP. It drops malformed headers, and keeps access logs in a private bucket.

    `name`: the prefix of names. `account`: where it is made. `network`: its VPC.
    `settings`: see `settings.LoadBalancer`. `hosts`: the further host names that routes use; each
    gets an alias record and a place on the certificate if there is a domain.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/introduction.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        account: Account,
        network: Network,
        settings: settings.LoadBalancer,
        hosts: tuple[str, ...] = (),
    ) -> None:
        super().__init__(scope, id)
        self._name = name
        self._network = network
        https = settings.domain_name is not None
        self.security_group = network.security_group(
            "load-balancer", description="The load balancer of all services"
        )
        for port in (80, 443) if https else (80,):
            network.allow_from_internet(self.security_group, port=port)

        access_logs = None
        depends_on = []
        if settings.access_logs:
            access_logs, bucket_policy = self._access_logs(account, settings)
            depends_on.append(bucket_policy)
        self._load_balancer = Lb(
            self,
            "alb",
            name=f"{name}-alb",
            load_balancer_type="application",
            internal=False,
            security_groups=[self.security_group.id],
            subnets=network.public_subnet_ids,
            drop_invalid_header_fields=True,
            enable_deletion_protection=settings.deletion_protection,
            idle_timeout=60,
            access_logs=access_logs,
            depends_on=depends_on,
        )
        self.arn_suffix = self._load_balancer.arn_suffix
        self.dns_name = self._load_balancer.dns_name
        self.url = f"{'https' if https else 'http'}://{settings.domain_name or self.dns_name}"

        not_found = LbListenerDefaultAction(
            type="fixed-response",
            fixed_response=LbListenerDefaultActionFixedResponse(
                content_type="application/json",
                status_code="404",
                message_body='{"error":"no service has this route"}',
            ),
        )
        if settings.domain_name and settings.hosted_zone_id:
            self._listener = self._https_listener(
                settings.domain_name, settings.hosted_zone_id, hosts, not_found
            )
            LbListener(
                self,
                "http",
                load_balancer_arn=self._load_balancer.arn,
                port=80,
                protocol="HTTP",
                default_action=[
                    LbListenerDefaultAction(
                        type="redirect",
                        redirect=LbListenerDefaultActionRedirect(
                            protocol="HTTPS", port="443", status_code="HTTP_301"
                        ),
                    )
                ],
            )
        else:
            self._listener = LbListener(
                self,
                "http",
                load_balancer_arn=self._load_balancer.arn,
                port=80,
                protocol="HTTP",
                default_action=[not_found],
            )
        if settings.waf:
            self._add_waf()

    def add_target(self, id: str, *, settings: settings.Service) -> Target:
        """Makes the target group of service `id` and leads the service's route to it."""
        target_group = LbTargetGroup(
            self,
            f"{id}-targets",
            # The port is in the name because another port needs another target group, which AWS
            # makes before it deletes the old one only if their names differ.
            name=f"{self._name}-{id}-{settings.port}",
            port=settings.port,
            protocol="HTTP",
            target_type="ip",
            vpc_id=self._network.vpc_id,
            # Shorter than the stop timeout of tasks, longer than a usual request.
            deregistration_delay="20",
            health_check=LbTargetGroupHealthCheck(
                path=settings.health_path,
                matcher="200",
                interval=10,
                timeout=5,
                healthy_threshold=2,
                unhealthy_threshold=3,
            ),
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        conditions = [
            LbListenerRuleCondition(
                path_pattern=LbListenerRuleConditionPathPattern(values=[settings.path])
            )
        ]
        if settings.host:
            conditions.append(
                LbListenerRuleCondition(
                    host_header=LbListenerRuleConditionHostHeader(values=[settings.host])
                )
            )
        rule = LbListenerRule(
            self,
            f"{id}-route",
            listener_arn=self._listener.arn,
            priority=settings.rule_priority,
            action=[LbListenerRuleAction(type="forward", target_group_arn=target_group.arn)],
            condition=conditions,
            tags={"Name": f"{self._name}-{id}"},
        )
        return Target(
            target_group=target_group,
            listener_rule=rule,
            load_balancer_arn_suffix=self.arn_suffix,
        )

    def _https_listener(
        self,
        domain_name: str,
        hosted_zone_id: str,
        hosts: tuple[str, ...],
        default_action: LbListenerDefaultAction,
    ) -> LbListener:
        names = [domain_name, *(host for host in hosts if host != domain_name)]
        certificate = AcmCertificate(
            self,
            "certificate",
            domain_name=domain_name,
            subject_alternative_names=names[1:] or None,
            validation_method="DNS",
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        options = TerraformIterator.from_complex_list(
            certificate.domain_validation_options, "domain_name"
        )
        Route53Record(
            self,
            "validation",
            for_each=options,
            zone_id=hosted_zone_id,
            name=options.get_string("resource_record_name"),
            type=options.get_string("resource_record_type"),
            records=[options.get_string("resource_record_value")],
            ttl=60,
            # A certificate that is replaced is validated by the record of the one before.
            allow_overwrite=True,
        )
        validation = AcmCertificateValidation(
            self,
            "validated-certificate",
            certificate_arn=certificate.arn,
            depends_on=[self.node.find_child("validation")],  # type: ignore[list-item]
        )
        for number, host in enumerate(names, start=1):
            Route53Record(
                self,
                f"alias-{number}",
                zone_id=hosted_zone_id,
                name=host,
                type="A",
                alias=Route53RecordAlias(
                    name=self._load_balancer.dns_name,
                    zone_id=self._load_balancer.zone_id,
                    evaluate_target_health=True,
                ),
            )
        return LbListener(
            self,
            "https",
            load_balancer_arn=self._load_balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=validation.certificate_arn,
            default_action=[default_action],
        )

    def _access_logs(
        self, account: Account, settings: settings.LoadBalancer
    ) -> tuple[LbAccessLogs, S3BucketPolicy]:
        bucket = S3Bucket(
            self,
            "access-logs",
            bucket=f"{self._name}-alb-logs-{account.id}-{account.region}",
            force_destroy=not settings.deletion_protection,
        )
        S3BucketPublicAccessBlock(
            self,
            "access-logs-private",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        S3BucketServerSideEncryptionConfigurationA(
            self,
            "access-logs-encryption",
            bucket=bucket.bucket,
            rule=[
                S3BucketServerSideEncryptionConfigurationRuleA(
                    # Load balancers cannot write to a bucket that is encrypted with a KMS key.
                    apply_server_side_encryption_by_default=S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                        sse_algorithm="AES256"
                    )
                )
            ],
        )
        S3BucketLifecycleConfiguration(
            self,
            "access-logs-expiry",
            bucket=bucket.bucket,
            rule=[
                S3BucketLifecycleConfigurationRule(
                    id="expire",
                    status="Enabled",
                    filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                    expiration=[
                        S3BucketLifecycleConfigurationRuleExpiration(days=settings.access_log_days)
                    ],
                    abort_incomplete_multipart_upload=[
                        S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(
                            days_after_initiation=1
                        )
                    ],
                )
            ],
        )
        policy = S3BucketPolicy(
            self,
            "access-logs-policy",
            bucket=bucket.bucket,
            policy=policy_document(
                # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
                Statement(
                    actions=("s3:PutObject",),
                    resources=(f"{bucket.arn}/AWSLogs/{account.id}/*",),
                    principal={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
                    conditions={
                        "ArnLike": {
                            "aws:SourceArn": account.arn(
                                "elasticloadbalancing", f"loadbalancer/app/{self._name}-alb/*"
                            )
                        }
                    },
                ),
                Statement(
                    effect="Deny",
                    actions=("s3:GetObject", "s3:ListBucket", "s3:PutObject"),
                    resources=(bucket.arn, f"{bucket.arn}/*"),
                    principal={"AWS": "*"},
                    conditions={"Bool": {"aws:SecureTransport": "false"}},
                ),
            ),
        )
        return LbAccessLogs(bucket=bucket.bucket, enabled=True), policy

    def _add_waf(self) -> None:
        groups = [
            {
                "name": group,
                "priority": number,
                "override_action": {"none": {}},
                "statement": {
                    "managed_rule_group_statement": {"name": group, "vendor_name": "AWS"}
                },
                "visibility_config": _visibility_block(group),
            }
            for number, group in enumerate(_WAF_RULE_GROUPS, start=1)
        ]
        rate_limit = {
            "name": "rate-limit",
            "priority": 0,
            "action": {"block": {}},
            "statement": {
                "rate_based_statement": {
                    "limit": WAF_REQUESTS_PER_5_MINUTES_AND_ADDRESS,
                    "aggregate_key_type": "IP",
                }
            },
            "visibility_config": _visibility_block("rate-limit"),
        }
        acl = Wafv2WebAcl(
            self,
            "waf",
            name=f"{self._name}-waf",
            scope="REGIONAL",
            default_action=Wafv2WebAclDefaultAction(allow=Wafv2WebAclDefaultActionAllow()),
            visibility_config=Wafv2WebAclVisibilityConfig(
                cloudwatch_metrics_enabled=True,
                metric_name=f"{self._name}-waf",
                sampled_requests_enabled=True,
            ),
        )
        # The bindings type a rule's blocks only in part; this is Terraform's own form of them.
        acl.add_override("rule", [rate_limit, *groups])
        Wafv2WebAclAssociation(
            self,
            "waf-association",
            resource_arn=self._load_balancer.arn,
            web_acl_arn=acl.arn,
        )


def _visibility_block(metric_name: str) -> dict[str, object]:
    return {
        "cloudwatch_metrics_enabled": True,
        "metric_name": metric_name,
        "sampled_requests_enabled": True,
    }
