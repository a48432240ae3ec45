"""Elastic Load Balancing."""

from typing import Any

from moto.elbv2.models import ELBv2Backend


def apply() -> None:
    _load_balancers_face_the_internet_by_default()


def _load_balancers_face_the_internet_by_default() -> None:
    # moto keeps no scheme where the request names none.
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    create = ELBv2Backend.create_load_balancer

    def create_load_balancer(self: Any, *args: Any, **kwargs: Any) -> Any:
        balancer = create(self, *args, **kwargs)
        balancer.scheme = balancer.scheme or "internet-facing"
        return balancer

    ELBv2Backend.create_load_balancer = create_load_balancer
