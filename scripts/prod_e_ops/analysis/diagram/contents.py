"""What the cards of the diagram say."""

from collections.abc import Sequence

from prod_e_ops.analysis.diagram.architecture import (
    AccessLogs,
    Architecture,
    Database,
    Firewall,
    LoadBalancer,
    NatGateway,
    Service,
    VpcEndpoint,
)
from prod_e_ops.analysis.diagram.cards import Bar, Card, wrapped

INTERNET = Card(icon="internet", colour="outside", heading="Internet")


def image_build(of: Architecture) -> Card:
    """Where images come from: Terraform's builds, and who else may push."""
    sources = [
        (f"{repository.source}/", repository.platform or "")
        if repository.source
        else (repository.name, "external")
        for repository in of.repositories
    ]
    pushers = [("GitHub Actions", pusher) for pusher in of.pushers]
    # Services may share a source.
    lines = list(dict.fromkeys([*sources, *pushers]))
    return Card(icon="build", colour="outside", heading="Image build", lines=lines)


def firewall(of: Firewall) -> Bar:
    """The web ACL."""
    return Bar(
        icon="firewall", colour="security", name=of.name, kind="WAF", lines=[f"{of.rules} rules"]
    )


def load_balancer(of: LoadBalancer, logs: AccessLogs | None) -> Bar:
    """Listeners, domain names and where the access logs go."""
    lines = list(of.listeners)
    if of.domain_names:
        lines.append(" · ".join(of.domain_names))
    if logs:
        lines.append(f"access logs: {logs.bucket}, {logs.days} days")
    return Bar(
        icon="load-balancer",
        colour="network",
        name=of.name,
        kind="Application Load Balancer",
        lines=lines,
    )


def nat_gateway(of: NatGateway) -> Card:
    """Its name."""
    return Card(icon="nat", colour="network", heading="NAT gateway", lines=[(of.name, "")])


def service(of: Service) -> Bar:
    """How many tasks run where, how large they are, and what they run."""
    return Bar(
        icon="service",
        colour="compute",
        name=of.name,
        kind=f"route {', '.join(of.routes)}",
        lines=[
            f"{of.tasks} on {of.capacity}",
            f"{of.cpu_units} CPU units · {of.memory_mib} MiB · {of.architecture}"
            f" · port {of.port} · health {of.health_path}",
            f"{of.container} runs {of.image}",
        ],
    )


def endpoints(of: Sequence[VpcEndpoint], *, width: float) -> Card:
    """The AWS services that can be reached from a subnet, in a card of a width."""
    names = [
        endpoint.service if endpoint.kind == "Interface" else f"{endpoint.service} (gateway)"
        for endpoint in of
    ]
    return Card(
        icon="endpoint",
        colour="network",
        heading="VPC endpoint" if len(names) == 1 else "VPC endpoints",
        lines=[(line, "") for line in wrapped(names, width)],
    )


def database(of: Database) -> Bar:
    """Its engine and size, and what else it offers."""
    return Bar(
        icon="database",
        colour="database",
        name=of.name,
        kind="RDS",
        lines=[f"{of.engine} · {of.instance_class} · {of.storage}", " · ".join(of.traits)],
    )


def delivery(of: Architecture) -> dict[str, Card]:
    """What brings code into the services, in the order in which it does."""
    found = {
        "registry": Card(
            icon="registry",
            colour="compute",
            heading="ECR",
            lines=[(r.name, "scanned" if r.scan_on_push else "") for r in of.repositories],
        )
    }
    rules: list[tuple[str, str]] = []
    machines: list[tuple[str, str]] = []
    for redeployment in of.redeployments:
        rules += [(redeployment.rule, ""), (f"push of {', '.join(redeployment.tags)}", "")]
        machines += [(redeployment.state_machine, ""), (redeployment.action, "")]
    if of.redeployments:
        found["rule"] = Card(icon="rule", colour="integration", heading="EventBridge", lines=rules)
        found["workflow"] = Card(
            icon="workflow", colour="integration", heading="Step Functions", lines=machines
        )
    return found


def observation(of: Architecture) -> dict[str, Card]:
    """What is watched and kept, from whom it is told downwards."""
    found: dict[str, Card] = {}
    if told := sum(topic.subscriptions for topic in of.topics):
        found["mail"] = Card(
            icon="mail",
            colour="outside",
            heading="E-mail",
            lines=[(f"{told} address{'' if told == 1 else 'es'}", "")],
        )
    lines: list[tuple[str, str]] = []
    for topic in of.topics:
        sources = ["alarms" if topic.alarms else "", _count(topic.rules, "rule")]
        lines += [(topic.name, ""), (f"told by {' and '.join(filter(None, sources))}", "")]
    if lines:
        found["topic"] = Card(icon="topic", colour="integration", heading="SNS", lines=lines)
    lines = [(group.name, f"{group.days} d") for group in of.log_groups]
    if of.alarms:
        lines.append(("alarms", "some roll back" if of.rollback_alarms else ""))
    lines += [(name, "dashboard") for name in of.dashboards]
    found["monitoring"] = Card(
        icon="monitoring", colour="integration", heading="CloudWatch", lines=lines
    )
    if of.database and of.database.managed_password:
        found["secret"] = Card(
            icon="secret",
            colour="security",
            heading="Secrets Manager",
            lines=[("master password,", ""), ("kept and rotated by RDS", "")],
        )
    return found


def ports(numbers: Sequence[int]) -> str:
    """The label of a way that is open for some ports."""
    return f"port{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}" if number else ""
