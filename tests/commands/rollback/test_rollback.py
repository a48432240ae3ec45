"""`prod-e rollback` of a service that follows `latest`, run as a user runs it."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.service_on_aws import ServiceOnAws
from tests.support.project.project_folder import PROJECT


def make_redeploy_rule(service: ServiceOnAws) -> None:
    """Makes the rule by which a deployment is to begin when `latest` moves; it starts nothing."""
    service.client("events").put_rule(
        Name=f"{service.name}-backend-redeploy", EventPattern='{"source": ["aws.ecr"]}'
    )


@contextmanager
def once_latest_names(
    digest: str, service: ServiceOnAws, act: Callable[[], object]
) -> Iterator[None]:
    """Acts, beside what is done inside of it, as soon as `latest` names the image."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            if service.tagged()["latest"] == digest:
                act()
                return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


class TestFollowingLatest:
    def test_a_tag_is_gone_back_to(self, followed: ServiceOnAws) -> None:
        one = followed.tagged()["v1.0.0"]
        done = followed.prod_e("rollback", "backend", "--to", "v1.0.0", "--yes")
        assert done.returncode == 0, done.stderr
        assert followed.running()[0] == {one}
        assert followed.tagged()["latest"] == one
        assert f"{followed.service} runs v1.0.0." in done.stdout

    @pytest.mark.parametrize("length", [19, 71])
    def test_a_digest_or_its_beginning_is_gone_back_to(
        self, followed: ServiceOnAws, length: int
    ) -> None:
        one = followed.tagged()["v1.0.0"]
        done = followed.prod_e("rollback", "backend", "--to", one[:length], "--yes")
        assert done.returncode == 0, done.stderr
        assert followed.running()[0] == {one}

    def test_yes_takes_the_image_that_was_healthy_most_recently(
        self, followed: ServiceOnAws
    ) -> None:
        two = followed.tagged()["v1.1.0"]
        followed.push("never deployed", "v1.2.0-rc.1")
        followed.release("three", "v1.2.0")
        done = followed.prod_e("rollback", "backend", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert followed.running()[0] == {two}
        result = json.loads(done.stdout)
        assert result["changed"] is True
        assert result["digest"] == two
        assert "v1.1.0" in result["tags"]
        assert result["deployment"]["status"] == "SUCCESSFUL"
        assert result["deployment"]["digest"] == two
        assert result["setting"] is None

    def test_on_a_terminal_enter_takes_the_proposal_of_the_list(
        self, followed: ServiceOnAws
    ) -> None:
        one = followed.tagged()["v1.0.0"]
        done = followed.prod_e("rollback", "backend", typed="\n")
        assert done.returncode == 0, done.stderr
        assert followed.running()[0] == {one}
        lines = [line.split() for line in done.stdout.splitlines() if line]
        assert ["#", "DIGEST"] in [line[:2] for line in lines]
        listed = {
            digest: line for line in lines for digest in line[:2] if digest.startswith("sha256:")
        }
        assert set(listed) == {digest[:19] for digest in followed.digests()}
        assert {"last", "healthy"} <= {*listed[one[:19]]}
        table = done.stdout.partition("# ")[2].partition("What should")[0]
        assert "v1.0.0" in table
        assert max(map(len, table.splitlines())) <= 80
        assert listed[one[:19]][0] == "1"
        assert "[1; n for none]" in done.stderr

    def test_on_a_terminal_another_one_can_be_chosen(self, followed: ServiceOnAws) -> None:
        one = followed.tagged()["v1.0.0"]
        followed.release("three", "v1.2.0")
        done = followed.prod_e("rollback", "backend", typed="v1.0.0\n")
        assert done.returncode == 0, done.stderr
        assert followed.running()[0] == {one}

    @pytest.mark.parametrize("typed", ["n\n", "none\n", "\x04"])
    def test_a_declined_question_leaves_all_as_it_was(
        self, followed: ServiceOnAws, typed: str
    ) -> None:
        before = followed.state()
        done = followed.prod_e("rollback", "backend", typed=typed)
        assert done.returncode == 1
        assert "Nothing was changed." in done.stderr
        assert followed.state() == before

    @pytest.mark.parametrize("to", [(), ("--to", "v1.0.0")])
    def test_without_a_terminal_and_without_yes_nothing_is_changed(
        self, followed: ServiceOnAws, to: tuple[str, ...]
    ) -> None:
        before = followed.state()
        done = followed.prod_e("rollback", "backend", *to)
        assert done.returncode == 2
        assert "--yes" in done.stderr
        assert followed.state() == before

    def test_what_runs_already_is_left_alone(self, followed: ServiceOnAws) -> None:
        before = followed.state()
        done = followed.prod_e("rollback", "backend", "--to", "v1.1.0", "--json")
        assert done.returncode == 0
        assert "already runs v1.1.0" in done.stderr
        assert json.loads(done.stdout)["changed"] is False
        assert followed.state() == before

    def test_after_ecs_rolled_back_by_itself_the_tag_goes_back_to_what_runs(
        self, followed: ServiceOnAws
    ) -> None:
        two = followed.tagged()["v1.1.0"]
        failing = followed.define("latest", command=["sh", "-c", "exit 3"])
        three = followed.push("three", "latest")
        followed.deploy(failing)
        assert followed.running()[0] == {two}
        assert followed.tagged()["latest"] == three
        done = followed.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 0, done.stderr
        assert followed.running()[0] == {two}
        assert followed.tagged()["latest"] == two

    def test_a_revision_is_gone_back_to(self, followed: ServiceOnAws) -> None:
        followed.deploy(followed.define("latest"))
        done = followed.prod_e("rollback", "backend", "--to", "1", "--yes")
        assert done.returncode == 0, done.stderr
        assert followed.running()[1] == f"{followed.family}:1"
        assert "goes forward again" in done.stderr
        assert followed.tagged()["latest"] == followed.tagged()["v1.1.0"]

    def test_the_deployment_that_the_moved_tag_begins_is_the_one_that_is_followed(
        self, followed: ServiceOnAws
    ) -> None:
        make_redeploy_rule(followed)
        one = followed.tagged()["v1.0.0"]

        # What the state machine of the redeployment on push does.
        with once_latest_names(one, followed, followed.deploy):
            done = followed.prod_e("rollback", "backend", "--to", "v1.0.0", "--yes")
        assert done.returncode == 0, done.stderr
        assert "a deployment began" in done.stderr
        assert followed.deployments() == ["SUCCESSFUL"] * 3

    def test_where_the_moved_tag_begins_no_deployment_the_command_does(
        self, followed: ServiceOnAws
    ) -> None:
        make_redeploy_rule(followed)
        one = followed.tagged()["v1.0.0"]
        done = followed.prod_e("rollback", "backend", "--to", "v1.0.0", "--yes")
        assert done.returncode == 0, done.stderr
        assert followed.running()[0] == {one}

    def test_what_somebody_else_deploys_meanwhile_is_not_taken_for_the_rollback(
        self, followed: ServiceOnAws
    ) -> None:
        make_redeploy_rule(followed)
        one = followed.tagged()["v1.0.0"]
        with once_latest_names(one, followed, lambda: followed.release("three", "v1.2.0")):
            done = followed.prod_e("rollback", "backend", "--to", "v1.0.0", "--yes")
        assert done.returncode == 1
        assert "somebody else pushed or deployed at the same time" in done.stderr
        assert followed.tagged()["v1.2.0"] in done.stderr

    def test_a_rollback_that_ecs_does_not_keep_fails_with_the_reason(
        self, followed: ServiceOnAws
    ) -> None:
        two = followed.tagged()["v1.1.0"]
        bad = followed.define("latest", command=["sh", "-c", "exit 3"])
        done = followed.prod_e("rollback", "backend", "--to", bad, "--yes")
        assert done.returncode == 1
        assert "ECS rolled the deployment" in done.stderr
        assert "exited with 3" in done.stderr
        assert followed.running()[0] == {two}
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        ("to", "told"),
        [
            ("v9.9.9", "There is no image with the tag v9.9.9"),
            ("v1.00", "Did you mean v1.0.0?"),
            ("sha256:" + "0" * 64, "is not in"),
            ("sha256:c42b", "sha256:c42b is too short"),
            ("99", ":99 does not exist"),
            ("other-task:1", "other-task:1 is not a revision of"),
        ],
    )
    def test_what_does_not_exist_is_refused_with_what_does(
        self, followed: ServiceOnAws, to: str, told: str
    ) -> None:
        before = followed.state()
        done = followed.prod_e("rollback", "backend", "--to", to, "--yes")
        assert done.returncode == 2
        assert told in done.stderr
        assert "Nothing was changed." in done.stderr
        assert followed.state() == before

    def test_a_number_that_is_a_tag_and_a_revision_is_refused(self, followed: ServiceOnAws) -> None:
        followed.push("three", "1")
        done = followed.prod_e("rollback", "backend", "--to", "1", "--yes")
        assert done.returncode == 2
        assert f"--to {followed.family}:1" in done.stderr

    def test_a_deregistered_revision_is_refused(self, followed: ServiceOnAws) -> None:
        name = followed.define("latest")
        followed.ecs.deregister_task_definition(taskDefinition=name)
        done = followed.prod_e("rollback", "backend", "--to", name, "--yes")
        assert done.returncode == 2
        assert f"{name} is deregistered" in done.stderr

    def test_an_image_gone_from_ecr_is_refused_with_those_that_are_left(
        self, followed: ServiceOnAws
    ) -> None:
        name = followed.define("v0.9.0")
        done = followed.prod_e("rollback", "backend", "--to", name, "--yes")
        assert done.returncode == 2
        assert f"{followed.repository}:v0.9.0, which is not in {followed.repository}" in done.stderr
        assert "v1.0.0" in done.stderr

    def test_nothing_to_go_back_to_is_told(self, aws: EmbeddedAws, tmp_path: Path) -> None:
        service = ServiceOnAws(aws, tmp_path / "project")
        service.push("one", "v1.0.0", "latest")
        service.create(service.define("latest"))
        before = service.state()
        done = service.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 2
        assert "There is nothing that" in done.stderr
        assert "holds no other image" in done.stderr
        assert service.state() == before

    def test_an_image_that_was_never_healthy_is_not_proposed(
        self, aws: EmbeddedAws, tmp_path: Path
    ) -> None:
        service = ServiceOnAws(aws, tmp_path / "project")
        service.push("one", "v1.0.0", "latest")
        service.create(service.define("latest"))
        service.push("two", "v1.1.0")
        done = service.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 2
        assert "v1.1.0" in done.stderr
        assert "--to" in done.stderr


def test_the_shell_script_is_the_same_command_from_any_folder(tmp_path: Path) -> None:
    script = PROJECT / "scripts" / "deployment" / "rollback.sh"
    done = subprocess.run(
        [script, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: prod-e rollback" in done.stdout
