"""Whether anything leaves this machine during a whole session with the packaged weights. Needs strace (Linux).

    python benchmarks/watch_network.py

Every process is traced by the kernel, native code included: sample data, then a server, and through it a training, an
evaluation, an audit, an export, a report and a backup. Prints one JSON object: how many connections were made to this machine, and each address
beyond it, of which there should be none. Ends with status 1 if there was any.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

SESSION = """
import asyncio, sys
from pathlib import Path
from breastai.client import Client
from breastai.server.app import Options, running_server
from breastai.storage.workspace import Workspace

async def session(workspace):
    async with running_server(Options(workspace=Workspace.open(workspace), port=0)) as server:
        async with Client(f"ws://localhost:{server.port}") as client:
            small = {"data": {"image_size": 64}, "training": {"epochs": 2}, "system": {"autotune": False}}
            async for event in client.train({"data_path": "data", **small}, preset="quick"):
                if event.type == "model_loaded":
                    print("weights", event.weights, flush=True)
            await client.audit("data")
            await client.evaluate("data", split="test")
            await client.export()
            await client.report()
            await client.backup()
            await client.diagnostics()

asyncio.run(session(sys.argv[1]))
print("done")
"""
_ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")')


def traced(folder: Path, arguments: list[str]) -> str:
    """Run a Python program with every call about the network written down; return what it printed."""
    trace = folder / "trace"
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    done = subprocess.run(
        ["strace", "-ff", "-qq", "-e", calls, "-o", str(trace), sys.executable, *arguments],
        cwd=folder / "workspace",
        capture_output=True,
        text=True,
        timeout=3600,
    )
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def addresses(folder: Path) -> Counter[str]:
    """Return the addresses that were connected to or sent to, with how often."""
    found: Counter[str] = Counter()
    for path in folder.glob("trace.*"):
        for match in _ADDRESS.finditer(path.read_text(errors="replace")):
            found[match[2] or match[3]] += 1
    return found


def is_this_machine(address: str) -> bool:
    return address.startswith(("127.", "::ffff:127.")) or address == "::1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-class", type=int, default=18)
    arguments = parser.parse_args()
    if shutil.which("strace") is None:
        raise SystemExit("strace is needed, which sees what native code does too")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "workspace").mkdir()
        sample = ["-m", "breastai", "sample-data", "data", "--per-class", str(arguments.per_class)]
        said = traced(folder, sample)
        said = traced(folder, ["-c", SESSION, str(folder / "workspace")])
        found = addresses(folder)
        processes = len(list(folder.glob("trace.*")))
    elsewhere = {address: count for address, count in found.items() if not is_this_machine(address)}
    here = sum(found.values()) - sum(elsewhere.values())
    print(
        json.dumps(
            {"session": said.split(), "traced_threads": processes, "to_this_machine": here, "elsewhere": elsewhere}
        )
    )
    sys.exit(bool(elsewhere) or here == 0)


if __name__ == "__main__":
    main()
