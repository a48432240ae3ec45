"""Containers as ECS asks for them, in tests of what becomes of them with Docker."""

from typing import Any

from embedded_aws.data_plane.runtimes.runtime import Start

TASK_ARN = "arn:aws:ecs:us-west-2:123456789012:task/tiny-e/t1"


def start_of(**given: Any) -> Start:
    """One of the task `t1`; what is no argument of `Start` is of its container's definition."""
    arguments = {name: given.pop(name) for name in list(given) if name in Start.__annotations__}
    definition: Any = {"name": "web", "image": "app:latest", **given}
    return Start(
        **{
            "task_id": "t1",
            "task_arn": TASK_ARN,
            "definition": definition,
            "environment": {},
            "image_digest": None,
            "source_key": "same",
            "ports": {},
            "task_ports": {},
            "has_neighbours": False,
            **arguments,
        }
    )
