"""`prod-e rollback` of a service that is pinned in its settings, run as a user runs it."""

import json
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.service_on_aws import CONTENT, ServiceOnAws


class TestPinned:
    def test_its_earlier_revision_runs_and_the_settings_keep_it(self, pinned: ServiceOnAws) -> None:
        one = pinned.tagged()["content-1111111111111111"]
        before = pinned.settings.read_text()
        done = pinned.prod_e("rollback", "backend", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert pinned.running() == ({one}, f"{pinned.family}:1")
        pin = 'image_tag = "content-1111111111111111" # pinned to the source'
        assert pinned.settings.read_text() == before.replace(CONTENT, pin)
        assert f"+ {pin}" in done.stderr
        assert "commit 1111111" in done.stderr
        setting = json.loads(done.stdout)["setting"]
        assert setting["key"] == "services.backend.image_tag"
        assert (setting["before"], setting["after"]) == ("content", "content-1111111111111111")

    def test_a_commit_is_a_tag_like_any_other(self, pinned: ServiceOnAws) -> None:
        done = pinned.prod_e("rollback", "backend", "--to", "git-1111111", "--yes")
        assert done.returncode == 0, done.stderr
        assert pinned.running()[1] == f"{pinned.family}:1"
        assert 'image_tag = "content-1111111111111111"' in pinned.settings.read_text()

    def test_a_declined_question_leaves_all_as_it_was(self, pinned: ServiceOnAws) -> None:
        before = pinned.state()
        done = pinned.prod_e("rollback", "backend", typed="n\n")
        assert done.returncode == 1
        assert pinned.state() == before

    def test_where_it_runs_already_the_settings_alone_are_changed(
        self, pinned: ServiceOnAws
    ) -> None:
        pinned.deploy(f"{pinned.family}:1")
        deployments = pinned.deployments()
        done = pinned.prod_e("rollback", "backend", "--to", f"{pinned.family}:1", "--yes")
        assert done.returncode == 0, done.stderr
        assert 'image_tag = "content-1111111111111111"' in pinned.settings.read_text()
        assert pinned.deployments() == deployments

    def test_after_ecs_rolled_back_by_itself_the_settings_go_back_to_what_runs(
        self, pinned: ServiceOnAws
    ) -> None:
        two = pinned.tagged()["content-2222222222222222"]
        pinned.push("three", "content-3333333333333333")
        pinned.deploy(pinned.define("content-3333333333333333", command=["sh", "-c", "exit 3"]))
        done = pinned.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 0, done.stderr
        assert pinned.running() == ({two}, f"{pinned.family}:2")
        assert 'image_tag = "content-2222222222222222"' in pinned.settings.read_text()
        assert pinned.deployments()[0] == "ROLLBACK_SUCCESSFUL"

    def test_a_rollback_that_fails_leaves_the_settings_alone(self, pinned: ServiceOnAws) -> None:
        pinned.push("three", "content-3333333333333333")
        bad = pinned.define("content-3333333333333333", command=["sh", "-c", "exit 3"])
        settings = pinned.settings.read_bytes()
        done = pinned.prod_e("rollback", "backend", "--to", bad, "--yes")
        assert done.returncode == 1
        assert "exited with 3" in done.stderr
        assert pinned.settings.read_bytes() == settings

    def test_an_image_that_no_revision_runs_is_refused_with_the_way_there(
        self, pinned: ServiceOnAws
    ) -> None:
        pinned.push("three", "content-3333333333333333")
        before = pinned.state()
        done = pinned.prod_e("rollback", "backend", "--to", "content-3333333333333333", "--yes")
        assert done.returncode == 2
        assert 'Set image_tag = "content-3333333333333333"' in done.stderr
        assert pinned.state() == before

    def test_where_no_revision_runs_another_image_that_is_told(
        self, aws: EmbeddedAws, tmp_path: Path
    ) -> None:
        service = ServiceOnAws(aws, tmp_path / "project", image_tag=CONTENT)
        service.push("one", "content-1111111111111111")
        service.create(service.define("content-1111111111111111"))
        service.push("two", "content-2222222222222222")
        done = service.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 2
        assert "is named by an active revision of" in done.stderr

    @pytest.mark.parametrize(
        ("build", "pin"), [("terraform", "content-1111111111111111"), ("external", "mine-1")]
    )
    def test_a_tag_of_the_users_own_is_pinned_where_the_next_deployment_builds_nothing(
        self, aws: EmbeddedAws, tmp_path: Path, build: str, pin: str
    ) -> None:
        setting = f'build = "{build}"\nimage_tag = "mine-2"'
        service = ServiceOnAws(aws, tmp_path / "project", image_tag=setting)
        one = service.push("one", "content-1111111111111111", "git-1111111", "mine-1")
        service.create(service.define("mine-1"))
        service.push("two", "content-2222222222222222", "git-2222222", "mine-2")
        service.deploy(service.define("mine-2"))
        before = service.settings.read_text()
        done = service.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 0, done.stderr
        assert service.running() == ({one}, f"{service.family}:1")
        assert service.settings.read_text() == before.replace('"mine-2"', f'"{pin}"')

    def test_the_pin_is_what_the_settings_then_say(self, pinned: ServiceOnAws) -> None:
        from prod_e.settings import load_environment

        pinned.prod_e("rollback", "backend", "--yes")
        service = load_environment(pinned.settings).services["backend"]
        assert service.image_tag.setting == "content-1111111111111111"
        assert not service.is_built
