"""Predictions: an answer for each image file, or the reason why there is none."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from breastai.data.decode import read_image
from breastai.domain.errors import ImageUnreadable
from breastai.domain.events import Prediction
from breastai.predictor.onnx_model import OnnxModel, Pixels

BATCH_SIZE = 16


def predictions(model: OnnxModel, files: Sequence[Path], name_of: Callable[[Path], str]) -> Iterator[Prediction]:
    """Yield one prediction for each file, in order; `name_of` says how a file is called in it."""
    for start in range(0, len(files), BATCH_SIZE):
        batch = files[start : start + BATCH_SIZE]
        images: list[Pixels] = []
        reasons: list[str | None] = []
        for file in batch:
            try:
                images.append(model.preprocess(read_image(file)))
                reasons.append(None)
            except ImageUnreadable as error:
                reasons.append(error.reason)
        answers = iter(model.predict(np.stack(images)).tolist() if images else [])
        for file, reason in zip(batch, reasons, strict=True):
            name = name_of(file)
            if reason is not None:
                yield Prediction(file=name, label=None, probabilities=None, error=reason)
                continue
            probabilities = dict(zip(model.class_names, next(answers), strict=True))
            label = max(probabilities, key=lambda class_name: probabilities[class_name])
            yield Prediction(file=name, label=label, probabilities=probabilities)
