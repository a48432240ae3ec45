"""Terraform reads the version constraints that the settings allow."""

from pathlib import Path

import pytest

from prod_e_ops.errors import OpsError, ProviderUnavailable
from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform
from tests.support.terraform.version_ranges import RANGES


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
