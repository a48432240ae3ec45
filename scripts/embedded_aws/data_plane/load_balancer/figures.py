"""What load balancers count: CloudWatch metrics and access logs.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
"""

import asyncio
import contextlib
import gzip
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.data_plane.aws import Clients
from embedded_aws.protocol import LoadBalancer, RequestReport

_METRIC_SECONDS = 5
"""An ALB publishes every 60 seconds; the sums are the same."""
_LOG_SECONDS = 60
_MOST_DATA = 500


@dataclass(kw_only=True)
class Exchange:
    """A request and its answer. `status`: what the client got; `target_status`: from the target."""

    balancer: LoadBalancer
    protocol: str
    client: str
    request_line: str
    host: str
    user_agent: str
    group: Mapping[str, Any] | None = None
    target: str | None = None
    status: int = 0
    target_status: int | None = None
    target_seconds: float | None = None
    seconds: float = 0
    sent_bytes: int = 0
    trace_id: str = "-"
    begun: float = field(default_factory=time.monotonic)


class Figures:
    """Collects exchanges and hands what they come to over to CloudWatch and S3."""

    def __init__(self, clients: Clients, *, account_id: str, region: str) -> None:
        self._clients = clients
        self._account_id = account_id
        self._region = region
        self._sums: Counter[tuple[str, str, str | None]] = Counter()
        self._times: dict[tuple[str, str | None], list[float]] = defaultdict(list)
        self._lines: dict[str, list[str]] = defaultdict(list)
        self._balancers: dict[str, LoadBalancer] = {}
        self._hosts: dict[tuple[str, str], tuple[int, int]] = {}
        self._totals: dict[str, RequestReport] = {}

    def add(self, exchange: Exchange) -> None:
        """Counts one."""
        balancer = exchange.balancer["arn"]
        group = exchange.group["arn"] if exchange.group else None
        names = ["RequestCount"]
        if exchange.target_status:
            names.append(f"HTTPCode_Target_{exchange.target_status // 100}XX_Count")
        elif exchange.status >= 300:
            names.append(f"HTTPCode_ELB_{exchange.status // 100}XX_Count")
            if exchange.status in (500, 502, 503, 504):
                names.append(f"HTTPCode_ELB_{exchange.status}_Count")
        for name in names:
            self._sums[name, balancer, None] += 1
            # The load balancer's own errors have no target group.
            if group and "_ELB_" not in name and exchange.target_status:
                self._sums[name, balancer, group] += 1
        if exchange.target_seconds is not None:
            self._times[balancer, None].append(exchange.target_seconds)
            self._times[balancer, group].append(exchange.target_seconds)
        if exchange.balancer["attributes"].get("access_logs.s3.enabled") == "true":
            self._lines[balancer].append(_line(exchange))
        total = self._totals.setdefault(balancer, {"count": 0, "failed": 0})
        total["count"] += 1
        total["failed"] += not 0 < exchange.status < HTTPStatus.INTERNAL_SERVER_ERROR

    def totals(self) -> dict[str, RequestReport]:
        """All that was answered, by load balancer."""
        return self._totals

    def follow(self, balancers: Iterable[LoadBalancer]) -> None:
        """Takes over the load balancers as they are now."""
        self._balancers = {each["arn"]: each for each in balancers}

    def hosts(self, balancer: str, group: str, *, healthy: int, unhealthy: int) -> None:
        """Notes how many targets of a group are healthy now."""
        self._hosts[balancer, group] = (healthy, unhealthy)

    async def run(self) -> None:
        """Hands over what was counted until it is cancelled."""
        logged = time.monotonic()
        while True:
            # On the clock, so that an alarm's period has what happened in it.
            await asyncio.sleep(_METRIC_SECONDS - time.time() % _METRIC_SECONDS)
            is_time = time.monotonic() - logged >= _LOG_SECONDS
            logged = time.monotonic() if is_time else logged
            await self.flush(with_logs=is_time)

    async def flush(self, *, with_logs: bool = True) -> None:
        """Hands over all that was counted."""
        sums, self._sums = self._sums, Counter()
        times, self._times = self._times, defaultdict(list)
        try:
            await asyncio.to_thread(self._put_metrics, sums, times)
        except (BotoCoreError, ClientError):
            # Not there for a while: counted with what comes next.
            self._sums.update(sums)
            for key, seconds in times.items():
                self._times[key] += seconds
        if with_logs:
            with contextlib.suppress(BotoCoreError, ClientError):
                await asyncio.to_thread(self._put_logs)

    def _put_metrics(
        self,
        sums: Mapping[tuple[str, str, str | None], int],
        times: Mapping[tuple[str, str | None], list[float]],
    ) -> None:
        middle = datetime.now(UTC) - timedelta(seconds=_METRIC_SECONDS / 2)
        data: list[dict[str, Any]] = [
            {"MetricName": name, "Value": float(count), "Unit": "Count", **_at(balancer, group)}
            for (name, balancer, group), count in sums.items()
        ]
        for (of, group_of), (healthy, _) in self._hosts.items():
            requests = sums.get(("RequestCount", of, group_of), 0)
            if requests and healthy:
                data.append(
                    {
                        "MetricName": "RequestCountPerTarget",
                        "Value": requests / healthy,
                        "Unit": "Count",
                        **_at(of, group_of),
                    }
                )
        for (balancer, group), seconds in times.items():
            counts = Counter(round(each, 4) for each in seconds)
            data.append(
                {
                    "MetricName": "TargetResponseTime",
                    "Values": list(counts),
                    "Counts": list(counts.values()),
                    "Unit": "Seconds",
                    **_at(balancer, group),
                }
            )
        for (balancer, group), (healthy, unhealthy) in self._hosts.items():
            for name, count in (("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)):
                data.append(
                    {"MetricName": name, "Value": count, "Unit": "Count", **_at(balancer, group)}
                )
        for begin in range(0, len(data), _MOST_DATA):
            self._clients("cloudwatch").put_metric_data(
                Namespace="AWS/ApplicationELB",
                MetricData=[
                    {**each, "Timestamp": middle} for each in data[begin : begin + _MOST_DATA]
                ],
            )

    def _put_logs(self) -> None:
        lines, self._lines = self._lines, defaultdict(list)
        for arn, of_balancer in lines.items():
            balancer = self._balancers.get(arn)
            attributes = balancer["attributes"] if balancer else {}
            if attributes.get("access_logs.s3.enabled") != "true":
                continue
            now = datetime.now(UTC)
            prefix = attributes.get("access_logs.s3.prefix")
            folder = f"{prefix}/" if prefix else ""
            name = arn.rpartition(":loadbalancer/")[2].replace("/", ".")
            self._clients("s3").put_object(
                Bucket=attributes["access_logs.s3.bucket"],
                Key=f"{folder}AWSLogs/{self._account_id}/elasticloadbalancing/{self._region}/"
                f"{now:%Y/%m/%d}/{self._account_id}_elasticloadbalancing_{self._region}_{name}_"
                f"{now:%Y%m%dT%H%MZ}_127.0.0.1_{secrets.token_hex(4)}.log.gz",
                Body=gzip.compress("".join(f"{line}\n" for line in of_balancer).encode()),
            )


def _at(balancer: str, group: str | None) -> dict[str, Any]:
    dimensions = {"LoadBalancer": balancer.rpartition(":loadbalancer/")[2]}
    if group:
        dimensions["TargetGroup"] = group.rpartition(":")[2]
    return {"Dimensions": [{"Name": name, "Value": v} for name, v in dimensions.items()]}


def _line(exchange: Exchange) -> str:
    target_seconds = exchange.target_seconds
    return " ".join(
        (
            exchange.protocol,
            f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            exchange.balancer["arn"].rpartition(":loadbalancer/")[2],
            exchange.client,
            exchange.target or "-",
            "0.000" if target_seconds is not None else "-1",
            f"{target_seconds:.3f}" if target_seconds is not None else "-1",
            "0.000" if target_seconds is not None else "-1",
            str(exchange.status),
            str(exchange.target_status or "-"),
            "0",
            str(exchange.sent_bytes),
            f'"{exchange.request_line}"',
            f'"{exchange.user_agent}"',
            "- -",
            exchange.group["arn"] if exchange.group else "-",
            f'"{exchange.trace_id}"',
        )
    )
