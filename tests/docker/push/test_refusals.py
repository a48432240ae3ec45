"""What `prod-e push` refuses before it builds or moves anything."""

from tests.support.project.push_world import SETTINGS, World


def test_a_wrong_argument_is_told_before_anything_is_asked(world: World) -> None:
    refused = world.push("--release", "1.0.0")
    assert refused.returncode == 2
    assert "--release 1.0.0 is not a semantic version with a v in front." in refused.stderr
    assert world.docker_log == ""


def test_no_daemon_is_told(world: World) -> None:
    refused = world.push(DOCKER_HOST=f"unix://{world.folder}/nobody.sock")
    assert refused.returncode == 2
    assert "no Docker daemon answers" in refused.stderr
    assert "Nothing was changed" in refused.stderr


def test_credentials_of_another_account_stop_it_before_it_builds(world: World) -> None:
    world.settings(SETTINGS.replace("[services", 'account = "999999999999"\n[services'))
    refused = world.push()
    assert refused.returncode == 2
    assert "belong to the AWS account 123456789012" in refused.stderr
    assert world.built == 0


def test_an_unreachable_aws_is_told(world: World) -> None:
    failed = world.push(AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert failed.returncode == 1
    assert "AWS cannot be reached" in failed.stderr
    assert world.built == 0


def test_missing_credentials_are_told(world: World) -> None:
    variables = {k: v for k, v in world.variables.items() if not k.startswith("AWS_ACCESS")}
    world.variables = variables
    refused = world.push()
    assert refused.returncode == 2
    assert "there are no AWS credentials" in refused.stderr


def test_waiting_for_a_service_that_is_not_deployed_is_refused_before_it_builds(
    world: World,
) -> None:
    refused = world.push("--wait")
    assert refused.returncode != 0
    assert "./prod-e deploy tiny-e" in refused.stderr
    assert world.built == 0
