"""An upload goes on after what may pass, and ends at what does not."""

import asyncio

import pytest

from prod_e_ops.errors import UploadFailed
from prod_e_ops.images.push import upload as upload_module
from prod_e_ops.images.push.upload import upload
from tests.support.fakes import FakeDocker, FakeRepository

AWAY = "EOF"
TOKEN = "denied: Your authorization token has expired. Reauthenticate and try again."
DENIED = "denied: User: arn:aws:iam::1:user/a is not authorized to perform: ecr:PutImage"
UNMOVED = "No tag moved: the service's latest is as it was."


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_module, "_FIRST_PAUSE_SECONDS", 0.0)


def uploaded(docker: FakeDocker, repository: FakeRepository) -> tuple[str, list[str]]:
    """The digest, and what is told on the way."""
    told: list[str] = []
    digest = asyncio.run(
        upload(
            docker,
            repository,
            repository.found,
            tag="content-1",
            unmoved=UNMOVED,
            on_progress=told.append,
        )
    )
    return digest, told


def test_one_that_goes_well_logs_in_once_and_tells_how_far_it_is() -> None:
    docker, repository = FakeDocker(None), FakeRepository()
    digest, told = uploaded(docker, repository)
    assert digest == "sha256:1"
    assert docker.pushed == [f"{repository.found.uri}:content-1"]
    assert repository.logins == 1
    assert told == ["1 of 1 layers are there; 0123456789ab: Pushed"]


def test_a_connection_that_broke_is_tried_again_with_the_same_token() -> None:
    docker, repository = FakeDocker(AWAY, AWAY, None), FakeRepository()
    _, told = uploaded(docker, repository)
    assert len(docker.pushed) == 3
    assert repository.logins == 1
    assert told.count("EOF; trying again") == 2


def test_a_token_that_ran_out_is_renewed() -> None:
    docker, repository = FakeDocker(TOKEN, None), FakeRepository()
    uploaded(docker, repository)
    assert repository.logins == 2


def test_a_refusal_ends_it_in_the_registrys_words() -> None:
    docker = FakeDocker(DENIED)
    with pytest.raises(UploadFailed, match="refused the image") as failure:
        uploaded(docker, FakeRepository())
    assert failure.value.details == (DENIED, UNMOVED)
    assert len(docker.pushed) == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [(AWAY, "could not be reached"), (TOKEN, "does not accept the tokens")],
)
def test_what_does_not_pass_ends_it_after_the_last_pause(said: str, told: str) -> None:
    docker = FakeDocker(*[said] * 5)
    with pytest.raises(UploadFailed, match=told) as failure:
        uploaded(docker, FakeRepository())
    assert "5 times" in failure.value.message
    assert failure.value.details == (said, UNMOVED)
    assert docker.said == []
