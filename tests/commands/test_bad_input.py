"""Whatever is wrong: a clear message, a telling exit status, nothing lost."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.faults.proxy import faulty_aws, web_page
from tests.support.project.project_folder import TINY, prod_e, without_credentials
from tests.support.project.written_project import written
from tests.support.terraform.terraform_program import needs_terraform


def refused(
    project: Path,
    *arguments: str,
    status: int,
    variables: Mapping[str, str] | None = None,
) -> str:
    """What a command says that fails; asserts that it leaves everything as it was."""
    before = written(project)
    assert "cdktf.out/stacks/tiny-e/cdk.tf.json" in before
    finished = prod_e(project, *arguments, variables=variables)
    assert finished.returncode == status, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stdout + finished.stderr
    assert finished.stdout == ""
    assert written(project) == before
    assert not list(project.glob(".cdktf.out-*"))
    return finished.stderr


@pytest.mark.parametrize("command", ["synth", "plan", "deploy"])
@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            TINY.replace("build", "bild"),
            "environments/tiny.toml: services.backend.bild: is not a known key; did you mean",
        ),
        (
            TINY.replace("egress =", 'availability_zones = "2"\negress ='),
            "environments/tiny.toml: network.availability_zones: '2' is not allowed; allowed: ",
        ),
        (
            TINY.replace('egress = "nat"', 'egress = "all"'),
            "environments/tiny.toml: network.egress: 'all' is not allowed; allowed: 'nat' or"
            " 'endpoints'",
        ),
        (
            TINY.replace('"external"', '"external'),
            "environments/tiny.toml: is not valid TOML: ",
        ),
        ("\udcff", "environments/tiny.toml: cannot be read: "),
    ],
    ids=["unknown key", "wrong type", "broken rule", "malformed", "not text"],
)
def test_wrong_settings_are_told_by_file_key_and_what_is_allowed(
    project: Path, command: str, toml: str, message: str
) -> None:
    file = project / "environments" / "tiny.toml"
    file.write_text(toml, "utf-8", errors="surrogateescape")
    assert message in refused(project, command, status=2)


def test_the_demo_refuses_what_is_in_an_account_alone(project: Path) -> None:
    file = project / "environments" / "tiny.toml"
    cluster = "arn:aws:ecs:us-west-2:123456789012:cluster/company"
    zone = 'domain_name = "a.example.com"\nhosted_zone_id = "Z012"\n'
    toml = TINY.replace("[load_balancer]\n", f"[load_balancer]\n{zone}")
    file.write_text(f'{toml}[cluster]\narn = "{cluster}"\n')
    said = refused(project, "demo", status=2)
    assert (
        "environments/tiny.toml names what the embedded AWS does not have: cluster.arn,"
        " load_balancer.hosted_zone_id." in said
    )


def test_each_of_several_mistakes_has_a_line_of_its_own(project: Path) -> None:
    folder = project / "environments"
    (folder / "tiny.toml").write_text(TINY.replace("build", "bild").replace('"nat"', '"all"'))
    (folder / "other.toml").write_text('name = "Other"\n[services.backend]\nport = 0\n')
    lines = [
        line
        for line in refused(project, "plan", status=2).splitlines()
        if line.startswith("environments/")
    ]
    assert [line.split(": ")[:2] for line in sorted(lines)] == [
        ["environments/other.toml", "name"],
        ["environments/other.toml", "services.backend.port"],
        ["environments/tiny.toml", "network.egress"],
        ["environments/tiny.toml", "services.backend.bild"],
    ]


@pytest.mark.parametrize("command", ["plan", "deploy", "destroy"])
def test_a_mistake_in_the_file_of_one_environment_stops_no_other(
    project: Path, tmp_path: Path, command: str
) -> None:
    (project / "environments" / "other.toml").write_text('name = "Other"\n[services.backend]\n')
    # None of them goes on from there without credentials.
    variables = without_credentials()
    said = refused(project, command, "-e", "tiny-e", status=2, variables=variables)
    assert "there are no AWS credentials" in said
    warned = [line for line in said.splitlines() if "other.toml" in line]
    assert warned == [
        "Warning: environments/other.toml is wrong and left out: `./prod-e synth` says why."
    ]


@pytest.mark.parametrize("command", ["synth", "plan", "deploy", "destroy"])
def test_a_project_without_its_environments_is_not_taken_for_another(
    project: Path, command: str
) -> None:
    shutil.rmtree(project / "environments")
    said = refused(project, command, status=2)
    assert f"{project} has no folder environments/" in said


def test_an_empty_folder_of_environments_says_what_to_add(project: Path) -> None:
    (project / "environments" / "tiny.toml").unlink()
    for command in ("synth", "plan"):
        said = refused(project, command, status=2)
        assert "no environment found; add a file such as prod-e.toml" in said


@pytest.mark.parametrize("command", ["plan", "deploy", "destroy"])
def test_an_unknown_environment_is_answered_with_the_known_ones(
    project: Path, command: str
) -> None:
    said = refused(project, command, "prd-e", status=2)
    assert "There is no environment 'prd-e'" in said
    assert "Name one of tiny-e, or add environments/prd-e.toml." in said


def test_a_source_folder_that_is_missing_is_told(project: Path) -> None:
    file = project / "environments" / "tiny.toml"
    file.write_text(TINY.replace('build = "external"', 'source = "frontend"'))
    said = refused(project, "synth", status=2)
    assert "environments/tiny.toml: services.backend.source: 'frontend'" in said


def test_an_output_folder_that_is_a_file_is_told(project: Path) -> None:
    shutil.rmtree(project / "cdktf.out")
    (project / "cdktf.out").write_text("kept")
    told = prod_e(project, "synth")
    assert told.returncode == 2, told.stderr
    assert "cdktf.out: is not a folder; move it away" in told.stderr
    assert (project / "cdktf.out").read_text() == "kept"


def test_a_missing_node_is_told(project: Path) -> None:
    said = refused(project, "synth", status=2, variables={**os.environ, "PATH": "/nonexistent"})
    assert "Node.js is not installed" in said


@needs_terraform
def test_a_web_page_in_place_of_aws_is_told(project: Path, aws: EmbeddedAws) -> None:
    with faulty_aws(aws.endpoint_url) as faulty:
        faulty.fault = web_page
        variables = {**aws.environment(), "AWS_ENDPOINT_URL": faulty.url}
        said = refused(project, "plan", status=1, variables=variables)
    assert "Cannot determine the AWS account: what answered is not AWS" in said


def test_an_option_that_does_not_exist_is_refused(project: Path) -> None:
    assert "No such option: --now" in refused(project, "plan", "--now", status=2)


def test_a_missing_terraform_is_told(project: Path) -> None:
    said = refused(project, "plan", status=2, variables={**os.environ, "PATH": "/nonexistent"})
    assert "Terraform is not installed: there is no `terraform` on PATH." in said
    assert "Install Terraform 1.10 or newer" in said


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        ('{"terraform_version": "1.9.8"}', 2, "is too old: prod-e needs 1.10 or newer."),
        ('{"terraform_version": "0.15.0"}', 2, "Terraform 0.15.0 ("),
        ("Hello!", 1, "does not answer `version` as Terraform does."),
    ],
    ids=["old", "very old", "something else"],
)
def test_a_terraform_that_will_not_do_is_told(
    project: Path, tmp_path: Path, answer: str, status: int, message: str
) -> None:
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    variables = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    said = refused(project, "plan", status=status, variables=variables)
    assert message in said
    assert str(program) in said


def test_a_mirror_that_is_none_is_told(project: Path, tmp_path: Path) -> None:
    variables = {**os.environ, "TF_CLI_CONFIG_FILE": "", "TF_PLUGIN_MIRROR_DIR": str(tmp_path)}
    variables["HOME"] = str(tmp_path)
    said = refused(project, "plan", status=2, variables=variables)
    assert f"TF_PLUGIN_MIRROR_DIR is {tmp_path}, which is not a mirror" in said


@needs_terraform
def test_a_missing_provider_is_told(project: Path, tmp_path: Path, aws: EmbeddedAws) -> None:
    (tmp_path / "empty").mkdir()
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{tmp_path}/empty" }} }}\n'
    )
    variables = {**aws.environment(), "TF_CLI_CONFIG_FILE": str(configuration)}
    for command in (("plan",), ("deploy", "--yes")):
        said = refused(project, *command, status=1, variables=variables)
        assert "the provider hashicorp/aws cannot be found" in said
        assert "TF_PLUGIN_MIRROR_DIR" in said


@needs_terraform
@pytest.mark.parametrize("command", [("plan",), ("deploy", "--yes"), ("destroy", "--yes")])
def test_credentials_of_another_account_stop_everything(
    project: Path, command: tuple[str, ...], aws: EmbeddedAws
) -> None:
    with_account = f'account = "999999999999"\n{TINY}'
    (project / "environments" / "tiny.toml").write_text(with_account)
    assert prod_e(project, "synth").returncode == 0
    said = refused(project, *command, status=2, variables=aws.environment())
    assert "belong to the AWS account 123456789012" in said
    assert 'the settings of tiny-e say account = "999999999999"' in said
    assert "AWS_PROFILE" in said


@needs_terraform
@pytest.mark.parametrize("command", [("plan",), ("deploy", "--yes")])
def test_an_aws_that_cannot_be_reached_is_told(
    project: Path, command: tuple[str, ...], aws: EmbeddedAws
) -> None:
    variables = {**aws.environment(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    said = refused(project, *command, status=1, variables=variables)
    assert "AWS cannot be reached" in said
    assert "AWS_ENDPOINT_URL" in said


@needs_terraform
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "there are no AWS credentials"),
        ({"AWS_ACCESS_KEY_ID": "only"}, "there are no AWS credentials"),
        ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
    ],
    ids=["none", "half of them", "unknown profile"],
)
def test_missing_credentials_are_told(
    project: Path, tmp_path: Path, given: Mapping[str, str], message: str
) -> None:
    variables = {**without_credentials(), **given}
    said = refused(project, "plan", status=2, variables=variables)
    assert message in said
    assert "AWS_PROFILE" in said
