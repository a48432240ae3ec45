"""A request that AWS gets twice because its first answer was lost.

Clients mark what they ask for with a token, which they send again when they ask again: what has it
is done once, and answered as before. What has none is done twice: `CreateVpc`, `AllocateAddress`.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from embedded_aws.control_plane.not_implemented import Environ, StartResponse, WsgiApp, read_body

_TOKEN = re.compile(
    # The body of a Query, or JSON.
    rb"""(?:(?:^|&)(?:ClientToken|IdempotencyToken)=[^&]+)"""
    rb"""|(?:"(?:clientToken|ClientRequestToken|IdempotencyToken)":\s*"[^"]+")"""
)
_MOST_ANSWERS = 1_000
"""AWS forgets tokens after a day; clients ask again within minutes."""


def answering_once(app: WsgiApp) -> WsgiApp:
    """Wraps the app of a service, which is called by one thread at a time."""
    answers: OrderedDict[tuple[Any, ...], tuple[tuple[Any, ...], list[bytes]]] = OrderedDict()

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        is_form = "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", "")
        if not is_form and "HTTP_X_AMZ_TARGET" not in environ:
            return app(environ, start_response)
        body = read_body(environ)
        if not _TOKEN.search(body):
            return app(environ, start_response)
        asked = (environ.get("PATH_INFO"), environ.get("HTTP_X_AMZ_TARGET"), body)
        if asked not in answers:
            heads: list[tuple[Any, ...]] = []
            said = list(app(environ, lambda *head: heads.append(head)))
            if not heads[-1][0].startswith("2"):
                start_response(*heads[-1])
                return said
            answers[asked] = heads[-1], said
            if len(answers) > _MOST_ANSWERS:
                answers.popitem(last=False)
        head, said = answers[asked]
        start_response(*head)
        return said

    return answer
