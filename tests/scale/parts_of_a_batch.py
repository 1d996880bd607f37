"""One process of two: its part of batches of several sizes in float64, and of some steps in float32; the first writes what came of them."""

import runpy
import sys
from pathlib import Path

import torch

from breastai.domain.config import ModelSettings, TrainingSettings
from breastai.engine.network.models import build_model
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.engine.training.optim import Loss
from breastai.scale.torch_process_group import process_group

SIZES = (7, 4, 1)  # uneven, even, and one where the second process has nothing


def outcome(world: ProcessGroup) -> dict[str, torch.Tensor]:
    """Return losses, gradients and statistics after a pass over each of the batches."""
    torch.manual_seed(5)
    settings = ModelSettings(architecture="tf_efficientnet_lite0", pretrained="none", dropout_rate=0.4)
    model = build_model(settings, 4).model.double()
    world.synchronize_layers(model)
    training = TrainingSettings(use_class_weights=True, use_focal_loss=True)
    loss = Loss(training, [5, 1, 3, 2]).double()
    found: dict[str, torch.Tensor] = {}
    for size in SIZES:
        generator = torch.Generator().manual_seed(size)
        images = torch.randn(size, 3, 64, 64, generator=generator, dtype=torch.float64)
        labels = torch.randint(4, (size,), generator=generator)
        part = world.shard(size)
        logits = world.logits(model, images[part], False)
        mine = loss(logits, labels[part], world)
        total, right = world.all_reduce_metrics(float(mine.detach()), int((logits.argmax(1) == labels[part]).sum()))
        world.scale_loss(mine).backward()  # gradients of all batches are summed up
        found[f"loss.{size}"] = torch.tensor([total, right], dtype=torch.float64)
        found[f"logits.{size}"] = world.all_gather_tensor(logits.detach(), size)
    found |= {f"gradient.{name}": value.grad for name, value in model.named_parameters() if value.grad is not None}
    return found | {f"buffer.{name}": value.clone() for name, value in model.named_buffers()}


if __name__ == "__main__":
    with process_group(use_cuda=False) as crowd:
        torch.set_num_threads(1)
        together = outcome(crowd)
        rounding = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "rounding.py"))
        asked = rounding["options"]().parse_args([])
        asked.steps = [1, 2]
        course = rounding["course"](crowd, asked)
        if crowd.is_main:
            torch.save({"together": together, "alone": outcome(SINGLE_PROCESS), "course": course}, sys.argv[1])
