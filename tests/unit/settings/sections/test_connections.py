"""How many connections an instance class allows, and what each service may have of them."""

import pytest

from prod_e.settings.connections import ConnectingService, Connections, connections_allowed


@pytest.mark.parametrize(
    ("instance_class", "allowed"),
    [
        ("db.t4g.micro", 62),
        # Somebody read 181 off one, three of which are reserved for superusers and two for RDS.
        ("db.t4g.small", 175),
        ("db.t3.xlarge", 1752),
        ("db.m7g.large", 851),
        ("db.r6g.4xlarge", 4995),
        ("db.x2g.large", None),
        ("db.m7g.micro", None),
        ("db.m7g.metal", None),
    ],
)
def test_the_memory_of_an_instance_class_bounds_its_connections(
    instance_class: str, allowed: int | None
) -> None:
    assert connections_allowed(instance_class) == allowed


def test_services_that_say_nothing_share_what_others_leave() -> None:
    connections = Connections(
        allowed=175,
        services={
            "backend": ConnectingService(max_tasks=4, given=9),
            "worker": ConnectingService(max_tasks=4, given=None),
            "mailer": ConnectingService(max_tasks=2, given=None),
        },
    )
    assert [connections.of(key) for key in connections.services] == [9, 6, 6]
    assert connections.problem() is None


def test_nobody_knows_how_many_another_database_allows() -> None:
    connections = Connections(
        allowed=None, services={"backend": ConnectingService(max_tasks=5000, given=None)}
    )
    assert connections.of("backend") == 10
    assert connections.problem() is None
