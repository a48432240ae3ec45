"""The diagram of an architecture: where everything goes, and what leads where."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise

from prod_e_ops.analysis.diagram import contents
from prod_e_ops.analysis.diagram.architecture import Architecture, Place
from prod_e_ops.analysis.diagram.cards import Bar, Card
from prod_e_ops.analysis.diagram.reading import read_architecture
from prod_e_ops.analysis.diagram.svg import Box, Canvas, document, fitted, text_width
from prod_e_ops.project.project import Stack

_MARGIN = 18.0
_PADDING = 15.0
_TITLE_HEIGHT = 66.0
_LEGEND_HEIGHT = 46.0
_GAP = 36.0
"""Between cards that an arrow joins, and between the VPC and what is beside it."""
_SIDE_WIDTH = 220.0
_VPC_WIDTH = 560.0
_LEAST_ZONE_WIDTH = 212.0
_ZONE_GAP = 18.0
_GUTTER = 22.0
"""Between the VPC's border and its zones: the way out of NAT gateways."""
_INSET = 8.0
"""Between the borders of a zone, its subnets and what is in them."""
_CAPTION_HEIGHT = 28.0
_ROW_GAP = 26.0
_TIER_GAP = 50.0
_LABEL_HEIGHT = 22.0
_LABEL_PADDING = 10.0

_LEGEND = {
    "requests": "requests",
    "egress": "out of the VPC",
    "delivery": "delivery of code",
    "observation": "logs, alarms, secrets",
}


def draw(architecture: Architecture) -> str:
    """Draws an architecture as SVG: from the internet above to the database below.

    To the left is how code gets there, to the right what is watched and kept. Whatever the
    architecture does not have is not in the diagram.
    """
    return _Drawing(architecture).svg()


def draw_stacks(environment: str, stacks: Iterable[Stack]) -> str:
    """Draws the architecture that an environment's synthesised stacks make."""
    read = {stack.name: json.loads(stack.json_file.read_text("utf-8")) for stack in stacks}
    return draw(read_architecture(environment, read))


class _Drawing:
    """Places things from the top to the bottom, then draws what leads from one to the other.

    `_at` knows where things are, so that an arrow is drawn only if both of its ends are there.
    """

    def __init__(self, architecture: Architecture) -> None:
        self._of = architecture
        self._frames, self._links, self._cards = Canvas(), Canvas(), Canvas()
        self._at: dict[str, Box] = {}
        zones = architecture.zones
        self._zone_width = max(
            _LEAST_ZONE_WIDTH, (_VPC_WIDTH - 2 * _GUTTER - (zones - 1) * _ZONE_GAP) / zones
        )
        self._left = _MARGIN + _PADDING
        self._vpc_x = self._left + _SIDE_WIDTH + _GAP
        self._vpc_right = self._zone_x(zones) - _ZONE_GAP + _GUTTER
        self._right = self._vpc_right + _GAP
        self._width = self._right + _SIDE_WIDTH + _PADDING + _MARGIN
        # Requests go down between the first two zones, where nothing else is.
        self._lane = self._zone_x(1) - _ZONE_GAP / 2

    def svg(self) -> str:
        """Draws everything."""
        observation = contents.observation(self._of)
        region_y = self._place_outside(observation.pop("mail", None)) + 40
        vpc = self._place_vpc(self._place_firewall(region_y + 14) + 20)
        delivered = self._place_delivery(contents.delivery(self._of))
        watched = self._place_observation(observation)
        self._link_requests()
        self._link_egress()
        self._link_sides()

        bottom = max(vpc.bottom, delivered, watched) + _PADDING
        height = bottom + _LEGEND_HEIGHT
        page = Canvas()
        page.box(Box(0.5, 0.5, self._width - 1, height - 1), "page", radius=12)
        region = Box(_MARGIN, region_y, self._width - 2 * _MARGIN, bottom - region_y)
        page.box(region, "region", radius=12)
        page.box(vpc, "vpc", radius=10)
        caption = fitted(f"AWS region {self._of.region}", self._lane - self._vpc_x - _INSET)
        page.text(self._vpc_x, region_y + 21, caption, style="muted")
        page.text(_MARGIN, 42, self._of.name, style="title")
        self._draw_legend(bottom + 28)
        return document(
            (page, self._frames, self._links, self._cards),
            width=self._width,
            height=height,
            title=f"The architecture of {self._of.name}",
            description=f"Drawn from the Terraform JSON of {', '.join(self._of.stacks)}.",
        )

    def _zone_x(self, zone: int) -> float:
        return self._vpc_x + _GUTTER + zone * (self._zone_width + _ZONE_GAP)

    def _across(self, place: Place) -> tuple[float, float]:
        """The x and the width of what lies across a place's zones."""
        x = self._zone_x(place.zones[0]) + 2 * _INSET
        return x, self._zone_x(place.zones[-1]) + self._zone_width - 2 * _INSET - x

    def _place(self, name: str, card: Card | Bar, x: float, y: float, width: float) -> Box:
        self._at[name] = box = Box(x, y, width, card.height)
        card.draw(self._cards, box)
        return box

    def _place_outside(self, mail: Card | None) -> float:
        """Draws what is not in AWS; returns where it ends."""
        build, y = contents.image_build(self._of), _TITLE_HEIGHT
        boxes = [
            self._place("build", build, self._left, y, _SIDE_WIDTH),
            self._place("internet", contents.INTERNET, self._lane - 66, y, 132),
        ]
        if mail:
            boxes.append(self._place("mail", mail, self._right, y, _SIDE_WIDTH))
        return max(box.bottom for box in boxes)

    def _place_firewall(self, y: float) -> float:
        """Draws the web application firewall if there is one; returns where it ends."""
        if not self._of.firewall:
            return y
        card = contents.firewall(self._of.firewall)
        return self._place("firewall", card, self._lane - 115, y + 16, 230).bottom

    def _place_vpc(self, y: float) -> Box:
        """Draws the VPC with everything in it; returns its border, which is to be drawn."""
        of = self._of
        caption = f"VPC {of.vpc_cidr}"
        self._frames.text(self._vpc_x + _GUTTER, y + 23, caption, style="muted")
        zones_y = y + 36
        if of.internet_gateway:
            self._at["gateway"] = gateway = Box(self._lane - 78, y + 30, 156, 30)
            self._cards.box(gateway, "card", radius=15)
            self._cards.icon(gateway.x + 6, gateway.y + 5, "gateway", "network", size=20)
            self._cards.text(gateway.x + 35, gateway.y + 20, "internet gateway")
            zones_y = gateway.bottom + 16
        bottom = zones_y + _CAPTION_HEIGHT - _TIER_GAP
        for tier in of.tiers:
            bottom = self._place_tier(tier, bottom + _TIER_GAP)
        for zone in range(of.zones):
            box = Box(self._zone_x(zone), zones_y, self._zone_width, bottom + _INSET - zones_y)
            self._frames.box(box, "zone")
            caption = f"availability zone {zone + 1}"
            middle = box.centre[0]
            self._frames.text(middle, zones_y + 19, caption, style="muted", anchor="middle")
        self._at["zones"] = box
        return Box(self._vpc_x, y, self._vpc_right - self._vpc_x, box.bottom + _PADDING - y)

    def _place_tier(self, tier: str, y: float) -> float:
        """Draws a row of subnets and what is in it; returns where it ends."""
        first = y + _CAPTION_HEIGHT
        bottom = first - _ROW_GAP
        for place in (
            self._place_load_balancer,
            self._place_nat_gateways,
            self._place_services,
            self._place_endpoints,
            self._place_database,
        ):
            bottom = place(tier, bottom + _ROW_GAP) or bottom
        bottom = max(bottom + 1.5 * _INSET, first)
        for subnet in self._of.subnets:
            if subnet.tier == tier:
                x = self._zone_x(subnet.zone) + _INSET
                box = Box(x, y, self._zone_width - 2 * _INSET, bottom - y)
                self._frames.box(box, tier)
                caption = f"{tier} {subnet.cidr}"
                self._frames.text(box.centre[0], y + 19, caption, anchor="middle")
                self._at[f"tier {tier}"] = box
        return bottom

    def _place_load_balancer(self, tier: str, y: float) -> float | None:
        balancer = self._of.load_balancer
        if balancer.place.tier != tier:
            return None
        card = contents.load_balancer(balancer, self._of.access_logs)
        x, width = self._across(balancer.place)
        return self._place("load balancer", card, x, y, width).bottom

    def _place_nat_gateways(self, tier: str, y: float) -> float | None:
        bottom = None
        for gateway in self._of.nat_gateways:
            if gateway.place.tier == tier:
                x, width = self._across(gateway.place)
                card = contents.nat_gateway(gateway)
                bottom = self._place(f"nat {gateway.name}", card, x, y, width).bottom
        return bottom

    def _place_services(self, tier: str, y: float) -> float | None:
        services = [service for service in self._of.services if service.place.tier == tier]
        if not services:
            return None
        bars = list(map(contents.service, services))
        x, width = self._across(services[0].place)
        height = _CAPTION_HEIGHT + sum(bar.height + _INSET for bar in bars)
        self._at["services"] = cluster = Box(x, y, width, height)
        self._cards.box(cluster, "cluster")
        caption = f"ECS cluster {services[0].cluster}"
        self._cards.text(x + 12, y + 19, fitted(caption, width - 24), style="muted")
        bar_y = y + _CAPTION_HEIGHT
        for bar in bars:
            bar.draw(self._cards, Box(x + _INSET, bar_y, width - 2 * _INSET, bar.height))
            bar_y += bar.height + _INSET
        return cluster.bottom

    def _place_endpoints(self, tier: str, y: float) -> float | None:
        bottom = None
        for zone in range(self._of.zones):
            found = [
                endpoint
                for endpoint in self._of.endpoints
                if endpoint.place.tier == tier and zone in endpoint.place.zones
            ]
            if found:
                x, width = self._across(Place(tier=tier, zones=(zone,)))
                card = contents.endpoints(found, width=width)
                bottom = self._place(f"endpoints {zone}", card, x, y, width).bottom
        return bottom

    def _place_database(self, tier: str, y: float) -> float | None:
        database = self._of.database
        if not database or database.place.tier != tier:
            return None
        x, width = self._across(database.place)
        return self._place("database", contents.database(database), x, y, width).bottom

    def _place_delivery(self, cards: dict[str, Card]) -> float:
        """Draws what brings code into the services; returns where it ends."""
        services, y = self._at["services"], self._at["zones"].y
        for name, card in cards.items():
            if name == "workflow":
                y = max(y, services.y + services.height * 0.7 - card.height / 2)
            y = self._place(name, card, self._left, y, _SIDE_WIDTH).bottom + _GAP
        return y - _GAP

    def _place_observation(self, cards: dict[str, Card]) -> float:
        """Draws what is watched and kept beside what it belongs to; returns where it ends."""
        beside = {"monitoring": self._at["services"], "secret": self._at.get("database")}
        y = self._at["zones"].y
        for name, card in cards.items():
            if box := beside.get(name):
                y = max(y, box.centre[1] - card.height / 2)
            y = self._place(name, card, self._right, y, _SIDE_WIDTH).bottom + _GAP
        return y - _GAP

    def _link_requests(self) -> None:
        of, at = self._of, self._at
        names = ("internet", "firewall", "gateway", "load balancer")
        way = [at[name] for name in names if name in at]
        if of.load_balancer.open_ports:
            for above, below in pairwise(way):
                self._down(above, below)
            self._label(at["internet"].bottom + 22, contents.ports(of.load_balancer.open_ports))
        opened = sorted({port for service in of.services for port in service.open_ports})
        if opened:
            self._down(at["load balancer"], at["services"])
            self._label_above(of.services[0].place, contents.ports(opened))
        clients = [service for service in of.services if service.database_ports]
        if of.database and clients:
            self._down(at["services"], at["database"])
            label = contents.ports(clients[0].database_ports)
            if of.database.encrypted_connections:
                label += ", TLS"
            if len(clients) < len(of.services):
                label += f", from {', '.join(client.name for client in clients)}"
            self._label_above(of.database.place, label)

    def _down(self, above: Box, below: Box) -> None:
        self._links.arrow((self._lane, above.bottom), (self._lane, below.y), style="requests")

    def _label_above(self, place: Place, text: str) -> None:
        """Writes on the way of requests where it comes to a row of subnets."""
        self._label(self._at[f"tier {place.tier}"].y - _TIER_GAP / 2, text)

    def _label(self, y: float, text: str) -> None:
        room = self._lane - self._zone_x(0) - 3 * _INSET
        text = fitted(text, 2 * (room - _LABEL_PADDING))
        width = text_width(text) + 2 * _LABEL_PADDING
        box = Box(self._lane - width / 2, y - _LABEL_HEIGHT / 2, width, _LABEL_HEIGHT)
        self._cards.box(box, "label", radius=_LABEL_HEIGHT / 2)
        self._cards.text(self._lane, y + 5, text, anchor="middle")

    def _link_egress(self) -> None:
        services = self._at["services"]
        for zone in range(self._of.zones):
            if below := self._at.get(f"endpoints {zone}"):
                x = below.centre[0]
                self._links.arrow((x, services.bottom), (x, below.y), style="egress")
        tiers = {service.place.tier for service in self._of.services}
        boxes = [
            self._at[f"nat {gateway.name}"]
            for gateway in self._of.nat_gateways
            if gateway.used_by & tiers
        ]
        for box in boxes:
            # Subnets have their captions in the middle, and the lane has labels.
            x = box.x + 10 if box.right < self._lane else box.right - 10
            self._links.arrow((x, services.y), (x, box.bottom), style="egress")
        if gateway := self._at.get("gateway"):
            left = [box for box in boxes if box.right < self._lane]
            right = [box for box in reversed(boxes) if box.x > self._lane]
            level = gateway.centre[1]
            self._link_out(left, self._vpc_x + _GUTTER / 2, (gateway.x, level))
            self._link_out(right, self._vpc_right - _GUTTER / 2, (gateway.right, level))

    def _link_out(self, boxes: Sequence[Box], gutter: float, end: tuple[float, float]) -> None:
        """Leads NAT gateways, the outermost first, through a gutter to the internet gateway."""
        for number, box in enumerate(boxes):
            x, bus = box.centre[0], box.y - _ROW_GAP / 2
            way = [(x, box.y), (x, bus)]
            if number == 0:
                way += [(gutter, bus), (gutter, end[1]), end]
                self._links.arrow(*way, style="egress")
            else:
                way.append((boxes[number - 1].centre[0], bus))
                self._links.line(*way, style="egress")

    def _link_sides(self) -> None:
        at, services = self._at, self._at["services"]
        for above, below in (("build", "registry"), ("registry", "rule"), ("rule", "workflow")):
            if below in at:
                x = at[below].centre[0]
                self._links.arrow((x, at[above].bottom), (x, at[below].y), style="delivery")
        self._sideways("delivery", at["registry"], services, services.y + services.height * 0.3)
        if workflow := at.get("workflow"):
            level = max(services.y + services.height * 0.7, workflow.centre[1])
            self._sideways("delivery", workflow, services, level)
        for below, above in (("monitoring", "topic"), ("topic", "mail")):
            if above in at:
                x = at[above].centre[0]
                self._links.arrow((x, at[below].y), (x, at[above].bottom), style="observation")
        for start, end in (("services", "monitoring"), ("database", "secret")):
            if end in at:
                self._sideways("observation", at[start], at[end], at[end].centre[1])

    def _sideways(self, style: str, start: Box, end: Box, level: float) -> None:
        """Leads from the right edge of `start` to the left edge of `end`, there at `level`."""
        level = min(max(level, end.y + 12), end.bottom - 12)
        if start.y + 12 <= level <= start.bottom - 12:
            self._links.arrow((start.right, level), (end.x, level), style=style)
            return
        own = start.centre[1]
        # The corners lie beside the VPC, not in it.
        middle = (self._vpc_x if start.x < self._vpc_x else self._right) - _GAP / 2
        self._links.arrow(
            (start.right, own), (middle, own), (middle, level), (end.x, level), style=style
        )

    def _draw_legend(self, y: float) -> None:
        x = _MARGIN
        for style, meaning in _LEGEND.items():
            self._links.arrow((x, y - 5), (x + 34, y - 5), style=style)
            self._cards.text(x + 42, y, meaning, style="muted")
            x += 42 + text_width(meaning) + 24
        source = "drawn from the synthesised JSON: ./prod-e diagram"
        right = self._width - _MARGIN
        self._cards.text(right, y, source, style="muted", anchor="end")
