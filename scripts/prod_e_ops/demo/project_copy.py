"""A copy of the project that the demo may change, in a folder that goes away with it."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from prod_e_ops.project.project import Project

if TYPE_CHECKING:
    from prod_e.settings import Environment

_LEFT_OUT = frozenset({"cdktf.out", ".git", ".venv", ".cache", ".prove", "environments"})
_MADE_FROM_SOURCE = shutil.ignore_patterns("node_modules", "dist", ".cache", ".git", "coverage")


def copy_project(project: Project, environment: "Environment", folder: Path) -> Project:
    """Copies what is deployed: the app, the environment's settings, the sources of its services.

    All else is a link, where no service is made of the project's folder itself. State stays behind:
    what is deployed for real is not touched.
    """
    sources = {Path(environment.source_of(key)) for key in environment.services}
    parents = {source.parts[0] for source in sources if source.parts}
    for entry in project.folder.iterdir():
        if entry.name in _LEFT_OUT | parents or entry.name.startswith("terraform."):
            continue
        if entry.is_dir() and Path() in sources and entry.name != "node_modules":
            copy_source(entry, folder / entry.name)
        elif entry.is_dir():
            (folder / entry.name).symlink_to(entry, target_is_directory=True)
        else:
            # `main.py` looks for the rest beside itself, wherever a link leads.
            shutil.copy(entry, folder)
    settings = Path("environments") / Path(environment.file).name
    (folder / settings).parent.mkdir()
    shutil.copy(project.folder / settings, folder / settings)
    for source in sources - {Path()}:
        copy_source(project.folder / source, folder / source)
        packages = project.folder / source / "node_modules"
        if packages.is_dir():
            # PostgreSQL's programs may be there; no content and no image has them.
            (folder / source / "node_modules").symlink_to(packages, target_is_directory=True)
    return Project(folder, output_folder=folder / "cdktf.out")


def copy_source(source: Path, to: Path) -> None:
    """Copies the source of a service without what is made from it."""
    shutil.copytree(source, to, ignore=_MADE_FROM_SOURCE, dirs_exist_ok=True)
