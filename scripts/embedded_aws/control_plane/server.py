"""The server process of the embedded AWS.

It writes one JSON object a line to its standard output: its address as soon as it answers, then
what a caller should know (see `EmbeddedAws`). It ends when its standard input closes.
"""

import json
import logging
import os
import shutil
import sys
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from embedded_aws.client import ALARM_BAKE_SECONDS_PATH, NEXT_DEPLOYMENT_STEPS_PATH
from embedded_aws.control_plane.connections import RequestHandler, large_answers_not_at_once
from embedded_aws.control_plane.exchange import has_data_plane, with_exchange
from embedded_aws.control_plane.idempotency import answering_once
from embedded_aws.control_plane.not_implemented import (
    Environ,
    StartResponse,
    WsgiApp,
    answering_everything,
)
from embedded_aws.control_plane.patches import apply_patches, let_go_of_what_is_gone
from embedded_aws.control_plane.registry.server import RegistryServer

_PRELOADED_SERVICES = ("sts", "ec2", "iam", "ecs", "elbv2", "rds", "s3", "logs", "cloudwatch")
"""What every stack uses, loaded while the client still starts."""

_WITH_DATA_PLANE = ("ecs", "elbv2", "rds", "cloudwatch", "secretsmanager")
"""What the data plane's exchange needs."""

_output = threading.Lock()
_state = threading.Lock()


def _tell(event: dict[str, str]) -> None:
    with _output:
        print(json.dumps(event), flush=True)


def _service_app(service: str | None) -> WsgiApp:
    """The app of one of AWS's services, by moto's name of it; None for one that moto lacks."""
    if service is None:
        return answering_everything(None, "unknown", tell=_tell)
    # Requests import, too, and where two threads at once meet in a circle of moto's modules, one of
    # them gets half a module.
    with _state:
        apply_patches(service)
        app = create_backend_app(service)
    app = answering_everything(_one_at_a_time(answering_once(app)), service, tell=_tell)
    return large_answers_not_at_once(app)


def _one_at_a_time(app: WsgiApp) -> WsgiApp:
    # What moto keeps are plain dictionaries, which services read and change of one another.
    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with _state:
            return app(environ, start_response)

    return answer


def _with_controls(app: WsgiApp) -> WsgiApp:
    """What no AWS has: the caller says when a simulated deployment goes on.

    And for how long the alarms of one are watched.
    """

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == NEXT_DEPLOYMENT_STEPS_PATH:
            with _state:
                # Not before it is asked for: moto's ECS, and all that it needs, would delay the
                # start.
                from embedded_aws.control_plane.ecs.simulation import take_next_steps

                take_next_steps()
        elif path == ALARM_BAKE_SECONDS_PATH:
            seconds = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
            os.environ["EMBEDDED_AWS_ALARM_BAKE_SECONDS"] = seconds
        else:
            return app(environ, start_response)
        start_response("204 No Content", [])
        return []

    return answer


def _load(dispatcher: Any, services: Iterable[str]) -> None:
    for service in services:
        if service in dispatcher.app_instances:
            continue
        # The lock that moto holds while it makes an app on the first request.
        with dispatcher.lock:
            if service not in dispatcher.app_instances:
                dispatcher.app_instances[service] = _service_app(service)


def _registry(dispatcher: Any) -> RegistryServer:
    return RegistryServer(
        account_id=os.environ["MOTO_ACCOUNT_ID"],
        region=os.environ["EMBEDDED_AWS_REGION"],
        host=os.environ.get("EMBEDDED_AWS_REGISTRY_HOST"),
        state_folder=Path(os.environ["EMBEDDED_AWS_STATE_FOLDER"]),
        state=_state,
        load=lambda: _load(dispatcher, ("ecr",)),
    )


def _read_descriptions_once() -> None:
    # moto makes sessions by the dozen, and each would read AWS's own descriptions of its services
    # anew: a second of the start.
    botocore.session.create_loader = cache(botocore.session.create_loader)


def main() -> None:
    """Serves until standard input closes."""
    _read_descriptions_once()
    let_go_of_what_is_gone()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    dispatcher = DomainDispatcherApplication(_service_app)
    registry = _registry(dispatcher)
    # What the patches of ECR say of it.
    os.environ["EMBEDDED_AWS_REGISTRY_HOST"] = registry.host
    registry.start()
    app: WsgiApp = dispatcher
    if has_data_plane():
        app = with_exchange(app, state=_state, load=lambda: _load(dispatcher, _WITH_DATA_PLANE))
    app = _with_controls(app)
    port = int(os.environ.get("EMBEDDED_AWS_PORT") or 0)
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=RequestHandler)
    # Where moto's state machines find the other services.
    os.environ["MOTO_PORT"] = str(server.server_port)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _tell(
        {
            "endpoint_url": f"http://127.0.0.1:{server.server_port}",
            "registry_address": registry.address,
        }
    )
    preloaded = (dispatcher, _PRELOADED_SERVICES)
    threading.Thread(target=_load, args=preloaded).start()
    sys.stdin.read()
    if has_data_plane():
        # Which may still be tidying up.
        registry.remove_blobs()
    else:
        shutil.rmtree(os.environ["EMBEDDED_AWS_STATE_FOLDER"], ignore_errors=True)
    # Nothing here is worth the second that an orderly end takes.
    os._exit(0)


if __name__ == "__main__":
    main()
