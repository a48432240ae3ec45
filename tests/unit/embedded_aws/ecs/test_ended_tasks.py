"""What is left of a task that has ended once ECS no longer asks for it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from embedded_aws.data_plane.configuration import Configuration
from embedded_aws.data_plane.tasks.tasks import Task, Tasks


@pytest.mark.parametrize("has_folder", [True, False])
@pytest.mark.parametrize("status", ["STOPPED", "RUNNING"])
def test_a_task_goes_with_its_folder_once_it_has_ended(
    tmp_path: Path, status: str, has_folder: bool
) -> None:
    configuration = Configuration(
        endpoint_url="http://127.0.0.1:1",
        account_id="123456789012",
        region="us-west-2",
        state_folder=tmp_path,
        cache_folder=tmp_path,
    )
    nothing: Any = None
    desired: Any = {"containers": []}

    async def work() -> None:
        tasks = Tasks(configuration, runtime_of=nothing, environment=nothing, logs=nothing)
        task = Task(desired=desired, folder=tmp_path / "tasks" / "1", status=status)
        if has_folder:
            (task.folder / "volume").mkdir(parents=True)
        tasks._tasks["arn:1"] = task
        tasks.follow({})
        assert task.stop_asked.is_set()
        assert ("arn:1" in tasks.report()) is (status == "RUNNING")
        assert task.folder.exists() is (has_folder and status == "RUNNING")

    asyncio.run(work())
