"""What moto forgets or lacks, of services with few patches."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from cryptography import x509

from tests.embedded.control_plane.clients import (
    Clients,
    Service,
)


@pytest.mark.parametrize("kind", ["group", "prefix list", "address range"])
def test_a_security_group_rule_keeps_its_description(clients: Clients, kind: str) -> None:
    ec2 = clients("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    prefix_list = ec2.describe_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    peers = {
        "group": {"UserIdGroupPairs": [{"GroupId": group, "Description": "to a peer"}]},
        "prefix list": {
            "PrefixListIds": [{"PrefixListId": prefix_list, "Description": "to a peer"}]
        },
        "address range": {"IpRanges": [{"CidrIp": "10.1.0.0/16", "Description": "to a peer"}]},
    }
    rule = ec2.authorize_security_group_egress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, **peers[kind]}],
    )["SecurityGroupRules"][0]
    described = ec2.describe_security_group_rules(
        SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
    )["SecurityGroupRules"]
    assert described[0]["Description"] == "to a peer"


def test_a_rule_for_all_protocols_is_changed_without_ports_and_has_none(clients: Clients) -> None:
    ec2 = clients("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    of_group = [{"Name": "group-id", "Values": [group]}]

    def rule() -> Any:
        (only,) = ec2.describe_security_group_rules(Filters=of_group)["SecurityGroupRules"]
        return only

    def change(**values: Any) -> None:
        id = rule()["SecurityGroupRuleId"]
        changed = {"IpProtocol": "-1", "CidrIpv4": "0.0.0.0/0", **values}
        ec2.modify_security_group_rules(
            GroupId=group,
            SecurityGroupRules=[{"SecurityGroupRuleId": id, "SecurityGroupRule": changed}],
        )

    before = rule()
    assert (before["IpProtocol"], before["FromPort"], before["ToPort"]) == ("-1", -1, -1)
    change(Description="to the internet")
    assert rule() == {**before, "Description": "to the internet"}
    with pytest.raises(ClientError, match="You may not specify all protocols and specific ports"):
        change(FromPort=443, ToPort=443)
    with pytest.raises(ClientError, match="Must specify both from and to ports"):
        change(IpProtocol="tcp")


def test_an_endpoint_is_a_gateway_unless_it_is_said(clients: Clients) -> None:
    ec2 = clients("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-west-2.s3")
    id = made["VpcEndpoint"]["VpcEndpointId"]
    (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[id])["VpcEndpoints"]
    assert found["VpcEndpointType"] == "Gateway"
    assert (found["PrivateDnsEnabled"], found["RequesterManaged"]) == (False, False)
    # As the provider compares it.
    assert " " not in found["PolicyDocument"]


def test_what_is_asked_for_again_with_its_token_is_made_once(clients: Clients) -> None:
    ec2, logs, secrets = clients("ec2"), clients("logs"), clients("secretsmanager")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    name, token, another = f"asked-{uuid4().hex[:8]}", str(uuid4()), str(uuid4())

    def route_table(token: str) -> Any:
        made = ec2.create_route_table(VpcId=vpc, ClientToken=token)
        return made["RouteTable"]["RouteTableId"]

    assert route_table(token) == route_table(token) != route_table(another)
    gateways = {
        ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, ClientToken=token)[
            "NatGateway"
        ]["NatGatewayId"]
        for _ in range(2)
    }
    assert len(gateways) == 1
    for _ in range(2):
        logs.put_query_definition(name=name, queryString="fields @message", clientToken=token)
        # A name that is taken would be refused otherwise.
        secrets.create_secret(Name=name, SecretString="x", ClientRequestToken=token)
    found = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
    assert len(found) == 1
    with pytest.raises(ClientError):
        secrets.create_secret(Name=name, SecretString="x", ClientRequestToken=another)
    with pytest.raises(ClientError):
        ec2.create_route_table(VpcId="vpc-00000000", ClientToken=token)


def test_a_scalable_target_keeps_its_tags(clients: Clients) -> None:
    service, scaling = Service(clients), clients("application-autoscaling")
    arn = scaling.register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{service.cluster}/{service.name}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=2,
        Tags={"Project": "prod-e"},
    )["ScalableTargetARN"]
    scaling.tag_resource(ResourceARN=arn, Tags={"Owner": "me"})
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {
        "Project": "prod-e",
        "Owner": "me",
    }
    scaling.untag_resource(ResourceARN=arn, TagKeys=["Project"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"Owner": "me"}


def test_what_moto_does_not_list_by_its_tags_is_listed(clients: Clients) -> None:
    name = f"tagged-{uuid4().hex[:8]}"
    tags = [{"Key": "Of", "Value": name}]
    ec2, rds = clients("ec2"), clients("rds")
    balancing, events = clients("elbv2"), clients("events")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    made = [
        clients("ecr").create_repository(repositoryName=name, tags=tags)["repository"][
            "repositoryArn"
        ],
        events.put_rule(Name=name, ScheduleExpression="rate(1 day)", Tags=tags)["RuleArn"],
        rds.create_db_parameter_group(
            DBParameterGroupName=name,
            DBParameterGroupFamily="postgres16",
            Description="d",
            Tags=tags,
        )["DBParameterGroup"]["DBParameterGroupArn"],
    ]
    balancer = balancing.create_load_balancer(Name=name, Subnets=[subnet])["LoadBalancers"][0]
    answer = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    listener = balancing.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=answer,
        Tags=tags,
    )["Listeners"][0]["ListenerArn"]
    rule = balancing.create_rule(
        ListenerArn=listener,
        Conditions=[{"Field": "path-pattern", "Values": ["/"]}],
        Priority=1,
        Actions=answer,
        Tags=tags,
    )["Rules"][0]["RuleArn"]
    pages = clients("resourcegroupstaggingapi").get_paginator("get_resources")
    found = pages.paginate(TagFilters=[{"Key": "Of", "Values": [name]}]).search(
        "ResourceTagMappingList[].ResourceARN"
    )
    assert sorted(found) == sorted([*made, listener, rule])


def test_a_saved_query_is_kept_until_it_is_deleted(clients: Clients) -> None:
    logs = clients("logs")
    name = f"queries-{uuid4().hex[:8]}/errors"
    query = {"name": name, "queryString": "fields @message", "logGroupNames": ["/ecs/prod-e-task"]}
    id = logs.put_query_definition(**query)["queryDefinitionId"]
    logs.put_query_definition(**query | {"queryString": "fields @log"}, queryDefinitionId=id)
    (kept,) = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
    assert kept["queryString"] == "fields @log"
    assert kept["logGroupNames"] == ["/ecs/prod-e-task"]
    assert logs.delete_query_definition(queryDefinitionId=id)["success"] is True
    assert logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"] == []


@pytest.mark.parametrize(
    ("definition", "result"),
    [
        ({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}, "OK"),
        ({"StartAt": "Done"}, "FAIL"),
        ({"StartAt": "Done", "States": {"Done": {"Type": "Success"}}}, "FAIL"),
    ],
)
def test_a_state_machine_definition_is_validated(
    clients: Clients, definition: dict[str, Any], result: str
) -> None:
    answer = clients("stepfunctions").validate_state_machine_definition(
        definition=json.dumps(definition)
    )
    assert answer["result"] == result
    assert bool(answer["diagnostics"]) is (result == "FAIL")


def test_a_certificate_is_issued_once_each_of_its_names_is_proved(clients: Clients) -> None:
    acm, route53 = clients("acm"), clients("route53")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference=uuid4().hex)
    arn = acm.request_certificate(
        DomainName="example.com",
        SubjectAlternativeNames=["*.example.com", "shop.example.com"],
        ValidationMethod="DNS",
    )["CertificateArn"]

    def certificate() -> Any:
        return acm.describe_certificate(CertificateArn=arn)["Certificate"]

    apex, wildcard, shop = (
        each["ResourceRecord"] for each in certificate()["DomainValidationOptions"]
    )
    assert apex == wildcard != shop
    # With its last dot or without it, as Route 53 takes both.
    for record in (apex, {**shop, "Value": shop["Value"].removesuffix(".")}):
        assert certificate()["Status"] == "PENDING_VALIDATION"
        change(route53, zone, "CREATE", record)
    assert certificate()["Status"] == "ISSUED"
    issued = x509.load_pem_x509_certificate(
        acm.get_certificate(CertificateArn=arn)["Certificate"].encode()
    )
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"*.example.com", "shop.example.com"} <= {*names.get_values_for_type(x509.DNSName)}


def test_a_record_that_is_there_is_not_created_and_one_that_is_not_is_not_deleted(
    clients: Clients,
) -> None:
    route53 = clients("route53")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference=uuid4().hex)
    record = {"Name": "Shop.example.com", "Type": "CNAME", "Value": "one.example.org"}
    with pytest.raises(route53.exceptions.InvalidChangeBatch, match="was not found"):
        change(route53, zone, "DELETE", record)
    change(route53, zone, "CREATE", record)
    with pytest.raises(route53.exceptions.InvalidChangeBatch, match="already exists"):
        change(route53, zone, "CREATE", {**record, "Name": "shop.example.com."})
    change(route53, zone, "UPSERT", record)
    change(route53, zone, "DELETE", record)


def change(route53: Any, zone: Any, action: str, record: dict[str, str]) -> None:
    record_set = {
        "Name": record["Name"],
        "Type": record["Type"],
        "TTL": 60,
        "ResourceRecords": [{"Value": record["Value"]}],
    }
    route53.change_resource_record_sets(
        HostedZoneId=zone["HostedZone"]["Id"],
        ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record_set}]},
    )


def test_a_secret_is_the_version_that_its_label_was_moved_to(clients: Clients) -> None:
    secrets = clients("secretsmanager")
    arn = secrets.create_secret(Name=uuid4().hex, SecretString="first")["ARN"]
    before = secrets.get_secret_value(SecretId=arn)["VersionId"]
    after = secrets.put_secret_value(
        SecretId=arn, SecretString="second", VersionStages=["AWSPENDING"]
    )["VersionId"]
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "first"
    secrets.update_secret_version_stage(
        SecretId=arn,
        VersionStage="AWSCURRENT",
        MoveToVersionId=after,
        RemoveFromVersionId=before,
    )
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "second"


def test_the_key_of_a_service_is_managed_by_aws_and_rotates(clients: Clients) -> None:
    kms = clients("kms")
    key = kms.describe_key(KeyId="alias/aws/rds")["KeyMetadata"]
    assert key["KeyManager"] == "AWS"
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
    assert kms.create_key()["KeyMetadata"]["KeyManager"] == "CUSTOMER"


def test_a_metric_filter_counts_the_events_that_it_matches(clients: Clients) -> None:
    logs, name = clients("logs"), f"group-{uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    for pattern in ("{ $.other = 1 }", '{ $.database = "unavailable" }'):
        logs.put_metric_filter(
            logGroupName=name,
            filterName="away",
            filterPattern=pattern,
            metricTransformations=[
                {"metricName": "away", "metricNamespace": name, "metricValue": "1"}
            ],
        )
    (kept,) = logs.describe_metric_filters(logGroupName=name)["metricFilters"]
    assert kept["filterPattern"] == '{ $.database = "unavailable" }'
    now = datetime.now(UTC)
    logs.put_log_events(
        logGroupName=name,
        logStreamName="s",
        logEvents=[
            {"timestamp": int(now.timestamp() * 1_000), "message": json.dumps(message)}
            for message in (
                {"database": "unavailable"},
                {"database": "ok"},
                {"other": 1},
                {"database": "unavailable", "reason": "r"},
            )
        ],
    )
    points = clients("cloudwatch").get_metric_statistics(
        Namespace=name,
        MetricName="away",
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=3_600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in points) == 2
    with pytest.raises(ClientError, match="Invalid metric filter pattern"):
        logs.put_metric_filter(
            logGroupName=name,
            filterName="away",
            filterPattern="{ $.a }",
            metricTransformations=kept["metricTransformations"],
        )
