"""A service's source folder, read as its build reads it."""

import asyncio
from typing import TYPE_CHECKING

from prod_e.delivery.build_context import BuildContext, read_build_context
from prod_e_ops.project.project import Project

if TYPE_CHECKING:
    from prod_e.settings import Environment


async def read_source(
    project: Project, environment: "Environment", key: str, *, architecture: str | None = None
) -> BuildContext:
    """The build context of a service, hashed in a thread because it may be large.

    `key`: of the service in the settings. `architecture`: another one than the settings'.

    Raises `ValueError` for a folder that cannot be built, and `OSError`.
    """
    service = environment.services[key]
    return await asyncio.to_thread(
        read_build_context,
        project.folder / environment.source_of(key),
        architecture=architecture or service.architecture,
        build_args=service.build_args,
    )
