"""For tests of apps that use prod-e: what their stacks become, asked by type and meaning.

    from prod_e.testing import synthesise_settings, synthesised

    def test_tasks_may_send_to_the_queue() -> None:
        stacks = synthesise_settings("environments/prod-e.toml", extend=extend)
        statements = stacks["prod-e"].role_statements("prod-e-backend-task")
        assert any("sqs:SendMessage" in each["Action"] for each in statements)

    def test_the_web_service_has_a_port(app: App) -> None:
        stack = synthesised(WebService(app, "web-service"))
        assert stack.container()["portMappings"][0]["containerPort"] == 8080

No Terraform runs, and AWS is not asked.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdktf import TerraformStack

    from prod_e.app.synthesis import EnvironmentStacks


@dataclass(frozen=True)
class Synthesised:
    """A stack's Terraform JSON; `values` is all of it.

    https://developer.hashicorp.com/terraform/language/syntax/json
    """

    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        """All of it as one text."""
        return json.dumps(self.values)

    def all(self, type_name: str) -> list[dict[str, Any]]:
        """The arguments of every resource of a type, such as `aws_ecs_service`."""
        return list(self.values["resource"].get(type_name, {}).values())

    def one(self, type_name: str, **arguments: object) -> dict[str, Any]:
        """The arguments of the one resource of a type that has these.

        Raises `AssertionError` if there is none, or more than one.
        """
        found = [
            resource
            for resource in self.all(type_name)
            if all(resource.get(key) == value for key, value in arguments.items())
        ]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} of {type_name} with {arguments}")
        return found[0]

    def reference(self, type_name: str, attribute: str, **arguments: object) -> str:
        """What another resource says for an attribute of that one: `${type.name.attribute}`."""
        wanted = self.one(type_name, **arguments)
        named = self.values["resource"][type_name].items()
        name = next(name for name, resource in named if resource is wanted)
        return f"${{{type_name}.{name}.{attribute}}}"

    def container(self, **arguments: object) -> dict[str, Any]:
        """The essential container of the task definition with these arguments."""
        (found,) = [each for each in self.containers(**arguments) if each["essential"]]
        return found

    def containers(self, **arguments: object) -> list[dict[str, Any]]:
        """All containers of the task definition with these arguments."""
        definition = self.one("aws_ecs_task_definition", **arguments)
        found: list[dict[str, Any]] = json.loads(definition["container_definitions"])
        return found

    def variables(self, **arguments: object) -> dict[str, str]:
        """The plain variables of the essential container."""
        return {each["name"]: each["value"] for each in self.container(**arguments)["environment"]}

    def role_statements(self, name: str) -> list[dict[str, Any]]:
        """What the role with this name may do."""
        policy = json.loads(self.one("aws_iam_role_policy", name=name)["policy"])
        found: list[dict[str, Any]] = policy["Statement"]
        return found

    def policies(self) -> Iterator[dict[str, Any]]:
        """Every statement of every IAM policy."""
        for resources in self.values.get("resource", {}).values():
            for resource in resources.values():
                for key in ("policy", "assume_role_policy"):
                    if key in resource and '"Statement"' in resource[key]:
                        yield from json.loads(resource[key])["Statement"]


def synthesised(stack: "TerraformStack") -> Synthesised:
    """What a stack of anybody's app becomes; its own validations run before."""
    from cdktf import Testing

    return Synthesised(json.loads(Testing.synth(stack, True)))


def synthesise_settings(
    settings: str | Path,
    *,
    project_folder: str | Path = ".",
    extend: "Callable[[EnvironmentStacks], None]" = lambda _: None,
) -> Mapping[str, Synthesised]:
    """The stacks that a settings file becomes, by name, as `main.py` makes them.

    `project_folder`: what services' `source` is relative to. `extend`: that of `main.py`.

    Raises `SettingsError` for wrong settings.
    """
    from prod_e.app.synthesis import synthesise
    from prod_e.settings import load_environment

    environment = load_environment(Path(settings))
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "out"
        synthesise(
            [environment],
            project_folder=Path(project_folder),
            output_folder=output,
            extend=extend,
        )
        return {
            file.parent.name: Synthesised(json.loads(file.read_text("utf-8")))
            for file in (output / "stacks").glob("*/cdk.tf.json")
        }
