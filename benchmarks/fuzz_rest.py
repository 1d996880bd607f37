"""Whether anything that the OpenAPI document allows, or forbids, is a fault of the REST door.

    python benchmarks/fuzz_rest.py --seconds 60 --seed 1

A server in a process of its own, in a temporary workspace; every operation in turn is asked by cases that schemathesis
makes from the document, of what it allows and of what it forbids, until the time is over. What comes back is held
against the document: no status of 500 or more, and a status, a content type and a body that it speaks of. Workers
end at once; with `--real-workers` they are those of a user. Prints one JSON object: how many cases, the statuses, each
kind of fault with an example, and the server's memory, open files and threads before and after; status 1 when there
was a fault.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import Any

import psutil
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok

CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
WORKER = """
import json, sys
for line in sys.stdin:
    job = json.loads(line)
    if "--light" in sys.argv:
        print(json.dumps({"type": "error", "code": "data.not_found", "message": "none", "params": {}}), flush=True)
    elif job.get("type") != "stop":
        print(json.dumps({"type": "job_stopped", "job": job["kind"]}), flush=True)
        break
"""
SERVER = """
import asyncio, sys
from breastai.server.app import Options, run_until_signal
from breastai.storage.workspace import Workspace
workspace, *worker = sys.argv[1:]
more = {"worker_command": worker} if worker else {}
options = Options(workspace=Workspace.open(workspace), port=0, rest_port=0, **more)
asyncio.run(run_until_signal(options, lambda server: print(server.rest_port, flush=True)))
"""
# It has no end.
PASSED_OVER = ("/events",)
WAIT_S = 2


def measured(process: psutil.Process) -> dict[str, Any]:
    """Return what the server holds now."""
    return {
        "memory_mb": round(process.memory_info().rss / 2**20, 1),
        "files": process.num_fds() if hasattr(process, "num_fds") else None,
        "threads": process.num_threads(),
    }


def fuzz(base_url: str, seconds: float, seed: int) -> tuple[dict[str, Counter[str]], dict[str, str]]:
    """Ask until the time is over; return the statuses by kind of case, and each kind of fault with an example."""
    load_all_checks()
    checks = CHECKS.get_by_names(CHECKED)
    schema = schemathesis.openapi.from_url(f"{base_url}/openapi.json")
    operations = [
        found
        for found in (each.ok() for each in schema.get_all_operations() if isinstance(each, Ok))
        if found.path not in PASSED_OVER
    ]
    statuses = {mode.value: Counter[str]() for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)}
    faults: dict[str, str] = {}
    over_at, turn = time.monotonic() + seconds, 0

    def ask(operation: Any, mode: GenerationMode, cases_seed: int, session: requests.Session) -> None:
        @seeded(cases_seed)
        @settings(
            max_examples=5,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: Any) -> None:
            if isinstance((case.query or {}).get("wait"), int | float):
                case.query["wait"] = min(case.query["wait"], WAIT_S)
            response = case.call(base_url=base_url, session=session, timeout=60)
            statuses[mode.value][str(response.status_code)] += 1
            try:
                case.validate_response(response, checks=checks)
            except (Failure, FailureGroup) as fault:
                sort = f"{case.method} {case.path}: {response.status_code} to a {mode.value} case"
                faults.setdefault(sort, str(fault)[:2000])

        holds()

    with requests.Session() as session:
        while True:
            for operation in operations:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    if time.monotonic() > over_at:
                        return statuses, faults
                    turn += 1
                    with contextlib.suppress(Unsatisfiable):  # there is nothing to forbid here
                        ask(operation, mode, seed * 1_000_003 + turn, session)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real-workers", action="store_true")
    arguments = parser.parse_args()
    worker = [] if arguments.real_workers else [sys.executable, "-c", WORKER]
    with tempfile.TemporaryDirectory() as workspace:
        server = subprocess.Popen([sys.executable, "-c", SERVER, workspace, *worker], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            process = psutil.Process(server.pid)
            before = measured(process)
            statuses, faults = fuzz(f"http://127.0.0.1:{port}", arguments.seconds, arguments.seed)
            after = measured(process)
        finally:
            server.terminate()
            server.wait(60)
    cases = {mode: sum(counts.values()) for mode, counts in statuses.items()}
    told = {"cases": cases, "statuses": statuses, "faults": faults, "before": before, "after": after}
    print(json.dumps(told, indent=1))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
