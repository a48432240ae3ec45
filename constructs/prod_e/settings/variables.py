"""What a service's containers are told: variables, secrets and commands."""

import re
from collections.abc import Iterator, Mapping, Sequence

from prod_e.settings.fields import Mistake
from prod_e.settings.secrecy import looks_secret

RESERVED_VARIABLES = frozenset(
    {
        "PORT",
        "DB_HOST",
        "DB_PORT",
        "DB_NAME",
        "DB_SECRET_ARN",
        "DB_CONNECTIONS_MAX",
        "DB_PASSWORD_LIFETIME_SECONDS",
        "DB_USER",
        "DB_MASTER_USER",
        "DB_MASTER_PASSWORD",
    }
)
"""Environment variables that prod-e itself gives to every container."""

NAME_OF_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BYTES_OF_A_VARIABLE = 32
_MOST_BYTES_OF_TEXTS = 60_000
_MOST_BYTES_OF_ARNS = 9_000
"""Of the 10,240 that a role's inline policies may have:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
ARN_OF_SECRETS_MANAGER = (
    r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9_/+=.@!-]+"
    r"-[A-Za-z0-9]{6}"
)
_ARN_OF_SECRET = re.compile(
    rf"^({ARN_OF_SECRETS_MANAGER}(:[\w.-]*:(?P<stage>[\w.-]*):(?P<version>[\w.-]*))?"
    r"|arn:aws[a-z-]*:ssm:[a-z0-9-]+:\d{12}:parameter/[\w./-]+)$",
    re.ASCII,
)


def variable_mistakes(
    *,
    environment: Mapping[str, str],
    secrets: Mapping[str, str],
    secrets_kms_key_arns: Sequence[str],
    commands: Mapping[str, Sequence[str]],
) -> Iterator[Mistake]:
    """What is wrong with what a service's containers are told.

    `environment`, `secrets` and `secrets_kms_key_arns`: as in the settings. `commands`: the
    programs that run in containers, with their arguments, by the key of the settings.
    """
    for name, value in environment.items():
        yield from _name_mistakes(f"environment.{name}", name)
        if looks_secret(name, value):
            yield (
                f"environment.{name}",
                "looks like a secret, and environment variables are readable in the plan, the"
                " state and the console; give its ARN in `secrets` instead",
            )
    for key, words in commands.items():
        if any(looks_secret("", word) for word in words):
            yield (
                key,
                "has what looks like a secret in it, and commands are readable in the plan, the"
                " state and the console; give its ARN in `secrets` and name the variable here",
            )
    yield from _size_mistakes(
        variables=[*environment.items(), *secrets.items()],
        arns={*secrets.values(), *secrets_kms_key_arns},
        words=[word for words in commands.values() for word in words],
    )
    for name, arn in secrets.items():
        yield from _name_mistakes(f"secrets.{name}", name)
        if name in environment:
            yield f"secrets.{name}", "is set in `environment` too; keep one of the two"
        named = _ARN_OF_SECRET.fullmatch(arn)
        if not named:
            # The value is not repeated: a mistaken entry may well be the secret itself.
            yield (
                f"secrets.{name}",
                "is not the whole ARN of a Parameter Store parameter or of a Secrets Manager"
                " secret, which ends in a hyphen and six random characters; behind it may be"
                " :key:stage:version, each of which may be empty",
            )
        elif named["stage"] and named["version"]:
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
            yield f"secrets.{name}", "has a stage and a version; ECS takes one of the two"


def _size_mistakes(
    *, variables: Sequence[tuple[str, str]], arns: set[str], words: Sequence[str]
) -> Iterator[Mistake]:
    size = sum(len(f"{n}{v}".encode()) + _BYTES_OF_A_VARIABLE for n, v in variables)
    size += sum(len(word.encode()) for word in words)
    if size > _MOST_BYTES_OF_TEXTS:
        yield (
            "environment",
            f"and secrets have, with the commands, {size:,} bytes; AWS takes a task definition of"
            f" 64 KiB, which has room for {_MOST_BYTES_OF_TEXTS:,}",
        )
    size = sum(len(arn) + 3 for arn in arns)
    if size > _MOST_BYTES_OF_ARNS:
        yield (
            "secrets",
            f"have, with the KMS keys, ARNs of {size:,} bytes; AWS takes {_MOST_BYTES_OF_ARNS:,} in"
            " a role's policy: keep several values in one secret",
        )


def _name_mistakes(key: str, name: str) -> Iterator[Mistake]:
    if not NAME_OF_VARIABLE.fullmatch(name):
        yield key, "is not a variable's name; allowed: letters, digits and underscores"
    if name in RESERVED_VARIABLES:
        yield key, "is set by prod-e itself; leave it out"
