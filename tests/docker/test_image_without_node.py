"""A service whose image has no Node.js, with a port and a health path of its own, from a source
folder to the load balancer."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws import DataPlane, EmbeddedAws
from tests.support.docker_engine import DockerEngine, docker_or_skip
from tests.support.project.project_folder import TINY, make_project, prod_e
from tests.support.terraform.terraform_program import needs_aws_provider

pytestmark = [pytest.mark.slow, needs_aws_provider, pytest.mark.timeout(1_800)]

BASE = "node:16-slim"

SETTINGS = TINY.replace(
    'build = "external"',
    """\
source = "web"
build = "external"
port = 8080
health_path = "/up"
health_command = ["CMD", "perl", "/up.pl"]
startup_seconds = 20""",
)

# The base image is one of Debian's, which has Perl, and is what this machine's daemon has already.
DOCKERFILE = f"""\
FROM {BASE}
RUN rm -rf /usr/local/bin/node /usr/local/bin/npm /usr/local/bin/npx /usr/local/lib/node_modules
COPY server.pl up.pl /
USER 10001
ENTRYPOINT ["perl", "/server.pl"]
"""

SERVER = r"""
use strict; use IO::Socket::INET;
$| = 1; $SIG{TERM} = sub { exit 0 }; $SIG{PIPE} = 'IGNORE';
my $server = IO::Socket::INET->new(
  LocalAddr => $ENV{LISTEN_ADDRESS} || '0.0.0.0', LocalPort => $ENV{PORT} || 8080,
  Listen => 64, ReuseAddr => 1) or die $@;
while (my $client = $server->accept) {
  my ($method, $path) = split / /, scalar(<$client>) // '';
  while (my $line = <$client>) { last if $line =~ /^\r?\n$/ }
  my $is_known = $path eq '/up' || $path eq '/hello';
  my $body = $is_known ? "VERSION without node\n" : "nothing here\n";
  my $status = $is_known ? '200 OK' : '404 Not Found';
  print $client "HTTP/1.1 $status\r\nContent-Length: " . length($body)
    . "\r\nConnection: close\r\n\r\n$body";
  close $client;
}
"""

UP = r"""
use strict; use IO::Socket::INET;
my $host = $ENV{LISTEN_ADDRESS} || '127.0.0.1';
$host = '127.0.0.1' if $host eq '0.0.0.0';
IO::Socket::INET->new("$host:" . ($ENV{PORT} || 8080)) or exit 1;
"""


@pytest.fixture(scope="module")
def docker() -> DockerEngine:
    return docker_or_skip(BASE)


@pytest.fixture
def aws(docker: DockerEngine) -> Iterator[EmbeddedAws]:
    data_plane = DataPlane(
        runtime="docker", task_environment={"LISTEN_ADDRESS": "{listen_address}"}
    )
    with EmbeddedAws(data_plane=data_plane) as server:
        pushed = f"{server.registry_address}/*"
        yield server
    docker.remove_images(pushed)


def write_version(source: Path, version: str) -> None:
    source.mkdir(exist_ok=True)
    (source / "Dockerfile").write_text(DOCKERFILE)
    (source / "server.pl").write_text(SERVER.replace("VERSION", version))
    (source / "up.pl").write_text(UP)


def answer(aws: EmbeddedAws, path: str) -> str:
    (listener,) = aws.listeners()
    with urllib.request.urlopen(f"{listener['url']}{path}", timeout=30) as response:
        text: str = response.read().decode()
    return text


def test_it_is_pushed_deployed_and_updated_like_any_other(aws: EmbeddedAws, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project", tiny=SETTINGS)
    variables = aws.environment()
    push = ("push", "backend", "--environment", "tiny-e", "--yes")

    write_version(folder / "web", "first")
    pushed = prod_e(folder, *push, variables=variables, timeout_seconds=900)
    assert pushed.returncode == 0, pushed.stderr
    deployed = prod_e(folder, "deploy", "--yes", variables=variables, timeout_seconds=900)
    assert deployed.returncode == 0, deployed.stderr
    assert answer(aws, "/hello") == "first without node\n"

    write_version(folder / "web", "second")
    updated = prod_e(folder, *push, "--wait", variables=variables, timeout_seconds=900)
    assert updated.returncode == 0, updated.stderr
    assert answer(aws, "/hello") == "second without node\n"
