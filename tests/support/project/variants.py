"""Settings that together use every key: `tests/variants/*.toml`.

What must be there already, they name by `$` and a word: a VPC, a zone, a secret.
"""

from collections.abc import Mapping
from pathlib import Path
from string import Template

VARIANTS = sorted((Path(__file__).parents[2] / "variants").glob("*.toml"))

_REGION_AND_ACCOUNT = "us-west-2:123456789012"

NOWHERE: Mapping[str, str] = {
    "vpc_id": "vpc-0123456789abcdef0",
    "public_1": "subnet-0123456789abcdef1",
    "public_2": "subnet-0123456789abcdef2",
    "private_1": "subnet-0123456789abcdef3",
    "private_2": "subnet-0123456789abcdef4",
    "cluster_arn": f"arn:aws:ecs:{_REGION_AND_ACCOUNT}:cluster/company",
    "listener_arn": f"arn:aws:elasticloadbalancing:{_REGION_AND_ACCOUNT}:listener/app/company/0/1",
    "load_balancer_group": "sg-0123456789abcdef1",
    "database_arn": f"arn:aws:rds:{_REGION_AND_ACCOUNT}:db:company",
    "database_group": "sg-0123456789abcdef2",
    "snapshot": "before",
    "state_bucket": "states-of-variants",
    "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
    "certificate_arn": f"arn:aws:acm:{_REGION_AND_ACCOUNT}:certificate/0123",
    "secret_arn": f"arn:aws:secretsmanager:{_REGION_AND_ACCOUNT}:secret:company-login-AbCdEf",
}
"""For what only reads the settings: ids and ARNs of nothing."""


def filled_in(variant: Path, values: Mapping[str, str] = NOWHERE) -> str:
    """The text of a variant with these ids, ARNs and names."""
    return Template(variant.read_text(encoding="utf-8")).substitute(values)
