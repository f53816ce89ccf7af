"""`python3 -m reconciler.prober FILE [SOCKET]`: probes what the file says until SIGTERM; SIGHUP reads it again."""

import asyncio
import sys
from pathlib import Path

from reconciler.prober.docker import Docker
from reconciler.prober.prober import Prober


async def main() -> None:
    file, socket = (*sys.argv[1:], "/var/run/docker.sock")[:2]
    await Prober(Docker(socket), Path(file)).run()


asyncio.run(main())
