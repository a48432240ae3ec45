"""What is typed is what a command does: each option arrives, and none is on that nobody typed."""

import asyncio
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prod_e_ops.cli import COMMANDS, app
from prod_e_ops.commands.infrastructure.deploy import DeployOptions
from prod_e_ops.commands.infrastructure.lock_providers import LockOptions
from prod_e_ops.commands.infrastructure.prove import ProveOptions
from prod_e_ops.commands.local.init import InitOptions
from prod_e_ops.demo.begin import Runtime
from prod_e_ops.images.image_plan import ImageOptions
from prod_e_ops.images.push.plan import PushOptions

CONTEXT = object()

NOTHING_TYPED: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "synth": ("write_stacks", (None,), {"as_json": False}),
    "plan": ("plan_stacks", (None,), {"as_json": False}),
    "deploy": (
        "deploy_environment",
        (None,),
        {
            "options": DeployOptions(
                images=ImageOptions(rebuild=False, move_followed=False),
                yes=False,
                takes_over=False,
                may_lose=frozenset(),
                as_json=False,
            )
        },
    ),
    "destroy": ("destroy_environment", (None,), {"yes": False, "as_json": False}),
    "prove": (
        "prove_environment",
        (None,),
        {"options": ProveOptions(embedded=False, record=False, yes=False, as_json=False)},
    ),
    "diagram": ("write_diagram", (None,), {"output": None, "as_json": False}),
    "providers lock": (
        "lock_providers",
        (),
        {"options": LockOptions(platforms=(), upgrade=False, environment=None, as_json=False)},
    ),
    "push api": (
        "push_image",
        (None, "api"),
        {
            "options": PushOptions(
                tags=(),
                release=None,
                platform=None,
                rebuild=False,
                yes=False,
                wait=False,
                as_json=False,
            )
        },
    ),
    "redeploy api": ("deploy_again", (None, "api"), {"as_json": False}),
    "rollback api": ("roll_back", ("api", None), {"to": None, "yes": False, "as_json": False}),
    "images api": (
        "show_or_prune",
        ("api", None),
        {"prune": False, "keep": 10, "yes": False, "as_json": False},
    ),
    "status": ("show_status", (None, None), {"wait": False, "as_json": False}),
    "init": (
        "write_settings",
        (None,),
        {"options": InitOptions(region=None, source=None, database=None, as_json=False)},
    ),
    "local": (
        "run_local",
        (None,),
        {
            "watch": False,
            "keep_data": False,
            "logs": True,
            "runtime": Runtime.AUTO,
            "as_json": False,
        },
    ),
    "demo": ("run_demo", (None,), {"keep": False, "runtime": Runtime.AUTO, "as_json": False}),
}

TYPED: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "synth -e tiny-e --json": ("write_stacks", ("tiny-e",), {"as_json": True}),
    "plan tiny-e --json": ("plan_stacks", ("tiny-e",), {"as_json": True}),
    "plan -e tiny-e": ("plan_stacks", ("tiny-e",), {"as_json": False}),
    "deploy tiny-e -y --json --allow-data-loss a.b --allow-data-loss c.d --rebuild": (
        "deploy_environment",
        ("tiny-e",),
        {
            "options": DeployOptions(
                images=ImageOptions(rebuild=True),
                yes=True,
                may_lose=frozenset({"a.b", "c.d"}),
                as_json=True,
            )
        },
    ),
    "deploy --environment tiny-e --move-latest --take-over": (
        "deploy_environment",
        ("tiny-e",),
        {
            "options": DeployOptions(
                images=ImageOptions(move_followed=True), takes_over=True, may_lose=frozenset()
            )
        },
    ),
    "destroy tiny-e --yes": ("destroy_environment", ("tiny-e",), {"yes": True, "as_json": False}),
    "destroy -e tiny-e --json": (
        "destroy_environment",
        ("tiny-e",),
        {"yes": False, "as_json": True},
    ),
    "prove tiny-e --embedded --record": (
        "prove_environment",
        ("tiny-e",),
        {"options": ProveOptions(embedded=True, record=True)},
    ),
    "prove -e tiny-e --yes --json": (
        "prove_environment",
        ("tiny-e",),
        {"options": ProveOptions(yes=True, as_json=True)},
    ),
    "prove --remove prove-1 --yes": (
        "remove_proof",
        ("prove-1",),
        {"options": ProveOptions(yes=True)},
    ),
    "diagram tiny-e -o a.svg --json": (
        "write_diagram",
        ("tiny-e",),
        {"output": Path("a.svg"), "as_json": True},
    ),
    "diagram -e tiny-e --output -": (
        "write_diagram",
        ("tiny-e",),
        {"output": Path("-"), "as_json": False},
    ),
    "providers lock --platform linux_amd64 --platform darwin_arm64 --upgrade": (
        "lock_providers",
        (),
        {"options": LockOptions(platforms=("linux_amd64", "darwin_arm64"), upgrade=True)},
    ),
    "providers lock -e tiny-e --json": (
        "lock_providers",
        (),
        {"options": LockOptions(environment="tiny-e", as_json=True)},
    ),
    "push api -e tiny-e -t a --tag b --release v1.2.3 --platform linux/arm64 --rebuild": (
        "push_image",
        ("tiny-e", "api"),
        {
            "options": PushOptions(
                tags=("a", "b"), release="v1.2.3", platform="linux/arm64", rebuild=True
            )
        },
    ),
    "push api --yes --wait": (
        "push_image",
        (None, "api"),
        {"options": PushOptions(yes=True, wait=True)},
    ),
    "push api --json": ("push_image", (None, "api"), {"options": PushOptions(as_json=True)}),
    "redeploy api -e tiny-e --json": ("deploy_again", ("tiny-e", "api"), {"as_json": True}),
    "rollback api -e tiny-e --to v1.2.3 --json": (
        "roll_back",
        ("api", "tiny-e"),
        {"to": "v1.2.3", "yes": False, "as_json": True},
    ),
    "rollback api -y": ("roll_back", ("api", None), {"to": None, "yes": True, "as_json": False}),
    "images api -e tiny-e --prune --keep 0": (
        "show_or_prune",
        ("api", "tiny-e"),
        {"prune": True, "keep": 0, "yes": False, "as_json": False},
    ),
    "images api --yes --json": (
        "show_or_prune",
        ("api", None),
        {"prune": False, "keep": 10, "yes": True, "as_json": True},
    ),
    "status api -e tiny-e --follow": (
        "show_status",
        ("api", "tiny-e"),
        {"wait": True, "as_json": False},
    ),
    "status --wait --json": ("show_status", (None, None), {"wait": True, "as_json": True}),
    "init tiny-e --region eu-west-1 --source web --database --json": (
        "write_settings",
        ("tiny-e",),
        {"options": InitOptions(region="eu-west-1", source="web", database=True, as_json=True)},
    ),
    "init -e tiny-e --no-database": (
        "write_settings",
        ("tiny-e",),
        {"options": InitOptions(database=False)},
    ),
    "local tiny-e --watch --no-logs --runtime docker": (
        "run_local",
        ("tiny-e",),
        {
            "watch": True,
            "keep_data": False,
            "logs": False,
            "runtime": Runtime.DOCKER,
            "as_json": False,
        },
    ),
    "local -e tiny-e --keep-data --json": (
        "run_local",
        ("tiny-e",),
        {
            "watch": False,
            "keep_data": True,
            "logs": True,
            "runtime": Runtime.AUTO,
            "as_json": True,
        },
    ),
    "demo tiny-e --keep --runtime process": (
        "run_demo",
        ("tiny-e",),
        {"keep": True, "runtime": Runtime.PROCESS, "as_json": False},
    ),
    "demo -e tiny-e --json": (
        "run_demo",
        ("tiny-e",),
        {"keep": False, "runtime": Runtime.AUTO, "as_json": True},
    ),
}


def module_of(typed: str) -> Any:
    return import_module(f"prod_e_ops.commands.{COMMANDS[typed.split()[0]].module}")


@pytest.mark.parametrize(
    ("typed", "work"), [pytest.param(*each, id=each[0]) for each in (NOTHING_TYPED | TYPED).items()]
)
def test_a_command_does_what_is_typed_and_no_more(
    typed: str,
    work: tuple[str, tuple[Any, ...], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("npm_lifecycle_event", raising=False)
    module, done = module_of(typed), []
    name, positional, named = work

    async def note(*given: object, **options: object) -> None:
        done.append((given, options))

    monkeypatch.setattr(module, name, note)
    monkeypatch.setattr(module, "run", lambda work: asyncio.run(work(CONTEXT)))
    ended = CliRunner().invoke(app, typed.split())
    assert ended.exit_code == 0, ended.output
    assert done == [((CONTEXT, *positional), named)]


@pytest.mark.parametrize(
    "command", ["plan", "deploy", "destroy", "prove", "diagram", "init", "local", "demo"]
)
def test_two_environments_are_one_too_many(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of(command)
    monkeypatch.setattr(module, "run", lambda work: asyncio.run(work(CONTEXT)))
    ended = CliRunner().invoke(app, [command, "tiny-e", "-e", "other-e"])
    assert "Two environments are named" in str(ended.exception)


def test_every_command_is_typed_here() -> None:
    assert {typed.split()[0] for typed in NOTHING_TYPED} == set(COMMANDS)
    assert {typed.split()[0] for typed in TYPED} == set(COMMANDS)
