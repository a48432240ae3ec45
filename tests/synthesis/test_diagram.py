"""The diagram shows what the synthesised JSON has, and nothing else."""

import shutil
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from prod_e_ops.analysis.diagram.drawing import draw
from prod_e_ops.analysis.diagram.reading import read_architecture
from prod_e_ops.analysis.diagram.svg import Box, text_width
from tests.support.project.project_folder import PROJECT, prod_e

SVG = "{http://www.w3.org/2000/svg}"
MINIMAL = """
name = "tiny-e"
[services.backend]
"""
RICH = """
name = "rich-e"
region = "eu-central-1"
[network]
cidr = "10.9.0.0/16"
availability_zones = 3
nat_gateways = "per_zone"
[services.web]
source = "backend"
host = "www.api.example.com"
image_tag = "content"
database = true
[services.worker]
source = "backend"
path = "/jobs/*"
port = 8080
architecture = "arm64"
cpu_units = 1024
memory_mib = 4096
min_tasks = 3
desired_tasks = 3
max_tasks = 3
spot_weight = 70
database = false
[database]
engine_version = "15"
instance_class = "db.r7g.large"
storage_gib = 50
[load_balancer]
domain_name = "api.example.com"
hosted_zone_id = "Z0123"
waf = true
[monitoring]
alarm_emails = ["a@example.com", "b@example.com"]
[delivery]
github_repository = "us/app"
"""


def diagram(stacks: Any) -> str:
    name = min(stacks, key=len)
    return draw(read_architecture(name, {key: stack.values for key, stack in stacks.items()}))


def words(svg: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{SVG}text")]


def links(svg: str) -> list[str]:
    """What each arrow shows."""
    heads = (polygon.get("class") or "" for polygon in ET.fromstring(svg).iter(f"{SVG}polygon"))
    return [style.removesuffix("-head") for style in heads]


def test_the_readme_shows_the_picture_of_what_prod_e_is_today(seed: Any) -> None:
    committed = (PROJECT / "docs" / "architecture.svg").read_text("utf-8")
    assert committed == diagram(seed), "docs/architecture.svg is stale: run `./prod-e diagram`"
    assert "](docs/architecture.svg)" in (PROJECT / "README.md").read_text("utf-8")


def test_the_seed_is_drawn_with_its_names_addresses_ports_and_sizes(seed: Any) -> None:
    shown = words(diagram(seed))
    for text in (
        "AWS region us-west-2",
        "VPC 10.0.0.0/16",
        "public 10.0.0.0/20",
        "public 10.0.16.0/20",
        "private 10.0.64.0/20",
        "private 10.0.80.0/20",
        "isolated 10.0.128.0/20",
        "isolated 10.0.144.0/20",
        "port 80",
        "prod-e-alb",
        "prod-e-nat-1",
        "prod-e-nat-2",
        "port 3000",
        "ECS cluster prod-e-cluster",
        "prod-e-service",
        "2 to 10 tasks on Fargate",
        "256 CPU units · 512 MiB · x86_64 · port 3000 · health /health",
        "prod-e-container runs prod-e-backend:latest",
        "s3 (gateway)",
        "port 5432, TLS",
        "prod-e-database",
        "PostgreSQL 16 · db.t4g.small · 20 to 100 GiB gp3",
        "push of latest",
        "prod-e-backend-redeploy",
        "ecs:updateService",
        "/ecs/prod-e-task",
        "prod-e-alarms",
        "told by alarms and 2 rules",
        "some roll back",
    ):
        assert text in shown
    assert not {"WAF", "E-mail", "GitHub Actions", "availability zone 3"} & set(shown)


def test_three_zones_two_services_a_domain_and_a_firewall_are_drawn(synthesised: Any) -> None:
    shown = words(diagram(synthesised(RICH)))
    for text in (
        "AWS region eu-central-1",
        "availability zone 3",
        "private 10.9.96.0/20",
        "rich-e-nat-3",
        "rich-e-waf",
        "4 rules",
        "ports 80, 443",
        "HTTP 80 redirects to HTTPS",
        "api.example.com · www.api.example.com",
        "route www.api.example.com/*",
        "route /jobs/*",
        "ports 3000, 8080",
        "3 tasks on 30 % Fargate, 70 % Fargate Spot",
        "1024 CPU units · 4096 MiB · arm64 · port 8080 · health /health",
        "linux/arm64",
        "us/app main",
        "port 5432, TLS, from rich-e-web",
        "PostgreSQL 15 · db.r7g.large · 50 GiB gp3",
        "2 addresses",
    ):
        assert text in shown
    # The tag of `web` is pinned.
    assert shown.count("rich-e-worker-redeploy") == 2


def test_the_hash_of_the_code_is_not_in_the_picture(synthesised: Any) -> None:
    stacks = synthesised(RICH)
    (content_hash,) = {
        image["triggers"]["content_hash"]
        for image in stacks["rich-e-image"].all("docker_image")
        if "amd64" in image["build"]["platform"]
    }
    assert content_hash not in diagram(stacks)


def test_without_nat_the_endpoints_are_the_only_way_out(synthesised: Any) -> None:
    svg = diagram(synthesised(MINIMAL + '[network]\negress = "endpoints"\n'))
    shown = words(svg)
    assert shown.count("ecr.api · ecr.dkr · logs") == 2
    assert "NAT gateway" not in shown
    # To the endpoints of either zone, and the legend's.
    assert links(svg).count("egress") == 3


def test_without_a_database_none_is_drawn(synthesised: Any) -> None:
    shown = words(diagram(synthesised(MINIMAL)))
    assert "isolated 10.0.128.0/20" in shown
    assert not any(text in ("RDS", "Secrets Manager") or "5432" in text for text in shown)


def test_a_single_nat_gateway_serves_every_zone(staging: Any) -> None:
    shown = words(diagram(staging))
    assert [text for text in shown if "-nat-" in text] == ["staging-e-nat-1"]
    assert "1 to 2 tasks on Fargate Spot" in shown


def test_without_access_logs_alarm_addresses_or_redeployment_none_is_drawn(
    synthesised: Any,
) -> None:
    toml = MINIMAL + 'build = "external"\nimage_tag = "v1"\n[load_balancer]\naccess_logs = false\n'
    shown = words(diagram(synthesised(toml)))
    assert not {"EventBridge", "Step Functions", "E-mail"} & set(shown)
    assert not any(text.startswith("access logs") for text in shown)
    assert "external" in shown
    assert "tiny-e-backend runs tiny-e-backend:v1" in shown


def test_an_arrow_is_drawn_only_where_a_security_group_lets_through(synthesised: Any) -> None:
    stacks = synthesised(MINIMAL + "database = false\n[database]\n")
    svg = diagram(stacks)
    assert "tiny-e-database" in words(svg)
    assert not any("5432" in text for text in words(svg))
    # Internet, gateway, load balancer, services; and the legend's.
    assert links(svg).count("requests") == 4


@pytest.mark.parametrize("toml", [MINIMAL, RICH], ids=["minimal", "rich"])
def test_the_same_json_gives_the_same_bytes(synthesised: Any, toml: str) -> None:
    stacks = synthesised(toml)
    assert diagram(stacks) == diagram(dict(reversed(stacks.items())))


def rectangles(svg: str, *styles: str) -> list[Box]:
    return [
        Box(*(float(rectangle.attrib[key]) for key in ("x", "y", "width", "height")))
        for rectangle in ET.fromstring(svg).iter(f"{SVG}rect")
        if rectangle.get("class") in styles
    ]


@pytest.mark.parametrize("name", ["rich-e", "an-environment-of-23-ch"])
def test_cards_lie_apart_and_hold_their_words(synthesised: Any, name: str) -> None:
    svg = diagram(synthesised(RICH.replace("rich-e", name).replace("worker", "job")))
    cards = rectangles(svg, "card", "label")
    for one, other in combinations(cards, 2):
        beside = one.x >= other.right or other.x >= one.right
        assert beside or one.y >= other.bottom or other.y >= one.bottom
    (page,) = rectangles(svg, "page")
    for text in ET.fromstring(svg).iter(f"{SVG}text"):
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        room = next((c for c in cards if c.x < x < c.right and c.y < y < c.bottom), page)
        width = text_width(text.text or "", bold=text.get("class") == "name")
        left = x - {"middle": width / 2, "end": width}.get(text.get("text-anchor", ""), 0)
        assert room.x <= left
        assert left + width <= room.right
        assert y < room.bottom


def test_names_that_are_too_long_keep_the_end_that_tells_them_apart(synthesised: Any) -> None:
    name = "an-environment-of-23-ch"
    toml = RICH.replace("rich-e", name).replace("worker", "job")
    shown = words(diagram(synthesised(toml)))
    assert sum("…" in text and text.endswith(("nat-1", "nat-2", "nat-3")) for text in shown) == 3


def test_a_label_that_is_too_long_ends_where_the_cluster_does(synthesised: Any) -> None:
    services = "".join(
        f'[services.{key}]\nsource = "backend"\npath = "/{key}/*"\ndatabase = {uses}\n'
        for key, uses in (("a", "true"), ("b", "true"), ("c", "true"), ("d", "false"))
    )
    name = "an-environment-of-23-ch"
    database = '[database]\ninstance_class = "db.m7g.large"\n'
    svg = diagram(synthesised(f'name = "{name}"\n{services}{database}'))
    (label,) = (text for text in words(svg) if text.startswith("port 5432, TLS, from"))
    assert label.endswith("…")
    widest = max(rectangles(svg, "label"), key=lambda box: box.width)
    ((left, right),) = {(box.x, box.right) for box in rectangles(svg, "cluster")}
    # A character more would not have fitted.
    assert left <= widest.x < left + text_width("w")
    assert widest.right <= right


def test_it_can_be_read_on_a_light_and_on_a_dark_page(seed: Any) -> None:
    style = ET.fromstring(diagram(seed)).findtext(f"{SVG}style") or ""
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    assert ".page { fill: #ffffff" in light
    assert ".page { fill: #0d1117" in dark


def test_the_command_writes_the_diagram_where_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "tiny-e.toml").write_text(MINIMAL)
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "cdktf.json").write_text("{}")
    shutil.copy(PROJECT / "main.py", tmp_path)

    finished = prod_e(tmp_path, "diagram")
    assert (finished.returncode, finished.stdout) == (0, "docs/architecture-tiny-e.svg\n")
    written = (tmp_path / "docs" / "architecture-tiny-e.svg").read_text("utf-8")
    assert prod_e(tmp_path, "diagram", "tiny-e", "--output", "-").stdout == written
    refused = prod_e(tmp_path, "diagram", "--output", "gone/diagram.svg")
    assert refused.returncode == 2
    assert (
        "Cannot write the diagram to gone/diagram.svg: No such file or directory" in refused.stderr
    )
    (tmp_path / "environments" / "tiny-e.toml").write_text(
        MINIMAL
        + """[network]
vpc_id = "vpc-0123456789abcdef0"
public_subnet_ids = ["subnet-00000001", "subnet-00000002"]
private_subnet_ids = ["subnet-00000003", "subnet-00000004"]
"""
    )
    refused = prod_e(tmp_path, "diagram")
    assert refused.returncode == 2
    assert "it uses existing resources (network.vpc_id)" in refused.stderr
