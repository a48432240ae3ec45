"""Draws by a seed which faults strike, when, and in which deployments."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Self


class Kind(Enum):
    """What goes wrong; each member's value is what people read."""

    COMMAND_KILLED = "kill -9 of the command"
    TERRAFORM_KILLED = "kill -9 of Terraform"
    MACHINE_DIED = "kill -9 of everything"
    INTERRUPTED = "Ctrl-C"
    ANSWER_LOST = "answer lost"
    THROTTLED = "throttled"
    UNWELL = "HTTP 500 and 503"
    GARBAGE = "garbage as the answer"
    WEB_PAGE = "HTML as the answer"
    REFUSED = "connections refused"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is to be deployed: a service without a database, in one of some shapes.

    `larger`: its tasks have more processor and memory. `variable`: it has a variable.
    `per_zone`: each zone has a NAT gateway. `second`: a second service runs beside it.
    """

    larger: bool = False
    variable: bool = False
    per_zone: bool = False
    second: bool = False

    def toml(self, name: str) -> str:
        """The settings of an environment of that name."""
        lines = [
            f'name = "{name}"',
            "[network]",
            f'nat_gateways = "{"per_zone" if self.per_zone else "single"}"',
            "[load_balancer]",
            # They take the provider a minute, and are a bucket like any other.
            "access_logs = false",
            "deletion_protection = false",
            "[services.backend]",
            'build = "external"',
        ]
        lines += ["cpu_units = 512", "memory_mib = 1024"] if self.larger else []
        lines += ['environment = { COLOUR = "green" }'] if self.variable else []
        if self.second:
            lines += ["[services.reports]", 'source = "backend"', 'build = "external"']
            lines += ['path = "/reports/*"']
        return "\n".join(lines) + "\n"

    def fewest_changes_from(self, before: Self | None) -> int:
        """How many requests that change something AWS gets at least; None: for a new environment.

        Counted in deployments that nothing disturbed.
        """
        if before is None:
            return 90
        differing = {
            field.name
            for field in fields(self)
            if getattr(self, field.name) != getattr(before, field.name)
        }
        return sum(_FEWEST_CHANGES[name] for name in differing - {"larger", "variable"}) + 2 * bool(
            differing & {"larger", "variable"}
        )


_FEWEST_CHANGES = {"per_zone": 3, "second": 10}

_FEWEST_REQUESTS = {True: 250, False: 100}
"""How many AWS gets at least of the deployment of a new environment, and of a changed one."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What strikes a deployment.

    `number`: from 1 on. `kind`: what goes wrong. `target`: what is being deployed. `before`: what
    was there; None: nothing, the environment is new. `strikes_at`: the number of the request to
    AWS, from 1 on. `of_changes`: whether only those are counted that change something.
    `is_carried_out`: whether AWS does what that request asks. `request_count`: how many requests
    in a row AWS answers badly, within a minute. `seconds`: for how long no connection is taken.
    """

    number: int
    kind: Kind
    target: Target
    before: Target | None
    strikes_at: int
    of_changes: bool
    is_carried_out: bool
    request_count: int
    seconds: int


Life = Sequence[Fault]
"""The faults that strike one environment, in order: its first deployment, then changes of it."""

_MOST_CHANGES = 3


def draw(seed: int, count: int) -> Sequence[Life]:
    """So many faults, in lives of environments; no kind has two more than another."""
    chance = random.Random(seed)
    kinds: list[Kind] = []
    lives: list[list[Fault]] = []
    left = 0
    for number in range(1, count + 1):
        kinds = kinds or chance.sample(list(Kind), len(Kind))
        before: Target | None = None
        target = Target(**{field.name: chance.random() < 0.5 for field in fields(Target)})
        if left:
            left -= 1
            before = lives[-1][-1].target
            # To take a service away loses its log, which a deployment refuses to do by itself.
            target = replace(target, second=target.second or before.second)
            if target == before:
                target = replace(target, larger=not target.larger)
        else:
            lives.append([])
            left = chance.randint(0, _MOST_CHANGES)
        of_changes = chance.random() < 0.8
        fewest = (
            target.fewest_changes_from(before) if of_changes else _FEWEST_REQUESTS[before is None]
        )
        lives[-1].append(
            Fault(
                number=number,
                kind=kinds.pop(),
                target=target,
                before=before,
                strikes_at=chance.randint(1, fewest),
                of_changes=of_changes,
                is_carried_out=chance.random() < 0.5,
                request_count=chance.choice((1, 1, 2, 5, 20)),
                seconds=chance.randint(2, 20),
            )
        )
    return lives
