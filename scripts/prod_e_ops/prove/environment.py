"""A new environment to prove things with: the user's, under a name that nothing else has."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from prod_e_ops.demo.project_copy import copy_project
from prod_e_ops.errors import UserMistake
from prod_e_ops.project.project import Project

if TYPE_CHECKING:
    from prod_e.settings import Environment

FOLDER = ".prove"
"""Where proofs are kept in the project: each with its project, its state and its report."""

TAG = "Prove"
"""The tag of everything that a proof makes; its value is the environment's name."""

_NAMED = ("repository", "task_family", "container", "service", "log_group", "host")
_OF_A_DOMAIN = ("domain_name", "hosted_zone_id", "certificate_arn")


@dataclass(frozen=True, kw_only=True)
class ProofFolder:
    """A folder of one proof. `name`: the environment's."""

    name: str
    folder: Path

    @classmethod
    def new(cls, project: Project) -> "ProofFolder":
        """A name that nothing has yet; its folder is made by `copy`."""
        name = f"prove-{secrets.token_hex(3)}"
        return cls(name=name, folder=project.folder / FOLDER / name)

    @classmethod
    def of(cls, project: Project, name: str) -> "ProofFolder":
        """The one of that name; raises `UserMistake` if there is none."""
        known = sorted(path.name for path in (project.folder / FOLDER).glob("prove-*"))
        if name not in known:
            raise UserMistake(
                f"There is no proof {name!r} in {project.folder / FOLDER}.",
                next_step=f"Name one of {', '.join(known)}." if known else "There is none at all.",
            )
        return cls(name=name, folder=project.folder / FOLDER / name)

    @property
    def project(self) -> Project:
        """Its copy of the project, where Terraform's state is."""
        folder = self.folder / "project"
        return Project(folder, output_folder=folder / "cdktf.out")

    @property
    def scratch(self) -> Path:
        """Where the versions of the service are."""
        return self.folder / "versions"

    @property
    def answers(self) -> Path:
        """Where AWS's answers are kept."""
        return self.folder / "answers"

    def copy(
        self, project: Project, environment: "Environment", *, account: str, external: bool
    ) -> "Environment":
        """Copies the project with an environment like that one, and gives the new one.

        `account`: which it may be deployed to and no other. `external`: Terraform builds nothing.

        Raises `UserMistake` for an environment that needs what it does not make itself.
        """
        if environment.existing:
            there = ", ".join(environment.existing)
            raise UserMistake(
                f"{environment.name} uses what is there already ({there}), and a proof"
                " makes everything anew.",
                next_step="Name an environment without those keys, such as staging-e.",
            )
        # Terraform's state is in it.
        self.folder.mkdir(parents=True, mode=0o700)
        self.project.folder.mkdir()
        copy_project(project, environment, self.project.folder)
        given = self.project.folder / "environments" / Path(environment.file).name
        settings = proof_settings(
            given.read_text("utf-8"), name=self.name, account=account, external=external
        )
        given.unlink()
        (given.parent / f"{self.name}.toml").write_text(settings, "utf-8")
        return self.project.environment(self.name)


def proof_settings(toml: str, *, name: str, account: str, external: bool) -> str:
    """The settings of an environment, made those of a proof.

    It has names of its own, nothing that protects it, its state beside it, no domain, and nobody
    who is told by e-mail or may push.
    """
    document: Any = tomlkit.parse(toml)
    document["name"] = name
    document["account"] = account
    document.setdefault("tags", tomlkit.table())[TAG] = name
    document["state"] = {"kind": "local"}
    document.pop("delivery", None)
    for key, service in document["services"].items():
        for named in _NAMED:
            service.pop(named, None)
        service.setdefault("source", key)
        if external:
            service["build"] = "external"
    if "database" in document:
        document["database"] |= {"deletion_protection": False, "final_snapshot": False}
    balancer = document.setdefault("load_balancer", tomlkit.table())
    for named in _OF_A_DOMAIN:
        balancer.pop(named, None)
    balancer["deletion_protection"] = False
    document.setdefault("monitoring", tomlkit.table())["alarm_emails"] = []
    return tomlkit.dumps(document)
