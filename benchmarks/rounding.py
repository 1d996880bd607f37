"""How far float32 rounding takes two processes from one, beside how far it takes one process from itself.

    python benchmarks/rounding.py --steps 1 2 5 --side 64 --batch 8

The same steps of SGD on made-up images, from the pretrained weights of Lite0: by one process in float64, which stands
for what is true; by one in float32; by one in float32 that is given the images of each batch in other orders, which
changes nothing but the order of sums; and by two gloo processes in float32, each with half of each batch. It prints
how far each is from the float64 weights, as a share of the way these have gone.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from breastai.domain.config import ModelSettings, PreprocessingSettings, TrainingSettings
from breastai.engine.network.models import build_model, normalize
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.engine.training.optim import Loss, make_optimizer
from breastai.predictor.reference_answers import reference_images
from breastai.scale.torch_process_group import process_group

CLASSES = 3
ORDERS = 4


def course(
    world: ProcessGroup, asked: argparse.Namespace, dtype: torch.dtype = torch.float32, order: int | None = None
) -> dict[int, Tensor]:
    """Return all weights as one vector, float64, before the first step (0) and after each of `asked.steps`."""
    torch.set_num_threads(1)
    torch.manual_seed(7)
    settings = ModelSettings(architecture="tf_efficientnet_lite0", pretrained="required", dropout_rate=0.0)
    built = build_model(settings, CLASSES, PreprocessingSettings())
    model = built.model.to(dtype).to(memory_format=torch.channels_last).train()
    training = TrainingSettings(optimizer="sgd", learning_rate=asked.rate)
    optimizer = make_optimizer(model, training)
    loss = Loss(training, [1] * CLASSES).to(dtype)
    world.synchronize_layers(model)
    found = {0: weights_of(model)}
    for step in range(1, max(asked.steps) + 1):
        images = reference_images(PreprocessingSettings(), asked.side, count=asked.batch, seed=step)
        labels = np.arange(asked.batch) % CLASSES
        if order is not None:
            places = np.random.default_rng([order, step]).permutation(asked.batch)
            images, labels = images[places], labels[places]
        part = world.shard(asked.batch)
        inputs = normalize(torch.from_numpy(images), built.mean, built.std).to(dtype)[part]
        logits = world.logits(model, inputs, False)
        mine = loss(logits, torch.from_numpy(labels)[part], world)
        world.scale_loss(mine).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), training.gradient_clip or float("inf"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step in asked.steps:
            found[step] = weights_of(model)
    return found


def weights_of(model: nn.Module) -> Tensor:
    return torch.cat([value.detach().double().flatten() for value in model.parameters()])


def by_two(asked: argparse.Namespace) -> dict[int, Tensor]:
    """Return the course of two processes, started as torchrun would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "weights.pt")
        processes = []
        for rank in "01":
            place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
            where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
            command = [sys.executable, __file__, *sys.argv[1:], "--together", path]
            processes.append(subprocess.Popen(command, env=os.environ | place | where))
        statuses = [process.wait() for process in processes]
        if any(statuses):
            sys.exit("the two processes failed")
        found: dict[int, Tensor] = torch.load(path, weights_only=True)
    return found


def options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", type=int, nargs="+", default=[1, 2, 5])
    options.add_argument("--side", type=int, default=64)
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--rate", type=float, default=0.002)
    options.add_argument("--together", help=argparse.SUPPRESS)
    return options


def main() -> None:
    asked = options().parse_args()
    if asked.together is not None:
        with process_group(use_cuda=False) as crowd:
            found = course(crowd, asked)
            if crowd.is_main:
                torch.save(found, asked.together)
        return
    true = course(SINGLE_PROCESS, asked, torch.float64)
    courses = {"one process": course(SINGLE_PROCESS, asked), "two processes": by_two(asked)}
    courses |= {
        f"one process, order {order}": course(SINGLE_PROCESS, asked, order=order) for order in range(1, ORDERS + 1)
    }
    print(f"{'share of the way, after step':<32}" + "".join(f"{step:>12}" for step in asked.steps))
    for name, found in courses.items():
        shares = [(found[s] - true[s]).norm() / (true[s] - true[0]).norm() for s in asked.steps]
        print(f"{name:<32}" + "".join(f"{float(share):>12.2e}" for share in shares))
    alone = courses["one process"]
    for name, found in courses.items():
        if name != "one process":
            shares = [(found[s] - alone[s]).norm() / (alone[s] - alone[0]).norm() for s in asked.steps]
            print(f"{name + ' from one':<32}" + "".join(f"{float(share):>12.2e}" for share in shares))


if __name__ == "__main__":
    main()
