"""A cross-validation on a Ray cluster of two nodes on this machine, beside the same one fold after the other.

    python benchmarks/ray_two_nodes.py --images 180 --side 128 --folds 4 --epochs 3

Needs the extra `cluster`. Three studies on made-up images: here; on two nodes of one processor each; and on two nodes
of which one is killed when a fold on it has done an epoch. It tells the seconds of each, where every fold was worked
on, and whether weights and pooled figures are those of the first: if not, the exit status is 1. Both nodes share this
machine's cores and its disk, so the time says what Ray costs, and what two cores give, not what two machines would.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import Config, parse_config
from breastai.domain.events import CrossvalComplete, Event, Log, StudyMemberChanged
from breastai.domain.jobs import Crossval
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.studies import read_study
from breastai.storage.workspace import Workspace
from breastai.worker import perform

STORE_BYTES = 80 * 2**20


def config_of(data: Path, asked: argparse.Namespace, cluster: str | None) -> Config:
    return parse_config(
        {
            "data": {
                "train_dir": str(data / "train"),
                "val_dir": str(data / "val"),
                "test_dir": None,
                "image_size": asked.side,
                "batch_size": 8,
                "num_workers": 1,
            },
            "model": {"architecture": "tf_efficientnet_lite0"},
            "training": {"epochs": asked.epochs, "use_amp": False},
            "crossval": {"folds": asked.folds, "ensemble": False},
            "system": {"num_threads": 1, "autotune": False, "cluster": cluster},
        }
    )


def on_two_nodes(place: Path, data: Path, asked: argparse.Namespace, kill: bool) -> tuple[float, Workspace, Event]:
    """Run the study on a cluster of its own, losing the second node when `kill`; the cluster's start is not counted."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE_BYTES},
    )
    try:
        second: Any = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        where: dict[str, str] = {}

        def watch(event: Event) -> None:
            if isinstance(event, Log) and event.code == "cluster.placed":
                where[str(event.params["run_id"])] = str(event.params["node"])
                print(f"    {event.message}", flush=True)
            if not kill or not cluster.worker_nodes or not isinstance(event, StudyMemberChanged):
                return
            if event.member.epoch == 1 and second.node_id[:8] in where[event.member.run_id]:
                print(f"    the node of {event.member.run_id} is killed", flush=True)
                cluster.remove_node(second, allow_graceful=False)

        return timed(place, config_of(data, asked, cluster.address), watch)
    finally:
        cluster.shutdown()


def timed(place: Path, config: Config, watch: Any = lambda event: None) -> tuple[float, Workspace, Event]:
    workspace = Workspace.open(place)
    began, last = time.monotonic(), None
    for event in perform(Crossval(workspace=str(workspace.root), study_id="study", config=config)):
        watch(event)
        last = event
    if not isinstance(last, CrossvalComplete):
        sys.exit(f"The study failed: {last}")
    return time.monotonic() - began, workspace, last


def shown(found: tuple[float, Workspace, Event]) -> tuple[object, list[str]]:
    """Return what the study showed: pooled figures, and the hash of each fold's weights."""
    _, workspace, last = found
    assert isinstance(last, CrossvalComplete)
    runs = [member.run_id for member in read_study(workspace, "study").members]
    return last.result, [read_manifest(checkpoint_files(workspace, run_id, "best")).sha256 for run_id in runs]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--images", type=int, default=90)
    options.add_argument("--side", type=int, default=64)
    options.add_argument("--folds", type=int, default=4)
    options.add_argument("--epochs", type=int, default=2)
    asked = options.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(root / "cache")
        write_sample_data(root / "data", per_class=asked.images // 3, seed=1, image_size=asked.side)
        here = timed(root / "here", config_of(root / "data", asked, None))
        print(f"here, one fold after the other: {here[0]:.1f} s", flush=True)
        different = False
        for name, kill in (("two nodes", False), ("two nodes, one killed", True)):
            print(f"{name}:", flush=True)
            found = on_two_nodes(root / name.replace(" ", "-"), root / "data", asked, kill)
            equal = shown(found) == shown(here)
            different = different or not equal
            print(f"  {found[0]:.1f} s; weights and pooled figures {'equal' if equal else 'DIFFERENT'}", flush=True)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
