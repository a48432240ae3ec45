"""How AWS rewrites the policies that it is given."""

from typing import Any


def without_lists_of_one(value: Any) -> Any:
    """The value with each list of one text, below its statements, as that text alone.

    So S3 (https://github.com/hashicorp/terraform/pull/4278) and KMS
    (https://github.com/hashicorp/terraform/issues/13973) tell a policy.
    """
    if isinstance(value, dict):
        return {key: without_lists_of_one(each) for key, each in value.items()}
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], str):
            return value[0]
        return [without_lists_of_one(each) for each in value]
    return value
