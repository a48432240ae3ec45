"""What the project's dependency lock says of a provider is what every stack gets."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from prod_e.dependency_lock import (
    LOCK_FILE,
    OPENTOFU_REGISTRY,
    TERRAFORM_REGISTRY,
    LockedProvider,
    hand_out,
    parse_lock,
    read_lock,
    registry_of,
    write_project_lock,
)
from prod_e_ops.errors import DependencyLockMismatch, UserMistake
from prod_e_ops.project.project import Stack
from prod_e_ops.terraform.providers.dependency_lock import DependencyLock
from prod_e_ops.terraform.providers.versions import (
    installed_versions,
    shown,
    take_tested_versions,
    warnings,
)
from tests.support.terraform.lock_files import AWS, locked, make_lock, make_stack

# As Terraform 1.11 wrote it.
WRITTEN_BY_TERRAFORM = """\
# This file is maintained automatically by "terraform init".
# Manual edits may be lost in future updates.

provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.100.0"
  constraints = "~> 5.100"
  hashes = [
    "h1:edXOJWE4ORX8Fm+dpVpICzMZJat4AX0VRCAy/xkcOc0=",
    "zh:054b8dd49f0549c9a7cc27d159e45327b7b65cf404da5e5a20da154b90b8a644",
  ]
}

provider "registry.terraform.io/kreuzwerker/docker" {
  version = "3.6.2"
}
"""

DOCKER = "kreuzwerker/docker"
AWS_RANGE = {"aws": {"source": "aws", "version": "~> 5.100"}}
DOCKER_RANGE = {"docker": {"source": "kreuzwerker/docker", "version": "~> 3.6.2"}}


def in_stack(stack: Stack) -> Mapping[str, LockedProvider]:
    return {provider.source: provider for provider in read_lock(stack.folder / LOCK_FILE)}


def test_a_lock_file_is_read_and_written_as_terraform_does(tmp_path: Path) -> None:
    providers = parse_lock(WRITTEN_BY_TERRAFORM)
    assert [(p.source, p.version, p.is_signed) for p in providers] == [
        (AWS, "5.100.0", True),
        (DOCKER, "3.6.2", False),
    ]
    write_project_lock(tmp_path / LOCK_FILE, reversed(providers))
    ours = (tmp_path / LOCK_FILE).read_text()
    assert (
        ours[ours.index("\nprovider") :]
        == WRITTEN_BY_TERRAFORM[WRITTEN_BY_TERRAFORM.index("\nprovider") :]
    )
    assert [file.name for file in tmp_path.iterdir()] == [LOCK_FILE]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (("constraints", "<<<<<<< HEAD\n  constraints"), "line 6: '<<<<<<< HEAD' belongs in no"),
        (("  ]\n}\n", ""), "line 11: "),
        (('"h1:', '"nothing", "h1:'), "line 8: "),
        (('  version = "3.6.2"\n', ""), "line 14: registry.terraform.io/kreuzwerker/docker has no"),
        (('3.6.2"\n}\n', '3.6.2"\n'), "it ends in the middle of registry.terraform.io/kreuz"),
    ],
    ids=["a merge's marker", "an open list", "no checksum", "no version", "cut off"],
)
def test_a_lock_file_that_is_none_is_told_by_its_line(
    tmp_path: Path, damage: tuple[str, str], problem: str
) -> None:
    text = WRITTEN_BY_TERRAFORM.replace(*damage)
    assert text != WRITTEN_BY_TERRAFORM
    (tmp_path / LOCK_FILE).write_text(text)
    with pytest.raises(UserMistake, match="cannot be read") as mistake:
        make_lock(tmp_path).read()
    assert problem in mistake.value.message
    assert "providers lock" in str(mistake.value.next_step)
    assert (tmp_path / LOCK_FILE).read_text() == text


def test_each_stack_gets_the_providers_that_it_needs_and_no_other(tmp_path: Path) -> None:
    lock = make_lock(tmp_path, locked(), locked(DOCKER, "3.6.2", constraints="~> 3.6.2"))
    main = make_stack(tmp_path, AWS_RANGE)
    image = make_stack(tmp_path, AWS_RANGE | DOCKER_RANGE, "tiny-e-image")
    lock.hand_out([main, image])
    assert set(in_stack(main)) == {AWS}
    assert set(in_stack(image)) == {AWS, DOCKER}


def test_without_a_lock_the_stacks_keep_what_they_have(tmp_path: Path) -> None:
    lock = make_lock(tmp_path)
    bare, initialised = make_stack(tmp_path, AWS_RANGE), make_stack(tmp_path, AWS_RANGE, "other-e")
    (initialised.folder / LOCK_FILE).write_text(WRITTEN_BY_TERRAFORM)
    lock.hand_out([bare, initialised])
    assert not (bare.folder / LOCK_FILE).exists()
    assert in_stack(initialised)[AWS].version == "5.100.0"


def test_what_the_first_initialisation_chose_is_kept_and_the_next_stack_gets_it(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    lock = make_lock(tmp_path, told=told)
    first, second = make_stack(tmp_path, AWS_RANGE), make_stack(tmp_path, AWS_RANGE, "other-e")
    write_project_lock(first.folder / LOCK_FILE, [locked(AWS, "5.100.0", "h1:here", "zh:signed")])
    lock.keep(first)
    lock.hand_out([second])
    assert in_stack(second)[AWS] == locked(AWS, "5.100.0", "h1:here", "zh:signed")
    (line,) = told
    assert line == f"{LOCK_FILE} holds {AWS} 5.100.0 from now on: commit it."


def test_checksums_from_a_mirror_are_said_to_be_for_one_platform_only(tmp_path: Path) -> None:
    told: list[str] = []
    lock = make_lock(tmp_path, told=told)
    stack = make_stack(tmp_path, AWS_RANGE)
    write_project_lock(stack.folder / LOCK_FILE, [locked(AWS, "5.100.0", "h1:here")])
    lock.keep(stack)
    assert "they are for this platform only" in told[0]


def test_a_provider_that_the_lock_lacks_is_added_and_the_others_stay_as_they_are(
    tmp_path: Path,
) -> None:
    lock = make_lock(tmp_path, locked(AWS, "5.100.0", "h1:theirs", "zh:signed"))
    image = make_stack(tmp_path, AWS_RANGE | DOCKER_RANGE)
    docker = locked(DOCKER, "3.6.2", constraints="~> 3.6.2")
    # Terraform adds this platform's checksum when the package has one of those that are there.
    own = locked(AWS, "5.100.0", "h1:theirs", "h1:ours", "zh:signed")
    write_project_lock(image.folder / LOCK_FILE, [own, docker])
    lock.keep(image)
    assert lock.read() == (locked(AWS, "5.100.0", "h1:theirs", "zh:signed"), docker)
    assert in_stack(image)[AWS] == own


@pytest.mark.parametrize("own", ["other version", "other checksums", "damaged"])
def test_a_stack_that_says_otherwise_is_set_right(tmp_path: Path, own: str) -> None:
    lock = make_lock(tmp_path, locked(AWS, "5.100.0", "h1:known"))
    stack = make_stack(tmp_path, AWS_RANGE)
    text = {"damaged": "<<<<<<< HEAD\n"}.get(own)
    if text:
        (stack.folder / LOCK_FILE).write_text(text)
    else:
        version, value = {
            "other version": ("5.101.0", "h1:known"),
            "other checksums": ("5.100.0", "h1:unknown"),
        }[own]
        write_project_lock(stack.folder / LOCK_FILE, [locked(AWS, version, value)])
    before = lock.file.read_bytes()
    lock.hand_out([stack])
    assert in_stack(stack)[AWS] == locked(AWS, "5.100.0", "h1:known")
    assert lock.file.read_bytes() == before


def test_a_range_without_a_locked_version_is_the_users_to_lock(tmp_path: Path) -> None:
    lock = make_lock(tmp_path, locked())
    stack = make_stack(tmp_path, {"aws": {"source": "aws", "version": "~> 6.25"}})
    told = r"has hashicorp/aws 5\.100\.0, .* ask for ~> 6\.25"
    with pytest.raises(DependencyLockMismatch, match=told):
        lock.hand_out([stack])
    assert not (stack.folder / LOCK_FILE).exists()


def test_environments_with_different_ranges_each_get_their_version(tmp_path: Path) -> None:
    lock = make_lock(tmp_path, locked(), locked(AWS, "6.25.0", "h1:newer", constraints="~> 6.25"))
    old = make_stack(tmp_path, AWS_RANGE)
    new = make_stack(tmp_path, {"aws": {"source": "aws", "version": "~> 6.25"}}, "newer-e")
    lock.hand_out([old, new])
    assert in_stack(old)[AWS].version == "5.100.0"
    assert in_stack(new)[AWS].version == "6.25.0"


@pytest.mark.parametrize(
    ("constraint", "handed_out"),
    [
        ("~> 5.100", "~> 5.100"),
        (">= 5.100, < 7.0", "~> 5.100"),
        (">= 5.0", ">= 5.0"),
        ("> 5.99", ">= 0.0.0"),
        ("!= 5.99, ~> 5.98", ">= 0.0.0"),
    ],
)
def test_no_range_makes_cdktf_ask_terraform_for_newer_versions(
    tmp_path: Path, constraint: str, handed_out: str
) -> None:
    stack = make_stack(tmp_path, {"aws": {"source": "aws", "version": constraint}})
    make_lock(tmp_path, locked()).hand_out([stack])
    assert in_stack(stack)[AWS].constraints == handed_out


def test_the_registries_of_terraform_and_opentofu_live_side_by_side(tmp_path: Path) -> None:
    tofu = locked(AWS, "5.100.0", "h1:built anew", registry=OPENTOFU_REGISTRY)
    lock = make_lock(tmp_path, locked(), tofu)
    stack = make_stack(tmp_path, AWS_RANGE)
    lock.hand_out([stack])
    assert in_stack(stack)[AWS] == locked()
    hand_out(lock.read(), [stack.folder], registry=OPENTOFU_REGISTRY)
    assert in_stack(stack)[AWS] == tofu


def test_the_other_program_takes_the_same_version_and_none_of_the_checksums(
    tmp_path: Path,
) -> None:
    write_project_lock(tmp_path / LOCK_FILE, [locked()])
    stack = make_stack(tmp_path, AWS_RANGE)
    told: list[str] = []
    tofu = DependencyLock(folder=tmp_path, registry=OPENTOFU_REGISTRY, on_added=told.append)
    tofu.hand_out([stack])
    given = in_stack(stack)[AWS]
    assert (given.address, given.version) == (f"{OPENTOFU_REGISTRY}/{AWS}", "5.100.0")
    assert not given.hashes
    installed = locked(AWS, "5.100.0", "h1:built anew", registry=OPENTOFU_REGISTRY)
    write_project_lock(stack.folder / LOCK_FILE, [installed])
    tofu.keep(stack)
    assert set(tofu.read()) == {locked(), installed}


@pytest.mark.parametrize(
    ("program", "registry"),
    [
        (None, TERRAFORM_REGISTRY),
        ("terraform", TERRAFORM_REGISTRY),
        ("/tofu/bin/terraform-1.11", TERRAFORM_REGISTRY),
        ("tofu", OPENTOFU_REGISTRY),
        ("/usr/local/bin/opentofu-1.12", OPENTOFU_REGISTRY),
    ],
)
def test_synthesis_knows_the_registry_by_the_programs_name(
    program: str | None, registry: str
) -> None:
    assert registry_of(program) == registry


def test_renewing_keeps_the_checksums_of_other_platforms_and_other_registries(
    tmp_path: Path,
) -> None:
    tofu = locked(AWS, "5.100.0", "h1:built anew", registry=OPENTOFU_REGISTRY)
    lock = make_lock(tmp_path, locked(AWS, "5.100.0", "h1:darwin"), tofu)
    lock.replace([locked(AWS, "5.100.0", "h1:linux")])
    assert set(lock.read()) == {locked(AWS, "5.100.0", "h1:darwin", "h1:linux"), tofu}
    lock.replace([locked(AWS, "5.101.0", "h1:new")])
    assert set(lock.read()) == {locked(AWS, "5.101.0", "h1:new"), tofu}


def test_another_version_than_the_tested_one_is_told_in_one_line(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, AWS_RANGE | DOCKER_RANGE)
    write_project_lock(stack.folder / LOCK_FILE, [locked(AWS, "6.25.0"), locked(DOCKER, "3.6.2")])
    installed = installed_versions([stack])
    assert shown(installed) == f"{AWS} 6.25.0 (not tested), {DOCKER} 3.6.2 (tested)"
    assert list(warnings(installed)) == [
        "Warning: hashicorp/aws 6.25.0 is not the version that prod-e is tested with (5.100.0)."
    ]


def test_the_demo_takes_the_tested_versions_whatever_settings_and_lock_say(
    tmp_path: Path,
) -> None:
    stack = make_stack(tmp_path, {"aws": {"source": "aws", "version": "~> 6.25"}, **DOCKER_RANGE})
    write_project_lock(stack.folder / LOCK_FILE, [locked(AWS, "6.25.0")])
    take_tested_versions(stack)
    assert not (stack.folder / LOCK_FILE).exists()
    (override,) = stack.folder.glob("*_override.tf.json")
    assert json.loads(override.read_text())["terraform"]["required_providers"] == {
        "aws": {"source": "aws", "version": "5.100.0"},
        "docker": {"source": "kreuzwerker/docker", "version": "3.6.2"},
    }
