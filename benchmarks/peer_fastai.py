"""fastai's fine_tune with the same images, split, sizes and packaged Lite0 weights; one JSON line an epoch.

fastai is no dependency of ours: install it beside (pip install fastai), then
    python benchmarks/peer_fastai.py --data DIR --epochs 10 [--target-auc 0.92]
"""

import argparse
import json
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--target-auc", type=float)
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
    settings = ModelSettings(architecture="tf_efficientnet_lite0", use_cbam=False, attention_pooling=False)
    model = build_model(settings, len(dls.vocab), download=False).model
    learner = Learner(
        dls,
        model,
        splitter=lambda whole: [params(whole.backbone), params(whole.head)],
        cbs=[Tell(given.target_auc)],
    )
    try:
        with learner.no_bar(), learner.no_logging():
            learner.fine_tune(given.epochs, given.learning_rate)
    except Stop:
        pass


if __name__ == "__main__":
    main()
