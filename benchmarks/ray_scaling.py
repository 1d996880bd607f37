"""Folds and trials by 1, 2 and 4 workers of a Ray cluster on this machine, and an audit by 1, 2 and 4 processes of ours.

    python benchmarks/ray_scaling.py [--workers 1 2 4] [--images 180] [--side 128] [--folds 4] [--trials 4] [--patches 6000]

Needs the extras `cluster` and `tune`. Each worker is one processor of a node, with one thread, so that counts differ in
nothing else; `here` is the same study without Ray, one fold or trial after the other. A study's weights and pooled figures
must be those of `here`, else the exit status is 1; trials may differ, for several under way know less of one another. The
cluster's start is not counted. Images are looked at by processes that nothing of Ray's takes part in: as many as there are
cores at most. Seconds by the clock, on made-up images and with nothing kept; run it on a quiet machine.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ray_two_nodes import STORE_BYTES, config_of, shown, timed

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import Config, overlay, parse_config
from breastai.domain.events import AuditDone, TuningComplete
from breastai.domain.jobs import Audit, Tune
from breastai.storage.workspace import Workspace
from breastai.worker import perform


def on_cluster(workers: int, study: Any) -> Any:
    """Return what `study` does with the address of a node of so many processors."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        return study(cluster.address)
    finally:
        cluster.shutdown()


def tuned(place: Path, config: Config, trials: int) -> float:
    workspace = Workspace.open(place)
    config = parse_config(overlay(config.model_dump(), {"tuning": {"trials": trials, "random_trials": trials}}))
    began = time.monotonic()
    *_, last = perform(Tune(workspace=str(workspace.root), study_id="study", config=config))
    if not isinstance(last, TuningComplete):
        sys.exit(f"The search failed: {last}")
    return time.monotonic() - began


def audited(place: Path, config: Config, data: Path) -> float:
    workspace = Workspace.open(place)
    began = time.monotonic()
    *_, last = perform(Audit(workspace=str(workspace.root), data=str(data), config=config))
    if not isinstance(last, AuditDone):
        sys.exit(f"The audit failed: {last}")
    return time.monotonic() - began


def write_patches(folder: Path, count: int) -> None:
    """Write patches of 50 x 50 in two classes, five of a patient, no two alike."""
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = generator.integers(60, 255, (6, 6, 3), dtype=np.uint8)
        patch = cv2.resize(coarse, (50, 50), interpolation=cv2.INTER_CUBIC)
        target = folder / "train" / ("benign", "malignant")[number // 5 % 2] / f"P{number // 5:06}_{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), patch)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    for name, value in (("images", 180), ("side", 128), ("folds", 4), ("epochs", 3), ("trials", 4), ("patches", 6000)):
        options.add_argument(f"--{name}", type=int, default=value)
    asked = options.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    different = False
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(root / "cache")
        data = root / "data"
        write_sample_data(data, per_class=asked.images // 3, seed=1, image_size=asked.side)
        timed(root / "first", config_of(data, asked, None))  # fills the cache that all the others find filled
        here = timed(root / "here", config_of(data, asked, None))
        print(f"folds here {here[0]:.1f} s", flush=True)
        for workers in asked.workers:
            place = root / f"folds-{workers}"
            found = on_cluster(workers, lambda address, place=place: timed(place, config_of(data, asked, address)))
            equal = shown(found) == shown(here)
            different = different or not equal
            print(f"folds by {workers}: {found[0]:.1f} s, {'equal' if equal else 'DIFFERENT'}", flush=True)
        print(f"trials here {tuned(root / 'tune', config_of(data, asked, None), asked.trials):.1f} s", flush=True)
        for workers in asked.workers:
            place = root / f"tune-{workers}"
            seconds = on_cluster(
                workers,
                lambda address, place=place: tuned(place, config_of(data, asked, address), asked.trials),
            )
            print(f"trials by {workers}: {seconds:.1f} s", flush=True)
        write_patches(root / "patches", asked.patches)
        for workers in asked.workers:
            os.environ["XDG_CACHE_HOME"] = str(root / f"cache-{workers}")
            config = parse_config(
                {
                    "data": {"train_dir": str(root / "patches/train"), "num_workers": workers},
                    "evaluation": {"patient_id": r"^(P\d+)_"},
                }
            )
            seconds = audited(root / f"audit-{workers}", config, root / "patches")
            print(f"audit of {asked.patches} by {workers}: {seconds:.1f} s", flush=True)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
