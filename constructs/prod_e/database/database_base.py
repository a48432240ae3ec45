"""What services need of a database, and how they come to reach it."""

from collections.abc import Sequence
from typing import Annotated

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret
from constructs import Construct

from prod_e.account import Account
from prod_e.doc import Doc
from prod_e.iam import Statement
from prod_e.network.security_group import SecurityGroupBase
from prod_e.service.fargate_service import FargateService
from prod_e.service.task_definition import decrypt_secrets

_DAY_SECONDS = 86_400
_LONGEST_LIFETIME_DAYS = 365

Prefix = Annotated[
    str, Doc("what the variables' names begin with; a second database needs another; default DB_")
]


class DatabaseBase(Construct):
    """What services need of a database, whether it is made here or was there before.

    `identifier`: the RDS instance's, where it is one. `host`, `port`, `database_name`: where to
    connect. `endpoint`: host and port. `secret_arn`: the secret with `username` and `password` of
    the master user, who may make others.
    `storage_gib`: its size where that is known.
    """

    identifier: str | None
    host: str
    port: int
    endpoint: str
    database_name: str
    secret_arn: str
    storage_gib: int | None
    security_group: SecurityGroupBase

    def open_to(self, service: Annotated[FargateService, Doc("whose tasks may connect")]) -> None:
        """Lets a service connect, and tells it nothing."""
        service.uses_database = True
        self.security_group.allow_from(service.security_group, port=self.port)

    def allow_from(
        self,
        service: Annotated[FargateService, Doc("whose tasks may connect")],
        *,
        secret_arn: Annotated[
            str | None,
            Doc(
                "the secret with the service's login, as JSON with username and password; default:"
                " it gets none here; see add_user"
            ),
        ] = None,
        kms_key_arns: Annotated[
            Sequence[str], Doc("the customer managed KMS keys of that secret; default: none")
        ] = (),
        prefix: Prefix = "DB_",
    ) -> None:
        """Lets a service connect, and tells it where the database is and who it is there.

        Its container is told by `DB_HOST`, `DB_PORT`, `DB_NAME` and, with a login,
        `DB_SECRET_ARN`, which its task role may read. Raises `ValueError` if a variable has another
        value already.
        """
        self.open_to(service)
        service.add_environment(**self._place(prefix))
        if secret_arn:
            service.add_environment(**{f"{prefix}SECRET_ARN": secret_arn})
            service.add_to_task_policy(
                Statement(actions=("secretsmanager:GetSecretValue",), resources=(secret_arn,))
            )
            if kms_key_arns:
                service.add_to_task_policy(decrypt_secrets(Account.of(self), kms_key_arns))

    def add_user(
        self,
        service: Annotated[FargateService, Doc("whose tasks may connect")],
        *,
        migration_command: Annotated[
            Sequence[str],
            Doc("the program of its image that makes the user and migrates, with its arguments"),
        ],
        password_lifetime_days: Annotated[
            int, Doc("after which the service changes its password; 1 to 365; default 7")
        ] = 7,
        prefix: Prefix = "DB_",
    ) -> SecretsmanagerSecret:
        """Lets a service connect as a PostgreSQL user of its own; returns the secret of its login.

        The secret is made without a value, so that Terraform never knows the password. In each new
        task `migration_command` runs to its end first. It alone is told the master user's login, by
        `DB_MASTER_USER` and `DB_MASTER_PASSWORD`; it makes the user `DB_USER` if there is none,
        puts a password into the secret `DB_SECRET_ARN` if that has none, gives the user its rights,
        and brings the schema up to date. Several tasks may start at once.

        The container is told `DB_PASSWORD_LIFETIME_SECONDS` besides what `allow_from` tells: a
        user may change its own password, and the task role may write to the secret, and to no
        other. The user's name is the service's. Raises `ValueError` if a variable has another value
        already.
        """
        if not 1 <= password_lifetime_days <= _LONGEST_LIFETIME_DAYS:
            raise ValueError(
                f"password_lifetime_days = {password_lifetime_days};"
                f" allowed: 1 to {_LONGEST_LIFETIME_DAYS}"
            )
        secret = self._login(service)
        service.add_environment(
            **self._place(prefix),
            **{
                f"{prefix}SECRET_ARN": secret.arn,
                f"{prefix}PASSWORD_LIFETIME_SECONDS": str(password_lifetime_days * _DAY_SECONDS),
            },
        )
        service.add_init_container(
            f"{self.node.id}-migration",
            command=migration_command,
            environment={
                **self._place(prefix),
                f"{prefix}SECRET_ARN": secret.arn,
                f"{prefix}USER": service.name,
            },
            secrets={
                f"{prefix}MASTER_USER": f"{self.secret_arn}:username::",
                f"{prefix}MASTER_PASSWORD": f"{self.secret_arn}:password::",
            },
        )
        return secret

    def keep_user(
        self, service: Annotated[FargateService, Doc("whose tasks may connect")]
    ) -> SecretsmanagerSecret:
        """Keeps the user of `add_user` for a service that has that of another database now.

        Tasks that were started before use it until they end, and those of a deployment that is
        rolled back begin with it; the service is told nothing of it. Returns the secret of its
        login.
        """
        service.task.execution_role.allow(
            Statement(actions=("secretsmanager:GetSecretValue",), resources=(self.secret_arn,))
        )
        return self._login(service)

    def _login(self, service: FargateService) -> SecretsmanagerSecret:
        """Lets a service connect, and read and write the secret of a login of its own."""
        self.open_to(service)
        secret = SecretsmanagerSecret(
            service,
            f"{self.node.id}-login",
            name=f"{service.name}-{self.node.id}",
            description=f"The PostgreSQL login of {service.service_name}",
            # What is lost with it is made anew by the next task; its name is free at once.
            recovery_window_in_days=0,
            # It goes after the tasks that use it.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        service.add_to_task_policy(
            Statement(
                actions=(
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ),
                resources=(secret.arn,),
            )
        )
        return secret

    def _place(self, prefix: str) -> dict[str, str]:
        return {
            f"{prefix}HOST": self.host,
            f"{prefix}PORT": str(self.port),
            f"{prefix}NAME": self.database_name,
        }
