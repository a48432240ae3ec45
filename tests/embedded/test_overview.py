"""The page for a browser, and the JSON that it asks for."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.world import World, eventually

PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 60" width="200" height="60">'
    "<style>.card { fill: #ffffff; }</style>"
    '<rect x="5" y="5" width="90" height="50" class="card" data-name="app" />'
    '<rect x="105" y="5" width="90" height="50" class="card" data-name="nobody" />'
    "</svg>"
)
_BROWSER_SECONDS = 120


def _get(url: str) -> tuple[Any, bytes]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.headers, answer.read()


def _overview(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_get(f"{world.aws.page_url}overview")[1])
    return found


def _service(world: World) -> dict[str, Any]:
    # Other tests' services are on the same AWS.
    (service,) = (s for s in _overview(world)["services"] if s["cluster"] == world.name)
    return dict(service)


def _balancer(world: World) -> dict[str, Any]:
    (found,) = (b for b in _overview(world)["load_balancers"] if b["name"] == world.name)
    return dict(found)


def test_a_steady_service_is_shown_with_its_tasks(serving: World) -> None:
    def healthy() -> dict[str, Any] | None:
        service = _service(serving)
        targets = [task["target"] for task in service["tasks"]]
        return service if targets == ["healthy", "healthy"] else None

    service = eventually("both targets are healthy", healthy)
    assert (service["name"], service["rollout"]) == ("app", "COMPLETED")
    assert (service["desired"], service["running"], service["pending"]) == (2, 2, 0)
    assert not service["is_rolled_back"]
    arns = serving.ecs.list_tasks(cluster=serving.name)["taskArns"]
    assert {task["id"] for task in service["tasks"]} == {arn.split("/")[-1] for arn in arns}
    assert {task["status"] for task in service["tasks"]} == {"RUNNING"}
    assert all(task["started_at"] for task in service["tasks"])
    events = [e["message"] for e in _overview(serving)["events"] if e["source"] == "app"]
    assert any("has reached a steady state" in message for message in events)


def test_requests_and_errors_are_counted(serving: World) -> None:
    for _ in range(7):
        serving.get("/")
    for _ in range(2):
        serving.get("/fail")

    def counted() -> dict[str, Any] | None:
        balancer = _balancer(serving)
        return balancer if balancer["requests"] >= 9 else None

    balancer = eventually("they are counted", counted)
    assert (balancer["requests"], balancer["failed"]) == (9, 2)
    assert [each["url"] for each in balancer["listeners"]] == [serving.url()]

    def over() -> bool:
        seconds = _balancer(serving)["seconds"]
        return bool(sum(each["requests"] for each in seconds) == 9)

    eventually("their seconds are over", over)


def test_a_deployment_and_an_alarm_are_shown_while_they_happen(serving: World) -> None:
    cloudwatch = serving.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=serving.name,
        Namespace="Nothing",
        MetricName="Nothing",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Statistic="Sum",
    )
    cloudwatch.set_alarm_state(AlarmName=serving.name, StateValue="ALARM", StateReason="a test")
    alarms = {each["name"]: each for each in _overview(serving)["alarms"]}
    assert alarms[serving.name] == {"name": serving.name, "state": "ALARM", "reason": "a test"}

    before = {task["id"] for task in _service(serving)["tasks"]}
    serving.deploy(f"second {serving.name}")
    assert _service(serving)["rollout"] == "IN_PROGRESS"
    serving.until_steady()

    def replaced() -> bool:
        running = {t["id"] for t in _service(serving)["tasks"] if t["status"] == "RUNNING"}
        return len(running) == 2 and not running & before

    eventually("the former tasks have gone", replaced)


def test_an_images_own_tag_is_the_version(world: World) -> None:
    ecr = world.client("ecr")
    # A repository that is no source's: ECR would refuse what other tests run.
    repository = f"{world.name}-images"
    ecr.create_repository(repositoryName=repository)
    manifest = json.dumps({"schemaVersion": 2, "layers": [], "annotations": {"for": world.name}})
    for tag in ("latest", "content-1"):
        ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)
    image = world.image.replace("/app:", f"/{repository}:")
    world.create(world.define(world.container(image=image)), desiredCount=0)
    assert _service(world)["version"] == "content-1"


def test_the_page_loads_nothing_from_elsewhere_and_cannot_be_framed(world: World) -> None:
    headers, body = _get(world.aws.page_url)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    page = body.decode()
    assert "prefers-color-scheme: dark" in page
    assert [
        word
        for word in ("https://", "src=", "@import", "url(")
        if word in page.replace("http://www.w3.org", "")
    ] == []


@pytest.fixture
def chromium() -> Iterator[list[str]]:
    """How Chromium is called; skips where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium on PATH: `apt-get install chromium`")
    # Its helpers may write there for a moment after its end.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        yield [
            program,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--no-proxy-server", f"--user-data-dir={profile}"),
        ]


@pytest.mark.slow
def test_a_browser_shows_it(serving: World, chromium: list[str], tmp_path: Path) -> None:
    serving.aws.show_picture(PICTURE)
    serving.get("/")

    def dump() -> str:
        dumped = _run(
            [*chromium, "--virtual-time-budget=4000", "--dump-dom", serving.aws.page_url]
        ).stdout.decode()
        # Not what its script might say.
        return dumped.partition("<script>")[0]

    def shown() -> str | None:
        dumped = dump()
        return dumped if serving.name in dumped and "2 of 2 tasks run" in dumped else None

    dom = eventually("the browser shows the service", shown, seconds=_BROWSER_SECONDS)
    assert serving.url() in dom
    assert "has reached a steady state" in dom
    assert "does not answer" not in dom
    # What is hidden until there is a picture.
    assert 'id="picture" class="wide" aria-labelledby' in dom
    screenshot = tmp_path / "page.png"
    _run(
        [
            *chromium,
            *("--window-size=1280,1400", "--virtual-time-budget=4000"),
            f"--screenshot={screenshot}",
            serving.aws.page_url,
        ]
    )
    assert screenshot.read_bytes().startswith(b"\x89PNG")


def _run(command: list[str]) -> "subprocess.CompletedProcess[bytes]":
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, check=True, timeout=_BROWSER_SECONDS)
    return subprocess.CompletedProcess(command, 1, b"", b"")
