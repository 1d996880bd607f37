"""Pooling in torch, for exported graphs: the images of a batch as one breast, exam or patient."""

import torch
from torch import Tensor, nn

from breastai.clinical.apply_decision_rule import shift
from breastai.domain.unit_rule import UnitRule
from breastai.engine.network.attention_pooling import AttentionPooling

# As in clinical.unit_pooling, but of a float32, of which 1 - 1e-12 is 1.
_SMALLEST = 1e-12
_MOST = 1 - 1e-7


class UnitLayer(nn.Module):
    """`pool_images` and the calibration of units in torch, for N images of one unit.

    `forward` takes log-probabilities (N, C), raw, and features (N, D); it returns what pooling needs of each image, which
    is `evidence_of` them, the unit's calibrated probabilities (1, C), and the share of each image in them (N,).
    """

    shift: Tensor

    def __init__(self, rule: UnitRule, class_names: list[str], attention: AttentionPooling | None) -> None:
        super().__init__()
        self.rule, self.sharpness = rule.pooling.rule, rule.pooling.sharpness
        self.target = class_names.index(rule.pooling.class_name)
        self.attention = attention
        calibration = rule.decision.calibration
        self.temperature = calibration.temperature
        self.register_buffer("shift", torch.tensor(shift(calibration), dtype=torch.float32))

    def forward(self, logarithms: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.attention is not None:
            evidence = self._attended(features)
            weights = evidence[:, 0].softmax(0)
            pooled = (evidence[:, 1:] * weights.unsqueeze(1)).sum(0, keepdim=True).log_softmax(1)
        else:
            evidence = logarithms.exp()
            known = evidence.clamp_min(_SMALLEST)
            rows, weights = self._pool(known, known[:, self.target : self.target + 1])
            pooled = rows.clamp_min(_SMALLEST).log()
        return evidence, ((pooled + self.shift) / self.temperature).softmax(1), weights

    def _pool(self, known: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return pooled probabilities (1, C) and the shares (N,), of probabilities (N, C) and those of the target (N, 1)."""
        one = torch.ones_like(target)
        even = (one / one.sum(0, keepdim=True)).squeeze(1)
        if self.rule == "mean":
            return known.mean(0, keepdim=True), even
        if self.rule == "largest":
            # The last of equals, as a stable sort has it.
            is_top = (target >= target.amax(0, keepdim=True)).float()
            last = (is_top * is_top.cumsum(0)).argmax(0)
            return known[last], torch.zeros_like(even).scatter(0, last, torch.ones_like(even[:1]))
        if self.rule == "noisy_or":
            missed = torch.log1p(-target.clamp_max(_MOST))
            total = missed.sum(0, keepdim=True)
            return self._with_target(known, -torch.expm1(total)), (missed / total).squeeze(1)
        odds = target.log() - torch.log1p(-target.clamp_max(_MOST))
        if self.sharpness == 0:
            return self._with_target(known, odds.mean(0, keepdim=True).sigmoid()), even
        top = odds.amax(0, keepdim=True)
        raised = ((odds - top) * self.sharpness).exp()
        pooled = top + raised.mean(0, keepdim=True).log() / self.sharpness
        return self._with_target(known, pooled.sigmoid()), (raised / raised.sum(0, keepdim=True)).squeeze(1)

    def _with_target(self, known: Tensor, probability: Tensor) -> Tensor:
        """Return a row (1, C) with this `probability` (1, 1) of the target class, the rest as the images share it."""
        before, behind = known[:, : self.target], known[:, self.target + 1 :]
        others = torch.cat([before, torch.zeros_like(known[:, :1]), behind], 1).sum(0, keepdim=True)
        rest = others / others.sum(1, keepdim=True) * (1 - probability)
        return torch.cat([rest[:, : self.target], probability, rest[:, self.target + 1 :]], 1)

    def _attended(self, features: Tensor) -> Tensor:
        """Return what attention says of each image, (N, 1 + C), without a matrix product, whose weights converters round."""
        attention = self.attention
        assert attention is not None
        rows = (features - attention.mean) / attention.scale
        gated = _linear(rows, attention.content).tanh() * _linear(rows, attention.gate).sigmoid()
        return torch.cat([_linear(gated, attention.heed), _linear(rows, attention.classifier)], 1)


def _linear(rows: Tensor, layer: nn.Linear) -> Tensor:
    summed: Tensor = (rows.unsqueeze(1) * layer.weight).sum(2)  # (N, 1, D) * (M, D) -> (N, M)
    return summed + layer.bias
