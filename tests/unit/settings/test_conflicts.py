"""What two environments of one account cannot both have is refused."""

from pathlib import Path

import pytest

from prod_e.settings import SettingsError, load_environments
from tests.support.project.settings_mistakes import EXISTING_NETWORK

ACCOUNT = "us-west-2:111122223333"
CLUSTER = f'[cluster]\narn = "arn:aws:ecs:{ACCOUNT}:cluster/company"\n'
LISTENER = f"""
[load_balancer]
listener_arn = "arn:aws:elasticloadbalancing:{ACCOUNT}:listener/app/company/0/1"
security_group_id = "sg-01234567"
[network]{EXISTING_NETWORK}"""
RESTORED = '[database]\n[database.restored]\nidentifier = "{}"\ntime = "latest"\n'


def conflicts(folder: Path, first: str, second: str) -> str:
    """What is told of two environments; nothing where they are taken."""
    for name, toml in (("a-e", first), ("b-e", second)):
        (folder / f"{name}.toml").write_text(f'name = "{name}"\n{toml}')
    try:
        load_environments(folder)
    except SettingsError as error:
        return str(error)
    return ""


def environment(number: int, *, service: str = "", rest: str = "", top: str = "") -> str:
    network = "" if "[network]" in rest else f'[network]\ncidr = "10.{number}.0.0/16"\n'
    return f"{top}\n[services.backend]\n{service}\n{network}{rest}"


def test_a_service_s_name_is_in_a_shared_cluster_once(tmp_path: Path) -> None:
    one, other = (environment(n, service='service = "web"', rest=CLUSTER) for n in (1, 2))
    assert "services.backend.service: 'web' is that of services.backend in" in conflicts(
        tmp_path, one, other
    )


def test_a_service_s_name_is_in_clusters_of_their_own_twice(tmp_path: Path) -> None:
    one, other = (environment(n, service='service = "web"') for n in (1, 2))
    assert not conflicts(tmp_path, one, other)


def test_a_priority_is_at_a_shared_listener_once(tmp_path: Path) -> None:
    one, other = (environment(n, service='path = "/a"', rest=LISTENER) for n in (1, 2))
    told = conflicts(tmp_path, one, other)
    assert "services.backend.priority: " in told
    assert "is that of services.backend in" in told
    other = environment(2, service='path = "/b"\npriority = 7', rest=LISTENER)
    assert not conflicts(tmp_path, one, other)


@pytest.mark.parametrize("identifier", ["b-e-database", "shared"])
def test_an_rds_instance_is_one_environment_s(tmp_path: Path, identifier: str) -> None:
    one = environment(1, rest=RESTORED.format(identifier))
    other = environment(2, rest=RESTORED.format("shared"))
    assert f"{identifier!r} is an instance of" in conflicts(tmp_path, one, other)


def test_regions_have_instances_of_the_same_name(tmp_path: Path) -> None:
    one, other = (
        environment(n, rest=RESTORED.format("shared"), top=f'region = "{region}"')
        for n, region in ((1, "us-west-2"), (2, "eu-west-1"))
    )
    assert not conflicts(tmp_path, one, other)
