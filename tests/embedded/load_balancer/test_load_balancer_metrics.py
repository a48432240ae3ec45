"""What load balancers count and log, and the alarms that ring from it."""

import gzip
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.embedded.world import World, eventually


def test_requests_are_counted_in_cloudwatch(serving: World) -> None:
    for _ in range(5):
        serving.get("/")
    for _ in range(3):
        serving.get("/fail")
    dimensions = [
        {"Name": "LoadBalancer", "Value": serving.balancer.rpartition(":loadbalancer/")[2]},
        {"Name": "TargetGroup", "Value": serving.group.rpartition(":")[2]},
    ]

    def total(metric: str) -> float:
        now = datetime.now(UTC)
        data = serving.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName=metric,
            Dimensions=dimensions,
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in data))

    eventually("they are counted", lambda: total("RequestCount") >= 8)
    assert total("RequestCount") == 8
    assert total("HTTPCode_Target_5XX_Count") == 3
    assert total("HTTPCode_Target_2XX_Count") == 5


def test_an_alarm_rings_from_real_requests(serving: World) -> None:
    cloudwatch = serving.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=serving.name,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=[
            {"Name": "LoadBalancer", "Value": serving.balancer.rpartition(":loadbalancer/")[2]}
        ],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=2,
        DatapointsToAlarm=1,
        Threshold=2,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )

    def state() -> str:
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[serving.name])["MetricAlarms"]
        return str(alarm["StateValue"])

    eventually("it is evaluated", lambda: state() == "OK", seconds=30)
    for _ in range(4):
        serving.get("/fail")
    eventually("it rings", lambda: state() == "ALARM", seconds=30)


def test_an_alarm_on_an_expression_rings_from_real_requests(serving: World) -> None:
    cloudwatch = serving.client("cloudwatch")
    dimensions = [
        {"Name": "LoadBalancer", "Value": serving.balancer.rpartition(":loadbalancer/")[2]},
        {"Name": "TargetGroup", "Value": serving.group.rpartition(":")[2]},
    ]

    def metric(id: str, name: str) -> dict[str, Any]:
        of = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions}
        stat = {"Metric": of, "Period": 60, "Stat": "Sum"}
        return {"Id": id, "MetricStat": stat, "ReturnData": False}

    def make(name: str, threshold: float) -> None:
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Metrics=[
                metric("errors", "HTTPCode_Target_5XX_Count"),
                metric("requests", "RequestCount"),
                {
                    "Id": "share",
                    "Expression": "100 * FILL(errors, 0) / requests",
                    "ReturnData": True,
                },
            ],
            EvaluationPeriods=2,
            DatapointsToAlarm=1,
            Threshold=threshold,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )

    rings, is_silent = f"{serving.name}-10", f"{serving.name}-90"
    make(rings, 10)
    make(is_silent, 90)
    for _ in range(4):
        serving.get("/fail")
        serving.get("/")

    def states() -> dict[str, str]:
        alarms = cloudwatch.describe_alarms(AlarmNames=[rings, is_silent])["MetricAlarms"]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}

    # One request in two fails: more than 10 %, not more than 90 %.
    eventually("one rings", lambda: states() == {rings: "ALARM", is_silent: "OK"}, seconds=30)


def test_access_logs_are_in_the_bucket(serving: World) -> None:
    s3 = serving.client("s3")
    s3.create_bucket(
        Bucket=serving.name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    serving.elb.modify_load_balancer_attributes(
        LoadBalancerArn=serving.balancer,
        Attributes=[
            {"Key": "access_logs.s3.enabled", "Value": "true"},
            {"Key": "access_logs.s3.bucket", "Value": serving.name},
        ],
    )

    def objects() -> list[str]:
        # They come once a minute.
        time.sleep(1)
        serving.get("/?a=b")
        listed = s3.list_objects_v2(Bucket=serving.name).get("Contents", [])
        return [each["Key"] for each in listed]

    (key, *_) = eventually("there is one", objects, seconds=80)
    assert key.startswith("AWSLogs/123456789012/elasticloadbalancing/us-west-2/")
    text = gzip.decompress(s3.get_object(Bucket=serving.name, Key=key)["Body"].read()).decode()
    assert '"GET /?a=b HTTP/1.1"' in text
    assert serving.group in text
