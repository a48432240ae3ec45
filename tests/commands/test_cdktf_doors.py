"""The cdktf CLI deploys and destroys what `prod-e` does, for those who type it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from prod_e_ops.terraform.providers.mirror import find_provider_source
from tests.support.aws.put_images import delete_images, put_images
from tests.support.project.project_folder import TINY, make_project, prod_e

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed"),
    pytest.mark.skipif(
        find_provider_source(os.environ).origin == "from Terraform's registry"
        and os.environ.get("PROD_E_TEST_WITH_REGISTRY") != "1",
        reason="no mirror has the AWS provider; PROD_E_TEST_WITH_REGISTRY=1 asks the registry",
    ),
]


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as server:
        yield server


def cdktf(
    folder: Path, *arguments: str, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    configuration = find_provider_source(variables).cli_configuration()
    if configuration:
        (folder / "terraform.rc").write_text(configuration)
        variables = {**variables, "TF_CLI_CONFIG_FILE": str(folder / "terraform.rc")}
    return subprocess.run(
        ["npx", "cdktf", *arguments, "--auto-approve", "--skip-provider-lock"],
        cwd=folder,
        env={
            **variables,
            "CI": "1",
            "DISABLE_VERSION_CHECK": "1",
            "CDKTF_DISABLE_PLUGIN_CACHE_ENV": "1",
            # The app is started with the Python that runs the tests.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}",
            "VIRTUAL_ENV": sys.prefix,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def test_cdktf_and_prod_e_go_on_where_the_other_has_left_off(
    tmp_path: Path, aws: EmbeddedAws
) -> None:
    folder = make_project(tmp_path / "project", tiny=TINY)
    variables = aws.environment()
    deployed = cdktf(folder, "deploy", "*", variables=variables)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert "tiny-e-cluster" in deployed.stdout
    again = prod_e(folder, "deploy", "--yes", variables=variables)
    assert again.returncode == 0, again.stderr
    assert "tiny-e is up to date." in again.stderr

    (folder / "environments" / "tiny.toml").write_text(
        TINY.replace('build = "external"', 'build = "external"\nmemory_mib = 1024')
    )
    put_images(aws, "tiny-e-backend")
    changed = prod_e(folder, "deploy", "--yes", variables=variables)
    assert changed.returncode == 0, changed.stderr
    # ECR deletes no repository that holds any, and cdktf deletes none of them.
    delete_images(aws, "tiny-e-backend")
    destroyed = cdktf(folder, "destroy", "*", variables=variables)
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    nothing = prod_e(folder, "destroy", "--yes", variables=variables)
    assert nothing.returncode == 0, nothing.stderr
    assert "Nothing of tiny-e exists." in nothing.stderr
