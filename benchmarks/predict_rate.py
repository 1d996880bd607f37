"""How near `predict` comes to the decoder: images a second of decoding alone, of decoding and preparing, and of predictions.

Each with as many threads as cores, in turns over the same files, with a network of random weights.

    python benchmarks/predict_rate.py --from shared/data/busi [--images 1000] [--architecture tf_efficientnet_lite0] [--size 224]
"""

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import torch

from breastai.data.preprocessing.model_images import read_for
from breastai.data.preprocessing.preprocess import preprocess
from breastai.domain.config import ModelSettings, PreprocessingSettings
from breastai.domain.decision_rule import DecisionRule
from breastai.engine.network.models import build_model, normalize
from breastai.predictor.model_output import Answer
from breastai.predictor.predictions import predictions
from breastai.storage.control_groups import usable_cores


@dataclass(frozen=True, eq=False)
class Model:
    network: torch.nn.Module
    image_size: int
    preprocessing: PreprocessingSettings = field(default_factory=PreprocessingSettings)
    decision: DecisionRule = field(default_factory=DecisionRule)
    unit_rule: None = None
    class_names: tuple[str, ...] = ("benign", "malignant")

    @torch.inference_mode()
    def answer(self, images: np.ndarray) -> Answer:
        inputs = normalize(torch.from_numpy(images), (0.5,) * 3, (0.25,) * 3)
        return Answer(self.network(inputs).double().softmax(1).numpy(), None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--architecture", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--turns", type=int, default=2)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    settings = ModelSettings(architecture=chosen.architecture, pretrained="none")
    network = build_model(settings, 2, download=False, image_size=chosen.size).model.eval()
    model = Model(network, chosen.size)
    found = sorted(file for file in chosen.source.rglob("*") if file.suffix.lower() in (".png", ".jpg", ".dcm"))
    files = list(islice(cycle(found), chosen.images))

    def in_threads(each: Callable[[Path], object]) -> None:
        with ThreadPoolExecutor(usable_cores()) as pool:
            for _ in pool.map(each, files):
                pass

    def decode(file: Path) -> None:
        read_for(file, model.preprocessing)

    def prepare(file: Path) -> None:
        preprocess(read_for(file, model.preprocessing).pixels, model.preprocessing, model.image_size)

    def compute() -> None:
        batch = np.zeros((8, chosen.size, chosen.size, 3), np.uint8)
        for _ in range(0, len(files), 8):
            model.answer(batch)

    steps: dict[str, Callable[[], object]] = {
        "decode": lambda: in_threads(decode),
        "decode and prepare": lambda: in_threads(prepare),
        "network alone": compute,
        "predictions": lambda: [*predictions(model, files, str)],  # type: ignore[arg-type]
    }
    for turn in range(chosen.turns):
        for name, step in steps.items():
            began, processor = time.monotonic(), sum(os.times()[:2])
            step()
            wall, processor = time.monotonic() - began, sum(os.times()[:2]) - processor
            rates = f"{len(files) / wall:7.1f} images/s  {1000 * processor / len(files):6.1f} ms of a processor each"
            print(f"{turn + 1}  {name:20}  {rates}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
