"""Training steps of timm models and passes of their layers, plain PyTorch against the tuned layers.

    python benchmarks/bench_layers.py steps [--models lite0 b0 b4 v2s] [--rounds 5] [--frozen]
    python benchmarks/bench_layers.py layers

The ways take turns within each round, so other work on the machine slows all of them; figures are medians, with
the best in brackets. Data is random: what is timed is forward, backward and AdamW, without a loader.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import timm
import torch
from torch import nn

from breastai.engine.acceleration import allocator, depthwise, hardware, layer_benchmarks
from breastai.engine.acceleration.tuning_plan import LayerImplementations, Plan, install, plain_plan

MODELS = {
    "lite0": ("tf_efficientnet_lite0", 224, 16),
    "b0": ("efficientnet_b0", 224, 16),
    "b4": ("efficientnet_b4", 380, 4),
    "v2s": ("tf_efficientnetv2_s", 512, 4),
    "convnext": ("convnext_tiny", 224, 16),
    "resnet50": ("resnet50", 224, 16),
}


def stepper(name: str, size: int, batch: int, plan: Plan, frozen: bool) -> Callable[[], float]:
    """Return a function that takes one training step and returns its seconds."""
    torch.manual_seed(0)
    model: nn.Module = timm.create_model(name, num_classes=3).train()
    install(model, plan, frozen)
    layout = torch.channels_last if plan.channels_last else torch.contiguous_format
    images = torch.randn(batch, 3, size, size).contiguous(memory_format=layout)
    labels = torch.randint(0, 3, (batch,))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

    def step() -> float:
        started = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.dtype == "bfloat16"):
            logits = model(images)
        nn.functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return time.perf_counter() - started

    return step


def bench_steps(names: list[str], rounds: int, frozen: bool, threads: int) -> None:
    peak = hardware.matrix_gflops(torch.bfloat16)
    print(
        f"{hardware.processor_name()}, {threads} threads, torch {torch.__version__}, bf16 matrices {peak:.0f} GFLOP/s"
    )
    print("images a second, median (best)       plain fp32 NCHW   bf16 channels last            tuned   of peak")
    for short in names:
        name, size, batch = MODELS[short]
        model = timm.create_model(name, num_classes=3)
        plain = plain_plan(name, size, batch, threads)
        layers = {label: LayerImplementations(output="kernel", input_gradient="kernel", weight_gradient="kernel")
                  for label, layer in model.named_modules() if depthwise.tunable(layer)}  # fmt: skip
        bf16 = plain.model_copy(update={"dtype": "bfloat16", "channels_last": True})
        tuned = bf16.model_copy(update={"joined": True, "depthwise": layers})
        steppers = [stepper(name, size, batch, plan, frozen and plan is tuned) for plan in (plain, bf16, tuned)]
        seconds: list[list[float]] = [[], [], []]
        for turn in range(rounds + 1):
            for found, step in zip(seconds, steppers, strict=True):
                # Twice, so that each way finds its own data in the caches and its memory at hand.
                step()
                taken = min(step(), step()) if turn else 0.0
                if turn:
                    found.append(taken)
        speeds = [f"{batch / statistics.median(s):8.2f} ({batch / min(s):6.2f})" for s in seconds]
        share = hardware.training_gflop(model, size) * batch / statistics.median(seconds[2]) / peak
        print(
            f"{name:24} {size} x{batch:3}" + " ".join(f"{speed:>18}" for speed in speeds) + f"   {share:.0%}",
            flush=True,
        )
    print(
        f"peak memory of this process, all models: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"
    )


def bench_layers(names: list[str]) -> None:
    for short in names:
        name, size, batch = MODELS[short]
        model = timm.create_model(name, num_classes=3)
        shapes = layer_benchmarks.shapes_of(model, size)
        for choosing in (
            layer_benchmarks.choose_depthwise(shapes.depthwise, batch, "bfloat16"),
            layer_benchmarks.choose_pointwise(shapes.pointwise, batch, "bfloat16"),
        ):
            try:
                while True:
                    next(choosing)
            except StopIteration as end:
                print(name, *end.value[1], sep="\n  ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["steps", "layers"])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["lite0", "b0", "b4", "v2s"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frozen", action="store_true", help="batch norms keep their running statistics when tuned")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    allocator.keep_freed_memory()
    if options.what == "steps":
        bench_steps(options.models, options.rounds, options.frozen, options.threads)
    else:
        bench_layers(options.models)


if __name__ == "__main__":
    main()
