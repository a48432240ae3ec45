"""Credentials of task roles are there when SDKs ask, and are not asked for each time."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from embedded_aws.data_plane.runtimes.docker.task_network import (
    BEHIND_VIRTUAL_MACHINE,
    SHARED,
    TaskNetwork,
)
from embedded_aws.data_plane.tasks.task_environment import TaskEnvironment

ROLE = "arn:aws:iam::123456789012:role/web"


class Sts:
    """Gives credentials that hold for some minutes, each time others."""

    def __init__(self, *, minutes: float = 60) -> None:
        self.minutes = minutes
        self.asked: list[str] = []

    def __call__(self, _: str) -> Any:
        return self

    def assume_role(self, **given: Any) -> Any:
        self.asked.append(given["RoleArn"])
        return {
            "Credentials": {
                "AccessKeyId": f"key {len(self.asked)}",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": datetime.now(UTC) + timedelta(minutes=self.minutes),
            }
        }


class Configuration:
    """Of a data plane that nothing is asked of."""

    endpoint_url = "http://127.0.0.1:1"
    region = "us-west-2"
    task_environment: Mapping[str, str] = MappingProxyType({})


async def begin(
    environment: TaskEnvironment, *, token: str, role: str = ROLE, network: TaskNetwork = SHARED
) -> dict[str, str]:
    definition: Any = {}
    return await environment.of(
        definition,
        ports={},
        network=network,
        role_arn=role,
        token=token,
        overrides={},
        image_digest=None,
    )


def environment_of(sts: Sts) -> TaskEnvironment:
    configuration: Any = Configuration()
    return TaskEnvironment(configuration, sts)


def test_they_are_there_before_a_task_asks_and_the_same_for_all_of_its_role() -> None:
    async def tasks() -> None:
        sts = Sts()
        environment = environment_of(sts)
        own = await begin(environment, token="first")
        assert own["AWS_CONTAINER_CREDENTIALS_FULL_URI"].endswith("/first")
        assert sts.asked == [ROLE]
        await begin(environment, token="second")
        found = [await environment.credentials(token) for token in ("first", "second")]
        assert [each and each["AccessKeyId"] for each in found] == ["key 1", "key 1"]
        assert sts.asked == [ROLE]

    asyncio.run(tasks())


def test_many_who_ask_at_once_cost_one_question() -> None:
    async def tasks() -> None:
        sts = Sts()
        environment = environment_of(sts)
        await asyncio.gather(*(begin(environment, token=str(number)) for number in range(20)))
        assert sts.asked == [ROLE]

    asyncio.run(tasks())


def test_each_role_has_its_own() -> None:
    async def tasks() -> None:
        environment = environment_of(Sts())
        await begin(environment, token="first")
        await begin(environment, token="second", role=f"{ROLE}-2")
        found = [await environment.credentials(token) for token in ("first", "second")]
        assert [each and each["RoleArn"] for each in found] == [ROLE, f"{ROLE}-2"]
        assert [each and each["AccessKeyId"] for each in found] == ["key 1", "key 2"]
        assert await environment.credentials("of nobody") is None

    asyncio.run(tasks())


@pytest.mark.parametrize(("minutes", "asked"), [(19, 3), (21, 1)])
def test_others_are_there_before_they_expire(minutes: float, asked: int) -> None:
    async def tasks() -> None:
        sts = Sts(minutes=minutes)
        environment = environment_of(sts)
        await begin(environment, token="first")
        for _ in range(2):
            await environment.credentials("first")
        assert len(sts.asked) == asked

    asyncio.run(tasks())


def test_a_task_that_does_not_share_loopback_has_them_as_variables() -> None:
    async def tasks() -> None:
        own = await begin(environment_of(Sts()), token="first", network=BEHIND_VIRTUAL_MACHINE)
        assert own["AWS_ACCESS_KEY_ID"] == "key 1"
        assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in own

    asyncio.run(tasks())


def test_a_task_begins_where_they_cannot_be_had_yet() -> None:
    class Away(Sts):
        def assume_role(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    async def tasks() -> None:
        own = await begin(environment_of(Away()), token="first")
        assert own["AWS_CONTAINER_CREDENTIALS_FULL_URI"].endswith("/first")

    asyncio.run(tasks())
