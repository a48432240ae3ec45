"""`prod-e images` against the embedded AWS: what it shows, and what it never deletes."""

import json
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.service_on_aws import ServiceOnAws
from tests.support.command.asked import Asked

CONTENT = 'image_tag = "content"'


@pytest.fixture
def service(aws: EmbeddedAws, tmp_path: Path) -> ServiceOnAws:
    """Two releases, the second of which runs."""
    service = ServiceOnAws(aws, tmp_path / "project")
    service.push("one", "content-1111111111111111", "git-1111111", "latest")
    service.create(service.define("latest"))
    service.release("two", "content-2222222222222222", "git-2222222")
    return service


def prune(service: ServiceOnAws, *options: str) -> set[str]:
    """Prunes all that may go; returns the digests that went."""
    before = service.digests()
    done = service.prod_e("images", "backend", "--prune", "--keep", "0", "--yes", *options)
    assert done.returncode == 0, done.stderr
    return before - service.digests()


class TestTable:
    def test_each_image_has_a_line_with_what_uses_it(self, service: ServiceOnAws) -> None:
        service.push("three", "spare")
        tagged = service.tagged()
        done = service.prod_e("images", "backend")
        assert done.returncode == 0, done.stderr
        header, *lines = done.stdout.splitlines()
        assert " ".join(header.split()) == (
            "DIGEST PUSHED (UTC) SIZE USE FINDINGS DEFINITION; TAGS"
        )
        uses = {line[:19]: line for line in lines}
        assert len(uses) == 3
        running = uses[tagged["latest"][:19]]
        assert "  runs  " in running
        assert "57 MB" in running
        assert f"{service.family}:1" in running
        assert running.endswith("content-2222222222222222, git-2222222, latest")
        assert "last healthy" in uses[tagged["git-1111111"][:19]]
        assert "  -  " in uses[tagged["spare"][:19]]

    def test_json_tells_a_script_the_same_and_more(self, service: ServiceOnAws) -> None:
        service.ecr.start_image_scan(
            repositoryName=service.repository, imageId={"imageTag": "latest"}
        )
        tagged = service.tagged()
        done = service.prod_e("images", "backend", "--json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["repository"] == service.repository
        two, one = answer["images"]
        assert (two["digest"], one["digest"]) == (tagged["latest"], tagged["git-1111111"])
        assert two["tags"] == ["content-2222222222222222", "git-2222222", "latest"]
        assert two["size_bytes"] == 57_000_000
        assert (two["runs"], one["runs"]) == (True, False)
        assert (two["last_healthy"], one["last_healthy"]) == (False, True)
        assert two["task_definitions"] == [f"{service.family}:1"]
        assert two["last_ran_as"] == f"{service.family}:1"
        assert one["healthy_at"] is not None
        assert len(one["deployments"]) == 1
        assert two["scan"] == {"status": "COMPLETE", "findings": {"HIGH": 1}}
        assert one["scan"] == {"status": None, "findings": None}

    def test_what_a_scan_found_is_shown(self, service: ServiceOnAws) -> None:
        service.ecr.start_image_scan(
            repositoryName=service.repository, imageId={"imageTag": "latest"}
        )
        done = service.prod_e("images", "backend")
        found = {line[:19]: line for line in done.stdout.splitlines()}
        assert "  1 high  " in found[service.tagged()["latest"][:19]]
        assert "  not scanned  " in found[service.tagged()["git-1111111"][:19]]

    def test_an_empty_repository_says_how_to_fill_it(
        self, aws: EmbeddedAws, tmp_path: Path
    ) -> None:
        service = ServiceOnAws(aws, tmp_path / "project")
        done = service.prod_e("images", "backend")
        assert done.returncode == 0
        assert "./prod-e push backend" in done.stderr

    def test_images_are_shown_before_anything_is_deployed(
        self, aws: EmbeddedAws, tmp_path: Path
    ) -> None:
        service = ServiceOnAws(aws, tmp_path / "project")
        service.push("one", "latest")
        done = service.prod_e("images", "backend", "--json")
        assert done.returncode == 0, done.stderr
        (image,) = json.loads(done.stdout)["images"]
        assert image["runs"] is False

    def test_a_missing_repository_is_told_with_the_way_to_make_it(
        self, service: ServiceOnAws
    ) -> None:
        service.ecr.delete_repository(repositoryName=service.repository, force=True)
        done = service.prod_e("images", "backend")
        assert done.returncode == 2
        assert f"There is no ECR repository {service.repository}" in done.stderr
        assert "./prod-e push backend" in done.stderr


class TestPrune:
    def test_what_nothing_could_return_to_goes(self, service: ServiceOnAws) -> None:
        spare = service.push("three", "content-3333333333333333")
        untagged = service.push("four", "moving")
        service.push("five", "moving")
        five = service.tagged()["moving"]
        assert prune(service) == {spare, untagged, five}

    def test_what_a_task_runs_stays_though_no_tag_or_record_names_it(
        self, service: ServiceOnAws
    ) -> None:
        runs = service.tagged()["latest"]
        service.push("three", "content-2222222222222222", "git-2222222", "latest")
        assert service.running()[0] == {runs}
        assert runs not in prune(service)

    def test_what_was_healthy_stays(self, service: ServiceOnAws) -> None:
        one = service.tagged()["git-1111111"]
        service.release("three", "git-3333333")
        service.release("four", "git-4444444")
        assert prune(service) == set()
        assert one in service.digests()

    def test_what_an_active_task_definition_names_stays(
        self, aws: EmbeddedAws, tmp_path: Path
    ) -> None:
        service = ServiceOnAws(aws, tmp_path / "project", image_tag=CONTENT)
        one = service.push("one", "content-1111111111111111")
        two = service.push("two", "content-2222222222222222")
        three = service.push("three", "content-3333333333333333")
        service.create(service.define("content-3333333333333333"))
        service.define("content-1111111111111111")
        given_up = service.define("content-2222222222222222")
        service.ecs.deregister_task_definition(taskDefinition=given_up)
        assert prune(service) == {two}
        assert service.digests() == {one, three}

    def test_what_the_followed_tag_names_stays(self, service: ServiceOnAws) -> None:
        service.settings.write_text(service.settings.read_text().replace('"latest"', '"my-tag"', 1))
        pushed = service.push("not deployed yet", "my-tag")
        assert prune(service) == set()
        assert pushed in service.digests()

    def test_what_the_source_as_it_is_now_would_be_stays(
        self, aws: EmbeddedAws, tmp_path: Path
    ) -> None:
        from prod_e.delivery.build_context import read_build_context

        service = ServiceOnAws(aws, tmp_path / "project", image_tag=CONTENT)
        context = read_build_context(service.folder / "backend", architecture="x86_64")
        pushed = service.push("not deployed yet", f"content-{context.content_hash}")
        other = service.push("another", "content-1111111111111111")
        assert prune(service) == {other}
        assert service.digests() == {pushed}

    def test_a_release_stays_because_its_version_may_never_get_another_content(
        self, service: ServiceOnAws
    ) -> None:
        release = service.push("three", "v1.2.3")
        other = service.push("four", "v1-is-no-release")
        assert prune(service) == {other}
        assert release in service.digests()

    def test_a_failed_deployment_protects_nothing(self, service: ServiceOnAws) -> None:
        bad = service.push("bad", "bad")
        definition = service.define("bad", command=["sh", "-c", "exit 3"])
        service.deploy(definition)
        service.ecs.deregister_task_definition(taskDefinition=definition)
        assert service.deployments()[0] == "ROLLBACK_SUCCESSFUL"
        assert prune(service) == {bad}

    def test_of_the_others_the_newest_stay(self, service: ServiceOnAws) -> None:
        pushed = [service.push(f"spare {n}", f"spare-{n}") for n in range(3)]
        done = service.prod_e("images", "backend", "--prune", "--keep", "2", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["deleted"] == [{"digest": pushed[0], "tags": ["spare-0"]}]
        assert answer["kept"] == 4
        assert set(pushed[1:]) <= service.digests()

    def test_every_image_that_is_left_can_be_rolled_back_to(self, service: ServiceOnAws) -> None:
        service.push("spare", "spare")
        proposed = service.tagged()["git-1111111"]
        prune(service)
        done = service.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 0, done.stderr
        assert service.running()[0] == {proposed}

    def test_the_list_is_shown_and_a_declined_question_deletes_nothing(
        self, service: ServiceOnAws
    ) -> None:
        spare = service.push("spare", "spare-tag")
        before = service.digests()
        done = service.prod_e("images", "backend", "--prune", "--keep", "0", typed="n\n")
        assert done.returncode == 1
        assert spare[:19] in done.stderr
        assert "spare-tag" in done.stderr
        assert "Delete these 1 of 3 images (57 MB)" in done.stderr
        assert service.digests() == before

    def test_what_is_deployed_while_the_question_waits_stays(self, service: ServiceOnAws) -> None:
        spare, gone = service.push("spare", "spare"), service.push("gone", "gone")
        arguments = ("images", "backend", "--prune", "--keep", "0")
        with Asked(service.folder, *arguments, variables=service.aws.environment()) as asked:
            asked.wait_for("Delete these 2 of 4 images")
            asked.wait_for("[y/N]")
            service.deploy(service.define("spare"))
            asked.answer("y")
            assert asked.end() == 0
        assert spare in service.digests()
        assert gone not in service.digests()

    def test_without_a_terminal_and_without_yes_nothing_is_deleted(
        self, service: ServiceOnAws
    ) -> None:
        service.push("spare", "spare")
        before = service.digests()
        done = service.prod_e("images", "backend", "--prune", "--keep", "0")
        assert done.returncode == 2
        assert "--yes" in done.stderr
        assert service.digests() == before

    def test_where_nothing_may_go_it_says_so_and_asks_nothing(self, service: ServiceOnAws) -> None:
        done = service.prod_e("images", "backend", "--prune")
        assert done.returncode == 0
        assert done.stdout == "0 images deleted, 2 kept.\n"
