"""Choosing a plan: what it holds, that it is kept, and that measuring leaves no trace."""

import copy
import math
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

from breastai.domain.text import Text
from breastai.engine.acceleration import autotune, hardware, layer_benchmarks
from breastai.engine.acceleration.autotune import TuningKey, choose_dtype, plan_for, provisional_plan, tune
from breastai.engine.acceleration.depthwise import tunable
from breastai.engine.acceleration.layer_benchmarks import shapes_of
from breastai.engine.acceleration.simd_builder import AVAILABLE
from breastai.engine.acceleration.tuning_plan import Plan, install, plain_plan
from breastai.texts.renderer import render


def finished(steps: Generator[object, None, Any]) -> Any:
    """Draw a generator to its end."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


@pytest.fixture(autouse=True)
def single_layers_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast the kernels are on this machine, the ways of single layers are timed."""
    monkeypatch.setattr(autotune, "_FAR_AHEAD", math.inf)


class _Small(nn.Module):
    """Two depthwise convolutions of one shape and one of another, and a convolution of one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.norm = nn.BatchNorm2d(16)
        self.first = nn.Conv2d(16, 16, 3, 1, 1, groups=16)
        self.second = nn.Conv2d(16, 16, 3, 1, 1, groups=16)
        self.third = nn.Conv2d(16, 16, 5, 2, 2, groups=16)
        self.pixels = nn.Conv2d(16, 24, 1, bias=False)
        self.head = nn.Linear(24, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = self.third(self.second(self.first(self.norm(self.stem(images)))))
        return self.head(self.pixels(found).mean((2, 3)))


def test_a_plan_names_every_depthwise_and_pointwise_layer_and_says_why() -> None:
    model = _Small()
    # In float32 leaving all to PyTorch may be fastest; the plan then names no layer.
    plan = finished(tune(model, TuningKey("small", 32, 2, 1, "bfloat16")))
    assert set(plan.depthwise) == {"first", "second", "third"}
    assert plan.depthwise["first"] == plan.depthwise["second"]
    assert (plan.architecture, plan.image_size, plan.batch_size, plan.threads) == ("small", 32, 2, 1)
    assert plan.dtype in plan.explanation()
    assert "5x5 stride 2 on 16x16x16" in plan.explanation()
    assert set(plan.pointwise) == {"pixels"}
    assert "16 to 24 channels on 8x8" in plan.explanation()


@pytest.mark.parametrize("fast_bf16", [True, False])
def test_every_line_of_a_plan_can_be_said_in_french(fast_bf16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "fast_bf16", lambda: fast_bf16)
    gained = {torch.bfloat16: 200.0, torch.float32: 100.0}
    lost = {torch.bfloat16: 100.0, torch.float32: 100.0}
    lines: list[Text | str] = []
    for speeds in (gained, lost):
        monkeypatch.setattr(autotune, "matrix_gflops", speeds.__getitem__)
        lines += choose_dtype()[1]
    lines += finished(tune(_Small(), TuningKey("small", 32, 2, 4, "float32" if fast_bf16 else None))).reasons
    lines += finished(tune(_Small().to("meta"), TuningKey("small", 32, 2, 1))).reasons
    assert len(lines) > 7
    english = re.compile(r"\b(by|in|with|and|the|of|was|threads|took|stride|ms,|seconds?|[a-z]+ing)\b|\d\.\d")
    for line in lines:
        assert isinstance(line, Text) and str(line) != line.code
        french = render(line, "fr")
        assert english.search(french) is None, french


@pytest.mark.skipif(not AVAILABLE, reason="needs llvmlite")
def test_where_kernels_are_far_ahead_no_time_is_spent_on_single_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "_FAR_AHEAD", 0.0)
    monkeypatch.setattr(autotune, "choose_depthwise", lambda *_: pytest.fail("single layers were timed"))
    plan = finished(tune(_Small(), TuningKey("small", 32, 2, 1, "bfloat16")))
    ways = {way for layer in plan.depthwise.values() for way in layer.model_dump().values()}
    assert ways == {"kernel"}
    assert plan.joined
    assert plan.through
    assert set(plan.pointwise) == {"pixels"}
    lines = [str(line) for line in plan.reasons]
    assert len(lines) == len(set(lines)) > 4


def test_measuring_leaves_the_model_the_threads_and_the_random_numbers_as_they_were() -> None:
    model = _Small()
    state, threads = copy.deepcopy(model.state_dict()), torch.get_num_threads()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    finished(tune(model, TuningKey("small", 32, 2, 2)))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert type(model.first) is nn.Conv2d
    assert model.stem.weight.grad is None


def test_choosing_tells_how_far_it_is_and_can_be_ended_at_any_measurement(tmp_path: Path) -> None:
    model = _Small()
    told = list(tune(model, TuningKey("small", 32, 2, 1, "float32")))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert {total for _, total in told} == {told[0][1]}
    # One word for each pass of each shape, and for each trial of a whole step.
    assert shapes_of(model, 32).timings() == 9 < len(told) <= told[0][1]
    before, threads = type(model.first), torch.get_num_threads()
    for stop in (1, 5, 12):  # in any choosing: trials that are hopeless are left out later
        torch.manual_seed(3)
        choosing = plan_for(model, TuningKey("small", 32, 2, 2, "float32"), tmp_path)
        for _ in range(stop):
            next(choosing)
            assert torch.get_num_threads() == threads
        choosing.close()
        assert type(model.first) is before
        assert torch.initial_seed() == 3
        assert not list(tmp_path.iterdir())


def test_a_kept_plan_is_used_again_and_a_damaged_one_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _Small()
    plan = finished(plan_for(model, TuningKey("small", 32, 2, 1), tmp_path))
    monkeypatch.setattr(autotune, "tune", lambda *_: pytest.fail("measured although a plan was kept"))
    assert finished(plan_for(model, TuningKey("small", 32, 2, 1), tmp_path)) == plan
    monkeypatch.undo()
    (kept,) = tmp_path.iterdir()
    kept.write_text("{", encoding="utf-8")
    assert finished(plan_for(model, TuningKey("small", 32, 2, 1), tmp_path)).depthwise.keys() == plan.depthwise.keys()
    assert kept.read_text(encoding="utf-8") != "{"


def test_how_fast_a_run_learns_is_kept_with_the_plan_it_went_by_and_changes_no_way(tmp_path: Path) -> None:
    model, key = _Small(), TuningKey("small", 32, 2, 1)
    plan = finished(plan_for(model, key, tmp_path))
    assert plan.images_per_second is not None
    speed = 3 * plan.images_per_second

    def kept() -> Plan:
        found: Plan = finished(plan_for(model, key, tmp_path))
        return found

    autotune.keep_costs(model, key, plan.model_copy(update={"joined": not plan.joined}), speed, folder=tmp_path)
    autotune.keep_costs(model, key, plan, 1.05 * plan.images_per_second, folder=tmp_path)
    assert kept() == plan, "of another plan, or of much the same speed"
    tuned = copy.deepcopy(model)
    install(tuned, plan)
    autotune.keep_costs(tuned, key, plan, speed, folder=tmp_path)
    assert kept() == plan.model_copy(update={"images_per_second": round(speed, 2)})
    assert provisional_plan(model, key, tmp_path).images_per_second == round(speed, 2)
    # The run goes by the plan it began with: a later epoch of it is kept as well.
    autotune.keep_costs(tuned, key, plan, 2 * speed, 1.5, folder=tmp_path)
    assert (kept().images_per_second, kept().peak_gb) == (round(2 * speed, 2), 1.5)
    autotune.keep_costs(tuned, key, plan, 2 * speed, 1.6, folder=tmp_path)
    assert kept().peak_gb == 1.5, "much the same"
    assert provisional_plan(model, key, tmp_path).peak_gb == 1.5


@pytest.mark.parametrize("change", ["image_size", "batch_size", "threads", "model"])
def test_a_plan_is_kept_for_one_model_size_batch_and_number_of_threads(change: str, tmp_path: Path) -> None:
    def kept_in(image_size: int = 32, batch_size: int = 2, threads: int = 1, model: str = "small") -> Path:
        network = _Small() if model == "small" else nn.Sequential(_Small())
        return autotune._plan_file(network, TuningKey("small", image_size, batch_size, threads), tmp_path)

    other: dict[str, object] = {"image_size": 64, "batch_size": 4, "threads": 2, "model": "wrapped"}
    assert kept_in(**{change: other[change]}) != kept_in() == kept_in()  # type: ignore[arg-type]


def test_without_bf16_instructions_the_plan_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "fast_bf16", lambda: False)
    dtype, reasons = choose_dtype()
    assert dtype == "float32"
    assert "no instructions" in str(reasons[0])
    plan = finished(tune(_Small(), TuningKey("small", 32, 2, 1)))
    assert plan.dtype == "float32"


def test_bf16_that_gains_too_little_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "fast_bf16", lambda: True)
    speeds = {torch.bfloat16: 110.0, torch.float32: 100.0}
    monkeypatch.setattr(autotune, "matrix_gflops", speeds.__getitem__)
    assert choose_dtype()[0] == "float32"
    speeds[torch.bfloat16] = 200.0
    assert choose_dtype()[0] == "bfloat16"


def chosen_by(times: list[float], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return which of two plans is chosen where their steps take so long, in turns; the first of each compiles."""
    taken = iter(times)
    monkeypatch.setattr(autotune, "seconds", lambda step: next(taken))
    one = plain_plan("small", 32, 8, 1)
    other = one.model_copy(update={"channels_last": True})
    plan, _ = finished(autotune._choose_plan(_Small(), {"one": one, "other": other}))
    assert list(taken) == []
    return "other" if plan.channels_last else "one"


def test_one_slow_step_does_not_rule_a_plan_out_and_of_near_equals_the_first_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert chosen_by([9, 9, 1.0, 2.0, 1.0, 0.9], monkeypatch) == "other"
    assert chosen_by([9, 9, 1.0, 0.97, 1.0, 0.96], monkeypatch) == "one"
    assert chosen_by([9, 9, 1.0, 3.0, 1.0], monkeypatch) == "one"  # hopeless: not timed again


def test_a_whole_batch_is_timed_only_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    step = autotune._step
    monkeypatch.setattr(autotune, "_step", lambda *given: (sizes.append(given[2]), step(*given)))
    finished(tune(_Small(), TuningKey("small", 32, 16, 1, "float32", whole_fits=False)))
    assert max(sizes) == 4
    finished(tune(_Small(), TuningKey("small", 32, 16, 1, "float32")))
    assert max(sizes) == 16


def test_without_kernels_a_plan_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (autotune, layer_benchmarks):
        monkeypatch.setattr(module, "AVAILABLE", False)
    plan = finished(tune(_Small(), TuningKey("small", 32, 2, 1)))
    assert not plan.needs_kernels()
    # In float32 leaving all to PyTorch may be fastest.
    assert set(plan.depthwise) == ({"first", "second", "third"} if plan.channels_last else set())


def test_a_chosen_plan_can_be_installed() -> None:
    model = _Small()
    plan = finished(tune(model, TuningKey("small", 32, 2, 1, "float32")))
    x = torch.randn(2, 3, 32, 32)
    expected = model(x)
    install(model, plan)
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


def test_the_operations_of_a_training_step_are_six_for_each_multiply_add() -> None:
    layer = nn.Conv2d(3, 8, 3, padding=1)
    assert hardware.training_gflop(layer, 16) == pytest.approx(6 * 16 * 16 * 8 * 3 * 9 / 1e9)


def test_the_published_multiply_adds_of_efficientnet_b0_are_found() -> None:
    model = timm.create_model("efficientnet_b0")
    assert hardware.training_gflop(model, 224) / 6 == pytest.approx(0.39, abs=0.01)
    assert any(tunable(layer) for layer in model.modules())
