"""An environment's load balancer, asked as its users do."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from embedded_aws import EmbeddedAws
from embedded_aws.load import Load
from prod_e.names import EnvironmentNames
from prod_e_ops.errors import OpsError

CLIENTS = 4
"""How many send requests at once while something happens."""

_PAUSE_SECONDS = 0.08
"""So long that autoscaling has no reason to add tasks."""

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`body`: of JSON; empty for anything else."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class FrontDoor:
    """Where the listener is on this machine; its methods wait for its answers."""

    url: str
    tls: ssl.SSLContext = field(repr=False)

    @classmethod
    def of(cls, aws: EmbeddedAws, environment: str) -> "FrontDoor":
        """The load balancer's listener for HTTPS, or else for HTTP."""
        name = EnvironmentNames(environment).load_balancer
        found = {
            each["port"]: each["url"] for each in aws.listeners() if each["load_balancer"] == name
        }
        if not found:
            raise OpsError(f"The load balancer {name} listens nowhere.")
        return cls(
            url=found[max(found)],
            tls=ssl.create_default_context(cafile=str(aws.certificate_authority_file)),
        )

    def get(self, path: str, *, host: str | None = None) -> Answer:
        """Asks for something. `host`: the name that is asked for; None: that of the address."""
        headers = {"host": host} if host else {}
        return self._ask(Request(f"{self.url}{path}", headers=headers))  # noqa: S310

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Sends something as JSON."""
        return self._ask(
            Request(  # noqa: S310
                f"{self.url}{path}",
                data=json.dumps(body).encode(),
                headers={"content-type": "application/json"},
            )
        )

    def load(self, path: str) -> Load:
        """Users who ask for something all the time."""
        return Load(
            url=f"{self.url}{path}", clients=CLIENTS, pause_seconds=_PAUSE_SECONDS, tls=self.tls
        )

    def _ask(self, request: Request) -> Answer:
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=self.tls))
        try:
            with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                return Answer(status=answer.status, body=_json(answer.read()))
        except HTTPError as error:
            return Answer(status=error.code, body=_json(error.read()))
        except OSError as error:
            raise OpsError(f"{request.full_url} does not answer: {error}") from None


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
