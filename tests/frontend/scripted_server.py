"""A server process whose worker plays a script, so that it can be killed: PORT WORKSPACE."""

import asyncio
import sys
from pathlib import Path

from breastai.server.app import Options, running_server
from breastai.storage.workspace import Workspace


async def main(port: int, workspace: Path) -> None:
    worker = [sys.executable, str(Path(__file__).with_name("scripted_worker.py"))]
    async with running_server(Options(workspace=Workspace.open(workspace), port=port, worker_command=worker)) as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
