"""Secrets Manager."""

from typing import Any

from moto.secretsmanager.models import SecretsManagerBackend

from embedded_aws.control_plane.exchange import has_data_plane

_MOST_VERSIONS = 100
"""Without a label: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html."""


def apply() -> None:
    _the_current_version_is_the_one_with_the_label()
    if has_data_plane():
        _managed_secrets_rotate_with_their_database()


def _the_current_version_is_the_one_with_the_label() -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    update = SecretsManagerBackend.update_secret_version_stage

    def update_secret_version_stage(self: Any, **asked: Any) -> Any:
        answer = update(self, **asked)
        if asked["version_stage"] == "AWSCURRENT" and asked["move_to_version_id"]:
            secret = self.secrets[asked["secret_id"]]
            secret.default_version_id = asked["move_to_version_id"]
            without = [id for id, each in secret.versions.items() if not each["version_stages"]]
            for id in without[:-_MOST_VERSIONS]:
                del secret.versions[id]
        return answer

    SecretsManagerBackend.update_secret_version_stage = update_secret_version_stage


def _managed_secrets_rotate_with_their_database() -> None:
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_managed.html
    from embedded_aws.control_plane.rds import databases

    rotate = SecretsManagerBackend.rotate_secret

    def rotate_secret(self: Any, secret_id: str, *arguments: Any, **named: Any) -> Any:
        secret = self.secrets.get(secret_id)
        instance = databases.instance_of_secret(secret.arn) if secret else None
        if instance is None:
            return rotate(self, secret_id, *arguments, **named)
        databases.rotate(instance, version_id=named.get("client_request_token"))
        return secret.to_short_dict(version_id=instance.server.pending_version)

    SecretsManagerBackend.rotate_secret = rotate_secret
