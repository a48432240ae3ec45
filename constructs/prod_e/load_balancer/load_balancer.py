"""The Application Load Balancer."""

from dataclasses import dataclass
from typing import Annotated

from cdktf import Fn
from cdktf_cdktf_provider_aws.data_aws_lb import DataAwsLb
from cdktf_cdktf_provider_aws.data_aws_lb_listener import DataAwsLbListener
from cdktf_cdktf_provider_aws.lb import Lb, LbAccessLogs
from cdktf_cdktf_provider_aws.lb_listener import (
    LbListener,
    LbListenerDefaultAction,
    LbListenerDefaultActionFixedResponse,
    LbListenerDefaultActionRedirect,
)
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup
from cdktf_cdktf_provider_aws.route53_record import Route53Record
from constructs import Construct

from prod_e.doc import Doc
from prod_e.load_balancer.access_logs import access_logs_bucket
from prod_e.load_balancer.certificate import Domain, add_alias_records, validated_certificate
from prod_e.load_balancer.priority import HIGHEST_PRIORITY, rule_priority
from prod_e.load_balancer.target_group import HealthCheck, listener_rule, target_group
from prod_e.load_balancer.waf import Waf, add_web_acl
from prod_e.network.network import NetworkBase
from prod_e.network.security_group import ExistingSecurityGroup, SecurityGroupBase
from prod_e.service.fargate_service import FargateService
from prod_e.service.route import Route

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.3 and, for older clients, 1.2 with forward secrecy:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html"""

_LONGEST_NAME = 32
_HTTP_PORT, _HTTPS_PORT = 80, 443


@dataclass(frozen=True, kw_only=True)
class AccessLogs:
    """Logs of all requests in a bucket that only the load balancer writes to.

    Raises `ValueError` for less than a day.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
    """

    retention_days: Annotated[int, Doc("1 or more; default 90")] = 90

    def __post_init__(self) -> None:
        if self.retention_days < 1:
            raise ValueError(f"retention_days = {self.retention_days}; allowed: 1 or more")


class LoadBalancerBase(Construct):
    """What routes need of a load balancer, whether it is made here or was there before.

    `arn_suffix`: what CloudWatch calls it. `dns_name`: where it answers. `url`: the address that
    people use.
    """

    listener_arn: str
    arn_suffix: str
    dns_name: str
    url: str
    security_group: SecurityGroupBase
    _network: NetworkBase
    _target_groups: dict[str, LbTargetGroup]

    def route(
        self,
        service: Annotated[FargateService, Doc("with a port")],
        *,
        path: Annotated[
            str, Doc("* and ? match anything; without them it and all below; default /*")
        ] = "/*",
        host: Annotated[str | None, Doc("* and ? match anything; default: every host")] = None,
        priority: Annotated[
            int | None,
            Doc("1 to 50000, the lowest is tried first; default: the more specific route first"),
        ] = None,
        health_check: Annotated[HealthCheck | None, Doc("default: / answers 200")] = None,
        target_group_name: Annotated[
            str | None, Doc("at most 32 characters, of a new one; default: the service's")
        ] = None,
        id: Annotated[str | None, Doc("of the constructs; default: the service's id")] = None,
    ) -> Route:
        """Leads requests to a service, and lets this load balancer reach its tasks.

        Further routes of a service share the first one's target group and health check. Raises
        `ValueError` for a service without a port, and for values that AWS refuses.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
        """
        if service.port is None:
            raise ValueError(f"{service.name} has no port: give FargateService one")
        priority = priority or rule_priority(path, host)
        if not 1 <= priority <= HIGHEST_PRIORITY:
            raise ValueError(f"priority = {priority}; allowed: 1 to {HIGHEST_PRIORITY}")
        id = id or service.node.id
        key = service.node.path
        is_first = key not in self._target_groups
        if is_first:
            self._target_groups[key] = target_group(
                self,
                f"{id}-targets",
                name=target_group_name or service.name,
                port=service.port,
                vpc_id=self._network.vpc_id,
                health_check=health_check or HealthCheck(),
            )
        elif health_check or target_group_name:
            raise ValueError(f"the first route of {service.name} has its health check and name")
        group = self._target_groups[key]
        route = Route(
            target_group=group,
            listener_rule=listener_rule(
                self,
                f"{id}-route" if is_first else f"{id}-route-{priority}",
                name=service.name,
                listener_arn=self.listener_arn,
                path=path,
                host=host,
                priority=priority,
                target_group_arn=group.arn,
            ),
            load_balancer_arn_suffix=self.arn_suffix,
            grace_period_seconds=(health_check or HealthCheck()).grace_period_seconds,
        )
        service.add_route(route, load_balancer=self.security_group)
        return route


class LoadBalancer(LoadBalancerBase):
    """An internet-facing Application Load Balancer that answers 404 until a service has a route.

    With a domain or a certificate it speaks HTTPS only, and redirects HTTP. It drops malformed
    headers.

    Raises `ValueError` for a name that AWS refuses.

    `load_balancer`, `listener`, `web_acl`: the resources. `alias_records`: those of its domain's
    names, by name.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/introduction.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Annotated[NetworkBase, Doc("with two public subnets or more")],
        name: Annotated[str | None, Doc("at most 32 characters; default: <network's>-<id>")] = None,
        domain: Annotated[
            Domain | None, Doc("gives HTTPS with a certificate of its own; default: none")
        ] = None,
        certificate_arn: Annotated[
            str | None, Doc("an ACM certificate that is there; default: one for the domain")
        ] = None,
        access_logs: Annotated[
            AccessLogs | None, Doc("where requests are logged; default: 90 days")
        ] = AccessLogs(),
        waf: Annotated[Waf | None, Doc("a firewall in front; default: none")] = None,
        deletion_protection: Annotated[
            bool, Doc("AWS refuses to delete it, and its logs are kept; default: yes")
        ] = True,
    ) -> None:
        super().__init__(scope, id)
        self.name = name or f"{network.name}-{id}"
        if len(self.name) > _LONGEST_NAME or self.name.startswith("internal-"):
            raise ValueError(
                f"the load balancer's name {self.name!r}; allowed: at most {_LONGEST_NAME}"
                " characters, not beginning with internal-"
            )
        self._network = network
        self._target_groups = {}
        is_https = domain is not None or certificate_arn is not None
        self.security_group = network.security_group(
            self,
            name=f"{network.name}-{id}",
            description="The load balancer of all services",
        )
        for port in (_HTTP_PORT, _HTTPS_PORT) if is_https else (_HTTP_PORT,):
            self.security_group.allow_from_internet(port=port)
        self.load_balancer = self._application_load_balancer(
            network, access_logs, deletion_protection=deletion_protection
        )
        self.arn_suffix = self.load_balancer.arn_suffix
        self.dns_name = self.load_balancer.dns_name
        self.alias_records: dict[str, Route53Record] = {}
        host = domain.name if domain else self.dns_name
        self.url = f"{'https' if is_https else 'http'}://{host}"
        self.listener = self._listen(domain, certificate_arn)
        self.listener_arn = self.listener.arn
        self.web_acl = (
            add_web_acl(
                self,
                waf,
                load_balancer_name=self.name,
                load_balancer_arn=self.load_balancer.arn,
            )
            if waf
            else None
        )

    @staticmethod
    def from_existing(
        scope: Construct,
        id: str,
        *,
        network: Annotated[NetworkBase, Doc("the load balancer's VPC, where services run")],
        listener_arn: Annotated[str, Doc("the listener that gets the rules")],
        security_group_id: Annotated[str, Doc("one of its groups, which gets rules to tasks")],
        host: Annotated[
            str | None, Doc("the name people use; default: the load balancer's own")
        ] = None,
    ) -> LoadBalancerBase:
        """A load balancer that is there already; a rule is added to one of its listeners.

        The rest is looked up by the listener.
        """
        return ExistingLoadBalancer(
            scope,
            id,
            network=network,
            listener_arn=listener_arn,
            security_group_id=security_group_id,
            host=host,
        )

    def _application_load_balancer(
        self, network: NetworkBase, access_logs: AccessLogs | None, *, deletion_protection: bool
    ) -> Lb:
        logs = (
            access_logs_bucket(
                self,
                name=self.name,
                retention_days=access_logs.retention_days,
                force_destroy=not deletion_protection,
            )
            if access_logs
            else None
        )
        return Lb(
            self,
            "alb",
            name=self.name,
            load_balancer_type="application",
            internal=False,
            security_groups=[self.security_group.security_group_id],
            subnets=network.public_subnet_ids,
            drop_invalid_header_fields=True,
            enable_deletion_protection=deletion_protection,
            idle_timeout=60,
            access_logs=LbAccessLogs(bucket=logs[0].bucket, enabled=True) if logs else None,
            depends_on=[*network.internet_dependables, *([logs[1]] if logs else [])],
        )

    def _listen(self, domain: Domain | None, certificate_arn: str | None) -> LbListener:
        not_found = LbListenerDefaultAction(
            type="fixed-response",
            fixed_response=LbListenerDefaultActionFixedResponse(
                content_type="application/json",
                status_code="404",
                message_body='{"error":"no service has this route"}',
            ),
        )
        if domain:
            self.alias_records = add_alias_records(self, domain, self.load_balancer)
            certificate_arn = certificate_arn or validated_certificate(self, domain).certificate_arn
        if certificate_arn is None:
            return self._http_listener(not_found)
        self._http_listener(
            LbListenerDefaultAction(
                type="redirect",
                redirect=LbListenerDefaultActionRedirect(
                    protocol="HTTPS", port=str(_HTTPS_PORT), status_code="HTTP_301"
                ),
            )
        )
        return LbListener(
            self,
            "https",
            load_balancer_arn=self.load_balancer.arn,
            port=_HTTPS_PORT,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=certificate_arn,
            default_action=[not_found],
        )

    def _http_listener(self, action: LbListenerDefaultAction) -> LbListener:
        return LbListener(
            self,
            "http",
            load_balancer_arn=self.load_balancer.arn,
            port=_HTTP_PORT,
            protocol="HTTP",
            default_action=[action],
        )


class ExistingLoadBalancer(LoadBalancerBase):
    """A load balancer that somebody else made; see `LoadBalancer.from_existing`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: NetworkBase,
        listener_arn: str,
        security_group_id: str,
        host: str | None,
    ) -> None:
        super().__init__(scope, id)
        self._network = network
        self._target_groups = {}
        listener = DataAwsLbListener(self, "listener", arn=listener_arn)
        load_balancer = DataAwsLb(self, "alb", arn=listener.load_balancer_arn)
        self.listener_arn = listener_arn
        self.arn_suffix = load_balancer.arn_suffix
        self.dns_name = load_balancer.dns_name
        self.url = f"{Fn.lower(listener.protocol)}://{host or self.dns_name}"
        self.security_group = ExistingSecurityGroup(self, security_group_id=security_group_id)
