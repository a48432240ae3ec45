"""An app of somebody else's, with a network."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider

from prod_e import (
    Network,
)
from prod_e.testing import synthesised
from tests.support.synthesised import Synthesised


@pytest.fixture
def stack(tmp_path: Path) -> TerraformStack:
    app = App(
        outdir=str(tmp_path),
        context={"excludeStackIdFromLogicalIds": "true", "allowSepCharsInLogicalIds": "true"},
    )
    stack = TerraformStack(app, "theirs")
    AwsProvider(stack, "aws", region="us-west-2")
    return stack


@pytest.fixture
def synthesise(stack: TerraformStack) -> Callable[[], Synthesised]:
    def run() -> Synthesised:
        return Synthesised(synthesised(stack).values)

    return run


@pytest.fixture
def network(stack: TerraformStack) -> Network:
    return Network(stack, "network")
