"""Terraform's providers come from where the user says, or else from where they are found."""

import platform
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from prod_e.dependency_lock import OPENTOFU_REGISTRY, TERRAFORM_REGISTRY
from prod_e_ops.errors import ProviderUnavailable, UserMistake
from prod_e_ops.terraform.providers.mirror import ProviderSource, find_provider_source
from tests.support.terraform.provider_mirror import VERSION, packed_mirror, unpacked_mirror
from tests.support.terraform.terraform_program import TerraformFolder, needs_terraform


@pytest.fixture(params=[unpacked_mirror, packed_mirror], ids=["unpacked", "packed"])
def make_mirror(request: pytest.FixtureRequest) -> Callable[..., Path]:
    made: Callable[..., Path] = request.param
    return made


@pytest.fixture
def bare(tmp_path: Path) -> Mapping[str, str]:
    """The variables of a user who has configured nothing, on a machine that has nothing."""
    (tmp_path / "home").mkdir()
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_DATA_HOME": str(tmp_path / "home" / "data"),
        "XDG_DATA_DIRS": str(tmp_path / "shared"),
    }


def test_where_nothing_is_configured_or_found_terraform_asks_its_registry(
    bare: Mapping[str, str], tmp_path: Path
) -> None:
    source = find_provider_source(bare, usual_places=[tmp_path / "missing", tmp_path])
    assert source == ProviderSource(None, "from Terraform's registry")
    assert source.cli_configuration() is None


def test_a_mirror_in_a_usual_place_is_found_whatever_its_name(
    bare: Mapping[str, str], tmp_path: Path, make_mirror: Callable[..., Path]
) -> None:
    mirror = make_mirror(tmp_path / "opt" / "some-plugins")
    source = find_provider_source(bare, usual_places=[tmp_path / "opt"])
    assert source == ProviderSource(mirror, f"from the mirror {mirror}")


def test_a_mirror_inside_a_folder_named_for_terraform_is_found(
    bare: Mapping[str, str], tmp_path: Path, make_mirror: Callable[..., Path]
) -> None:
    mirror = make_mirror(tmp_path / "opt" / "terraform" / "mirror")
    make_mirror(tmp_path / "opt" / "deep" / "inside")
    assert find_provider_source(bare, usual_places=[tmp_path / "opt"]).mirror == mirror


def test_a_mirror_for_another_kind_of_machine_is_none(
    bare: Mapping[str, str], tmp_path: Path, make_mirror: Callable[..., Path]
) -> None:
    make_mirror(tmp_path / "opt" / "plugins", system="plan9_mips")
    assert find_provider_source(bare, usual_places=[tmp_path / "opt"]).mirror is None


def test_a_folder_that_cannot_be_looked_into_is_passed_over(
    bare: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "terraform").symlink_to(tmp_path / "opt" / "terraform")
    (tmp_path / "opt" / "file").write_text("not a folder")
    mirror = unpacked_mirror(tmp_path / "opt" / "z")
    assert find_provider_source(bare, usual_places=[tmp_path / "opt"]).mirror == mirror


def test_the_named_mirror_comes_before_any_that_would_be_found(
    bare: Mapping[str, str], tmp_path: Path, make_mirror: Callable[..., Path]
) -> None:
    make_mirror(tmp_path / "opt" / "found")
    named = make_mirror(tmp_path / "named")
    source = find_provider_source(
        {**bare, "TF_PLUGIN_MIRROR_DIR": str(named)}, usual_places=[tmp_path / "opt"]
    )
    assert source == ProviderSource(named, f"from the mirror {named}")


def test_the_named_mirror_may_be_relative_to_the_working_directory(
    bare: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked_mirror(tmp_path / "named")
    monkeypatch.chdir(tmp_path)
    source = find_provider_source({**bare, "TF_PLUGIN_MIRROR_DIR": "named"}, usual_places=[])
    assert source.mirror == tmp_path / "named"


@pytest.mark.parametrize("content", ["missing", "empty", "other machine"])
def test_a_named_mirror_without_the_provider_is_the_users_mistake(
    bare: Mapping[str, str], tmp_path: Path, content: str
) -> None:
    named = tmp_path / "named"
    if content == "empty":
        named.mkdir()
    elif content == "other machine":
        packed_mirror(named, system="plan9_mips")
    with pytest.raises(UserMistake) as mistake:
        find_provider_source({**bare, "TF_PLUGIN_MIRROR_DIR": str(named)}, usual_places=[])
    assert f"TF_PLUGIN_MIRROR_DIR is {named}" in mistake.value.message
    assert "terraform providers mirror" in str(mistake.value.next_step)


@pytest.mark.parametrize("how", ["variable", "home"])
def test_the_users_own_terraform_configuration_is_left_alone(
    bare: Mapping[str, str], tmp_path: Path, how: str
) -> None:
    unpacked_mirror(tmp_path / "opt" / "found")
    file = tmp_path / ("given.rc" if how == "variable" else "home/.terraformrc")
    file.write_text("")
    variables = {**bare, "TF_CLI_CONFIG_FILE": str(file)} if how == "variable" else bare
    source = find_provider_source(variables, usual_places=[tmp_path / "opt"])
    assert source == ProviderSource(None, f"as {file} says")


def test_a_configuration_that_is_named_but_does_not_exist_counts_for_nothing(
    bare: Mapping[str, str], tmp_path: Path
) -> None:
    mirror = unpacked_mirror(tmp_path / "opt" / "found")
    variables = {**bare, "TF_CLI_CONFIG_FILE": str(tmp_path / "missing.rc")}
    assert find_provider_source(variables, usual_places=[tmp_path / "opt"]).mirror == mirror


@pytest.mark.parametrize(
    "place",
    ["home/.terraform.d/plugins", "home/data/terraform/plugins", "shared/terraform/plugins"],
)
@pytest.mark.skipif(platform.system() != "Linux", reason="macOS has other folders")
def test_terraforms_own_plugin_folders_need_no_configuration(
    bare: Mapping[str, str], tmp_path: Path, place: str
) -> None:
    unpacked_mirror(tmp_path / place)
    source = find_provider_source(bare, usual_places=[])
    assert source == ProviderSource(None, "from Terraform's own plugin folder")


def test_opentofu_prefers_a_mirror_that_was_made_for_it(
    bare: Mapping[str, str], tmp_path: Path, make_mirror: Callable[..., Path]
) -> None:
    terraforms = make_mirror(tmp_path / "opt" / "a")
    opentofus = make_mirror(tmp_path / "opt" / "b", registry=OPENTOFU_REGISTRY)
    places = [tmp_path / "opt"]
    assert find_provider_source(bare, usual_places=places).mirror == terraforms
    source = find_provider_source(bare, registry=OPENTOFU_REGISTRY, usual_places=places)
    assert source.mirror == opentofus
    assert source.for_registry(OPENTOFU_REGISTRY, link_folder=tmp_path / "links") == source
    assert not (tmp_path / "links").exists()


def test_a_mirror_for_terraform_serves_opentofu_under_its_own_name(
    bare: Mapping[str, str], tmp_path: Path, make_mirror: Callable[..., Path]
) -> None:
    mirror = make_mirror(tmp_path / "opt" / "plugins")
    found = find_provider_source(bare, registry=OPENTOFU_REGISTRY, usual_places=[tmp_path / "opt"])
    for _ in range(2):
        source = found.for_registry(OPENTOFU_REGISTRY, link_folder=tmp_path / "links")
    assert source.addresses == [f"{OPENTOFU_REGISTRY}/hashicorp/aws"]
    (link,) = (path for path in (tmp_path / "links").rglob("*") if path.is_symlink())
    assert link.readlink().is_relative_to(mirror)
    assert link.exists()


def test_a_mirror_for_opentofu_is_none_for_terraform(
    bare: Mapping[str, str], tmp_path: Path, make_mirror: Callable[..., Path]
) -> None:
    make_mirror(tmp_path / "opt" / "plugins", registry=OPENTOFU_REGISTRY)
    assert find_provider_source(bare, usual_places=[tmp_path / "opt"]).mirror is None


def test_opentofus_own_configuration_comes_before_terraforms(
    bare: Mapping[str, str], tmp_path: Path
) -> None:
    for name in (".terraformrc", ".tofurc"):
        (tmp_path / "home" / name).write_text("")
    terraforms = find_provider_source(bare, usual_places=[])
    opentofus = find_provider_source(bare, registry=OPENTOFU_REGISTRY, usual_places=[])
    assert terraforms.origin == f"as {tmp_path / 'home' / '.terraformrc'} says"
    assert opentofus.origin == f"as {tmp_path / 'home' / '.tofurc'} says"


@needs_terraform
def test_terraform_installs_from_the_mirror_it_is_told_of(
    tmp_path: Path, make_mirror: Callable[..., Path]
) -> None:
    mirror = make_mirror(tmp_path / 'a "mirror" of ours')
    terraform = TerraformFolder(tmp_path)
    terraform.write(
        terraform={"required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5"}}}
    )
    terraform.init({"TF_PLUGIN_MIRROR_DIR": str(mirror), "TF_CLI_CONFIG_FILE": ""})
    installed = terraform.stack.folder / ".terraform/providers/registry.terraform.io/hashicorp/aws"
    assert [folder.name for folder in installed.iterdir()] == [VERSION]


@needs_terraform
@pytest.mark.parametrize(
    ("program", "registry"),
    [
        ("terraform", TERRAFORM_REGISTRY),
        pytest.param(
            "tofu",
            OPENTOFU_REGISTRY,
            marks=pytest.mark.skipif(
                shutil.which("tofu") is None, reason="OpenTofu is not installed as `tofu`"
            ),
        ),
    ],
)
def test_a_provider_that_the_mirror_lacks_is_asked_of_the_registry(
    tmp_path: Path, program: str, registry: str
) -> None:
    mirror = unpacked_mirror(tmp_path / "mirror")
    terraform = TerraformFolder(tmp_path)
    terraform.write(terraform={"required_providers": {"docker": {"source": "kreuzwerker/docker"}}})
    with pytest.raises(ProviderUnavailable, match="kreuzwerker/docker cannot be found") as failure:
        terraform.init(
            {
                "TF_PLUGIN_MIRROR_DIR": str(mirror),
                "TF_CLI_CONFIG_FILE": "",
                "TERRAFORM_BINARY_NAME": program,
                "HTTPS_PROXY": "http://127.0.0.1:9",
                "NO_PROXY": "",
            }
        )
    assert f"could not connect to {registry}" in failure.value.details[0]
