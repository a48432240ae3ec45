"""What any state of the project holds is nobody else's to take over."""

import asyncio
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from prod_e.settings import load_environment
from prod_e_ops.project.project import Project
from prod_e_ops.stacks.take_over import states
from prod_e_ops.terraform.states.state import resources_of

KEY = "prod-e/other-e/other-e.tfstate"


def state(id: str) -> bytes:
    resource = {"mode": "managed", "type": "aws_vpc", "name": "it"}
    return json.dumps(
        {"resources": [{**resource, "instances": [{"attributes": {"id": id}}]}]}
    ).encode()


def test_of_environments_whose_files_are_right_even_where_another_file_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    service = '[services.backend]\nbuild = "external"\n'
    for name, text in {
        "tiny-e": f'name = "tiny-e"\n{service}',
        "other-e": f'name = "other-e"\n[state]\nkind = "s3"\nbucket = "other-states"\n{service}',
        "wrong-e": "name = 1\n",
    }.items():
        (folder / f"{name}.toml").write_text(text)
    (tmp_path / "terraform.tiny-e.tfstate").write_bytes(state("vpc-here"))

    s3 = boto3.client(
        "s3", region_name="us-west-2", aws_access_key_id="-", aws_secret_access_key="-"
    )
    monkeypatch.setattr(states, "aws_client", lambda service, region: s3)
    held = state("vpc-there")
    with Stubber(s3) as stubber:
        stubber.add_response(
            "list_objects_v2",
            {"Contents": [{"Key": KEY}]},
            {"Bucket": "other-states", "Prefix": "prod-e/"},
        )
        stubber.add_response(
            "get_object",
            {"Body": StreamingBody(io.BytesIO(held), len(held))},
            {"Bucket": "other-states", "Key": KEY},
        )
        prepared: Any = SimpleNamespace(
            context=SimpleNamespace(project=Project(tmp_path, tmp_path / "cdktf.out")),
            stacks=(),
            terraform=SimpleNamespace(resources=None),
            environment=load_environment(folder / "tiny-e.toml"),
        )
        found = asyncio.run(states.held_ids(cast("Any", prepared)))
    assert found == {
        "vpc-here": "terraform.tiny-e.tfstate",
        "vpc-there": f"s3://other-states/{KEY}",
    }


def test_a_state_holds_also_the_old_half_of_a_replacement_and_no_data_source() -> None:
    state = {
        "resources": [
            {
                "mode": "managed",
                "type": "aws_vpc",
                "name": "it",
                "instances": [
                    {"attributes": {"id": "new", "arn": "arn:new"}},
                    {"deposed": "00000000", "attributes": {"id": "old"}},
                ],
            },
            {"mode": "data", "instances": [{"attributes": {"id": "read"}}]},
        ]
    }
    assert list(states.ids_of(resources_of(state))) == ["new", "arn:new", "old"]
