"""A simple scanner: maps of echo strength and attenuation to an image with the speckle of ultrasound.

Many scatterers in each resolution cell add up to a complex Gaussian field, which the point-spread function
smooths; its magnitude, the envelope, is Rayleigh-distributed (Wagner et al. 1983). The envelope is attenuated along
the beam, joined by receiver noise, averaged over several looks (compounding) and shown on a logarithmic scale.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]

# The point-spread function is formed at these shares of the depth, and interpolated in between.
_DEPTHS = (0.0, 0.5, 1.0)
# The echo strength shown as white.
_WHITE_DB = 18.0


@dataclass(frozen=True)
class Scanner:
    """Settings of an examination. Widths of the point-spread function are shares of the image's side."""

    gain_db: float = 0.0
    dynamic_range_db: float = 55.0
    axial_width: float = 0.0035
    lateral_width: float = 0.008
    focus: float = 0.4
    noise_db: float = -46.0
    residual_attenuation_db: float = 0.0
    looks: int = 1


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """Return settings as they vary from one examination to the next."""
    return Scanner(
        gain_db=float(rng.normal(0, 2.5)),
        dynamic_range_db=float(rng.uniform(42, 54)),
        axial_width=float(rng.uniform(0.0028, 0.0045)),
        lateral_width=float(rng.uniform(0.006, 0.011)),
        focus=float(rng.uniform(0.25, 0.6)),
        noise_db=float(rng.uniform(-50, -40)),
        residual_attenuation_db=float(rng.uniform(0, 9)),
        looks=2,
    )


def scan_image(echo_db: Map, attenuation_db: Map, scanner: Scanner, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return the image, uint8 (H, W), of tissue whose scatterers have the mean amplitude `echo_db`.

    `attenuation_db` is lost in each pixel on the way down and back, beyond what the machine makes up for by
    its depth gain; negative values give enhancement. Depth runs along the rows.
    """
    height, width = echo_db.shape
    depth = np.linspace(0, 1, height, dtype=np.float32)[:, np.newaxis]
    lost_db = (np.cumsum(attenuation_db, axis=0) + scanner.residual_attenuation_db * depth).astype(np.float32)
    amplitude, gain = _amplitude(echo_db), _amplitude(scanner.gain_db - lost_db)
    noise = _amplitude(np.float32(scanner.noise_db))
    envelope = np.full((height, width), 1e-6, dtype=np.float32)
    for _ in range(scanner.looks):
        received = _focused(_complex_noise(rng, height, width) * amplitude, depth, scanner) * gain
        received += _complex_noise(rng, height, width) * noise
        envelope += np.hypot(received[0], received[1]) / scanner.looks
    shown = 1 + (20 * np.log10(envelope) - _WHITE_DB) / scanner.dynamic_range_db
    return np.asarray(np.clip(shown * 255, 0, 255), dtype=np.uint8)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], cells: float) -> Map:
    """Return a random field of about unit variance that changes over 1/`cells` of the longer side."""
    longest = max(shape)
    rows, columns = (max(4, round(cells * side / longest) + 3) for side in shape)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    field = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray((field - field.mean()) / (field.std() + 1e-6), dtype=np.float32)


def _complex_noise(rng: np.random.Generator, height: int, width: int) -> Map:
    """Return real and imaginary part, (2, H, W), each of unit variance."""
    return rng.standard_normal((2, height, width), dtype=np.float32)


def _amplitude(decibels: npt.NDArray[np.float32] | np.float32) -> Map:
    return np.asarray(np.power(10, decibels / 20), dtype=np.float32)


def _focused(scattered: Map, depth: Map, scanner: Scanner) -> Map:
    """Smooth the two parts of the field (2, H, W) by a point-spread function that widens away from the focus."""
    side = scattered.shape[1]
    axial = max(0.5, scanner.axial_width * side)
    total = np.zeros_like(scattered)
    for place in _DEPTHS:
        lateral = max(0.5, scanner.lateral_width * side * (1 + 1.6 * abs(place - scanner.focus)))
        weight = np.clip(1 - np.abs(depth - place) * (len(_DEPTHS) - 1), 0, 1)
        # Smoothing by a Gaussian divides the variance by 4 pi times its two widths.
        gain = np.float32(np.sqrt(4 * np.pi * axial * lateral))
        for part in range(2):
            total[part] += weight * gain * cv2.GaussianBlur(scattered[part], (0, 0), lateral, sigmaY=axial)
    return total
