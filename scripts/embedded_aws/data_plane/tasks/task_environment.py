"""The environment of a task's containers: what its definition says, with secrets and credentials.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
"""

import asyncio
import json
import re
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.data_plane.aws import Clients
from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.runtimes.docker.task_network import LOOPBACK, TaskNetwork
from embedded_aws.data_plane.runtimes.runtime import StartError
from embedded_aws.protocol import Definition, Override

_SECRET_ARN_PARTS = 7
_RENEWED_BEFORE = timedelta(minutes=20)
"""Their end. SDKs ask for others up to fifteen minutes before it, until they get some:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html."""


@dataclass(frozen=True, kw_only=True)
class _Credentials:
    """Those of a role. `answer`: what the container credentials endpoint says."""

    expiration: datetime
    answer: dict[str, str]

    @property
    def is_about_to_expire(self) -> bool:
        return self.expiration - datetime.now(UTC) < _RENEWED_BEFORE


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class TaskEnvironment:
    """Makes the environment of containers, and hands out the credentials of task roles.

    `credentials_url`: where `credentials` is served.
    """

    def __init__(self, configuration: Configuration, clients: Clients) -> None:
        self._configuration = configuration
        self._clients = clients
        self._roles: dict[str, str] = {}
        self._credentials: dict[str, _Credentials] = {}
        self._asking = asyncio.Lock()
        self.credentials_url = ""

    async def of(
        self,
        definition: Definition,
        *,
        ports: Mapping[int, int],
        network: TaskNetwork,
        role_arn: str | None,
        token: str | None,
        overrides: Override,
        image_digest: str | None,
    ) -> dict[str, str]:
        """The variables of a container; raises `StartError` if a secret cannot be read.

        `ports`: the port of this machine for each container port; `PORT` becomes the first where
        tasks share this machine's network. `token`: of the task, for its credentials.
        `image_digest`: see `Start`.
        """
        own = {each["name"]: each["value"] for each in definition.get("environment") or ()}
        own |= {each["name"]: each["value"] for each in overrides.get("environment") or ()}
        for each in definition.get("secrets") or ():
            own[each["name"]] = await asyncio.to_thread(self._secret, each["valueFrom"])
        if ports and network.is_shared:
            own["PORT"] = str(next(iter(ports.values())))
        for name, value in self._configuration.task_environment.items():
            for placeholder, replacement in (
                ("{free_port}", str(free_port())),
                ("{listen_address}", LOOPBACK if network.is_shared else "0.0.0.0"),  # noqa: S104
                (
                    "{certificate_authority_file}",
                    str(self._configuration.certificate_authority_file),
                ),
                ("{image_digest}", image_digest or ""),
            ):
                value = value.replace(placeholder, replacement)
            own[name] = value
        own |= {
            "AWS_ENDPOINT_URL": self._configuration.endpoint_url.replace(LOOPBACK, network.machine),
            "AWS_REGION": self._configuration.region,
            "AWS_DEFAULT_REGION": self._configuration.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": ",".join(dict.fromkeys((LOOPBACK, "localhost", network.machine))),
        }
        if role_arn and token:
            self._roles[token] = role_arn
            if network.is_shared:
                own["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{self.credentials_url}/{token}"
                # So that they are there when it asks: SDKs wait for a second, and no longer.
                with suppress(BotoCoreError, ClientError):
                    await self.credentials(token)
            else:
                own |= await self._credentials_variables(token)
        return own

    def new_token(self) -> str:
        """By which a task asks for its role's credentials."""
        return secrets.token_urlsafe(24)

    async def credentials(self, token: str) -> dict[str, str] | None:
        """Credentials of the task role, as the container credentials endpoint gives them.

        Those of a role are the same for all of its tasks, until they are about to expire.
        """
        role_arn = self._roles.get(token)
        if role_arn is None:
            return None
        async with self._asking:
            kept = self._credentials.get(role_arn)
            if kept is None or kept.is_about_to_expire:
                kept = await asyncio.to_thread(self._assume, role_arn, token)
                self._credentials[role_arn] = kept
        return kept.answer

    async def _credentials_variables(self, token: str) -> dict[str, str]:
        """Credentials of the task role for those who do not share loopback.

        SDKs take a container credentials endpoint over HTTP nowhere else. These do not expire here.
        """
        # https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
        given = await self.credentials(token)
        assert given is not None
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["Token"],
        }

    def _assume(self, role_arn: str, token: str) -> "_Credentials":
        given = self._clients("sts").assume_role(RoleArn=role_arn, RoleSessionName=token[:32])[
            "Credentials"
        ]
        return _Credentials(
            expiration=given["Expiration"],
            answer={
                "RoleArn": role_arn,
                "AccessKeyId": given["AccessKeyId"],
                "SecretAccessKey": given["SecretAccessKey"],
                "Token": given["SessionToken"],
                # Exactly so: SDKs read no other form of it.
                "Expiration": f"{given['Expiration']:%Y-%m-%dT%H:%M:%SZ}",
            },
        )

    def _secret(self, value_from: str) -> str:
        """A secret's value. An ARN may name a key of the secret's JSON, a stage and a version."""
        try:
            if ":secretsmanager:" not in value_from:
                name = re.sub(r"^arn:[^/]*:parameter(?=/)|^arn:.*:parameter/", "", value_from)
                answer = self._clients("ssm").get_parameter(Name=name, WithDecryption=True)
                return str(answer["Parameter"]["Value"])
            parts = value_from.split(":")
            key, stage, version = [*parts[_SECRET_ARN_PARTS:], "", "", ""][:3]
            text: str = self._clients("secretsmanager").get_secret_value(
                SecretId=":".join(parts[:_SECRET_ARN_PARTS]),
                **({"VersionStage": stage} if stage else {}),
                **({"VersionId": version} if version else {}),
            )["SecretString"]
            return str(json.loads(text)[key]) if key else text
        except (ClientError, BotoCoreError, KeyError, ValueError) as error:
            raise StartError(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution"
                f" resource retrieval failed: unable to retrieve secret {value_from}: {error}"
            ) from None
