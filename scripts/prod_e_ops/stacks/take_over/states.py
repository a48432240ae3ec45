"""What the states of a project hold: all of them, and not only those of one environment."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from prod_e_ops.aws.clients import aws_client, aws_errors
from prod_e_ops.aws.threads import in_thread
from prod_e_ops.errors import OpsError
from prod_e_ops.stacks.prepared import PreparedStacks
from prod_e_ops.terraform.parallel import for_each
from prod_e_ops.terraform.states.state import StateResource, resources_of

_LOCAL_STATES = "terraform.*.tfstate"
_KEYS_IN_A_BUCKET = "prod-e/"


async def held_ids(prepared: PreparedStacks) -> Mapping[str, str]:
    """The ids and ARNs of whatever is in a state of the project, and which state that is.

    Raises `OpsError` for a state that cannot be read: what it holds is then not known.
    """
    project = prepared.context.project
    away = [stack for stack in prepared.stacks if not stack.state_files]
    pulled = await for_each(away, prepared.terraform.resources)
    states = {stack.name: held for stack, held in zip(away, pulled, strict=True)}
    files = {stack.state_files[0].resolve() for stack in prepared.stacks if stack not in away}
    files |= {file.resolve() for file in project.folder.glob(_LOCAL_STATES)}
    for file in sorted(file for file in files if file.is_file()):
        states[file.name] = _parsed(file.read_text("utf-8"), file.name)
    # What another environment's file with a mistake says of its state cannot be known.
    others, _ = project.right_environments()
    buckets = {
        (state.bucket, state.region or environment.region)
        for environment in (prepared.environment, *others.values())
        if (state := environment.state).kind == "s3" and state.bucket
    }
    for bucket, region in sorted(buckets):
        with aws_errors(f"The states in the bucket {bucket} cannot be read"):
            states |= await in_thread(partial(_in_bucket, bucket, region))
    return {id: where for where, held in states.items() for id in ids_of(held)}


def ids_of(resources: Iterable[StateResource]) -> Iterator[str]:
    """The ids and ARNs of what a state holds, old halves of replacements too."""
    for resource in resources:
        yield from (resource.values[key] for key in ("id", "arn") if resource.values.get(key))


def _in_bucket(bucket: str, region: str) -> Mapping[str, Sequence[StateResource]]:
    s3, found = aws_client("s3", region=region), {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=_KEYS_IN_A_BUCKET)
    for key in (each["Key"] for page in pages for each in page.get("Contents", ())):
        if key.endswith(".tfstate"):
            where = f"s3://{bucket}/{key}"
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            found[where] = _parsed(body.decode(), where)
    return found


def _parsed(text: str, where: str) -> Sequence[StateResource]:
    try:
        state = json.loads(text) if text.strip() else {"resources": []}
    except ValueError:
        state = {}
    if "resources" not in state:
        raise OpsError(f"The state {where} cannot be read: it cannot be told what it holds.")
    return resources_of(state)
