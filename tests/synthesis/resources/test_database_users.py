"""Who logs into the database: each service as a user of its own, migrations as the master user."""

from typing import Any

import pytest

from tests.support.synthesised import MINIMAL, Synthesised

SECRET = "arn:aws:secretsmanager:us-west-2:111122223333:secret:login-AbCdEf"
KEY = "arn:aws:kms:us-west-2:111122223333:key/0a1b2c3d"
MASTER = "master_user_secret"


def test_the_container_is_told_of_a_login_of_its_own(seed: Any) -> None:
    stack = seed["prod-e"]
    variables = stack.variables()
    assert set(variables) == {
        "DB_CONNECTIONS_MAX", "DB_HOST", "DB_NAME", "DB_PASSWORD_LIFETIME_SECONDS", "DB_PORT",
        "DB_SECRET_ARN", "NODE_ENV", "PORT",
    }  # fmt: skip
    assert variables["DB_SECRET_ARN"] == stack.reference(
        "aws_secretsmanager_secret", "arn", name="prod-e-backend-database"
    )
    assert stack.container()["secrets"] == []


def test_terraform_never_knows_the_password(seed: Any) -> None:
    assert seed["prod-e"].one("aws_secretsmanager_secret")
    assert not seed["prod-e"].all("aws_secretsmanager_secret_version")


def test_only_the_migration_is_told_the_master_users_login(seed: Any) -> None:
    service, migration = seed["prod-e"].containers()
    assert MASTER not in str(service)
    assert {each["name"] for each in migration["secrets"]} == {
        "DB_MASTER_USER", "DB_MASTER_PASSWORD"
    }  # fmt: skip
    assert all(MASTER in each["valueFrom"] for each in migration["secrets"])
    told = {each["name"]: each["value"] for each in migration["environment"]}
    assert told["DB_USER"] == "prod-e-backend"
    assert told["DB_SECRET_ARN"] == seed["prod-e"].variables()["DB_SECRET_ARN"]
    assert MASTER not in str(migration["environment"])


def test_the_service_starts_when_the_migration_has_ended_well(seed: Any) -> None:
    service, migration = seed["prod-e"].containers()
    assert service["dependsOn"] == [{"containerName": migration["name"], "condition": "SUCCESS"}]
    assert migration["essential"] is False
    assert [*migration["entryPoint"], *migration["command"]] == ["node", "dist/migrate.js"]
    for hardening in ("image", "readonlyRootFilesystem", "linuxParameters", "logConfiguration"):
        assert migration[hardening] == service[hardening]


def test_the_program_of_a_service_reads_and_writes_its_own_secret_and_no_other(seed: Any) -> None:
    own = seed["prod-e"].variables()["DB_SECRET_ARN"]
    found = {
        (action, resource)
        for statement in seed["prod-e"].role_statements("prod-e-backend-task")
        for action in statement["Action"]
        for resource in statement["Resource"]
        if action.startswith(("secretsmanager:", "kms:", "ssm:"))
    }
    assert found == {
        (f"secretsmanager:{action}", own)
        for action in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
    }


def readable(stack: Synthesised, role: str) -> list[list[str]]:
    return [
        statement["Resource"]
        for statement in stack.role_statements(role)
        if "secretsmanager:GetSecretValue" in statement["Action"]
    ]


def test_ecs_reads_the_master_users_secret(seed: Any) -> None:
    (found,) = readable(seed["prod-e"], "prod-e-backend-execution")
    assert len(found) == 1
    assert found[0].endswith("secret_arn}")
    assert MASTER in found[0]


def test_each_of_several_services_has_a_user_of_its_own(synthesised: Any) -> None:
    stack = synthesised(
        MINIMAL
        + 'database = true\n[services.worker]\nsource = "backend"\npath = "/jobs/*"\n'
        + 'database = true\nmigration_command = ["migrate"]\n[database]\n'
        + 'instance_class = "db.t4g.large"\n'
    )["tiny-e"]
    users = {
        each["value"]
        for family in ("tiny-e-backend", "tiny-e-worker")
        for each in stack.containers(family=family)[1]["environment"]
        if each["name"] == "DB_USER"
    }
    assert users == {"tiny-e-backend", "tiny-e-worker"}
    assert readable(stack, "tiny-e-backend-task") != readable(stack, "tiny-e-worker-task")
    assert stack.containers(family="tiny-e-worker")[1]["entryPoint"] == ["migrate"]


def test_a_service_that_does_not_ask_reaches_no_database(synthesised: Any) -> None:
    stack = synthesised(
        MINIMAL
        + 'database = true\n[services.worker]\nsource = "backend"\npath = "/jobs/*"\n'
        + "database = false\n[database]\n"
    )["tiny-e"]
    (worker,) = stack.containers(family="tiny-e-worker")
    assert {each["name"] for each in worker["environment"]} == {"PORT"}
    assert not [rule for rule in stack.ingress() if rule[0].endswith("worker-service")
                and rule[2] == 5432]  # fmt: skip
    assert all(MASTER not in str(each) for each in stack.role_statements("tiny-e-worker-execution"))


def test_a_login_that_is_there_is_used_and_left_alone(synthesised: Any) -> None:
    stack = synthesised(
        f'{MINIMAL}database_secret_arn = "{SECRET}"\nsecrets_kms_key_arns = ["{KEY}"]\n[database]\n'
    )["tiny-e"]
    assert len(stack.containers()) == 1
    variables = stack.variables()
    assert variables["DB_SECRET_ARN"] == SECRET
    assert "DB_PASSWORD_LIFETIME_SECONDS" not in variables
    assert not stack.all("aws_secretsmanager_secret")
    assert readable(stack, "tiny-e-backend-task") == [[SECRET]]
    (decrypt,) = [
        statement
        for statement in stack.role_statements("tiny-e-backend-task")
        if statement["Action"] == ["kms:Decrypt"]
    ]
    assert decrypt["Resource"] == [KEY]


def test_ecs_decrypts_secrets_with_a_customers_key_and_only_for_secrets(synthesised: Any) -> None:
    stack = synthesised(
        f'{MINIMAL}secrets_kms_key_arns = ["{KEY}"]\n'
        f'[services.backend.secrets]\nAPI_KEY = "{SECRET}:key::"\n'
    )["tiny-e"]
    statements = stack.role_statements("tiny-e-backend-execution")
    (decrypt,) = [each for each in statements if each["Action"] == ["kms:Decrypt"]]
    assert decrypt["Resource"] == [KEY]
    assert decrypt["Condition"] == {
        "StringEquals": {
            "kms:ViaService": ["secretsmanager.us-west-2.amazonaws.com",
                               "ssm.us-west-2.amazonaws.com"]
        }
    }  # fmt: skip
    assert readable(stack, "tiny-e-backend-execution") == [[SECRET]]
    assert not stack.all("aws_iam_role_policy") or "tiny-e-backend-task" not in {
        each["name"] for each in stack.all("aws_iam_role_policy")
    }


@pytest.mark.parametrize(
    ("line", "served_by"),
    [('snapshot = "before"', "tiny-e-database"), ("serves = true", "tiny-e-2")],
)
def test_while_two_databases_are_there_a_service_keeps_its_user_of_each(
    synthesised: Any, line: str, served_by: str
) -> None:
    stack = synthesised(
        f'{MINIMAL}[database]\n[database.restored]\nidentifier = "tiny-e-2"\n{line}\n'
    )["tiny-e"]
    secrets = {
        identifier: stack.reference("aws_secretsmanager_secret", "arn", name=name)
        for identifier, name in (
            ("tiny-e-database", "tiny-e-backend-database"),
            ("tiny-e-2", "tiny-e-backend-restored-tiny-e-2"),
        )
    }
    assert stack.variables()["DB_SECRET_ARN"] == secrets[served_by]
    # A roll-back starts tasks that use the other one.
    assert sorted(readable(stack, "tiny-e-backend-task")) == sorted(
        [secret] for secret in secrets.values()
    )
    masters = {resource for (resource,) in readable(stack, "tiny-e-backend-execution")}
    assert len(masters) == 2
    assert all(MASTER in master for master in masters)
    assert len([rule for rule in stack.ingress() if rule[2] == 5432]) == 2


def test_a_login_that_is_there_reaches_both_databases(synthesised: Any) -> None:
    stack = synthesised(
        f'{MINIMAL}database_secret_arn = "{SECRET}"\n[database]\n'
        '[database.restored]\nidentifier = "tiny-e-2"\nsnapshot = "before"\n'
    )["tiny-e"]
    assert not stack.all("aws_secretsmanager_secret")
    assert len([rule for rule in stack.ingress() if rule[2] == 5432]) == 2


def test_a_login_goes_after_the_tasks_that_use_it(seed: Any) -> None:
    secret = seed["prod-e"].one("aws_secretsmanager_secret")
    # Else Terraform deletes it before it changes the service.
    assert secret["lifecycle"]["create_before_destroy"] is True


def test_a_deployment_fits_into_the_connections_of_the_database(
    synthesised: Any, seed: Any
) -> None:
    def connections(toml: str) -> int:
        return int(synthesised(MINIMAL + toml)["tiny-e"].variables()["DB_CONNECTIONS_MAX"])

    assert int(seed["prod-e"].variables()["DB_CONNECTIONS_MAX"]) == 7
    alarm = seed["prod-e"].one(
        "aws_cloudwatch_metric_alarm", alarm_name="prod-e-database-connections"
    )
    # Nine tenths of what is allowed; a deployment takes 2 x 10 x (7 + 1).
    assert alarm["threshold"] == 157
    assert connections("[database]\n") == 2
    assert connections('[database]\ninstance_class = "db.t4g.large"\n') == 10
    assert connections("database_connections = 1\n[database]\n") == 1
