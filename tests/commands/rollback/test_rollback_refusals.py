"""When `prod-e rollback` leaves a service alone, and what it says then."""

from pathlib import Path

import pytest

from embedded_aws import EmbeddedAws
from tests.support.aws.service_on_aws import CONTENT, ServiceOnAws


class TestWhileADeploymentIsUnderWay:
    @pytest.fixture
    def beginning(self, slow_aws: EmbeddedAws, tmp_path: Path) -> ServiceOnAws:
        """A service whose first deployment goes on when the test says so."""
        service = ServiceOnAws(slow_aws, tmp_path / "project")
        service.push("one", "v1.0.0", "latest")
        service.create(service.define("latest"))
        return service

    def test_one_that_goes_well_is_not_disturbed(self, beginning: ServiceOnAws) -> None:
        before = beginning.state()
        done = beginning.prod_e("rollback", "backend", "--to", "v1.0.0", "--yes")
        assert done.returncode == 2
        assert "is under way, and none of its tasks has failed" in done.stderr
        assert "--wait" in done.stderr
        assert beginning.state() == before

    def test_one_whose_tasks_fail_is_what_a_rollback_is_for(
        self, aws: EmbeddedAws, tmp_path: Path
    ) -> None:
        service = ServiceOnAws(aws, tmp_path / "project", image_tag=CONTENT)
        one = service.push("one", "content-1111111111111111")
        service.create(service.define("content-1111111111111111"), circuit_breaker=False)
        service.push("two", "content-2222222222222222")
        service.deploy(service.define("content-2222222222222222", command=["sh", "-c", "exit 3"]))
        assert service.deployments()[0] == "IN_PROGRESS"
        done = service.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 0, done.stderr
        assert service.running() == ({one}, f"{service.family}:1")
        assert service.deployments() == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]

    def test_one_that_ecs_is_rolling_back_by_itself_is_left_to_it(
        self, beginning: ServiceOnAws
    ) -> None:
        beginning.aws.take_deployment_steps(2)
        beginning.deploy(beginning.define("gone"))
        beginning.aws.take_deployment_steps()
        assert beginning.deployments() == ["ROLLBACK_IN_PROGRESS", "SUCCESSFUL"]
        done = beginning.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 2
        assert "ECS is rolling" in done.stderr
        assert "--wait" in done.stderr


class TestWhatStandsInTheWay:
    def test_an_unknown_service_is_refused_with_those_there_are(
        self, followed: ServiceOnAws
    ) -> None:
        done = followed.prod_e("rollback", "frontend")
        assert done.returncode == 2
        assert "There is no service 'frontend'" in done.stderr
        assert "backend" in done.stderr

    def test_a_service_that_is_not_deployed_is_told_with_the_way_there(
        self, aws: EmbeddedAws, tmp_path: Path
    ) -> None:
        service = ServiceOnAws(aws, tmp_path / "project")
        done = service.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 2
        assert f"./prod-e deploy {service.name}" in done.stderr

    def test_another_account_is_refused(self, followed: ServiceOnAws) -> None:
        text = followed.settings.read_text()
        followed.settings.write_text(f'account = "111122223333"\n{text}')
        before = followed.state()
        done = followed.prod_e("rollback", "backend", "--yes")
        assert done.returncode == 2
        assert "123456789012" in done.stderr
        assert "111122223333" in done.stderr
        assert followed.state() == before

    @pytest.mark.parametrize("command", ["rollback", "status", "images"])
    def test_without_credentials_the_way_to_some_is_told(
        self, followed: ServiceOnAws, command: str
    ) -> None:
        done = followed.prod_e(command, "backend", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
        assert done.returncode == 2
        assert "no AWS credentials" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("command", ["rollback", "status", "images"])
    def test_an_aws_that_cannot_be_reached_is_told(
        self, followed: ServiceOnAws, command: str
    ) -> None:
        done = followed.prod_e(command, "backend", AWS_ENDPOINT_URL="http://127.0.0.1:1")
        assert done.returncode == 1
        assert "AWS cannot be reached" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("command", ["rollback", "status", "images"])
    def test_help_teaches_with_an_example(self, followed: ServiceOnAws, command: str) -> None:
        done = followed.prod_e(command, "--help")
        assert done.returncode == 0
        assert "Example: " in done.stdout
