"""What moto lacks and prod-e needs, each with what AWS really does.

moto answers most of AWS's API. Where it has no answer, or forgets a field that it was given, the
provider sees a difference that AWS would not show. Each module here is named as moto names the
service, and closes the gaps of that service by adding to moto's own classes.
"""

from importlib import import_module

_SERVICES = frozenset(
    {
        "acm",
        "applicationautoscaling",
        "ec2",
        "ecr",
        "ecs",
        "elbv2",
        "events",
        "logs",
        "rds",
        "stepfunctions",
    }
)


def fill_gaps(service: str) -> None:
    """Fills the gaps of a service, by moto's name of it; to be called once, before its first use.

    Only then is moto's code for the service loaded, which takes most of a second for some.
    """
    if service in _SERVICES:
        import_module(f"{__name__}.{service}").fill_gaps()
