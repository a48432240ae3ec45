from collections.abc import Iterator

import pytest

import prod_e
from embedded_aws import EmbeddedAws

prod_e.enable_fast_imports()


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws
