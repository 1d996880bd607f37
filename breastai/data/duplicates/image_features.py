"""Local features of a thumbnail: places that are found again after cropping, framing, scaling or another contrast.

SIFT (Lowe, IJCV 2004;60:91-110) on a thumbnail whose local mean and contrast are evened out, so that gain slopes and
histogram equalisation change little; the descriptors are compared as RootSIFT (Arandjelovic and Zisserman, CVPR 2012).
A descriptor of the mirrored or the inverted image is a permutation of the descriptor: neither is computed anew.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

MOST_KEYPOINTS = 120
# Below this level lies the background of a mammogram or of a screen.
_DARK = 12
_LOCAL = 8.0
_NOISE = 3.0
_LEVELS = 400

MIRRORED, INVERTED = 1, 2
VARIANTS = (0, MIRRORED, INVERTED, MIRRORED | INVERTED)


def _permutations() -> tuple[npt.NDArray[np.int64], ...]:
    """Return, for each variant, the order that turns descriptors (4 x 4 places x 8 directions) into those of the variant."""
    index = np.arange(128).reshape(4, 4, 8)
    mirrored = index[::-1][:, :, (-np.arange(8)) % 8].reshape(-1)
    inverted = index[::-1, ::-1].reshape(-1)
    return np.arange(128), mirrored, inverted, mirrored[inverted]


PERMUTATIONS = _permutations()


@dataclass(frozen=True, eq=False)
class Features:
    """`places` (n, 4): x, y, size, angle in degrees, strongest first; `descriptors` (n, 128), of one length."""

    places: Floats
    descriptors: Pixels


def tissue(image: Pixels) -> npt.NDArray[np.bool_]:
    """Return where an image is clearly brighter than a dark background."""
    bright = (image > _DARK).astype(np.uint8)
    return cv2.erode(bright, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REPLICATE) > 0


def features_of(image: Pixels, telling: npt.NDArray[np.bool_]) -> Features:
    """Return the strongest features of a grey image (H, W) where it is `telling` (H, W) and no dark background."""
    values, weights = image.astype(np.float32), telling.astype(np.float32)
    # The bright text of a panel must not drown what is beside it.
    around = np.maximum(cv2.GaussianBlur(weights, (0, 0), _LOCAL), 1e-3)
    above = (values - cv2.GaussianBlur(values * weights, (0, 0), _LOCAL) / around) * weights
    contrast = np.sqrt(cv2.GaussianBlur(above * above, (0, 0), _LOCAL) / around)
    even = np.clip(128 + 45 * above / (contrast + _NOISE), 0, 255).astype(np.uint8)
    finder = cv2.SIFT.create(nfeatures=MOST_KEYPOINTS, contrastThreshold=0.01)
    found, vectors = finder.detectAndCompute(even, (tissue(image) & telling).astype(np.uint8) * 255)
    if vectors is None or not len(found):
        return Features(np.zeros((0, 4), dtype=np.float32), np.zeros((0, 128), dtype=np.uint8))
    places = np.array([[*point.pt, point.size, point.angle] for point in found], dtype=np.float32)
    order = np.argsort([-point.response for point in found], kind="stable")[:MOST_KEYPOINTS]
    roots = np.sqrt(vectors / np.maximum(vectors.sum(axis=1, keepdims=True), 1e-6))
    return Features(places[order], np.minimum(roots[order] * _LEVELS, 255).astype(np.uint8))


def unit_vectors(descriptors: Pixels) -> Floats:
    """Return descriptors as vectors of length 1."""
    vectors = descriptors.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = vectors / np.maximum(lengths, 1e-6).astype(np.float32)
    return unit
