"""Elastic Load Balancing."""

from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from embedded_aws.control_plane.exchange import has_data_plane
from embedded_aws.control_plane.registrations import Registration, registrations


def apply() -> None:
    _load_balancers_face_the_internet_by_default()
    if has_data_plane():
        _targets_are_as_healthy_as_the_load_balancer_finds()


def _load_balancers_face_the_internet_by_default() -> None:
    # moto keeps no scheme where the request names none.
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    create = ELBv2Backend.create_load_balancer

    def create_load_balancer(self: Any, *args: Any, **kwargs: Any) -> Any:
        balancer = create(self, *args, **kwargs)
        balancer.scheme = balancer.scheme or "internet-facing"
        return balancer

    ELBv2Backend.create_load_balancer = create_load_balancer


def _targets_are_as_healthy_as_the_load_balancer_finds() -> None:
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
    register, deregister = FakeTargetGroup.register, FakeTargetGroup.deregister
    delete = ELBv2Backend.delete_target_group

    def register_targets(self: Any, targets: list[dict[str, Any]]) -> None:
        register(self, targets)
        for target in targets:
            if registrations.active(self.arn, target["Id"]) is None:
                port = int(target.get("Port") or self.port)
                registrations.add(
                    Registration(group_arn=self.arn, target_id=target["Id"], port=port)
                )

    def deregister_targets(self: Any, targets: list[dict[str, Any]]) -> None:
        deregister(self, targets)
        for target in targets:
            if registration := registrations.active(self.arn, target["Id"]):
                registration.drain()

    def describe_target_health(
        self: Any, target_group_arn: str, targets: list[dict[str, Any]]
    ) -> list[Any]:
        group = self.describe_target_groups(None, [target_group_arn], None)[0]
        wanted = {target["Id"] for target in targets}
        found = [
            each
            for each in registrations.of_group(target_group_arn)
            if not wanted or each.target_id in wanted
        ]
        known = {each.target_id for each in found}
        return [
            *(_status(each, group) for each in found),
            *(
                FakeHealthStatus(
                    target["Id"],
                    target.get("Port") or group.port,
                    None,
                    "unused",
                    "Target.NotRegistered",
                    "Target is not registered to the target group",
                )
                for target in targets
                if target["Id"] not in known
            ),
        ]

    def delete_target_group(self: Any, target_group_arn: str) -> Any:
        deleted = delete(self, target_group_arn)
        registrations.forget_group(target_group_arn)
        return deleted

    FakeTargetGroup.register = register_targets
    FakeTargetGroup.deregister = deregister_targets
    ELBv2Backend.describe_target_health = describe_target_health
    ELBv2Backend.delete_target_group = delete_target_group


def _status(each: Registration, group: Any) -> Any:
    health_port = str(each.port)
    if group.health_check_port not in (None, "traffic-port"):
        health_port = group.health_check_port
    return FakeHealthStatus(
        each.target_id, str(each.port), health_port, each.state, each.reason, each.description
    )
