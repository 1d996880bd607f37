"""Images of another kind than any breast image, drawn by a seed: scenes, crops of photographs, screens, text, gradients, noise.

Half of the scenes and crops are grey, so that colour alone does not tell them. The photographs are the two that
scikit-learn carries.
"""

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_sample_images

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_WORDS = ("report", "patient", "total", "window", "file", "2026", "breast", "left", "result", "save", "page", "mm")


def draw_foreign_images(kind: str, count: int, seed: int) -> list[Pixels]:
    """Return `count` images of a kind of KINDS, uint8 (H, W, 3) or (H, W, 1), of varied sizes."""
    generator = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    return [KINDS[kind](generator) for _ in range(count)]


def _size(generator: np.random.Generator) -> tuple[int, int]:
    height, width = generator.integers(160, 720, 2)
    return int(height), int(width)


def _clouds(generator: np.random.Generator, height: int, width: int, roughness: float) -> Floats:
    """Return noise whose spectrum falls by frequency to the power of `roughness`, 0..1: what scenes in nature look like."""
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]) + 1 / max(height, width)
    phases = generator.normal(size=frequencies.shape) + 1j * generator.normal(size=frequencies.shape)
    field = np.fft.irfft2(phases * frequencies**-roughness, s=(height, width))
    low, high = np.quantile(field, [0.01, 0.99])
    clouds: Floats = np.clip((field - low) / (high - low), 0, 1)
    return clouds


def _scene(generator: np.random.Generator) -> Pixels:
    """Sky, ground and things of textured colours, some grey."""
    height, width = _size(generator)
    top, bottom = generator.integers(0, 256, (2, 3))
    share = np.linspace(0, 1, height)[:, None, None]
    image = (1 - share) * top + share * bottom + np.zeros((height, width, 3))
    image += 90 * (_clouds(generator, height, width, generator.uniform(0.8, 1.8))[..., None] - 0.5)
    for _ in range(generator.integers(3, 14)):
        mask = np.zeros((height, width), np.uint8)
        centre = (int(generator.integers(width)), int(generator.integers(height)))
        axes = tuple(int(value) for value in generator.integers(15, max(16, min(height, width) // 3), 2))
        if generator.random() < 0.5:
            cv2.ellipse(mask, centre, axes, float(generator.uniform(0, 180)), 0, 360, 1, -1)
        else:
            points = generator.normal(centre, axes, (int(generator.integers(3, 7)), 2)).astype(np.int32)
            cv2.fillPoly(mask, [points], 1)
        texture = _clouds(generator, height, width, generator.uniform(0.5, 2.0))[..., None] - 0.5
        thing = generator.integers(0, 256, 3) + generator.uniform(10, 120) * texture
        image = np.where(mask[..., None] > 0, thing, image)
    return _maybe_grey(generator, image)


def _photograph(generator: np.random.Generator) -> Pixels:
    """A crop of a real photograph, mirrored, brighter or darker, some grey."""
    photographs = load_sample_images().images
    whole = photographs[int(generator.integers(len(photographs)))]
    side = int(generator.integers(140, 420))
    top, left = (int(generator.integers(0, length - side)) for length in whole.shape[:2])
    part = whole[top : top + side, left : left + side].astype(np.float64)
    part = part[:, ::-1] if generator.random() < 0.5 else part
    return _maybe_grey(generator, 255 * (part / 255) ** generator.uniform(0.6, 1.6))


def _maybe_grey(generator: np.random.Generator, image: Any) -> Pixels:
    colour: Pixels = np.clip(image, 0, 255).astype(np.uint8)
    return cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)[..., None].astype(np.uint8) if generator.random() < 0.5 else colour


def _screen(generator: np.random.Generator) -> Pixels:
    """A window with bars, panels, lines of text and pictures."""
    height, width = (int(value) for value in generator.integers(400, 900, 2))
    image = np.full((height, width, 3), generator.integers(200, 256, 3), np.uint8)
    bar = int(generator.integers(20, 60))
    image[:bar] = generator.integers(0, 200, 3)
    image[:, : int(generator.integers(30, width // 3))] = generator.integers(60, 256, 3)
    for _ in range(generator.integers(2, 7)):
        left, top = int(generator.integers(0, width - 80)), int(generator.integers(bar, height - 60))
        right, bottom = left + int(generator.integers(60, width)), top + int(generator.integers(40, height))
        cv2.rectangle(image, (left, top), (right, bottom), _colour(generator), -1)
        cv2.rectangle(image, (left, top), (right, bottom), (90, 90, 90), 1)
    _write(generator, image, int(generator.integers(10, 50)))
    return image


def _page(generator: np.random.Generator) -> Pixels:
    """Dark text on light paper, or light on dark."""
    height, width = (int(value) for value in generator.integers(300, 900, 2))
    light = generator.random() < 0.8
    image = np.full((height, width, 3), 250 if light else 12, np.uint8)
    ink = (20, 20, 20) if light else (230, 230, 230)
    step = int(generator.integers(14, 34))
    for y in range(step, height, step):
        line = " ".join(generator.choice(_WORDS, int(generator.integers(2, 12))))
        cv2.putText(image, line, (12, y), cv2.FONT_HERSHEY_SIMPLEX, step / 40, ink, 1, cv2.LINE_AA)
    return image


def _write(generator: np.random.Generator, image: Pixels, lines: int) -> None:
    for _ in range(lines):
        at = (int(generator.integers(0, image.shape[1])), int(generator.integers(15, image.shape[0])))
        text = " ".join(generator.choice(_WORDS, int(generator.integers(1, 6))))
        cv2.putText(
            image, text, at, cv2.FONT_HERSHEY_SIMPLEX, float(generator.uniform(0.3, 0.8)), _colour(generator), 1
        )


def _colour(generator: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = generator.integers(0, 256, 3).tolist()
    return red, green, blue


def _gradient(generator: np.random.Generator) -> Pixels:
    height, width = _size(generator)
    angle = generator.uniform(0, 2 * np.pi)
    along = np.cos(angle) * np.linspace(0, 1, width)[None] + np.sin(angle) * np.linspace(0, 1, height)[:, None]
    along = (along - along.min()) / np.ptp(along)
    if generator.random() < 0.4:
        return np.asarray((255 * along)[..., None], np.uint8)
    one, other = generator.integers(0, 256, (2, 3))
    colour: Pixels = ((1 - along[..., None]) * one + along[..., None] * other).astype(np.uint8)
    return colour


def _noise(generator: np.random.Generator) -> Pixels:
    height, width = _size(generator)
    channels = int(generator.choice([1, 3]))
    mean, spread = generator.uniform(60, 190), generator.uniform(10, 90)
    noise = generator.normal(mean, spread, (height, width, channels))
    blur = float(generator.choice([0.0, 1.0, 2.0]))
    if blur:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur), float).reshape(height, width, channels)
    drawn: Pixels = np.clip(noise, 0, 255).astype(np.uint8)
    return drawn


KINDS: Mapping[str, Callable[[np.random.Generator], Pixels]] = {
    "scenes": _scene,
    "photographs": _photograph,
    "screens": _screen,
    "pages": _page,
    "gradients": _gradient,
    "noise": _noise,
}
