"""What is watched of a load balancer itself, whichever service a request is for."""

from prod_e.load_balancer.load_balancer import LoadBalancerBase
from prod_e.monitoring.metric import Metric
from prod_e.monitoring.watch import Watch


def watch_load_balancer(load_balancer: LoadBalancerBase, watch: Watch) -> None:
    """An alarm on the answers 502, 503 and 504 that are its own, of which targets know nothing.

    It rolls nothing back: one service's failure would roll back another's deployment.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    """
    errors = Metric(
        namespace="AWS/ApplicationELB",
        name="HTTPCode_ELB_5XX_Count",
        dimensions={"LoadBalancer": load_balancer.arn_suffix},
        statistic="Sum",
    )
    # Not a percentage: requests that reach no target are not counted as requests.
    most = watch.thresholds.load_balancer_5xx_per_minute
    watch.alarms.metric_alarm(
        f"{watch.id}-5xx",
        f"More than {most} requests a minute got an error of the load balancer's own",
        errors,
        threshold=most,
        periods=3,
        missing="notBreaching",  # it is reported only when there are any
    )
    watch.dashboard.add(f"{watch.id}: its own 5xx", [errors.widget_row("5xx")])
