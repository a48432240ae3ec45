"""What load balancers count becomes CloudWatch's metrics and lines of access logs."""

import asyncio
import gzip
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded_aws.data_plane.load_balancer.figures import Exchange, Figures

PREFIX = "arn:aws:elasticloadbalancing:us-west-2:123456789012"
GROUP = {"arn": f"{PREFIX}:targetgroup/web/2"}
NAMES = {"LoadBalancer": "app/tiny/1"}
IN_GROUP = {**NAMES, "TargetGroup": "targetgroup/web/2"}


def balancer(**attributes: str) -> Any:
    return {"arn": f"{PREFIX}:loadbalancer/app/tiny/1", "attributes": attributes}


def exchange(**given: Any) -> Exchange:
    return Exchange(
        **{
            "balancer": balancer(),
            "protocol": "http",
            "client": "127.0.0.1:5000",
            "request_line": "GET http://tiny:80/ HTTP/1.1",
            "host": "tiny",
            "user_agent": "curl/8",
            **given,
        }
    )


def answered(status: int = 200, **given: Any) -> Exchange:
    return exchange(
        group=GROUP, target="10.0.0.1:3000", status=status, target_status=status, **given
    )


class Aws:
    """CloudWatch and S3 that keep what they are given; `away`: they do not answer."""

    def __init__(self) -> None:
        self.away = False
        self.calls: list[dict[str, Any]] = []
        self.objects: list[dict[str, Any]] = []

    def __call__(self, service: str) -> Any:
        assert service in ("cloudwatch", "s3")
        return self

    def put_metric_data(self, **given: Any) -> None:
        if self.away:
            raise ClientError({"Error": {"Code": "503"}}, "PutMetricData")
        assert given["Namespace"] == "AWS/ApplicationELB"
        self.calls.append(given)

    def put_object(self, **given: Any) -> None:
        if self.away:
            raise ClientError({"Error": {"Code": "503"}}, "PutObject")
        self.objects.append(given)

    def metrics(self) -> dict[tuple[str, bool], Any]:
        """Values by name, and by whether they are a target group's."""
        found: dict[tuple[str, bool], Any] = {}
        for each in (datum for call in self.calls for datum in call["MetricData"]):
            dimensions = {d["Name"]: d["Value"] for d in each["Dimensions"]}
            assert dimensions in (NAMES, IN_GROUP)
            assert abs((datetime.now(UTC) - each["Timestamp"]).total_seconds()) < 600
            value = each.get("Value")
            if value is None:
                value = dict(zip(each["Values"], each["Counts"], strict=True))
            key = each["MetricName"], dimensions == IN_GROUP
            assert key not in found
            found[key] = value, each["Unit"]
        return found


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def figures(aws: Aws) -> Figures:
    return Figures(aws, account_id="123456789012", region="us-west-2")


def flush(figures: Figures, *, with_logs: bool = True) -> None:
    asyncio.run(figures.flush(with_logs=with_logs))


def test_answers_of_targets_count_for_the_load_balancer_and_their_group(
    figures: Figures, aws: Aws
) -> None:
    for status in (200, 204, 302, 500):
        figures.add(answered(status))
    flush(figures)
    count = "Count"
    assert aws.metrics() == {
        ("RequestCount", False): (4.0, count),
        ("RequestCount", True): (4.0, count),
        ("HTTPCode_Target_2XX_Count", False): (2.0, count),
        ("HTTPCode_Target_2XX_Count", True): (2.0, count),
        ("HTTPCode_Target_3XX_Count", False): (1.0, count),
        ("HTTPCode_Target_3XX_Count", True): (1.0, count),
        ("HTTPCode_Target_5XX_Count", False): (1.0, count),
        ("HTTPCode_Target_5XX_Count", True): (1.0, count),
    }


def test_the_load_balancers_own_errors_and_redirects_are_no_targets(
    figures: Figures, aws: Aws
) -> None:
    for status in (200, 301, 403, 500, 502, 503, 504, 561):
        figures.add(exchange(group=GROUP, status=status))
    flush(figures)
    assert aws.metrics() == {
        (name, False): (count, "Count")
        for name, count in {
            "RequestCount": 8.0,
            "HTTPCode_ELB_3XX_Count": 1.0,
            "HTTPCode_ELB_4XX_Count": 1.0,
            "HTTPCode_ELB_5XX_Count": 5.0,
            "HTTPCode_ELB_500_Count": 1.0,
            "HTTPCode_ELB_502_Count": 1.0,
            "HTTPCode_ELB_503_Count": 1.0,
            "HTTPCode_ELB_504_Count": 1.0,
        }.items()
    }


def test_answering_times_are_counted_by_their_value(figures: Figures, aws: Aws) -> None:
    for seconds in (0.25, 0.25004, 1.5, None):
        figures.add(answered(target_seconds=seconds))
    flush(figures)
    metrics = aws.metrics()
    assert metrics["TargetResponseTime", False] == ({0.25: 2, 1.5: 1}, "Seconds")
    assert metrics["TargetResponseTime", True] == ({0.25: 2, 1.5: 1}, "Seconds")


def test_requests_per_target_are_those_of_the_group_by_its_healthy_targets(
    figures: Figures, aws: Aws
) -> None:
    figures.hosts(balancer()["arn"], GROUP["arn"], healthy=2, unhealthy=1)
    for _ in range(5):
        figures.add(answered())
    flush(figures)
    metrics = aws.metrics()
    assert metrics["RequestCountPerTarget", True] == (2.5, "Count")
    assert metrics["HealthyHostCount", True] == (2, "Count")
    assert metrics["UnHealthyHostCount", True] == (1, "Count")
    aws.calls.clear()
    # Hosts are told each time, counts only once.
    figures.hosts(balancer()["arn"], GROUP["arn"], healthy=0, unhealthy=3)
    flush(figures)
    assert aws.metrics() == {
        ("HealthyHostCount", True): (0, "Count"),
        ("UnHealthyHostCount", True): (3, "Count"),
    }


def test_what_cloudwatch_does_not_take_is_counted_with_what_comes_next(
    figures: Figures, aws: Aws
) -> None:
    figures.add(answered(target_seconds=1.0))
    aws.away = True
    flush(figures)
    aws.away = False
    figures.add(answered(target_seconds=1.0))
    flush(figures)
    metrics = aws.metrics()
    assert metrics["RequestCount", False] == (2.0, "Count")
    assert metrics["TargetResponseTime", True] == ({1.0: 2}, "Seconds")


def test_one_call_takes_five_hundred_values(figures: Figures, aws: Aws) -> None:
    for number in range(300):
        figures.hosts(f"{PREFIX}:loadbalancer/app/tiny/{number}", "g", healthy=1, unhealthy=0)
    flush(figures)
    assert [len(call["MetricData"]) for call in aws.calls] == [500, 100]


LOGGED = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "logs"}


def test_access_logs_have_a_line_for_each_request_where_they_are_on(
    figures: Figures, aws: Aws
) -> None:
    of = balancer(**LOGGED)
    figures.follow([of])
    figures.add(answered(balancer=of, target_seconds=0.1234, sent_bytes=42, trace_id="Root=1-2-3"))
    figures.add(exchange(balancer=of, status=503))
    figures.add(answered())
    flush(figures, with_logs=False)
    assert not aws.objects
    flush(figures)
    (put,) = aws.objects
    assert put["Bucket"] == "logs"
    assert re.fullmatch(
        r"AWSLogs/123456789012/elasticloadbalancing/us-west-2/\d{4}/\d\d/\d\d/"
        r"123456789012_elasticloadbalancing_us-west-2_app\.tiny\.1_\d{8}T\d{4}Z_127\.0\.0\.1_"
        r"[0-9a-f]{8}\.log\.gz",
        put["Key"],
    )
    lines = gzip.decompress(put["Body"]).decode().split("\n")
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    assert re.fullmatch(
        rf"http {moment} app/tiny/1 127\.0\.0\.1:5000 10\.0\.0\.1:3000 0\.000 0\.123 0\.000"
        r' 200 200 0 42 "GET http://tiny:80/ HTTP/1\.1" "curl/8" - -'
        rf' {GROUP["arn"]} "Root=1-2-3"',
        lines[0],
    )
    assert re.fullmatch(
        rf"http {moment} app/tiny/1 127\.0\.0\.1:5000 - -1 -1 -1 503 - 0 0"
        r' "GET http://tiny:80/ HTTP/1\.1" "curl/8" - - - "-"',
        lines[1],
    )
    assert lines[2:] == [""]
    # What was put is not put again.
    flush(figures)
    assert len(aws.objects) == 1


def test_access_logs_go_below_their_prefix_and_end_when_they_are_switched_off(
    figures: Figures, aws: Aws
) -> None:
    of = balancer(**LOGGED, **{"access_logs.s3.prefix": "web"})
    figures.follow([of])
    figures.add(answered(balancer=of))
    flush(figures)
    assert aws.objects[0]["Key"].startswith("web/AWSLogs/")
    figures.add(answered(balancer=of))
    figures.follow([balancer()])
    flush(figures)
    assert len(aws.objects) == 1


def test_a_bucket_that_takes_nothing_disturbs_nothing(figures: Figures, aws: Aws) -> None:
    of = balancer(**LOGGED)
    figures.follow([of])
    figures.add(answered(balancer=of))
    aws.away = True
    flush(figures)
