"""The plain recipe, as most tutorials have it: float32, NCHW, decode and CLAHE every epoch, torchvision, DataLoader.

Prints one JSON line for each epoch or, with --steps, for the measured steps:
    python benchmarks/peer_plain.py --data DIR --architecture NAME --image-size S --batch-size N [--steps N | --epochs N]
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from breastai.domain.config import ModelSettings
from breastai.engine.network.models import build_model

MALIGNANT = "malignant"


class Images(Dataset[Any]):
    """Class folders, read anew at every access."""

    def __init__(self, root: Path, image_size: int, transform: object) -> None:
        self.classes = sorted(path.name for path in root.iterdir() if path.is_dir())
        self.files = [
            (path, number) for number, name in enumerate(self.classes) for path in sorted((root / name).iterdir())
        ]
        self.image_size, self.transform = image_size, transform
        self.clahe = cv2.createCLAHE(2.0, (8, 8))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.files[index]
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        image = cv2.resize(np.asarray(image), (self.image_size, self.image_size), interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
        lab[:, :, 0] = self.clahe.apply(lab[:, :, 0])
        return self.transform(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)), label  # type: ignore[operator]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--architecture", default="tf_efficientnet_lite0")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--target-auc", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    started = time.perf_counter()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    normalize = transforms.Normalize((0.5,) * 3, (0.5,) * 3)
    augment = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(10, (0.05, 0.05), (0.9, 1.1)),
            transforms.ColorJitter(0.15, 0.15),
            transforms.ToTensor(),
            normalize,
        ]
    )
    plain = transforms.Compose([transforms.ToTensor(), normalize])
    train = Images(given.data / "train", given.image_size, augment)
    val = Images(given.data / "val", given.image_size, plain)
    pretrained = "auto" if given.steps is None else "none"
    settings = ModelSettings(
        architecture=given.architecture, pretrained=pretrained, use_cbam=False, attention_pooling=False
    )
    model = build_model(settings, len(train.classes), download=False).model
    optimizer = torch.optim.AdamW(model.parameters(), given.learning_rate, weight_decay=0.01)
    loader = DataLoader(train, given.batch_size, shuffle=True, num_workers=2, drop_last=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, given.epochs * len(loader))
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    times: list[float] = []
    for epoch in range(1, given.epochs + 1):
        model.train()
        mark = time.perf_counter()
        for images, labels in loader:
            optimizer.zero_grad()
            loss_of(model(images), labels).backward()
            optimizer.step()
            schedule.step()
            now = time.perf_counter()
            times.append(now - mark)
            mark = now
            if given.steps is not None and len(times) >= given.steps:
                speed = given.batch_size / statistics.median(times[3:])
                print(json.dumps({"who": "plain", "images_per_second": speed}), flush=True)
                return
        auc = judge(model, val)
        print(json.dumps({"who": "plain", "epoch": epoch, "auc": auc, "s": time.perf_counter() - started}), flush=True)
        if given.target_auc is not None and auc >= given.target_auc:
            return


@torch.inference_mode()
def judge(model: torch.nn.Module, val: Images) -> float:
    """Return the AUC of malignant against the rest."""
    model.eval()
    scores, truth = [], []
    for images, labels in DataLoader(val, 16):
        scores += model(images).softmax(1)[:, val.classes.index(MALIGNANT)].tolist()
        truth += (labels == val.classes.index(MALIGNANT)).tolist()
    return float(roc_auc_score(truth, scores))


if __name__ == "__main__":
    main()
