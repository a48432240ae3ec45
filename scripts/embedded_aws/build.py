"""`python -m embedded_aws.build FOLDER`: builds a source folder before its first task needs it."""

import argparse
import asyncio
import sys
from pathlib import Path

from embedded_aws.data_plane.runtimes.sources import BuildError, Sources
from embedded_aws.data_plane_process import default_cache_folder


def main(arguments: list[str] | None = None) -> int:
    """Builds it into the cache that tasks are started from, and prints the digest of its content.

    The exit status is 1 if the build fails.
    """
    parser = argparse.ArgumentParser(prog="python -m embedded_aws.build", description=__doc__)
    parser.add_argument("folder", type=Path, help="a Node.js project, see --source")
    parser.add_argument("--cache-folder", type=Path, default=default_cache_folder())
    given = parser.parse_args(arguments)
    try:
        print(asyncio.run(_build(given.folder, Sources(given.cache_folder))))
    except (BuildError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _build(folder: Path, sources: Sources) -> str:
    digest = await sources.snapshot(folder)
    await sources.build(digest)
    return digest


if __name__ == "__main__":
    sys.exit(main())
