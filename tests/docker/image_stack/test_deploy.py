"""What a deployment of the image stack builds, pushes and leaves."""

import json
import stat
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from prod_e_ops.errors import BuildFailed
from prod_e_ops.images.image_plan import ImageOptions
from prod_e_ops.stacks.results import StackPlanResult
from tests.support.aws.aws_clients import client_of
from tests.support.docker_engine import DockerEngine
from tests.support.project.image_stack import (
    API,
    WORKER,
    World,
    empty_account,
)

pytestmark = pytest.mark.slow


def test_from_nothing_one_command_builds_it_and_runs_it(tmp_path: Path) -> None:
    with empty_account(tmp_path) as world:
        planned = world.plan()
        created = [change.address for change in planned.summary.created]
        assert len([address for address in created if address.startswith("docker_image.")]) == 1

        done = world.prod_e("deploy", "--yes", "--json")

        assert done.returncode == 0, done.stderr
        images = json.loads(done.stdout)["images"]
        assert [(image["service"], image["builds"]) for image in images] == [
            ("api", True),
            ("worker", True),
        ]
        assert set(world.tags()) == set(images[0]["moves"])
        assert not list(world.stack.glob("*.tfplan*"))

        again = world.prod_e("deploy", "--yes")
        assert again.returncode == 0, again.stderr
        assert "tiny-e is up to date." in again.stderr
        assert "nothing is built" in again.stderr

        world.change()
        moved = world.prod_e("deploy", "--yes")
        assert moved.returncode == 0, moved.stderr
        for service in ("api", "worker"):
            status = json.loads(world.prod_e("status", service, "--json").stdout)["services"][0]
            assert status["deployment"]["digest"] == world.tags()["latest"]

        _deploy_what_fails(world)
        rolled_back = world.prod_e("deploy", "--yes")
        assert rolled_back.returncode == 1, rolled_back.stderr
        assert "tiny-e is up to date." in rolled_back.stderr
        assert "ECS rolled the deployment of tiny-e-api back" in rolled_back.stderr


def _deploy_what_fails(world: World) -> None:
    """Begins a deployment of the service api that ECS rolls back, past Terraform."""
    ecs = client_of(world.aws, "ecs")
    definition = ecs.describe_task_definition(taskDefinition=API)["taskDefinition"]
    copied = ("networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn")
    containers = [
        {**each, "command": ["sh", "-c", "exit 3"]} for each in definition["containerDefinitions"]
    ]
    failing = ecs.register_task_definition(
        family=API,
        containerDefinitions=containers,
        **{key: definition[key] for key in copied},
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster="tiny-e-cluster", service=API, taskDefinition=failing)
    ecs.close()


def test_a_source_is_built_once_for_all_its_services_and_pushed_under_every_tag(
    world: World,
) -> None:
    commit = world.git("rev-parse", "HEAD")[:12]
    assert world.log.count("RUN sh /source/build.sh") == 1
    content = world.plan().images[0].synthesised.content_tag
    for repository in (API, WORKER):
        tags = world.tags(repository)
        assert tags["latest"] == tags[f"git-{commit}"] == tags[content]
    assert world.tell("latest") == commit


def test_nobody_else_can_read_the_token_in_the_state_and_no_plan_with_it_stays(
    world: World,
) -> None:
    (token,) = {
        resource["instances"][0]["attributes"]["password"]
        for resource in json.loads(world.state.read_text())["resources"]
        if resource["type"] == "aws_ecr_authorization_token"
    }
    answered = requests.get(f"http://{world.registry.host}/v2/", auth=("AWS", token), timeout=30)
    assert answered.ok
    world.change()
    world.state.chmod(0o644)
    planned = StackPlanResult.of(world.plan())
    assert planned.replaced
    assert (planned.plan_file, planned.plan_json_file) == (None, None)
    assert not list(world.stack.glob("*.tfplan*"))
    world.deploy()
    assert not list(world.stack.glob("*.tfplan*"))
    states = list(world.project.glob("terraform.tiny-e-image.tfstate*"))
    assert len(states) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in states} == {0o600}
    holding = [
        file
        for file in world.project.rglob("*")
        if file.is_file() and not file.is_symlink() and token.encode() in file.read_bytes()
    ]
    assert set(holding) <= set(states)


def test_another_commit_of_the_same_content_joins_the_image_that_is_there(world: World) -> None:
    before = world.tags()
    told = world.tell("latest")
    (world.source / "tests").mkdir(exist_ok=True)
    (world.source / "tests" / "test").write_text(uuid4().hex)
    commit = world.commit()
    (world.stack / "api-image.log").unlink()

    done = world.deploy()

    assert (done.builds, done.moves) == (False, (f"git-{commit}",))
    assert world.log == ""
    assert world.tags() == {**before, f"git-{commit}": before["latest"]}
    assert world.tell(f"git-{commit}") == told


def test_changed_content_is_built_and_every_older_tag_stays(world: World) -> None:
    before = world.tags()
    commit = world.change()
    done = world.deploy()
    after = world.tags()
    assert done.builds
    assert after["latest"] == after[f"git-{commit}"] == after[done.synthesised.content_tag]
    assert after["latest"] != before["latest"]
    assert {tag: after[tag] for tag in before if tag != "latest"} == {
        tag: before[tag] for tag in before if tag != "latest"
    }
    # What replaces an image is told its own commit, not that of the one before.
    assert world.tell("latest") == commit


def test_latest_that_was_moved_stays_unless_the_option_moves_it(world: World) -> None:
    old = world.plan().images[0].synthesised.content_tag
    world.change()
    new = world.deploy().synthesised.content_tag
    rolled_back = client_of(world.aws, "ecr")
    (image,) = rolled_back.batch_get_image(repositoryName=API, imageIds=[{"imageTag": old}])[
        "images"
    ]
    rolled_back.put_image(
        repositoryName=API, imageManifest=image["imageManifest"], imageTag="latest"
    )
    rolled_back.close()
    assert world.tags()["latest"] == world.tags()[old]

    lines = [line.strip() for line in world.deploy().lines()]
    assert any(line.startswith(f"latest stays at {old} (pushed ") for line in lines), lines
    assert lines[-1].endswith(f"which is not this source's {new}: --move-latest moves it")
    assert world.tags()["latest"] == world.tags()[old]

    assert world.deploy(ImageOptions(move_followed=True)).moves == ("latest",)
    assert world.tags()["latest"] == world.tags()[new]


def test_tags_that_were_lost_come_back_without_a_build(world: World) -> None:
    before = world.tags()
    commit = world.git("rev-parse", "HEAD")[:12]
    for tag in ("latest", f"git-{commit}"):
        world.lose(tag)
    (world.stack / "api-image.log").unlink()
    world.deploy()
    assert world.tags() == before
    assert world.log == ""


def test_a_build_that_fails_says_what_the_compiler_said(world: World) -> None:
    before = world.tags()
    (world.source / "build.sh").write_text(
        "for i in 1 2 3; do echo line $i; done\n"
        "echo 'main.ts(3,7): error TS2322: wrong type' >&2\nexit 2\n"
    )
    with pytest.raises(BuildFailed) as raised:
        world.deploy()
    failure = raised.value
    step = "[builder 3/3] RUN sh /source/build.sh"
    assert failure.message == f"The image of api and worker was not built: {step} failed."
    *said, reason, log, _ = failure.details
    assert said[-4:] == [
        *(f"line {number}" for number in (1, 2, 3)),
        "main.ts(3,7): error TS2322: wrong type",
    ]
    assert "exit code: 2" in reason
    assert "cdktf.out/stacks/tiny-e-image/api-image.log" in log
    assert world.tags() == before
    assert not list(world.stack.glob("*.tfplan*"))


def test_a_rebuild_takes_the_newest_base_image_in_and_moves_the_contents_tag(
    world: World,
) -> None:
    # BuildKit speaks no TLS to loopback.
    config = world.folder / f"docker-{uuid4().hex}"
    login = (
        "login",
        "--username=AWS",
        f"--password={world.registry.password()}",
        world.registry.host,
    )
    engine = DockerEngine(environment={**world.docker.environment, "DOCKER_CONFIG": str(config)})
    engine.run(*login)
    world.create_repository("base")
    base = f"{world.registry.host}/base:{uuid4().hex}"
    _push_base(world, engine, base, "first")
    (world.source / "Dockerfile").write_text(f"FROM {base}\nCOPY content /\n")
    world.commit()
    world.variables["DOCKER_CONFIG"] = str(config)
    try:
        first = world.deploy()
        old = world.tags()[first.synthesised.content_tag]
        stale = engine.inspect("image", base)["Id"]
        _push_base(world, engine, base, "fixed")
        fixed = engine.inspect("image", base)["RootFS"]["Layers"]
        engine.run("tag", stale, base)  # This machine has not heard of it.
        assert not world.deploy().builds

        done = world.deploy(ImageOptions(rebuild=True))
    finally:
        del world.variables["DOCKER_CONFIG"]
        engine.run("image", "rm", "--force", base)

    tags = world.tags()
    commit = world.git("rev-parse", "HEAD")[:12]
    assert done.builds
    assert done.synthesised.content_tag == first.synthesised.content_tag
    assert tags["latest"] == tags[f"git-{commit}"] == tags[done.synthesised.content_tag] != old
    layers = world.registry.image(API, "latest")["rootfs"]["diff_ids"]
    assert layers[: len(fixed)] == fixed


def _push_base(world: World, engine: DockerEngine, name: str, content: str) -> None:
    folder = world.folder / f"base-{uuid4().hex}"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY file /base\n")
    (folder / "file").write_text(content)
    engine.run("build", "--tag", name, str(folder))
    engine.run("push", name)


def test_destroying_the_stack_leaves_every_image(world: World) -> None:
    before = {repository: world.tags(repository) for repository in (API, WORKER)}
    world.terraform("destroy", "-auto-approve")
    assert {repository: world.tags(repository) for repository in (API, WORKER)} == before
