"""Changes of DB instances that wait for their maintenance window.

No window ever comes here: what waits does so until a request applies changes at once.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.ApplyImmediately.html
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

_WAITING: Mapping[str, str] = {
    "allocated_storage": "AllocatedStorage",
    "db_instance_class": "DBInstanceClass",
    "engine_version": "EngineVersion",
    "iops": "Iops",
    "multi_az": "MultiAZ",
    "storage_throughput": "StorageThroughput",
    "storage_type": "StorageType",
}
"""Arguments that wait, and what they are among an instance's pending values."""


def defer(instance: Any, arguments: MutableMapping[str, Any]) -> None:
    """Takes out of a request what is to wait, and adds what has waited to one that is not to wait.

    The parameter group of another major version is that of the instance once it has the version.
    """
    waiting: dict[str, Any] = vars(instance).setdefault("waiting", {})
    if arguments.get("apply_immediately"):
        for key, value in waiting.items():
            arguments.setdefault(key, value)
        waiting.clear()
    else:
        group = arguments.get("db_parameter_group_name")
        if group and _is_another_major(instance, arguments.get("engine_version")):
            waiting["db_parameter_group_name"] = arguments.pop("db_parameter_group_name")
        for key in _WAITING:
            value = arguments.pop(key, None)
            if value is None:
                continue
            if value == getattr(instance, key):
                waiting.pop(key, None)
            else:
                waiting[key] = value
    instance.pending_modified_values = {
        _WAITING[key]: value for key, value in waiting.items() if key in _WAITING
    }


def _is_another_major(instance: Any, version: str | None) -> bool:
    return bool(version) and version.split(".")[0] != instance.engine_version.split(".")[0]  # type: ignore[union-attr]
