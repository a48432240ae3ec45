"""The image stack: what is built, for whom, and what follows which tag."""

import json
import re
from typing import Any

import pytest

from tests.support.synthesised import MINIMAL


@pytest.mark.parametrize("tag", ["content-0123456789abcdef", "git-0123456789ab"])
def test_a_service_pinned_to_a_build_that_exists_runs_it_and_builds_nothing(
    synthesised: Any, tag: str
) -> None:
    other = '[services.other]\nsource = "backend"\npath = "/other"\n'
    stacks = synthesised(MINIMAL + f'image_tag = "{tag}"\n')
    assert "tiny-e-image" not in stacks
    assert stacks["tiny-e"].container()["image"].endswith(f"/tiny-e-backend:{tag}")
    images = synthesised(MINIMAL + f'image_tag = "{tag}"\n{other}')["tiny-e-image"]
    assert "tiny-e-other:" in images.one("docker_image")["name"]
    assert not [name for name in images.all("docker_registry_image") if "backend" in name["name"]]


def test_a_tag_of_the_users_own_is_built_from_the_present_source(synthesised: Any) -> None:
    stack = synthesised(MINIMAL + 'image_tag = "v1.2.3"\n')["tiny-e-image"]
    (tag,) = (t for t in stack.all("docker_tag") if t["target_image"].endswith(":v1.2.3"))
    assert tag["source_image"] == stack.reference("docker_image", "image_id")
    assert stack.one("docker_registry_image", name=tag["target_image"])


def test_the_repository_scans_and_keeps_every_tagged_image(seed: Any) -> None:
    repository = seed["prod-e-registry"].one("aws_ecr_repository")
    assert repository["image_scanning_configuration"] == {"scan_on_push": True}
    assert repository["image_tag_mutability"] == "MUTABLE"
    assert repository["encryption_configuration"] == [{"encryption_type": "AES256"}]
    policy = json.loads(seed["prod-e-registry"].one("aws_ecr_lifecycle_policy")["policy"])
    assert {rule["selection"]["tagStatus"] for rule in policy["rules"]} == {"untagged"}


def test_the_image_is_built_for_the_architecture_that_the_task_runs_on(synthesised: Any) -> None:
    stacks = synthesised(MINIMAL + 'architecture = "arm64"\n')
    assert stacks["tiny-e-image"].one("docker_image")["build"]["platform"] == "linux/arm64"
    platform = stacks["tiny-e"].one("aws_ecs_task_definition")["runtime_platform"]
    assert platform["cpu_architecture"] == "ARM64"


TWO = MINIMAL + '[services.other]\nsource = "backend"\npath = "/other"\n'


def test_services_of_one_source_share_one_build_and_have_their_own_names(
    synthesised: Any,
) -> None:
    stack = synthesised(TWO)["tiny-e-image"]
    assert "tiny-e-backend:content-" in stack.one("docker_image")["name"]
    pushed = [push["name"].split("/")[1] for push in stack.all("docker_registry_image")]
    repositories = [name.partition(":")[0] for name in pushed]
    assert sorted(repositories) == 2 * ["tiny-e-backend"] + 2 * ["tiny-e-other"]
    image_id = stack.reference("docker_image", "image_id")
    assert {tag["source_image"] for tag in stack.all("docker_tag")} == {image_id}


@pytest.mark.parametrize(
    "other",
    [
        'build_network = "none"',
        'architecture = "arm64"',
        'build_args = { EDITION = "2" }',
    ],
)
def test_services_that_build_a_source_differently_are_built_each(
    synthesised: Any, other: str
) -> None:
    assert len(synthesised(f"{TWO}{other}\n")["tiny-e-image"].all("docker_image")) == 2


def test_the_followed_tag_is_pushed_after_all_others(seed: Any) -> None:
    stack = seed["prod-e-image"]
    resources = stack.values["resource"]["docker_registry_image"]
    (latest,) = (n for n, push in resources.items() if push["name"].endswith(":latest"))
    others = {f"docker_registry_image.{name}" for name in resources if name != latest}
    assert others <= set(resources[latest]["depends_on"])


def test_another_commit_or_network_is_no_reason_to_build_again(seed: Any) -> None:
    image = seed["prod-e-image"].one("docker_image")
    assert image["lifecycle"]["ignore_changes"] == ["build"]
    assert list(image["triggers"]) == ["content_hash"]


def test_the_network_of_a_build_is_the_settings_or_else_a_variable(synthesised: Any) -> None:
    def network(settings: str) -> str:
        image = synthesised(MINIMAL + settings)["tiny-e-image"].one("docker_image")
        return str(image["build"]["network_mode"])

    assert network('build_network = "none"\n') == "none"
    assert network("") == "${var.build_network}"


def test_a_build_gets_the_users_arguments_beside_our_own(synthesised: Any) -> None:
    settings = MINIMAL + 'build_args = { EDITION = "2" }\n'
    arguments = synthesised(settings)["tiny-e-image"].one("docker_image")["build"]["build_args"]
    assert arguments["EDITION"] == "2"
    assert {"VERSION", "COMMIT"} < set(arguments)


def test_pushed_images_stay_when_terraform_forgets_them(seed: Any) -> None:
    pushed = seed["prod-e-image"].all("docker_registry_image")
    assert pushed
    assert all(image["keep_remotely"] is True for image in pushed)
    # What another project on this machine may have been built from.
    assert seed["prod-e-image"].one("docker_image")["keep_locally"] is True
    assert all(re.fullmatch("[0-9a-f]{16}", image["triggers"]["content_hash"]) for image in pushed)


def test_an_external_build_needs_no_image_stack(synthesised: Any) -> None:
    assert set(synthesised(MINIMAL + 'build = "external"\n')) == {"tiny-e-registry", "tiny-e"}
