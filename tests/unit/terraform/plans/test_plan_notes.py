"""What a plan means is said in words."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from prod_e.settings import Environment, load_environments
from prod_e_ops.analysis.database_changes import waiting_changes
from prod_e_ops.analysis.extended_support import extended_support
from prod_e_ops.analysis.plan_notes import RESPONSIBLE, plan_notes
from prod_e_ops.errors import PlanRefused
from prod_e_ops.project.project import Stack
from prod_e_ops.stacks.model import StackPlan
from prod_e_ops.stacks.refusals import refuse_late_upgrades
from prod_e_ops.terraform.plans.plan_changes import PlanSummary
from tests.support.project.project_folder import PROJECT

SATURDAY = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
TOLD = '[monitoring]\nalarm_emails = ["one@example.com"]\n'
DATABASE = {
    "identifier": "tiny-e-database",
    "db_name": "tiny_e",
    "engine_version": "15",
    "instance_class": "db.t4g.micro",
    "maintenance_window": "sun:10:24-sun:10:54",
    "backup_retention_period": 7,
    "apply_immediately": None,
}


@pytest.fixture
def environment(tmp_path: Path, request: pytest.FixtureRequest) -> Environment:
    settings = getattr(request, "param", TOLD)
    (tmp_path / "tiny-e.toml").write_text(f'name = "tiny-e"\n[services.backend]\n{settings}')
    (loaded,) = load_environments(tmp_path)
    return loaded


def changed(type_name: str, before: dict[str, Any], **after: Any) -> PlanSummary:
    return _summary(type_name, ["update"], before, after)


def replaced(type_name: str, before: dict[str, Any], **after: Any) -> PlanSummary:
    return _summary(
        type_name, ["delete", "create"], before, after, replace_paths=[[key] for key in after]
    )


def _summary(
    type_name: str, actions: list[str], before: dict[str, Any], after: dict[str, Any], **more: Any
) -> PlanSummary:
    change = {"actions": actions, "before": before, "after": {**before, **after}, **more}
    return PlanSummary.of(
        {"resource_changes": [{"address": f"{type_name}.it", "type": type_name, "change": change}]}
    )


def notes(summary: PlanSummary, environment: Environment, **more: Any) -> list[str]:
    given = {"is_main_stack": True, "now": SATURDAY, **more}
    return list(plan_notes(summary, environment, **given))


def test_a_change_of_the_database_waits_for_its_window(environment: Environment) -> None:
    summary = changed("aws_db_instance", DATABASE, instance_class="db.t4g.large")
    (note,) = notes(summary, environment)
    assert note == (
        "tiny-e-database: instance_class waits for the maintenance window, which begins on Sunday,"
        " 2026-11-29 at 10:24 UTC; until then each plan shows it again."
        ' database.apply = "immediately" makes it happen at once.'
    )


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        (datetime(2026, 11, 29, 10, 23, tzinfo=UTC), datetime(2026, 11, 29, 10, 24, tzinfo=UTC)),
        (datetime(2026, 11, 29, 10, 24, tzinfo=UTC), datetime(2026, 12, 6, 10, 24, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), datetime(2027, 1, 3, 10, 24, tzinfo=UTC)),
    ],
)
def test_the_window_is_the_next_one(now: datetime, begins: datetime) -> None:
    summary = changed("aws_db_instance", DATABASE, multi_az=True)
    (waiting,) = waiting_changes(summary, now=now)
    assert waiting.since_when == begins


@pytest.mark.parametrize(
    "after",
    [
        {"instance_class": "db.t4g.large", "apply_immediately": True},
        {"deletion_protection": False},
        {"backup_retention_period": 3},
        {"skip_final_snapshot": False},
    ],
)
def test_what_happens_at_once_waits_for_nothing(after: dict[str, Any]) -> None:
    assert not waiting_changes(changed("aws_db_instance", DATABASE, **after), now=SATURDAY)


def test_backups_that_are_switched_off_wait() -> None:
    summary = changed("aws_db_instance", DATABASE, backup_retention_period=0)
    (waiting,) = waiting_changes(summary, now=SATURDAY)
    assert waiting.keys == ["backup_retention_period"]


@pytest.mark.parametrize(
    ("after", "is_refused"),
    [
        ({"engine_version": "16"}, True),
        ({"engine_version": "16", "apply_immediately": True}, False),
        ({"engine_version": "15.4"}, False),
        ({"instance_class": "db.t4g.large"}, False),
    ],
)
def test_a_new_major_version_is_not_left_to_the_window(
    after: dict[str, Any], is_refused: bool
) -> None:
    summary = changed("aws_db_instance", DATABASE, **after)
    plans = [StackPlan(stack=Stack("tiny-e", Path("stack")), summary=summary)]
    if not is_refused:
        refuse_late_upgrades(plans, left="Nothing was changed.")
        return
    with pytest.raises(PlanRefused) as refused:
        refuse_late_upgrades(plans, left="Nothing was changed.")
    assert "cannot wait for the maintenance window" in refused.value.message
    assert refused.value.details[-1] == "Nothing was changed."
    assert "tiny-e-database would use its old parameter group" in refused.value.details[0]
    assert 'apply = "immediately"' in str(refused.value.next_step)


@pytest.mark.parametrize(
    ("type_name", "before", "after", "because"),
    [
        (
            "aws_db_instance",
            DATABASE,
            {"db_name": "other"},
            "The database tiny-e-database is deleted and made anew, because of database.name"
            " (it was 'tiny_e').",
        ),
        (
            "aws_cloudwatch_log_group",
            {"name": "/ecs/old"},
            {"name": "/ecs/tiny-e-backend"},
            "The log group /ecs/old is deleted and made anew, because of"
            " services.backend.log_group (it was '/ecs/old').",
        ),
        (
            "aws_ecs_service",
            {"name": "old", "cluster": "c"},
            {"name": "tiny-e-backend", "cluster": "d"},
            "The service old is deleted and made anew, because of cluster.arn (it was 'c') and"
            " services.backend.service (it was 'old').",
        ),
        (
            "aws_lb",
            {"name": "old"},
            {"name": "new"},
            "The load balancer old is deleted and made anew, because of name (it was 'old').",
        ),
        (
            "aws_lb",
            {"name": "old", "internal": False},
            {"internal": True},
            "The load balancer old is deleted and made anew, because of its internal.",
        ),
    ],
)
def test_a_replacement_names_the_setting_that_is_responsible(
    environment: Environment,
    type_name: str,
    before: dict[str, Any],
    after: dict[str, Any],
    because: str,
) -> None:
    assert notes(replaced(type_name, before, **after), environment) == [because]


def test_what_is_replaced_at_every_change_is_not_worth_a_word(environment: Environment) -> None:
    assert not notes(replaced("aws_ecs_task_definition", {"cpu": "256"}, cpu="512"), environment)


@pytest.mark.parametrize(
    ("environment", "follows"),
    [(TOLD, "latest"), (f'image_tag = "content"\n{TOLD}', None)],
    indirect=["environment"],
)
def test_a_service_that_is_changed_takes_the_newest_image(
    environment: Environment, follows: str | None
) -> None:
    summary = changed("aws_ecs_service", {"name": "tiny-e-backend"}, desired_count=3)
    said = notes(summary, environment)
    assert said == (
        [
            "The change of tiny-e-backend is a new deployment, of the image that latest in"
            " tiny-e-backend names by then."
        ]
        if follows
        else []
    )


def test_other_tags_of_a_service_begin_no_deployment(environment: Environment) -> None:
    before = {"name": "tiny-e-backend", "tags_all": {}}
    assert not notes(changed("aws_ecs_service", before, tags_all={"Owner": "us"}), environment)


@pytest.mark.parametrize(
    ("environment", "now", "told"),
    [
        (f"min_tasks = 2\nmax_tasks = 6\ndesired_tasks = 4\n{TOLD}", 3, True),
        (f"min_tasks = 2\nmax_tasks = 6\ndesired_tasks = 3\n{TOLD}", 3, False),
        (f"min_tasks = 4\nmax_tasks = 4\ndesired_tasks = 4\n{TOLD}", 3, False),
    ],
    indirect=["environment"],
)
def test_a_number_of_tasks_that_is_left_to_autoscaling_is_told(
    environment: Environment, now: int, told: bool
) -> None:
    before = {"name": "tiny-e-backend", "desired_count": now}
    summary = _summary("aws_ecs_service", ["no-op"], before, {})
    assert summary.is_empty
    assert notes(summary, environment) == (
        [
            "services.backend.desired_tasks = 4 has no effect: it counts when the service is"
            " created. Autoscaling keeps 2 to 6 tasks, now 3."
        ]
        if told
        else []
    )


@pytest.mark.parametrize("environment", [""], indirect=True)
def test_alarms_that_ring_at_nobody_are_told_with_the_main_stack(environment: Environment) -> None:
    assert notes(PlanSummary(), environment) == [
        "Alarms ring at nobody: monitoring.alarm_emails is empty."
    ]
    assert not notes(PlanSummary(), environment, is_main_stack=False)


@pytest.mark.parametrize(
    ("today", "costs"),
    [
        (date(2026, 2, 28), None),
        (date(2026, 3, 1), "0.10 USD per vCPU and hour, which for 2 vCPUs are 146 USD a month"),
        (date(2028, 3, 1), "0.20 USD per vCPU and hour, which for 2 vCPUs are 292 USD a month"),
        (date(2029, 3, 1), "Extended Support has ended too"),
    ],
)
def test_a_version_past_its_standard_support_has_its_price(today: date, costs: str | None) -> None:
    said = extended_support(
        engine_version="13.4", instance_class="db.t4g.micro", is_multi_az=False, today=today
    )
    assert (costs in said) if said and costs else said is costs


@pytest.mark.parametrize(
    ("instance_class", "is_multi_az", "vcpus"),
    [
        ("db.m7g.large", False, 2),
        ("db.m7g.large", True, 4),
        ("db.m7g.xlarge", False, 4),
        ("db.m7g.4xlarge", True, 32),
    ],
)
def test_the_price_is_that_of_every_vcpu(
    instance_class: str, is_multi_az: bool, vcpus: int
) -> None:
    said = extended_support(
        engine_version="13",
        instance_class=instance_class,
        is_multi_az=is_multi_az,
        today=date(2026, 11, 28),
    )
    assert said
    assert f"for {vcpus} vCPUs are {vcpus * 73} USD a month" in said


@pytest.mark.parametrize(
    "environment", [f'{TOLD}[database]\nengine_version = "13"\n'], indirect=True
)
def test_the_plan_says_that_price(environment: Environment) -> None:
    (note,) = notes(PlanSummary(), environment)
    assert note.startswith("RDS's standard support of PostgreSQL 13 ended on 2026-02-28")


def test_the_settings_say_which_keys_replace_something() -> None:
    page = (PROJECT / "docs" / "settings.md").read_text()

    for setting in RESPONSIBLE.values():
        key = setting.rpartition(".")[2]
        assert any(
            "made anew" in line for line in page.splitlines() if line.startswith(f"| `{key}` |")
        ), setting
