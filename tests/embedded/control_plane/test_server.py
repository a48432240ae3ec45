"""The server's process, what it refuses, and who its callers are."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws, EmbeddedAwsError
from embedded_aws.control_plane.not_implemented import answering_everything
from tests.embedded.control_plane.clients import (
    Clients,
)
from tests.support.aws.aws_clients import client_of
from tests.support.command.processes import is_running


@pytest.mark.parametrize(
    ("service", "action", "arguments"),
    [
        ("ecs", "stop_service_deployment", {"serviceDeploymentArn": "arn"}),
        ("rds", "describe_certificates", {}),
        ("ec2", "describe_fast_launch_images", {}),
        ("iot", "list_audit_tasks", {"startTime": 0, "endTime": 1}),
    ],
)
def test_an_action_that_it_lacks_is_refused_at_once(
    aws: EmbeddedAws, clients: Clients, service: str, action: str, arguments: dict[str, Any]
) -> None:
    client = clients(service)
    with pytest.raises(ClientError) as refusal:
        getattr(client, action)(**arguments)
    assert refusal.value.response["Error"]["Code"] == "NotImplemented"
    assert refusal.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    _wait_until(lambda: any(call.startswith(f"{service}.") for call in aws.unimplemented_calls))


@pytest.mark.parametrize(
    ("service", "action", "arguments"),
    [
        (
            "ecs",
            "execute_command",
            {"cluster": "c", "task": "t", "interactive": True, "command": "sh"},
        ),
        (
            "ecr",
            "create_pull_through_cache_rule",
            {"ecrRepositoryPrefix": "public", "upstreamRegistryUrl": "public.ecr.aws"},
        ),
        (
            "elbv2",
            "create_trust_store",
            {
                "Name": "n",
                "CaCertificatesBundleS3Bucket": "bucket",
                "CaCertificatesBundleS3Key": "key",
            },
        ),
    ],
)
def test_what_is_called_missing_is_refused(
    clients: Clients, service: str, action: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refusal:
        getattr(clients(service), action)(**arguments)
    assert refusal.value.response["Error"]["Code"] == "NotImplemented"


def test_a_call_on_which_it_breaks_is_refused_with_the_reason() -> None:
    def breaking(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise KeyError("Id")

    events: list[dict[str, str]] = []
    heads: list[tuple[Any, ...]] = []
    app = answering_everything(breaking, "ecs", tell=events.append)
    environ = {
        "REQUEST_METHOD": "POST",
        "HTTP_X_AMZ_TARGET": "AmazonEC2ContainerServiceV20141113.CreateService",
        "wsgi.input": BytesIO(),
    }
    body = b"".join(app(environ, lambda *head: heads.append(head)))
    assert events == [{"failed": "ecs.CreateService: KeyError: 'Id'"}]
    assert heads[0][0].startswith("501 ")
    assert "KeyError: 'Id'" in json.loads(body)["message"]


def test_nothing_of_another_aws_gets_into_its_environment(aws: EmbeddedAws) -> None:
    users = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "secret",
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/admin",
        "AWS_ENDPOINT_URL_S3": "https://example.com",
        "TF_AWS_RUNTIME_ENVIRONMENT": "lambda",
        "NO_PROXY": "example.com",
    }
    environment = aws.environment(users)
    assert environment["PATH"] == "/bin"
    assert environment["NO_PROXY"] == "example.com,127.0.0.1"
    # So it is where the user exports what is printed.
    assert aws.variables(users)["NO_PROXY"] == "example.com,127.0.0.1"
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint_url
    assert not users.keys() & environment.keys() - {"PATH", "NO_PROXY"}


def test_two_of_them_share_nothing(aws: EmbeddedAws, clients: Clients) -> None:
    topic = clients("sns").create_topic(Name="alarms")["TopicArn"]
    with EmbeddedAws(region="eu-west-1", account_id="210987654321") as other:
        client, identity = client_of(other, "sns"), client_of(other, "sts")
        assert client.list_topics()["Topics"] == []
        assert identity.get_caller_identity()["Account"] == "210987654321"
        client.close()
        identity.close()
    assert {"TopicArn": topic} in clients("sns").list_topics()["Topics"]


def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import time\n"
        "from embedded_aws import EmbeddedAws\n"
        "with EmbeddedAws() as aws:\n"
        "    print(aws._process.pid, aws._state_folder, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child, _, folder = parent.stdout.readline().strip().partition(" ")
        assert Path(folder).is_dir()
        parent.send_signal(signal.SIGKILL)
    _wait_until(lambda: not is_running(int(child)))
    assert not Path(folder).exists()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_start_that_fails_says_what_was_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no module named moto' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(EmbeddedAwsError, match="no module named moto"), EmbeddedAws():
        pass
