"""The versions that the project was run with are in one file, and this machine's are among them."""

import json
import os
import platform
import re
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from prod_e import tested_versions
from prod_e.tested_versions import covers
from prod_e_ops.errors import ProviderUnavailable
from tests.support.project.project_folder import PROJECT
from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform

TESTED = tested_versions.read()


def need_tested(program: str, versions: Sequence[str], found: str) -> None:
    """Continuous integration has tested versions only; others may have what nobody has tried."""
    if covers(versions, found):
        return
    told = f"{program} {found} is none of those that prod-e was run with ({', '.join(versions)})"
    if os.environ.get("PROD_E_REQUIRE_TESTED_VERSIONS") == "1":
        pytest.fail(f"{told}: add it to {tested_versions.FILE.name} once everything passes")
    pytest.skip(told)


def answer(*command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        pytest.skip(f"{command[0]} does not answer: {done.stderr.strip()}")
    return done.stdout.strip()


def test_this_machines_python_is_a_tested_one() -> None:
    need_tested("Python", TESTED.python, platform.python_version())


def test_this_machines_node_is_a_tested_one() -> None:
    need_tested("Node.js", TESTED.node, answer("node", "--version"))


def test_this_machines_terraform_is_a_tested_one() -> None:
    program = os.environ.get("TERRAFORM_BINARY_NAME") or "terraform"
    name = answer(program, "version").split()[0]
    tested = {"Terraform": TESTED.terraform, "OpenTofu": TESTED.opentofu}[name]
    found = json.loads(answer(program, "version", "-json"))["terraform_version"]
    need_tested(name, tested, found)


def test_this_machines_docker_daemon_is_a_tested_one() -> None:
    found = answer("docker", "version", "--format", "{{.Server.Version}}")
    need_tested("Docker", TESTED.docker, found)


@needs_terraform
@pytest.mark.parametrize("source", TESTED.providers)
def test_the_provider_that_terraform_installs_is_a_tested_one(source: str, tmp_path: Path) -> None:
    """With the version that the stacks ask for."""
    name = source.partition("/")[2]
    snapshots = (PROJECT / "tests" / "synthesis" / "snapshots").glob("prod-e*.json")
    required = [
        json.loads(snapshot.read_text())["terraform"]["required_providers"]
        for snapshot in snapshots
    ]
    wanted = next(providers[name] for providers in required if name in providers)
    folder = TerraformFolder(tmp_path)
    folder.write(terraform={"required_providers": {name: wanted}})
    try:
        folder.init({"HOME": os.environ["HOME"]})
    except ProviderUnavailable as missing:
        pytest.skip(missing.reason)
    lock = (folder.stack.folder / ".terraform.lock.hcl").read_text()
    (found,) = re.findall(r'^  version\s+= "(.+)"$', lock, re.MULTILINE)
    need_tested(source, TESTED.providers[source], found)


def readme_table() -> str:
    """What README.md shows, made from the file."""
    providers = [
        (f"provider `{source}`", versions) for source, versions in TESTED.providers.items()
    ]
    rows = [
        ("Terraform", TESTED.terraform),
        ("OpenTofu", TESTED.opentofu),
        *providers,
        ("Node.js", TESTED.node),
        ("Python", TESTED.python),
        ("Docker Engine", TESTED.docker),
    ]
    lines = ["| program | versions that were run |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {', '.join(versions)} |" for name, versions in rows)])


def test_the_readme_shows_them() -> None:
    assert readme_table() in (PROJECT / "README.md").read_text("utf-8")


def test_the_oldest_node_that_is_allowed_is_a_tested_one() -> None:
    oldest = TESTED.node[0].split(".")[0]
    package = json.loads((PROJECT / "package.json").read_text("utf-8"))
    assert package["engines"]["node"] == f">={oldest}"
    setup = (PROJECT / "scripts" / "setup.sh").read_text("utf-8")
    assert f'[ "$(node_major "$node")" -lt {oldest} ]' in setup
    (wished,) = set(re.findall(r"Node\.js (\d+) or newer", setup))
    assert f'[ "$(node_major "$candidate")" -ge {wished} ]' in setup
    assert wished in {version.split(".")[0] for version in TESTED.node}
    assert f"Node.js {wished}+ ({oldest} still works" in (PROJECT / "README.md").read_text("utf-8")


def test_the_oldest_python_that_is_allowed_is_a_tested_one() -> None:
    oldest = TESTED.python[0]
    configuration = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    assert configuration["project"]["requires-python"] == f">={oldest}"
    setup = (PROJECT / "scripts" / "setup.sh").read_text("utf-8")
    assert set(re.findall(r"Python (\d+\.\d+) or newer", setup)) == {oldest}
    assert f"Python {oldest}+" in (PROJECT / "README.md").read_text("utf-8")


def test_every_list_goes_from_the_oldest_to_the_newest() -> None:
    lists = [TESTED.terraform, TESTED.opentofu, TESTED.node, TESTED.python, TESTED.docker]
    for versions in (*lists, *TESTED.providers.values()):
        assert list(versions) == sorted(versions, key=lambda v: [int(n) for n in v.split(".")])


@pytest.mark.parametrize(
    ("entry", "version", "covered"),
    [
        ("20.20", "v20.20.2", True),
        ("20.20", "20.2.0", False),
        ("20.20", "20", False),
        ("3.1", "3.11.2", False),
        ("20.10", "20.10.24+dfsg1", True),
        ("5.100.0", "5.100.0", True),
        ("5.100.0", "5.100.1", False),
    ],
)
def test_an_entry_stands_for_every_version_that_begins_with_it(
    entry: str, version: str, covered: bool
) -> None:
    assert covers([entry], version) is covered
