"""What a GPU changes, and what it must not: in under five minutes, beside the processor of the same machine.

    python benchmarks/gpu_check.py --data DIR [--device auto] [--seconds 280] [--checks NAME ...]

DIR holds train/ and val/. Each check is a command of BreastAI in a process of its own:

- found: the device that `system.device=auto` takes, by itself
- quick: the preset on that device and on the processor: seconds, peak memory, validation AUC
- half: bf16 and fp16 beside float32: seconds, peak memory, validation AUC
- resume: a run killed in its second epoch and resumed ends with the weights of one left alone
- export: the ONNX file gives the checkpoint's probabilities
- evaluation: the same checkpoint in float32 gives the same probabilities on both, to 1e-4 (of a run whose device is auto)
- memory: a batch that does not fit is cut, and the run ends
- torchrun: one process under torchrun, with NCCL where there is a GPU and gloo where not

Prints a JSON line for each check, and a last one with what failed; exit status 1 if anything did. `--device cpu` runs the
same code where there is no GPU. Checks that the time does not suffice for are named as `skipped`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLOSE = 1e-4
TINY = ("model.architecture=tiny_cnn", "model.pretrained=none", "data.image_size=64", "data.batch_size=16")

# How the process of a command begins: what it must pretend, and at its end what it took.
PRELUDE = """
import atexit, json, os, resource, sys
def tell():
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_available()
    row = {"type": "measured", "resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
           "gpu_gib": torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None}
    print(json.dumps(row), flush=True)
atexit.register(tell)
if os.environ.get("GPU_CHECK_HALF"):
    import torch
    torch.cuda.is_bf16_supported = lambda *rest: os.environ["GPU_CHECK_HALF"] == "bf16"
if os.environ.get("GPU_CHECK_SHARE"):
    import torch
    torch.cuda.set_per_process_memory_fraction(float(os.environ["GPU_CHECK_SHARE"]))
if os.environ.get("GPU_CHECK_BYTES"):
    resource.setrlimit(resource.RLIMIT_AS, (int(os.environ["GPU_CHECK_BYTES"]),) * 2)
from breastai.cli import main
sys.exit(main())
"""


class Failed(Exception):
    """A check found something else than it must."""


@dataclass
class Check:
    """The folder, the images and the device that all checks share, and the run that some of them judge."""

    workspace: Path
    data: Path
    device: str
    runs: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, **environment: str) -> list[dict[str, Any]]:
        """Return the events of a command; raise Failed with its error unless it ends well."""
        line = [sys.executable, "-c", PRELUDE, *words, "--workspace", str(self.workspace), "--json"]
        done = subprocess.run(line, capture_output=True, text=True, check=False, env=self._environment(environment))
        events = [json.loads(row) for row in done.stdout.splitlines() if row.startswith("{")]
        if done.returncode:
            told = [event["message"] for event in events if event["type"] == "error"]
            raise Failed(f"{words[0]}: {told or done.stderr[-1500:]}")
        return events

    def train(self, *settings: str, device: str | None = None, **environment: str) -> list[dict[str, Any]]:
        """Return the events of a training by the preset quick."""
        return self.run(*self.training(*settings, device=device), **environment)

    def training(self, *settings: str, device: str | None = None) -> list[str]:
        fixed = ("data.on_leak=group", f"system.device={device or self.device}", "system.seed=1")
        words = [word for setting in (*fixed, *settings) for word in ("--set", setting)]
        return ["train", "--data", str(self.data), "--preset", "quick", *words]

    def begin(self, words: list[str]) -> subprocess.Popen[str]:
        line = [sys.executable, "-c", PRELUDE, *words, "--workspace", str(self.workspace), "--json"]
        return subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=self._environment({}))

    def weights(self, run_id: str) -> dict[str, Any]:
        """Return the tensors of the run's last checkpoint."""
        from safetensors.numpy import load_file

        found = sorted((self.workspace / "checkpoints" / run_id).rglob("last*.safetensors"))
        if not found:
            raise Failed(f"no last checkpoint of {run_id}")
        tensors: dict[str, Any] = load_file(found[0])
        return tensors

    def images_to_judge(self) -> Path:
        return next(folder for name in ("test", "val") if (folder := self.data / name).is_dir())

    @staticmethod
    def _environment(more: dict[str, str]) -> dict[str, str]:
        return {**os.environ, "HF_HUB_OFFLINE": "1", **more}


def figures(events: list[dict[str, Any]], began: float) -> dict[str, Any]:
    """Return what a training came to: its run, seconds, the AUC of its best epoch, and memory."""
    updates = [event for event in events if event["type"] == "training_update"]
    aucs = [update["val_auc_roc"] for update in updates if update.get("val_auc_roc") is not None]
    measured = next(event for event in events if event["type"] == "measured")
    return {
        "run": next(event["run_id"] for event in events if event.get("run_id")),
        "seconds": round(time.perf_counter() - began, 1),
        "auc": max(aucs, default=None),
        "resident_gib": round(measured["resident_gib"], 2),
        "gpu_gib": None if measured["gpu_gib"] is None else round(measured["gpu_gib"], 2),
        "epochs": len(updates),
    }


def found(check: Check) -> dict[str, Any]:
    import torch

    from breastai.domain.system_settings import SystemSettings
    from breastai.engine.network.runtime import choose_runtime

    runtime = choose_runtime(SystemSettings(), "auto")
    on_gpu = torch.cuda.is_available()
    if (runtime.device.type == "cuda") != on_gpu:
        raise Failed(f"auto took {runtime.device}, CUDA available: {on_gpu}")
    return {
        "device": str(runtime.device),
        "dtype": runtime.describe_dtype(),
        "gpu": torch.cuda.get_device_name() if on_gpu else None,
        "torch": torch.__version__,
    }


def quick(check: Check) -> dict[str, Any]:
    rows = {}
    for device in dict.fromkeys((check.device, "cpu")):
        began = time.perf_counter()
        rows[device] = figures(check.train(device=device), began)
    check.runs["quick"] = rows[check.device]["run"]
    return rows


def half(check: Check) -> dict[str, Any]:
    rows = {}
    for name, amp in (("float32", "false"), ("bf16", "true"), ("fp16", "true")):
        began = time.perf_counter()
        rows[name] = figures(
            check.train(f"training.use_amp={amp}", **({} if amp == "false" else {"GPU_CHECK_HALF": name})), began
        )
    return rows


def resume(check: Check) -> dict[str, Any]:
    import numpy as np

    whole = figures(check.train(*TINY, "training.epochs=4", "training.recipe=plain"), time.perf_counter())["run"]
    process = check.begin(check.training(*TINY, "training.epochs=4", "training.recipe=plain"))
    run_id = None
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line) if line.startswith("{") else {}
        run_id = run_id or event.get("run_id")
        if event.get("type") == "training_update" and event.get("epoch") == 2:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    if run_id is None:
        raise Failed("the run to be killed told no epoch")
    check.run("resume", run_id)
    alone, resumed = check.weights(whole), check.weights(run_id)
    apart = max(float(np.abs(alone[name].astype(np.float64) - resumed[name]).max()) for name in alone)
    if apart > (0 if check.device == "cpu" else CLOSE):
        raise Failed(f"the weights differ by up to {apart}")
    return {"largest_difference": apart, "equal": apart == 0}


def judged_run(check: Check) -> str:
    """Return a run with trained weights, of the check `quick` where that was run."""
    if "quick" not in check.runs:
        check.runs["quick"] = figures(check.train(*TINY, "training.epochs=2"), time.perf_counter())["run"]
    return check.runs["quick"]


def export(check: Check) -> dict[str, Any]:
    events = check.run("export", judged_run(check), "--format", "onnx")
    row = next(event for event in events if event["type"] == "export_complete")
    return {name: row[name] for name in row if "difference" in name or name in ("path", "size_mb")}


def evaluation(check: Check) -> dict[str, Any]:
    import numpy as np

    run_id = judged_run(check)
    tables = []
    # A checkpoint is asked on the device of its manifest: auto, or what was named. Hidden, a GPU is not there for auto.
    for hidden in ({}, {"CUDA_VISIBLE_DEVICES": ""}):
        events = check.run("predict", run_id, str(check.images_to_judge()), **hidden)
        answers = {event["file"]: event["probabilities"] for event in events if event["type"] == "prediction"}
        tables.append(np.array([list(answers[path].values()) for path in sorted(answers)]))
    apart = float(np.abs(tables[0] - tables[-1]).max())
    if not len(tables[0]) or apart > CLOSE:
        raise Failed(f"{len(tables[0])} images, probabilities differ by up to {apart}")
    return {"images": len(tables[0]), "largest_difference": apart}


def memory(check: Check) -> dict[str, Any]:
    import torch

    if check.device != "cpu" and torch.cuda.is_available():
        share = 2 * 2**30 / torch.cuda.get_device_properties(0).total_memory
        limit = {"GPU_CHECK_SHARE": f"{share:.4f}"}
    else:
        limit = {"GPU_CHECK_BYTES": str(6 * 2**30)}
    events = check.train("data.batch_size=512", "training.epochs=1", "training.recipe=plain", **limit)
    cut = [event for event in events if event["type"] == "log" and "batch_cut" in (event.get("code") or "")]
    if not cut:
        raise Failed("a batch of 512 images was not cut under a limit of memory")
    return {"batches": [event["params"] for event in cut]}


def torchrun(check: Check) -> dict[str, Any]:
    settings = [*TINY, "training.epochs=1", "data.on_leak=group", f"system.device={check.device}"]
    words = ["--data", str(check.data), "--preset", "quick", "--workspace", str(check.workspace), "--json"]
    words += [word for setting in settings for word in ("--set", setting)]
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    began = time.perf_counter()
    done = subprocess.run(
        [*line, "-m", "breastai.commands.distributed", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TORCH_DISTRIBUTED_DEBUG": "INFO"},
    )
    if done.returncode or '"training_complete"' not in done.stdout:
        raise Failed(done.stderr[-1500:] or done.stdout[-1500:])
    return {"seconds": round(time.perf_counter() - began, 1)}


CHECKS: dict[str, Callable[[Check], dict[str, Any]]] = {
    check.__name__: check for check in (found, quick, export, evaluation, torchrun, resume, memory, half)
}


def results(check: Check, names: list[str], seconds: float) -> Iterator[dict[str, Any]]:
    """Yield a row for each check; those that come after `seconds` are skipped."""
    began = time.perf_counter()
    for name in names:
        if time.perf_counter() - began > seconds:
            yield {"check": name, "outcome": "skipped"}
            continue
        started = time.perf_counter()
        try:
            row = {"check": name, "outcome": "passed", **CHECKS[name](check)}
        except Failed as failure:
            row = {"check": name, "outcome": "failed", "why": str(failure)}
        yield {**row, "took_s": round(time.perf_counter() - started, 1)}


def main() -> int:
    """Run the checks; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--seconds", type=float, default=280, help="no check begins after these")
    parser.add_argument("--checks", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    asked = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as workspace:
        check = Check(Path(workspace), asked.data.resolve(), asked.device)
        for row in results(check, asked.checks, asked.seconds):
            print(json.dumps(row), flush=True)
            outcomes.append((row["check"], row["outcome"]))
    failed = [name for name, outcome in outcomes if outcome == "failed"]
    skipped = [name for name, outcome in outcomes if outcome == "skipped"]
    print(json.dumps({"failed": failed, "skipped": skipped}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
