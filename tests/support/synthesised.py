"""The synthesised JSON of a stack."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MINIMAL = """
name = "tiny-e"
[services.backend]
"""
"""The settings of an environment with nothing but defaults."""


@dataclass(frozen=True)
class Synthesised:
    """A stack's JSON, asked by type and meaning."""

    values: Mapping[str, Any]

    @property
    def text(self) -> str:
        return json.dumps(self.values)

    def all(self, type_name: str) -> list[dict[str, Any]]:
        return list(self.values["resource"].get(type_name, {}).values())

    def one(self, type_name: str, **arguments: object) -> dict[str, Any]:
        found = [
            resource
            for resource in self.all(type_name)
            if all(resource.get(key) == value for key, value in arguments.items())
        ]
        assert len(found) == 1, f"{len(found)} of {type_name} with {arguments}"
        return found[0]

    def reference(self, type_name: str, attribute: str, **arguments: object) -> str:
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

    def role_statements(self, name: str) -> list[dict[str, Any]]:
        """What the role with this name may do."""
        policy = json.loads(self.one("aws_iam_role_policy", name=name)["policy"])
        found: list[dict[str, Any]] = policy["Statement"]
        return found

    def variables(self, **arguments: object) -> dict[str, str]:
        """The plain variables of that container."""
        return {each["name"]: each["value"] for each in self.container(**arguments)["environment"]}

    def ingress(self) -> set[tuple[str, str, int]]:
        """Who may connect to whom: source, destination, port, by the security groups' names."""
        names = {
            f"${{aws_security_group.{key}.id}}": group["name"]
            for key, group in self.values["resource"]["aws_security_group"].items()
        }

        def name(group: str) -> str:
            return str(names.get(group, group))

        rules = set()
        for rule in self.all("aws_vpc_security_group_ingress_rule"):
            assert rule["from_port"] == rule["to_port"]
            source = name(rule.get("referenced_security_group_id") or rule["cidr_ipv4"])
            rules.add((source, name(rule["security_group_id"]), rule["from_port"]))
        back = {
            (name(rule["security_group_id"]), name(rule["referenced_security_group_id"]),
             rule["from_port"])
            for rule in self.all("aws_vpc_security_group_egress_rule")
            if "referenced_security_group_id" in rule
        }  # fmt: skip
        assert back == {rule for rule in rules if rule[0] != "0.0.0.0/0"}
        return rules

    def policies(self) -> Iterator[dict[str, Any]]:
        """Every statement of every IAM policy."""
        for resources in self.values.get("resource", {}).values():
            for resource in resources.values():
                for key in ("policy", "assume_role_policy"):
                    if key in resource and '"Statement"' in resource[key]:
                        yield from json.loads(resource[key])["Statement"]
