"""Reference answers a model carries: probabilities for phantoms that a seed draws, so that any copy can be checked.

No patient's pixels leave in a model: whoever has the file draws the same phantoms and compares.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from breastai.data.phantoms.phantom_dataset import phantom
from breastai.data.preprocessing.preprocess import preprocess
from breastai.domain.config import PreprocessingSettings
from breastai.domain.stored import Stored
from breastai.predictor.model_output import Answer, novelty_difference

COUNT = 16
SEED = 7
SIDE = 256
_KINDS = ("benign", "malignant", "normal")

Pixels = npt.NDArray[np.uint8]


class References(Stored):
    """What a model answered when it was exported. `images_sha256`: of the preprocessed phantoms.

    `allowed_novelty_difference` is relative.
    """

    seed: int = SEED
    side: int = Field(SIDE, ge=32, le=2048)
    images_sha256: str
    probabilities: list[Annotated[list[float], Field(min_length=1, max_length=1000)]] = Field(
        min_length=1, max_length=64
    )
    allowed_difference: float = Field(gt=0)
    novelty: list[float] | None = Field(None, max_length=64)
    allowed_novelty_difference: float = Field(1e-3, gt=0)


@dataclass(frozen=True)
class Replayed:
    """How far a copy of a model is from its references. `same_images`: whether the phantoms are the same to the bit."""

    count: int
    difference: float
    allowed: float
    changed: int
    same_images: bool
    novelty_agrees: bool = True

    @property
    def agrees(self) -> bool:
        return self.difference <= self.allowed and not self.changed and self.novelty_agrees  # a NaN does not agree


def reference_images(
    settings: PreprocessingSettings, image_size: int, count: int = COUNT, seed: int = SEED, side: int = SIDE
) -> Pixels:
    """Return the preprocessed phantoms of a seed, uint8 (count, image_size, image_size, 3)."""
    generator = np.random.default_rng(seed)
    drawn = (phantom(_KINDS[number % 3], generator, side)[..., None] for number in range(count))
    return np.stack([preprocess(image, settings, image_size) for image in drawn])


def references_for(
    images: Pixels, answer: Answer, allowed_difference: float, allowed_novelty_difference: float = 1e-3
) -> References:
    """Return what a model exported now should carry: its `answer` for the `images` of the seed."""
    return References(
        images_sha256=digest(images),
        probabilities=[[round(float(value), 7) for value in row] for row in answer.probabilities],
        allowed_difference=allowed_difference,
        novelty=None if answer.novelty is None else [float(f"{value:.7g}") for value in answer.novelty],
        allowed_novelty_difference=allowed_novelty_difference,
    )


def compare_references(references: References, images: Pixels, answer: Answer) -> Replayed:
    """Return how far the `answer` for `images` is from the references."""
    expected, found = np.array(references.probabilities), answer.probabilities
    difference = float(np.abs(expected - found).max())
    # A case whose two best classes lie within the allowed difference has no decision to change.
    best = np.sort(expected, axis=1)
    decided = best[:, -1] - best[:, -2] > references.allowed_difference
    changed = int(((expected.argmax(1) != found.argmax(1)) & decided).sum())
    same_images = digest(images) == references.images_sha256
    known = Answer(expected, None if references.novelty is None else np.array(references.novelty))
    apart = novelty_difference(known, answer)
    return Replayed(
        len(expected),
        difference,
        references.allowed_difference,
        changed,
        same_images,
        apart is None or apart <= references.allowed_novelty_difference,
    )


def digest(images: Pixels) -> str:
    return hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()
