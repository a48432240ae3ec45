"""`python -m embedded_aws`: what its options come to, what it tells, and how it ends."""

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from embedded_aws import ACCOUNT_ID, EmbeddedAwsError
from embedded_aws import __main__ as module
from embedded_aws.client import DEFAULT_REGION


class Aws:
    """An embedded AWS that has run a while; it ends with the second look at it."""

    page_url = "http://127.0.0.1:1/page"
    tasks_run = "as processes"
    unimplemented_calls = ("ec2.DescribeHosts",)
    failed_calls = ("rds.CreateDBInstance",)

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.data_plane = options["data_plane"]
        self.looks = 0

    def __enter__(self) -> Self:
        if self.options["region"] == "nowhere":
            raise EmbeddedAwsError("The embedded AWS did not start.")
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def variables(self) -> Mapping[str, str]:
        return {"AWS_REGION": self.options["region"], "AWS_PROFILE": "a b"}

    def listeners(self) -> Sequence[Mapping[str, Any]]:
        return [{"load_balancer": "alb", "port": 80, "url": "http://127.0.0.1:4080"}]

    @property
    def is_looked_at(self) -> bool:
        self.looks += 1
        if self.looks == 2:
            signal.raise_signal(signal.SIGTERM)
        return True


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Aws]]:
    found: list[Aws] = []

    def start(**options: Any) -> Aws:
        found.append(Aws(**options))
        return found[-1]

    news = module._news

    def looked_at(aws: Any) -> Iterator[str]:
        assert aws.is_looked_at
        return news(aws)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(module, "EmbeddedAws", start)
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(module, "_news", looked_at)
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def test_it_prints_what_leads_there_and_tells_each_news_once(
    capsys: pytest.CaptureFixture[str], started: list[Aws]
) -> None:
    assert module.main([]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"export AWS_REGION={DEFAULT_REGION}", "export AWS_PROFILE='a b'"]
    assert err.splitlines() == [
        "Ctrl-C ends it and all that it runs.",
        "A page in a browser shows what runs: http://127.0.0.1:1/page",
        "Tasks run as processes.",
        "alb:80 is at http://127.0.0.1:4080",
        "ec2.DescribeHosts does not exist here.",
        "The embedded AWS broke on rds.CreateDBInstance",
    ]
    (aws,) = started
    plane = aws.options.pop("data_plane")
    assert aws.options == {
        "region": DEFAULT_REGION,
        "account_id": ACCOUNT_ID,
        "port": 0,
        "alarm_bake_seconds": 0,
    }
    assert (plane.runtime, plane.docker_network) == ("auto", "auto")
    assert (plane.sources, plane.task_environment) == ({}, {})
    assert plane.postgresql_folder is None


def test_each_option_is_taken(
    capsys: pytest.CaptureFixture[str],
    started: list[Aws],
    tmp_path: Path,
) -> None:
    (tmp_path / "package.json").write_text("{}")
    options = {
        "--region": "eu-west-1",
        "--account": "111122223333",
        "--port": "4566",
        "--runtime": "docker",
        "--docker-network": "host",
        "--source": f"web={tmp_path}",
        "--task-env": "A=b=c",
        "--alarm-bake-seconds": "1.5",
        "--postgresql": "pg",
    }
    words = [word for option in options.items() for word in option]
    assert module.main(["--json", "--task-env", "B={free_port}", *words]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"AWS_REGION": "eu-west-1", "AWS_PROFILE": "a b"}
    given = started[0].options
    plane = given.pop("data_plane")
    assert given == {
        "region": "eu-west-1",
        "account_id": "111122223333",
        "port": 4566,
        "alarm_bake_seconds": 1.5,
    }
    assert (plane.runtime, plane.docker_network) == ("docker", "host")
    assert plane.sources == {"web": tmp_path}
    assert plane.task_environment == {"A": "b=c", "B": "{free_port}"}
    assert plane.postgresql_folder == Path("pg")


def test_the_control_plane_alone_runs_nothing(
    capsys: pytest.CaptureFixture[str], started: list[Aws]
) -> None:
    assert module.main(["--control-plane-only"]) == 0
    assert started[0].options["data_plane"] is None
    told = capsys.readouterr().err
    assert "A page in a browser" not in told
    assert "is at" not in told


def test_one_that_does_not_start_says_so(
    capsys: pytest.CaptureFixture[str], started: list[Aws]
) -> None:
    assert module.main(["--region", "nowhere"]) == 1
    assert capsys.readouterr().err == "The embedded AWS did not start.\n"


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--source", "web=.", ". has no package.json"),
        ("--source", "web", "'web' is not NAME=VALUE"),
        ("--task-env", "=x", "'=x' is not NAME=VALUE"),
        ("--runtime", "podman", "invalid choice: 'podman'"),
        ("--docker-network", "none", "invalid choice: 'none'"),
        ("--port", "http", "invalid int value: 'http'"),
    ],
)
def test_a_wrong_option_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    started: list[Aws],
    tmp_path: Path,
    option: str,
    value: str,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        module.main([option, value])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert started == []
