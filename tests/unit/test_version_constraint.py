"""Version constraints mean what they mean to Terraform, and the default ones what is tested."""

import re
from pathlib import Path

import pytest
from tests.unit.terraform_program import TerraformFolder, needs_terraform

from prod_e.settings import Providers
from prod_e.tested_versions import read
from prod_e.version_constraint import PATTERN, VersionConstraint, sort_key
from prod_e_ops.errors import OpsError, ProviderUnavailable

# Of each range what is in it, and what is not.
RANGES = {
    "5.100.0": (["5.100.0"], ["5.100.1", "5.99.0", "5.100.0-beta1"]),
    "= 5.100": (["5.100.0"], ["5.100.1"]),
    "!= 5.99": (["5.100.0", "5.99.1"], ["5.99.0"]),
    "> 5.99": (["5.99.1", "6.0.0"], ["5.99.0", "6.0.0-beta1"]),
    ">= 5.100, < 7.0": (["5.100.0", "6.25.0"], ["5.99.9", "7.0.0", "7.0.0-rc1"]),
    "<= 6": (["6.0.0"], ["6.0.1"]),
    "~> 5": (["5.0.0", "5.100.0"], ["4.9.0", "6.0.0"]),
    "~> 5.100": (["5.100.0", "5.101.3"], ["5.99.0", "6.0.0"]),
    "~>3.6.2": (["3.6.2", "3.6.9"], ["3.6.1", "3.7.0"]),
    "6.0.0-beta1": (["6.0.0-beta1"], ["6.0.0"]),
}
NO_RANGES = [
    "", " ", ",", ">= 5,", "latest", "5.*", "5.x", "v5.100.0", "~> v5", "^5.100", "=> 5", "== 5",
    ">= 5 < 7", "~> 5.100.0.0", ">=  5", "> = 5", "5.100\n", "\u0665.100",
]  # fmt: skip


@pytest.mark.parametrize("text", RANGES)
def test_a_range_takes_the_versions_that_are_in_it(text: str) -> None:
    inside, outside = RANGES[text]
    constraint = VersionConstraint(text)
    assert re.fullmatch(PATTERN, text)
    assert [version for version in inside + outside if constraint.allows(version)] == inside


@pytest.mark.parametrize("text", NO_RANGES)
def test_what_terraform_takes_for_no_range_is_none(text: str) -> None:
    assert not re.fullmatch(PATTERN, text)
    with pytest.raises(ValueError, match="is not a version constraint"):
        VersionConstraint(text)


@needs_terraform
def test_terraform_itself_reads_every_range(tmp_path: Path) -> None:
    terraform = TerraformFolder(tmp_path)
    (tmp_path / "empty.rc").write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{tmp_path}" }} }}'
    )
    providers = {
        f"p{number}": {"source": f"us/p{number}", "version": text}
        for number, text in enumerate(RANGES)
    }
    terraform.write(terraform={"required_providers": providers})
    with pytest.raises(ProviderUnavailable):
        terraform.init({"TF_CLI_CONFIG_FILE": str(tmp_path / "empty.rc")})
    terraform.write(terraform={"required_providers": {"p": {"source": "us/p", "version": "5.x"}}})
    with pytest.raises(OpsError, match="terraform init failed") as failure:
        terraform.init({"TF_CLI_CONFIG_FILE": str(tmp_path / "empty.rc")})
    assert "Invalid version constraint" in "".join(failure.value.details)


def test_versions_are_ordered_by_their_numbers_and_a_release_follows_its_pre_releases() -> None:
    ordered = ["5.9.0", "5.100.0-beta1", "5.100.0-rc1", "5.100.0", "5.100.1", "6.0.0"]
    assert sorted(set(ordered), key=sort_key) == ordered
    assert sorted(ordered) != ordered


def test_the_default_ranges_begin_with_the_tested_versions() -> None:
    tested = read().providers
    for source, text in {
        "hashicorp/aws": Providers().aws,
        "kreuzwerker/docker": Providers().docker,
    }.items():
        assert all(VersionConstraint(text).allows(version) for version in tested[source])
        oldest = text.removeprefix("~> ")
        assert tested[source][0].startswith(oldest), f"{source}: nobody ran {oldest}"
