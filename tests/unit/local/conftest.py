"""A project with one environment, whose service has a source of its own."""

from pathlib import Path

import pytest

from prod_e.settings import Environment, load_environment
from prod_e_ops.project.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    (folder / "environments").mkdir(parents=True)
    (folder / "environments" / "tiny-e.toml").write_text(
        'name = "tiny-e"\n[services.backend]\nsource = "app"\n'
    )
    (folder / "app" / "src").mkdir(parents=True)
    (folder / "app" / "Dockerfile").write_text("FROM scratch")
    (folder / "app" / "src" / "main.ts").write_text("first();\n")
    (folder / "cdktf.json").write_text("{}")
    return Project(folder, folder / "cdktf.out")


@pytest.fixture
def environment(project: Project) -> Environment:
    return load_environment(project.folder / "environments" / "tiny-e.toml")
