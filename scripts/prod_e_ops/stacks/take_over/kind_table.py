"""What prod-e makes that AWS lets carry tags, in the order in which it can be deleted.

What a service makes by itself and gives the tags of its own resource is not here, and so is never
taken for left over: tasks and their network interfaces, revisions of task definitions, snapshots
and backups of a database, the secret of its master user, rules of a VPC that AWS adds.
"""

from collections.abc import Mapping

from prod_e_ops.stacks.take_over.kinds import Kind, Look

LISTENER, LISTENER_RULE = "aws_lb_listener", "aws_lb_listener_rule"
INGRESS_RULE = "aws_vpc_security_group_ingress_rule"
EGRESS_RULE = "aws_vpc_security_group_egress_rule"
ROLE, IDENTITY_PROVIDER = "aws_iam_role", "aws_iam_openid_connect_provider"


def _security_group_rule(type: str, direction: str) -> Kind:
    """One of both kinds, whose ids look alike."""
    return Kind(
        type=type,
        pattern=r"sgr-\w+",
        look=Look(
            "ec2",
            "describe_security_group_rules",
            "SecurityGroupRules",
            {"SecurityGroupRuleIds": "{arn}"},
        ),
        delete=f"ec2 revoke-security-group-{direction} --group-id {{group}}"
        " --security-group-rule-ids {arn}",
    )


KINDS = (
    Kind(
        type="aws_ecs_service",
        pattern=r"ecs:service/(?P<cluster>[^/]+)/(?P<name>[^/]+)",
        look=Look(
            "ecs", "describe_services", "services", {"cluster": "{cluster}", "services": "{name}"}
        ),
        named_by="name",
        import_id="{cluster}/{name}",
        delete="ecs delete-service --force --cluster {cluster} --service {name}",
        costs="its tasks",
    ),
    Kind(
        type="aws_ecs_cluster",
        pattern=r"ecs:cluster/(?P<name>.+)",
        look=Look("ecs", "describe_clusters", "clusters", {"clusters": "{name}"}),
        named_by="name",
        import_id="{name}",
        delete="ecs delete-cluster --cluster {name}",
    ),
    Kind(
        type=LISTENER_RULE,
        pattern=r"elasticloadbalancing:listener-rule/app/.+",
        look=Look("elbv2", "describe_rules", "Rules", {"RuleArns": "{arn}"}),
    ),
    Kind(
        type=LISTENER,
        pattern=r"elasticloadbalancing:listener/app/.+",
        look=Look("elbv2", "describe_listeners", "Listeners", {"ListenerArns": "{arn}"}),
    ),
    Kind(
        type="aws_lb",
        pattern=r"elasticloadbalancing:loadbalancer/app/(?P<name>[^/]+)/\w+",
        look=Look(
            "elbv2", "describe_load_balancers", "LoadBalancers", {"LoadBalancerArns": "{arn}"}
        ),
        named_by="name",
        delete="elbv2 delete-load-balancer --load-balancer-arn {arn}",
        costs="about 24 dollars a month",
    ),
    Kind(
        type="aws_lb_target_group",
        pattern=r"elasticloadbalancing:targetgroup/(?P<name>[^/]+)/\w+",
        look=Look("elbv2", "describe_target_groups", "TargetGroups", {"TargetGroupArns": "{arn}"}),
        named_by="name",
        delete="elbv2 delete-target-group --target-group-arn {arn}",
    ),
    Kind(
        type="aws_wafv2_web_acl",
        pattern=r"wafv2:regional/webacl/(?P<name>[^/]+)/(?P<acl>[^/]+)",
        look=Look(
            "wafv2",
            "get_web_acl",
            "WebACL",
            {"Name": "{name}", "Id": "{acl}", "Scope": "REGIONAL"},
        ),
        named_by="name",
        import_id="{acl}/{name}/REGIONAL",
        delete="wafv2 delete-web-acl --scope REGIONAL --name {name} --id {acl} --lock-token"
        " TOKEN_OF_GET_WEB_ACL",
        costs="about 9 dollars a month",
    ),
    Kind(
        type="aws_acm_certificate",
        pattern=r"acm:certificate/.+",
        look=Look("acm", "describe_certificate", "Certificate", {"CertificateArn": "{arn}"}),
        delete="acm delete-certificate --certificate-arn {arn}",
    ),
    Kind(
        type="aws_db_instance",
        pattern=r"rds:db:(?P<name>.+)",
        look=Look(
            "rds", "describe_db_instances", "DBInstances", {"DBInstanceIdentifier": "{name}"}
        ),
        named_by="identifier",
        import_id="{name}",
        delete="rds delete-db-instance --db-instance-identifier {name}"
        " --final-db-snapshot-identifier {name}-last",
        costs="its instance class and its storage",
    ),
    Kind(
        type="aws_db_subnet_group",
        pattern=r"rds:subgrp:(?P<name>.+)",
        look=Look(
            "rds", "describe_db_subnet_groups", "DBSubnetGroups", {"DBSubnetGroupName": "{name}"}
        ),
        named_by="name",
        import_id="{name}",
        delete="rds delete-db-subnet-group --db-subnet-group-name {name}",
    ),
    Kind(
        type="aws_db_parameter_group",
        pattern=r"rds:pg:(?P<name>.+)",
        look=Look(
            "rds",
            "describe_db_parameter_groups",
            "DBParameterGroups",
            {"DBParameterGroupName": "{name}"},
        ),
        named_by="name",
        import_id="{name}",
        delete="rds delete-db-parameter-group --db-parameter-group-name {name}",
    ),
    Kind(
        type="aws_cloudwatch_event_rule",
        pattern=r"events:rule/(?P<name>[^/]+)",
        look=Look("events", "describe_rule", "", {"Name": "{name}"}),
        named_by="name",
        import_id="{name}",
        delete="events delete-rule --name {name}",
    ),
    Kind(
        type="aws_sfn_state_machine",
        pattern=r"states:stateMachine:(?P<name>[^:]+)",
        look=Look("stepfunctions", "describe_state_machine", "", {"stateMachineArn": "{arn}"}),
        named_by="name",
        delete="stepfunctions delete-state-machine --state-machine-arn {arn}",
    ),
    Kind(
        type="aws_cloudwatch_metric_alarm",
        pattern=r"cloudwatch:alarm:(?P<name>.+)",
        look=Look("cloudwatch", "describe_alarms", "MetricAlarms", {"AlarmNames": "{name}"}),
        named_by="alarm_name",
        import_id="{name}",
        delete="cloudwatch delete-alarms --alarm-names {name}",
        costs="0.10 dollars a month",
    ),
    Kind(
        type="aws_sns_topic",
        pattern=r"sns:(?P<name>[^:]+)",
        look=Look("sns", "get_topic_attributes", "", {"TopicArn": "{arn}"}),
        named_by="name",
        delete="sns delete-topic --topic-arn {arn}",
    ),
    Kind(
        type="aws_kms_key",
        pattern=r"kms:key/(?P<key>.+)",
        look=Look("kms", "describe_key", "KeyMetadata", {"KeyId": "{arn}"}),
        import_id="{key}",
        delete="kms schedule-key-deletion --key-id {key}",
        costs="1 dollar a month",
    ),
    Kind(
        type="aws_secretsmanager_secret",
        # The secret that RDS manages begins with rds!.
        pattern=r"secretsmanager:secret:(?!rds!)(?P<name>.+)-\w{6}",
        look=Look("secretsmanager", "describe_secret", "", {"SecretId": "{arn}"}),
        named_by="name",
        delete="secretsmanager delete-secret --secret-id {arn}",
        costs="0.40 dollars a month",
    ),
    Kind(
        type="aws_cloudwatch_log_group",
        pattern=r"logs:log-group:(?P<name>[^:]+)",
        look=Look("logs", "list_tags_for_resource", "", {"resourceArn": "{arn}"}),
        named_by="name",
        import_id="{name}",
        delete="logs delete-log-group --log-group-name {name}",
        costs="what is stored in it",
    ),
    Kind(
        type="aws_s3_bucket",
        pattern=r"s3:(?P<name>[^/]+)",
        look=Look("s3", "head_bucket", "", {"Bucket": "{name}"}),
        named_by="bucket",
        import_id="{name}",
        delete="s3 rb s3://{name}",
        costs="what is stored in it",
    ),
    Kind(
        type="aws_ecr_repository",
        pattern=r"ecr:repository/(?P<name>.+)",
        look=Look("ecr", "describe_repositories", "repositories", {"repositoryNames": "{name}"}),
        named_by="name",
        import_id="{name}",
        delete="ecr delete-repository --repository-name {name}",
        costs="what is stored in it",
    ),
    Kind(
        type=ROLE,
        pattern=r"iam:role/(?P<name>[^/]+)",
        look=Look("iam", "get_role", "Role", {"RoleName": "{name}"}),
        named_by="name",
        import_id="{name}",
    ),
    Kind(
        type=IDENTITY_PROVIDER,
        pattern=r"iam:oidc-provider/(?P<name>.+)",
        look=Look(
            "iam",
            "get_open_id_connect_provider",
            "",
            {"OpenIDConnectProviderArn": "{arn}"},
        ),
        named_by="url",
    ),
    Kind(
        type="aws_nat_gateway",
        pattern=r"nat-\w+",
        look=Look("ec2", "describe_nat_gateways", "NatGateways", {"NatGatewayIds": "{arn}"}),
        delete="ec2 delete-nat-gateway --nat-gateway-id {arn}",
        costs="about 33 dollars a month",
    ),
    Kind(
        type="aws_eip",
        pattern=r"eipalloc-\w+",
        look=Look("ec2", "describe_addresses", "Addresses", {"AllocationIds": "{arn}"}),
        delete="ec2 release-address --allocation-id {arn}",
        costs="about 4 dollars a month",
    ),
    Kind(
        type="aws_vpc_endpoint",
        pattern=r"vpce-\w+",
        look=Look("ec2", "describe_vpc_endpoints", "VpcEndpoints", {"VpcEndpointIds": "{arn}"}),
        delete="ec2 delete-vpc-endpoints --vpc-endpoint-ids {arn}",
        costs="about 7 dollars a month in each zone, unless it is S3's",
    ),
    Kind(
        type="aws_flow_log",
        pattern=r"fl-\w+",
        look=Look("ec2", "describe_flow_logs", "FlowLogs", {"FlowLogIds": "{arn}"}),
        delete="ec2 delete-flow-logs --flow-log-ids {arn}",
        costs="what it logs",
    ),
    _security_group_rule(INGRESS_RULE, "ingress"),
    _security_group_rule(EGRESS_RULE, "egress"),
    Kind(
        type="aws_security_group",
        pattern=r"sg-\w+",
        look=Look("ec2", "describe_security_groups", "SecurityGroups", {"GroupIds": "{arn}"}),
        delete="ec2 delete-security-group --group-id {arn}",
    ),
    Kind(
        type="aws_subnet",
        pattern=r"subnet-\w+",
        look=Look("ec2", "describe_subnets", "Subnets", {"SubnetIds": "{arn}"}),
        delete="ec2 delete-subnet --subnet-id {arn}",
    ),
    Kind(
        type="aws_route_table",
        pattern=r"rtb-\w+",
        look=Look("ec2", "describe_route_tables", "RouteTables", {"RouteTableIds": "{arn}"}),
        delete="ec2 delete-route-table --route-table-id {arn}",
    ),
    Kind(
        type="aws_internet_gateway",
        pattern=r"igw-\w+",
        look=Look(
            "ec2",
            "describe_internet_gateways",
            "InternetGateways",
            {"InternetGatewayIds": "{arn}"},
        ),
        delete="ec2 delete-internet-gateway --internet-gateway-id {arn}",
    ),
    Kind(
        type="aws_vpc",
        pattern=r"vpc-\w+",
        look=Look("ec2", "describe_vpcs", "Vpcs", {"VpcIds": "{arn}"}),
        delete="ec2 delete-vpc --vpc-id {arn}",
    ),
)

KIND_OF: Mapping[str, Kind] = {kind.type: kind for kind in KINDS}
"""By Terraform's type."""
