"""Load balancers serve, as an Application Load Balancer does."""

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.embedded.world import NO_ROUTE, World, eventually, get


def fixed(text: str) -> dict[str, Any]:
    return {
        "Type": "fixed-response",
        "FixedResponseConfig": {
            "StatusCode": "200",
            "ContentType": "text/plain",
            "MessageBody": text,
        },
    }


def test_rules_are_tried_by_priority_and_meet_paths_and_hosts(world: World) -> None:
    listener = world.listen(NO_ROUTE, port=81)
    rules = [
        (30, {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a*"]}}, "a path"),
        (20, {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a/?"]}}, "one letter"),
        (
            10,
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}},
            "a host",
        ),
    ]
    for priority, condition, text in rules:
        world.elb.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[condition],
            Actions=[fixed(text)],
        )
    world.url(listener)
    eventually("rules hold", lambda: world.get("/abc", listener=listener)[2] == "a path")
    assert world.get("/a/b", listener=listener)[2] == "one letter"
    assert world.get("/a/bc", listener=listener)[2] == "a path"
    assert world.get("/a/b", listener=listener, Host="API.example.com")[2] == "a host"
    status, headers, body = world.get("/none", listener=listener)
    assert (status, headers["content-type"]) == (404, "application/json")
    assert json.loads(body) == {"error": "no route"}
    assert headers["server"] == "awselb/2.0"


@pytest.mark.parametrize(
    ("condition", "headers", "path"),
    [
        (
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "X-Kind", "Values": ["good*"]},
            },
            {"X_Kind": "Goods"},
            "/",
        ),
        (
            {
                "Field": "query-string",
                "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b?"}]},
            },
            {},
            "/?c=d&a=bb",
        ),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["127.0.0.0/8"]}}, {}, "/"),
        (
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}},
            {},
            "/",
        ),
    ],
    ids=lambda value: value.get("Field") if isinstance(value, dict) else None,
)
def test_rules_meet_what_else_a_request_has(
    world: World, condition: dict[str, Any], headers: dict[str, str], path: str
) -> None:
    listener = world.listen(NO_ROUTE, port=81)
    never = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/never"]}}
    for priority, conditions, text in ((1, [condition, never], "both"), (2, [condition], "met")):
        world.elb.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=conditions,
            Actions=[fixed(text)],
        )
    world.url(listener)
    eventually("it is met", lambda: world.get(path, listener=listener, **headers)[2] == "met")
    if condition["Field"] in ("http-header", "query-string"):
        assert world.get("/", listener=listener)[0] == 404


def test_a_redirect_leads_to_the_other_listener(world: World) -> None:
    redirect = {
        "Type": "redirect",
        "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
    }
    plain = world.listen(redirect, port=81)
    secure = world.listen(NO_ROUTE, port=443, Protocol="HTTPS", Certificates=[certificate(world)])
    port = urlsplit(world.url(secure)).port
    status, headers, _ = eventually(
        "it redirects",
        lambda: (answer := world.get("/a?b=c", listener=plain))[0] == 301 and answer,
    )
    assert status == 301
    assert headers["location"] == f"https://127.0.0.1:{port}/a?b=c"


def certificate(world: World) -> dict[str, str]:
    arn = world.client("acm").request_certificate(DomainName="example.com")["CertificateArn"]
    return {"CertificateArn": arn}


def test_an_https_listener_speaks_tls_with_a_certificate_of_its_own_authority(
    world: World,
) -> None:
    secure = world.listen(NO_ROUTE, port=443, Protocol="HTTPS", Certificates=[certificate(world)])
    place = urlsplit(world.url(secure))
    context = ssl.create_default_context(cafile=str(world.aws.certificate_authority_file))
    with (
        socket.create_connection((place.hostname, place.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 404")


def test_without_targets_it_answers_503(world: World) -> None:
    status, headers, body = world.get("/")
    assert (status, headers["server"]) == (503, "awselb/2.0")
    assert "<h1>503 Service Temporarily Unavailable</h1>" in body


def test_a_target_that_hangs_up_is_a_502(serving: World) -> None:
    assert serving.get("/hang-up")[0] == 502


def test_a_target_that_does_not_answer_in_time_is_a_504(serving: World) -> None:
    serving.elb.modify_load_balancer_attributes(
        LoadBalancerArn=serving.balancer,
        Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "1"}],
    )
    eventually("the idle timeout holds", lambda: serving.get("/slow?ms=2500")[0] == 504)


def test_where_no_target_is_healthy_all_get_requests(world: World) -> None:
    world.create(healthCheckGracePeriodSeconds=300)
    world.until_steady()
    world.elb.modify_target_group(TargetGroupArn=world.group, HealthCheckPath="/fail")
    eventually("all are unhealthy", lambda: world.health() == ["unhealthy"] * 2)
    descriptions = world.elb.describe_target_health(TargetGroupArn=world.group)
    health = descriptions["TargetHealthDescriptions"][0]["TargetHealth"]
    assert health["Reason"] == "Target.ResponseCodeMismatch"
    assert health["Description"] == "Health checks failed with these codes: [500]"
    assert world.get("/")[0] == 200


def test_a_target_that_is_unhealthy_gets_no_requests(world: World) -> None:
    world.create(healthCheckGracePeriodSeconds=300)
    world.until_steady()
    victim, other = sorted(world.task_pids())
    os.kill(victim, signal.SIGSTOP)
    try:
        eventually("one is unhealthy", lambda: "unhealthy" in world.health())
        assert {world.json("/")["pid"] for _ in range(10)} == {other}
    finally:
        os.kill(victim, signal.SIGCONT)


def test_a_target_learns_who_asked(serving: World) -> None:
    _, _, body = serving.get("/headers", X_Forwarded_For="192.0.2.1", Host="example.com")
    headers = json.loads(body)
    assert headers["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-port"] == "80"
    assert headers["host"] == "example.com"
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", headers["x-amzn-trace-id"])
    _, _, body = serving.get("/headers", X_Amzn_Trace_Id="Root=1-5759e988-bd862e3fe1be46a994272793")
    assert re.fullmatch(
        r"Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-5759e988-bd862e3fe1be46a994272793",
        json.loads(body)["x-amzn-trace-id"],
    )


def test_requests_are_shared_by_weight(world: World) -> None:
    groups = [world.target_group(), world.target_group()]
    listener = world.listen(
        {
            "Type": "forward",
            "ForwardConfig": {
                "TargetGroups": [
                    {"TargetGroupArn": groups[0], "Weight": 0},
                    {"TargetGroupArn": groups[1], "Weight": 1},
                ]
            },
        },
        port=81,
    )
    world.create(
        loadBalancers=[{"targetGroupArn": groups[1], "containerName": "app", "containerPort": 3000}]
    )
    world.until_steady()
    assert {world.get("/", listener=listener)[0] for _ in range(20)} == {200}
    world.elb.modify_listener(
        ListenerArn=listener,
        DefaultActions=[
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [
                        {"TargetGroupArn": groups[0], "Weight": 1},
                        {"TargetGroupArn": groups[1], "Weight": 1},
                    ]
                },
            }
        ],
    )
    # The first has no targets.
    eventually("half of them fail", lambda: world.get("/", listener=listener)[0] == 503)
    statuses = {world.get("/", listener=listener)[0] for _ in range(60)}
    assert statuses == {200, 503}


def test_bodies_are_passed_on_as_they_come_and_websockets_stay_open(serving: World) -> None:
    url = serving.url()

    async def talk() -> tuple[bytes, bytes, str]:
        goes_on = asyncio.Event()

        async def body() -> Any:
            yield b"second\n"
            await goes_on.wait()
            yield b"third\n"

        async with aiohttp.ClientSession() as session:
            async with session.post(f"{url}/stream", data=body()) as answer:
                first = await answer.content.readexactly(len("first\nsecond\n"))
                # The request's end is not yet sent.
                goes_on.set()
                rest = await answer.content.read()
            async with session.ws_connect(f"{url}/socket") as websocket:
                await websocket.send_str("hello")
                echoed = await websocket.receive_str(timeout=10)
        return first, rest, echoed

    assert asyncio.run(talk()) == (b"first\nsecond\n", b"third\n", "hello")


def test_a_connection_is_kept_for_the_next_request(serving: World) -> None:
    connection = http.client.HTTPConnection(urlsplit(serving.url()).netloc, timeout=30)
    connection.connect()
    kept = connection.sock
    for _ in range(3):
        connection.request("GET", "/health")
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
        assert connection.sock is kept
    connection.close()


def test_an_address_off_this_machine_is_never_asked(world: World) -> None:
    world.elb.register_targets(
        TargetGroupArn=world.group, Targets=[{"Id": "192.0.2.1", "Port": 80}]
    )
    assert world.get("/")[0] == 503
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        world.elb.register_targets(
            TargetGroupArn=world.group, Targets=[{"Id": "127.0.0.1", "Port": port}]
        )
        # It is asked, and nothing listens there.
        eventually("it is asked", lambda: get(world.url())[0] == 502)
