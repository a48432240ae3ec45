"""Who may use ECR's registry."""

from base64 import b64encode

import pytest
import requests

from embedded_aws import EmbeddedAws
from tests.support.aws.registry import Registry


def test_those_without_a_password_are_asked_for_one(aws: EmbeddedAws) -> None:
    answer = requests.get(f"http://{aws.registry_address}/v2/", timeout=30)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Basic realm="https://{aws.registry_address}/",service="ecr.amazonaws.com"'
    )


@pytest.mark.parametrize("place", [-3, 72, 100, 1_000])
def test_every_character_of_a_password_counts(aws: EmbeddedAws, place: int) -> None:
    password = Registry(aws=aws).password()
    wrong = list(password)
    wrong[place] = "A" if wrong[place] != "A" else "B"

    def status(user: str, given: str) -> int:
        url = f"http://{aws.registry_address}/v2/"
        return requests.get(url, auth=(user, given), timeout=30).status_code

    assert status("AWS", password) == 200
    assert status("AWS", "".join(wrong)) == 400
    assert status("AWS", password[:72]) == 400
    assert status("root", password) == 400


def test_what_is_no_password_at_all_is_refused(aws: EmbeddedAws) -> None:
    for given in ("AWS", b64encode(b"\xff\xfe").decode(), ""):
        answer = requests.get(
            f"http://{aws.registry_address}/v2/",
            headers={"Authorization": f"Basic {given}"},
            timeout=30,
        )
        assert answer.status_code == 400


def test_it_speaks_tls_on_the_same_port(aws: EmbeddedAws, session: requests.Session) -> None:
    url = f"https://{aws.registry_address}/v2/"
    trusted = str(aws.certificate_authority_file)
    assert session.get(url, verify=trusted, timeout=30).status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        session.get(url, timeout=30)
