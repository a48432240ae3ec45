"""Elastic Load Balancing."""

from typing import Any

from moto.elbv2.models import (
    ELBv2Backend,
    FakeAction,
    FakeHealthStatus,
    FakeListener,
    FakeListenerRule,
    FakeLoadBalancer,
    FakeTargetGroup,
)

from embedded_aws.control_plane.exchange import has_data_plane
from embedded_aws.control_plane.registrations import Registration, registrations

# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
_APPLICATION_LOAD_BALANCER_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.prefix": "",
    "health_check_logs.s3.bucket": "",
    "health_check_logs.s3.enabled": "false",
    "health_check_logs.s3.prefix": "",
    "idle_timeout.timeout_seconds": "60",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}

# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
_HTTP_TARGET_GROUP_ATTRIBUTES = {
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}

# Conditions that have values of their own beside their configuration.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RuleCondition.html
_CONDITIONS_WITH_VALUES = {"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig"}

# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RedirectActionConfig.html
_REDIRECT = {
    "Protocol": "#{protocol}",
    "Port": "#{port}",
    "Host": "#{host}",
    "Path": "/#{path}",
    "Query": "#{query}",
}


def apply() -> None:
    _load_balancers_face_the_internet_by_default()
    _attributes_have_their_defaults()
    _listeners_say_what_tls_they_speak()
    _actions_and_conditions_are_told_in_both_ways()
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


def _attributes_have_their_defaults() -> None:
    make_balancer, make_group = FakeLoadBalancer.__init__, FakeTargetGroup.__init__
    create_listener = ELBv2Backend.create_listener

    def load_balancer(self: Any, *args: Any, **kwargs: Any) -> None:
        make_balancer(self, *args, **kwargs)
        if self.type == "application":
            self.attrs.update(_APPLICATION_LOAD_BALANCER_ATTRIBUTES)
            if self.scheme == "internal":
                self.attrs["ipv6.deny_all_igw_traffic"] = "true"

    def target_group(self: Any, *args: Any, **kwargs: Any) -> None:
        make_group(self, *args, **kwargs)
        # An attribute of load balancers, not of target groups.
        del self.attributes["waf.fail_open.enabled"]
        if self.protocol in ("HTTP", "HTTPS"):
            self.attributes.update(_HTTP_TARGET_GROUP_ATTRIBUTES)

    def listener(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = create_listener(self, *args, **kwargs)
        if self.load_balancers[listener.load_balancer_arn].type == "application":
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
            listener.attributes = {"routing.http.response.server.enabled": "true"}
        return listener

    FakeLoadBalancer.VALID_ATTRS = {
        *FakeLoadBalancer.VALID_ATTRS,
        *_APPLICATION_LOAD_BALANCER_ATTRIBUTES,
    }
    FakeLoadBalancer.__init__ = load_balancer
    FakeTargetGroup.__init__ = target_group
    ELBv2Backend.create_listener = listener


def _listeners_say_what_tls_they_speak() -> None:
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Listener.html
    make = FakeListener.__init__

    def listener(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        if self.protocol not in ("HTTPS", "TLS"):
            self.ssl_policy = None
        if self.protocol == "HTTPS":
            self.mutual_authentication = {"Mode": "off"}
        self.alpn_policy = self.alpn_policy or None

    FakeListener.__init__ = listener


def _actions_and_conditions_are_told_in_both_ways() -> None:
    # https://github.com/getmoto/moto/issues/4716
    make_action = FakeAction.__init__

    def action(self: Any, data: dict[str, Any]) -> None:
        if data.get("Type") == "forward" and "TargetGroupArn" in data:
            group = {"TargetGroupArn": data["TargetGroupArn"]}
            data = {"ForwardConfig": {"TargetGroups": [group]}, **data}
        if "RedirectConfig" in data:
            data = {**data, "RedirectConfig": {**_REDIRECT, **data["RedirectConfig"]}}
        make_action(self, data)

    FakeAction.__init__ = action
    FakeListenerRule.conditions = property(
        lambda self: self.told_conditions,
        lambda self, given: setattr(self, "told_conditions", [*map(_condition, given)]),
    )


def _condition(given: dict[str, Any]) -> dict[str, Any]:
    configuration = _CONDITIONS_WITH_VALUES.get(given["Field"])
    if configuration is None:
        return given
    values = given.get("Values") or given[configuration]["Values"]
    return {**given, "Values": values, configuration: {"Values": values}}


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
