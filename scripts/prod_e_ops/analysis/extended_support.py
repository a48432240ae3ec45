"""RDS Extended Support: what a version of PostgreSQL costs once its standard support has ended."""

import re
from collections.abc import Mapping
from datetime import date

_STANDARD_SUPPORT_ENDS: Mapping[str, date] = {
    "13": date(2026, 2, 28),
    "14": date(2027, 2, 28),
    "15": date(2028, 2, 29),
    "16": date(2029, 2, 28),
    "17": date(2030, 2, 28),
    "18": date(2031, 2, 28),
}
"""By major version:
https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html
"""

_USD_OF_VCPU_HOUR = (0.10, 0.10, 0.20)
"""In the first, second and third year after that, in us-west-2:
https://aws.amazon.com/rds/postgresql/pricing/"""

_HOURS_OF_MONTH = 730
_VCPUS_BELOW_XLARGE = 2


def extended_support(
    *, engine_version: str, instance_class: str, is_multi_az: bool, today: date
) -> str | None:
    """What it costs, in a sentence; None while the version has standard support.

    `engine_version`: such as 13 or 13.4. `instance_class`: such as db.t4g.micro.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support.html
    """
    major = engine_version.split(".")[0]
    ended = _STANDARD_SUPPORT_ENDS.get(major)
    if ended is None or today <= ended:
        return None
    since = f"RDS's standard support of PostgreSQL {major} ended on {ended.isoformat()}"
    year = (today - ended).days // 365
    if year >= len(_USD_OF_VCPU_HOUR):
        return f"{since}, and Extended Support has ended too: RDS upgrades it by itself."
    vcpus = _vcpus(instance_class) * (2 if is_multi_az else 1)
    rate = _USD_OF_VCPU_HOUR[year]
    return (
        f"{since}: Extended Support costs about {rate:.2f} USD per vCPU and hour, which for"
        f" {vcpus} vCPUs are {rate * vcpus * _HOURS_OF_MONTH:.0f} USD a month. Set"
        " database.engine_version to a later one to save it."
    )


def _vcpus(instance_class: str) -> int:
    """Of one instance: sizes double from `large` on; those below have as many as it."""
    size = re.fullmatch(r"(\d*)xlarge", instance_class.split(".")[-1])
    return _VCPUS_BELOW_XLARGE * 2 * int(size[1] or 1) if size else _VCPUS_BELOW_XLARGE
