"""Pretrained weights from files that are not what they say."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from breastai.domain.catalog import ARCHITECTURES
from breastai.domain.config import ModelSettings
from breastai.domain.errors import WeightsInvalid
from breastai.engine.network.weights import load_pretrained


class Payload:
    """What a malicious pickle runs when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, (f"open({str(self.mark)!r}, 'w').close()",))


@pytest.mark.parametrize("name", ["weights.pt", "weights.pth", "weights.safetensors", "weights.bin"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path: Path, name: str, zipped: bool) -> None:
    mark = tmp_path / "it ran"
    if zipped:
        torch.save(Payload(mark), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(Payload(mark)))
    architecture = ARCHITECTURES["resnet50"]
    with pytest.raises(WeightsInvalid):
        load_pretrained(nn.Linear(1, 1), architecture, ModelSettings(), tmp_path / name, download=False)
    assert not mark.exists()
