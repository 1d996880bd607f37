"""Image statistics: what of a preprocessed image needs no network to see. Its colours, its brightness, its detail by scale.

A network that has learnt one kind of image may take another kind for it in the few directions its classes need; these
do not. No matrix product and no convolution: converters would take them for layers whose weights to round.
"""

import torch
from torch import Tensor

# Halvings of the side, down to which the detail is measured: the smallest image has 32 pixels.
SCALES = 5
# Sums of three channels of 0..255 below and above which a pixel is dark or bright.
_DARK, _BRIGHT = 46, 719
# What an even area's detail counts for, so that its logarithm is a number.
_LEAST_MEAN, _LEAST_DEVIATION = 1e-3, 2e-3
COUNT = 8 + 2 * SCALES


def image_statistics(images: Tensor) -> Tensor:
    """Return COUNT numbers, float32 (N, COUNT), for RGB images 0..255, float32 (N, 3, S, S).

    Mean and mean absolute red - green and green - blue; mean, deviation, dark and bright share of the brightness; and for
    each scale the logarithms of the mean absolute and the root mean square deviation of pixels from their 2 x 2 block.
    """
    red, green, blue = images.unbind(1)
    total = red + green + blue
    light = total / 765
    values = [_mean(light), _mean((light - _mean(light)[:, None, None]).square()).sqrt()]
    values += [_mean((total < _DARK).float()), _mean((total > _BRIGHT).float())]
    for difference in ((red - green) / 255, (green - blue) / 255):
        values += [_mean(difference), _mean(difference.abs())]
    for _ in range(SCALES):
        height, width = light.shape[1] // 2 * 2, light.shape[2] // 2 * 2
        corners = [light[:, y:height:2, x:width:2] for y in (0, 1) for x in (0, 1)]
        light = (corners[0] + corners[1] + corners[2] + corners[3]) / 4
        away = [corner - light for corner in corners]
        absolute = away[0].abs() + away[1].abs() + away[2].abs() + away[3].abs()
        squared = away[0].square() + away[1].square() + away[2].square() + away[3].square()
        values.append((_mean(absolute) / 4 + _LEAST_MEAN).log())
        values.append(((_mean(squared) / 4).sqrt() + _LEAST_DEVIATION).log())
    return torch.stack(values, 1)


def _mean(planes: Tensor) -> Tensor:
    return planes.mean((1, 2))  # (N, H, W) -> (N,)
