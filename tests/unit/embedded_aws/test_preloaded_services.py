"""What the control plane loads at its start is there to be loaded."""

import pytest
from moto.backends import list_of_moto_modules

from embedded_aws.control_plane import server


@pytest.mark.parametrize("services", [server._PRELOADED_SERVICES, server._WITH_DATA_PLANE])
def test_a_service_that_is_loaded_early_is_one_of_motos(services: tuple[str, ...]) -> None:
    assert set(services) <= set(list_of_moto_modules())


def test_a_service_is_loaded_while_no_request_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    locked: list[bool] = []

    def load(_: str) -> None:
        locked.append(server._state.locked())

    monkeypatch.setattr(server, "apply_patches", load)
    monkeypatch.setattr(server, "create_backend_app", load)
    server._service_app("s3")
    assert locked == [True, True]
