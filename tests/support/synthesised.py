"""The synthesised JSON of a stack, and what the tests' environments are made from."""

from prod_e import testing

MINIMAL = """
name = "tiny-e"
[services.backend]
"""
"""The settings of an environment with nothing but defaults."""


class Synthesised(testing.Synthesised):
    """A stack's JSON, asked by type and meaning."""

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
