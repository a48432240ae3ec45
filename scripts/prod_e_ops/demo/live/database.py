"""The database of a service that runs, and the passwords with which it is reached."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prod_e.names import ServiceNames
from prod_e_ops.demo.checks import Clients
from prod_e_ops.errors import OpsError

if TYPE_CHECKING:
    from prod_e_ops.demo.run import Run

_SECRET_VARIABLE = "DB_SECRET_ARN"  # noqa: S105 the name of a variable
_NO_LOGIN = "{}"
"""What has the next task that starts make another password; see docs/database-users.md."""


@dataclass(frozen=True, kw_only=True)
class ServedDatabase:
    """A DB instance, and a service with a PostgreSQL user of its own there.

    Its methods wait for AWS's answers. `is_multi_az`: whether there is another to fail over to.
    """

    identifier: str
    is_multi_az: bool
    cluster: str
    service: str
    clients: Clients = field(repr=False)

    @classmethod
    def of(cls, run: "Run", key: str) -> "ServedDatabase | None":
        """That of an environment's service; None where the environment makes none for it."""
        environment = run.environment
        settings = environment.services[key]
        if environment.database is None or settings.database_secret_arn:
            return None
        return cls(
            identifier=environment.names.database,
            is_multi_az=environment.database.multi_az,
            cluster=environment.names.cluster,
            service=ServiceNames.of(environment.name, key, settings).service,
            clients=run.clients,
        )

    def is_available(self) -> bool:
        """Whether RDS says so."""
        return self._described()["DBInstanceStatus"] == "available"

    def fail_over(self) -> None:
        """Begins to; one without a standby restarts."""
        self.clients("rds").reboot_db_instance(
            DBInstanceIdentifier=self.identifier, ForceFailover=self.is_multi_az
        )

    def begin_to_rotate(self) -> Mapping[str, str]:
        """Has RDS make another master password, and the next task another one of the service.

        Returns, by the secrets, the passwords that are there before.
        """
        master, own = self._master(), self._own()
        before = {secret: self._password(secret) for secret in (master, own)}
        secrets = self.clients("secretsmanager")
        secrets.rotate_secret(SecretId=master)
        secrets.put_secret_value(SecretId=own, SecretString=_NO_LOGIN)
        return before

    def expect_others(self, before: Mapping[str, str]) -> None:
        """Raises `OpsError` if a password is still what it was, or is none."""
        for secret, password in before.items():
            if self._password(secret) in (password, ""):
                raise OpsError(f"The secret {secret} has no other password than before.")

    def _described(self) -> Mapping[str, object]:
        (found,) = self.clients("rds").describe_db_instances(DBInstanceIdentifier=self.identifier)[
            "DBInstances"
        ]
        described: Mapping[str, object] = found
        return described

    def _master(self) -> str:
        secret = self._described()["MasterUserSecret"]
        assert isinstance(secret, dict)
        return str(secret["SecretArn"])

    def _own(self) -> str:
        ecs = self.clients("ecs")
        (service,) = ecs.describe_services(cluster=self.cluster, services=[self.service])[
            "services"
        ]
        task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
        return next(
            str(each["value"])
            for container in task["taskDefinition"]["containerDefinitions"]
            for each in container.get("environment", ())
            if each["name"] == _SECRET_VARIABLE
        )

    def _password(self, secret: str) -> str:
        text = self.clients("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        return str(json.loads(text).get("password", ""))
