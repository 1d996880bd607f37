"""A connection to a Ray cluster: reached, or started on this machine; what its nodes have; and its end."""

import contextlib
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from breastai.domain.errors import ClusterUnreachable, MissingExtra
from breastai.domain.system_settings import SystemSettings

_REACHED_WITHIN_S = 5.0
HEAD = "node:__internal_head__"  # the resource that only the cluster's head has


def needs(nodes: Sequence[dict[str, Any]], system: SystemSettings) -> dict[str, float]:
    """Return what a member asks Ray for: system.num_threads processors, at most those of the largest node.

    Where nodes have GPUs and system.device allows them, one GPU and the processors that belong to it.
    """
    there = [node["Resources"] for node in nodes if node["Alive"]]
    with_gpu = [node for node in there if node.get("GPU")] if system.device in ("auto", "cuda") else []
    shares = [node.get("CPU", 0.0) / node["GPU"] for node in with_gpu] or [node.get("CPU", 0.0) for node in there]
    processors = float(max(1, min(system.num_threads, int(max(shares, default=1.0)))))
    return {"num_cpus": processors, "num_gpus": 1.0} if with_gpu else {"num_cpus": processors}


def room(nodes: Sequence[dict[str, Any]], needed: dict[str, float]) -> int:
    """Return how many members with those needs the nodes have room for at once, at least one."""
    kinds = {"num_cpus": "CPU", "num_gpus": "GPU"}
    there = [node["Resources"] for node in nodes if node["Alive"]]
    return max(
        1, sum(min(int(node.get(kinds[kind], 0.0) // share) for kind, share in needed.items()) for node in there)
    )


@contextlib.contextmanager
def connect_cluster(address: str) -> Iterator[ModuleType]:
    """Connect to a cluster, or start one on this machine, until the end of the block."""
    check_cluster(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    local = address == "local"
    with _own_token() if local else contextlib.nullcontext():
        import ray

        own = {"include_dashboard": False} if local else {}
        try:
            with _signals_kept():
                ray.init(address, log_to_driver=False, configure_logging=False, **own)
                # What it says of lost nodes would go to stdout, where a command's events are; we say it ourselves.
                ray._private.worker._worker_logs_enabled = False
        except ImportError as error:
            raise MissingExtra(error.name or "grpcio", "cluster") from None
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise ClusterUnreachable(address, reason_of(error)) from error
        try:
            yield ray
        finally:
            with _signals_kept():
                ray.shutdown()


@contextlib.contextmanager
def _own_token() -> Iterator[None]:
    """Start Ray's processes so that they answer nobody else: by a token of their own, which no file keeps.

    They listen on all of this machine's addresses, whatever Ray is told. Ray reads this when it is imported; one that
    was imported before does as it always does, with a token in the user's home.
    """
    if "ray" in sys.modules or any(name.startswith("RAY_AUTH_") for name in os.environ):
        yield
        return
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    try:
        yield
    finally:
        del os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"]


def check_cluster(address: str) -> None:
    """Raise MissingExtra without Ray; ClusterUnreachable unless something listens at `address`.

    Ray itself would try for a minute and then end the process.
    """
    if find_spec("ray") is None:
        raise MissingExtra("ray", "cluster")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACHED_WITHIN_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterUnreachable(address, str(error)) from None


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep what this process does on signals: Ray's own way would end it before it has saved anything."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def reason_of(error: Exception) -> str:
    """Return the line that says what happened: the first, or of a chain of faults the last."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if lines[0].rstrip().endswith(":") else 0].strip()[:300]
