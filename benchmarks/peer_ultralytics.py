"""Ultralytics' classification trainer on the same network, images and size; one JSON line with images a second.

Ultralytics (AGPL) is no dependency of ours, and nothing of it is: `throughput.py` installs it in an environment apart.

    python benchmarks/peer_ultralytics.py --data DIR --architecture NAME --image-size 224 --batch-size 16 --steps 10
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from ultralytics.models.yolo.classify import ClassificationTrainer

from breastai.domain.config import ModelSettings
from breastai.engine.network.models import build_model


class Stop(Exception):
    """Enough steps are timed."""


class Network(nn.Module):
    """Our network as their trainer asks a model: a batch gives its loss, images give what its head says."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Identity()

    def forward(self, asked: "dict[str, Tensor] | Tensor") -> "tuple[Tensor, dict[str, Tensor]] | Tensor":
        if isinstance(asked, dict):
            return self.loss(asked)
        logits: Tensor = self.network(asked)
        return logits

    def loss(self, batch: dict[str, Tensor], preds: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        logits = self.network(batch["img"]) if preds is None else preds
        loss = nn.functional.cross_entropy(logits, batch["cls"])
        return loss, {"loss": loss.detach()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--image-size", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    classes = len([folder for folder in (given.data / "train").iterdir() if folder.is_dir()])
    settings = ModelSettings(
        architecture=given.architecture, pretrained="none", use_cbam=False, attention_pooling=False
    )
    times: list[float] = []
    mark = 0.0

    def begin(trainer: Any) -> None:
        nonlocal mark
        torch.set_num_threads(given.threads)  # it sets its own
        mark = mark or time.perf_counter()

    def tell(trainer: Any) -> None:
        nonlocal mark
        now = time.perf_counter()
        times.append(now - mark)
        mark = now
        if len(times) >= given.steps:
            raise Stop

    with tempfile.TemporaryDirectory() as folder:
        trainer = ClassificationTrainer(
            overrides={
                "model": "yolo11n-cls.yaml",  # not used: ours is set below
                "data": str(given.data),
                "imgsz": given.image_size,
                "batch": given.batch_size,
                "epochs": 1,
                "device": "cpu",
                "workers": 2,
                "project": folder,
                "plots": False,
                "val": False,
                "verbose": False,
            }
        )
        trainer.model = Network(build_model(settings, classes, download=False).model)
        trainer.add_callback("on_train_batch_start", begin)
        trainer.add_callback("on_train_batch_end", tell)
        with contextlib.suppress(Stop):
            trainer.train()
    speed = given.batch_size / statistics.median(times[3:])
    print(json.dumps({"who": "ultralytics", "images_per_second": speed}), flush=True)


if __name__ == "__main__":
    main()
