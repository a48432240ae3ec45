"""Mistakes about what is there already: VPC, cluster, load balancer, database."""

from pathlib import Path

import pytest

from prod_e.settings import load_environment
from tests.support.project.settings_mistakes import (
    EXISTING_NETWORK,
    assert_told,
    with_section,
    with_service,
)

ALB = "arn:aws:elasticloadbalancing:us-west-2:111122223333"
LISTENER = f"{ALB}:listener/app/company/0a1b2c3d/4e5f6071"
GROUP = 'security_group_id = "sg-0123456789abcdef0"\n'
EXISTING_LOAD_BALANCER = f'listener_arn = "{LISTENER}"\n{GROUP}'
EXISTING_DATABASE = f'arn = "arn:aws:rds:us-west-2:111122223333:db:company"\n{GROUP}'
SECRET_OF_DATABASE = 'secret_arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:db-AbCdEf"'
OTHER_DATABASE = f'host = "db.example.com"\nname = "app"\n{SECRET_OF_DATABASE}\n{GROUP}'


def in_the_vpc(section: str, lines: str) -> str:
    """An environment in a VPC that is there already, with these lines in a section."""
    return with_section("network", f"{EXISTING_NETWORK}\n[{section}]\n{lines}")


@pytest.mark.parametrize(
    ("toml", "keys"),
    [
        ('name = "tiny-e"\n[services.backend]\n', ()),
        (in_the_vpc("load_balancer", EXISTING_LOAD_BALANCER), ("load_balancer.listener_arn",)),
        (in_the_vpc("database", EXISTING_DATABASE), ("database.arn",)),
        (in_the_vpc("database", OTHER_DATABASE), ("database.host",)),
        (
            in_the_vpc("cluster", 'arn = "arn:aws:ecs:us-west-2:111122223333:cluster/company"'),
            ("cluster.arn",),
        ),
    ],
)
def test_what_is_there_already_is_known_by_its_keys(
    tmp_path: Path, toml: str, keys: tuple[str, ...]
) -> None:
    file = tmp_path / "given.toml"
    file.write_text(toml)
    network = ("network.vpc_id",) if keys else ()
    assert load_environment(file).existing == (*network, *keys)


MISTAKES = [
    (
        with_section("network", 'vpc_id = "vpc-1"'),
        "network.vpc_id: 'vpc-1' is not allowed; allowed: a VPC's id such as vpc-0123456789abcdef0",
    ),
    (
        with_section("network", 'public_subnet_ids = ["subnet-00000001", "subnet-00000002"]'),
        "network.vpc_id: is missing for public_subnet_ids; give the id of the subnets' VPC",
    ),
    (
        with_section("network", EXISTING_NETWORK + 'cidr = "10.0.0.0/16"'),
        "network.cidr: has no meaning with vpc_id; leave it out",
    ),
    (
        with_section("network", EXISTING_NETWORK.replace(', "subnet-00000002"', "")),
        "network.public_subnet_ids: has fewer than 2, which the load balancer needs, in two zones",
    ),
    (
        with_section("network", EXISTING_NETWORK.replace(', "subnet-00000004"', "")),
        "network.private_subnet_ids: has fewer than 2, which the tasks need, in two zones",
    ),
    (
        with_section("network", EXISTING_NETWORK + "[database]"),
        "network.isolated_subnet_ids: has fewer than 2, which the database needs, in two zones",
    ),
    # The cluster.
    (
        with_section("cluster", 'arn = "company"'),
        "cluster.arn: 'company' is not allowed; allowed: the ARN of an ECS cluster",
    ),
    (
        with_section("cluster", 'arn = "arn:aws:ecs:eu-west-1:111122223333:cluster/company"'),
        "cluster.arn: is in eu-west-1, and the environment is in region = 'us-west-2'",
    ),
    (
        'account = "444455556666"\n'
        + with_section("cluster", 'arn = "arn:aws:ecs:us-west-2:111122223333:cluster/company"'),
        "cluster.arn: is in the account 111122223333, and account = '444455556666'",
    ),
    # The load balancer.
    (
        in_the_vpc("load_balancer", f'listener_arn = "{ALB}:loadbalancer/app/a/b"\n{GROUP}'),
        f"load_balancer.listener_arn: '{ALB}:loadbalancer/app/a/b' is not allowed; allowed: the ARN"
        " of an Application Load Balancer's listener",
    ),
    (
        in_the_vpc("load_balancer", f'listener_arn = "{LISTENER}"'),
        "load_balancer.security_group_id: is missing for listener_arn; give the id of a security",
    ),
    (
        with_section("load_balancer", GROUP),
        "load_balancer.listener_arn: is missing for security_group_id; give the ARN of that load",
    ),
    (
        in_the_vpc("load_balancer", 'listener_arn = "x"'),
        "load_balancer.listener_arn: 'x' is not allowed; allowed: the ARN of an Application Load",
    ),
    *(
        (
            in_the_vpc("load_balancer", f"{EXISTING_LOAD_BALANCER}{line}"),
            f"load_balancer.{line.partition(' ')[0]}: has no meaning with listener_arn; leave it",
        )
        for line in (
            'certificate_arn = "arn:aws:acm:us-west-2:111122223333:certificate/0a1b"',
            'hosted_zone_id = "Z0123"',
            "access_logs = true",
            "access_log_days = 30",
            "waf = true",
            "deletion_protection = false",
        )
    ),
    (
        with_section("load_balancer", EXISTING_LOAD_BALANCER),
        "network.vpc_id: is missing for load_balancer.listener_arn; the tasks run in that VPC too",
    ),
    (
        with_section("load_balancer", 'security_group_id = "company"'),
        "load_balancer.security_group_id: 'company' is not allowed; allowed: a security group's id",
    ),
    # The database.
    (
        in_the_vpc("database", f'arn = "company"\n{GROUP}'),
        "database.arn: 'company' is not allowed; allowed: the ARN of an RDS instance",
    ),
    (
        in_the_vpc("database", EXISTING_DATABASE.replace(GROUP, "")),
        "database.security_group_id: is missing for arn; give the id of a security group of the",
    ),
    *(
        (
            in_the_vpc("database", f"{existing}{line}"),
            f"database.{line.partition(' ')[0]}: has no meaning with {named_by}; leave it out",
        )
        for named_by, existing, lines in (
            (
                "arn",
                EXISTING_DATABASE,
                (
                    'instance_class = "db.t4g.small"',
                    'engine_version = "16"',
                    "max_storage_gib = 100",
                    "multi_az = true",
                    "backup_days = 7",
                    "deletion_protection = true",
                    "final_snapshot = true",
                ),
            ),
            ("host", OTHER_DATABASE, ("storage_gib = 20", "multi_az = true")),
        )
        for line in lines
    ),
    (
        in_the_vpc("database", f'{EXISTING_DATABASE}host = "db.example.com"'),
        "database.host: has no meaning with arn; give one of the two",
    ),
    (
        in_the_vpc("database", OTHER_DATABASE.replace('name = "app"\n', "")),
        "database.name: is missing for host; give that of the database in it",
    ),
    (
        in_the_vpc("database", OTHER_DATABASE.replace(SECRET_OF_DATABASE, "")),
        "database.secret_arn: is missing for host; give the ARN of a secret with username and",
    ),
    (
        in_the_vpc("database", OTHER_DATABASE.replace("-AbCdEf", "")),
        "database.secret_arn: 'arn:aws:secretsmanager:us-west-2:111122223333:secret:db' is not"
        " allowed; allowed: the whole ARN",
    ),
    *(
        (
            with_section("database", line),
            f"database.{line.partition(' ')[0]}: has no meaning without arn or host; leave it out",
        )
        for line in ("port = 5432", SECRET_OF_DATABASE, GROUP)
    ),
    *(
        (
            with_section("database", existing),
            f"network.vpc_id: is missing for database.{key}; the tasks run in that VPC too",
        )
        for key, existing in (("arn", EXISTING_DATABASE), ("host", OTHER_DATABASE))
    ),
]


@pytest.mark.parametrize(("toml", "expected"), MISTAKES)
def test_a_mistake_about_what_is_there_already_is_told(
    tmp_path: Path, toml: str, expected: str
) -> None:
    assert_told(tmp_path, toml, expected)


def test_what_is_there_already_has_no_subnets_or_names_of_its_own(tmp_path: Path) -> None:
    # No bucket of access logs is made, whose name AWS would refuse, and no certificate, which the
    # service's host would have to be in.
    toml = with_service(
        'host = "shop.example.com"\n[network]\nvpc_id = "vpc-0123456789abcdef0"\n'
        'private_subnet_ids = ["subnet-00000003", "subnet-00000004"]\n'
        f'[load_balancer]\ndomain_name = "other.example.org"\n{EXISTING_LOAD_BALANCER}'
        f"[database]\nstorage_gib = 50\n{EXISTING_DATABASE}",
        name="sthree",
    )
    file = tmp_path / "sthree.toml"
    file.write_text(toml)
    environment = load_environment(file)
    assert environment.existing == ("network.vpc_id", "load_balancer.listener_arn", "database.arn")
    assert not environment.load_balancer.is_made
    assert environment.database and environment.database.existing_identifier == "company"
