from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.stub import Stubber

from prod_e.settings import load_environments
from prod_e_ops.service.ecs import Deployments
from tests.unit.aws.stubbed import stubbed


@pytest.fixture
def deployments(tmp_path: Path) -> Deployments:
    (tmp_path / "tiny-e.toml").write_text('name = "tiny-e"\n[services.backend]\n')
    (environment,) = load_environments(tmp_path)
    return Deployments(environment, "backend")


@pytest.fixture
def ecs(deployments: Deployments) -> Iterator[Stubber]:
    with stubbed(deployments, "_ecs", "ecs") as stubber:
        yield stubber


@pytest.fixture
def elb(deployments: Deployments) -> Iterator[Stubber]:
    with stubbed(deployments, "_elbv2", "elbv2") as stubber:
        yield stubber
