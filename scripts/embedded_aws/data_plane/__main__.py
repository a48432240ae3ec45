"""The data plane's process: `python -m embedded_aws.data_plane`.

Its configuration is in the variable `EMBEDDED_AWS_CONFIGURATION`. It ends, and everything that it
runs with it, when its standard input closes; killed, it leaves what it runs to the next one for ten
seconds. Without a control plane it goes on as it was last told to, for as long.
"""

import asyncio
import os

from embedded_aws.data_plane.configuration import Configuration


def main() -> None:
    """Runs until standard input closes."""
    configuration = Configuration.from_json(os.environ.pop("EMBEDDED_AWS_CONFIGURATION"))
    # At once: what an earlier data plane started waits for it.
    configuration.heartbeat.touch()
    from embedded_aws.data_plane.agent import DataPlane

    async def run() -> None:
        await DataPlane(configuration).run()

    asyncio.run(run())
    # A thread that still reads standard input would hold everything up.
    os._exit(0)


if __name__ == "__main__":
    main()
