"""The container definitions of a task."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prod_e.names import LOG_STREAM_PREFIX
from prod_e.service.arguments import ContainerHealthCheck

AGENT_FOLDERS = {"agent-state": "/var/lib/amazon", "agent-logs": "/var/log/amazon"}
"""Where the Systems Manager agent writes; the rest of the root file system stays read-only."""


@dataclass(frozen=True, kw_only=True)
class InitContainer:
    """A program of the same image that runs to its end before the container starts.

    `secrets`: of which the container itself sees none.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ContainerDefinition:
    """What one container is, without its plain variables, which others may still add to."""

    name: str
    image: str
    port: int | None
    secrets: Mapping[str, str]
    health_check: ContainerHealthCheck | None
    execute_command: bool
    tmp_mib: int | None
    log_group: str
    region: str

    def as_json(
        self, environment: Mapping[str, str], init_containers: Sequence[InitContainer] = ()
    ) -> str:
        """The definitions as ECS reads them, each in the order in which ECS gives it back.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
        """
        definition: dict[str, Any] = {
            "name": self.name,
            "image": self.image,
            "essential": True,
            "portMappings": [{"containerPort": self.port, "hostPort": self.port, "protocol": "tcp"}]
            if self.port
            else [],
            "environment": _environment(environment),
            "secrets": _secrets(self.secrets),
        }
        if init_containers:
            definition["dependsOn"] = [
                {"containerName": each.name, "condition": "SUCCESS"} for each in init_containers
            ]
        if self.health_check:
            definition["healthCheck"] = {
                "command": [literal(part) for part in self.health_check.command],
                "interval": self.health_check.interval_seconds,
                "timeout": self.health_check.timeout_seconds,
                "retries": self.health_check.retries,
                "startPeriod": self.health_check.start_period_seconds,
            }
        definition |= {
            "readonlyRootFilesystem": True,
            "linuxParameters": self._linux_parameters(),
            "mountPoints": [
                {"sourceVolume": volume, "containerPath": folder, "readOnly": False}
                for volume, folder in (AGENT_FOLDERS if self.execute_command else {}).items()
            ],
            "stopTimeout": 30,
            "logConfiguration": self._log_configuration(),
        }
        return json.dumps([definition, *map(self._init_definition, init_containers)])

    def _init_definition(self, container: InitContainer) -> dict[str, Any]:
        program, *arguments = map(literal, container.command)
        return {
            "name": container.name,
            "image": self.image,
            "essential": False,
            "entryPoint": [program],
            "command": arguments,
            "portMappings": [],
            "environment": _environment(container.environment),
            "secrets": _secrets(container.secrets),
            "readonlyRootFilesystem": True,
            "linuxParameters": self._linux_parameters(),
            "mountPoints": [],
            "logConfiguration": self._log_configuration(),
        }

    def _log_configuration(self) -> dict[str, Any]:
        return {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": self.log_group,
                "awslogs-region": self.region,
                "awslogs-stream-prefix": LOG_STREAM_PREFIX,
                # A log that cannot be delivered must not stop the service.
                "mode": "non-blocking",
                "max-buffer-size": "4m",
            },
        }

    def _linux_parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "initProcessEnabled": True,
            # Both lists, because ECS gives both back and the provider compares:
            # https://github.com/terraform-aws-modules/terraform-aws-ecs/issues/176
            "capabilities": {"add": [], "drop": ["ALL"]},
        }
        if self.tmp_mib:
            # On Fargate since January 2026:
            # https://aws.amazon.com/about-aws/whats-new/2026/01/amazon-ecs-tmpfs-mounts-aws-fargate-managed-instances/
            parameters["tmpfs"] = [
                {
                    "containerPath": "/tmp",  # noqa: S108 - the container's, not ours
                    "size": self.tmp_mib,
                    "mountOptions": ["nosuid", "nodev"],
                }
            ]
        return parameters


def _environment(variables: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": variables[name]} for name in sorted(variables)]


def _secrets(secrets: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "valueFrom": secrets[name]} for name in sorted(secrets)]


def literal(text: str) -> str:
    """The text as it is, where Terraform would read `${` and `%{` as the start of an expression."""
    return text.replace("${", "$${").replace("%{", "%%{")
