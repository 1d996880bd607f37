"""Joined batch norm, activation, gates and shortcut: against the plain layers in float64."""

import copy

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from breastai.engine.acceleration import batch_norm

TOLERANCE = {torch.float32: 5e-6, torch.bfloat16: 2**-8}
ACTIVATIONS = [nn.Identity, nn.ReLU, nn.ReLU6, nn.SiLU]


def _off(found: Tensor | None, exact: Tensor | None) -> float:
    assert found is not None and exact is not None
    return float(((found.double() - exact).abs().max() / exact.abs().max()).detach())


def _norm(channels: int, activation: type[nn.Module]) -> BatchNormAct2d:
    layer = BatchNormAct2d(channels, act_layer=activation, inplace=False)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    layer.running_var.uniform_(0.5, 2.0)
    layer.running_mean.normal_()
    return layer


def _images(channels: int, dtype: torch.dtype, images: int = 3) -> Tensor:
    return (torch.randn(images, channels, 9, 11) * 2 + 3).to(dtype).contiguous(memory_format=torch.channels_last)


def _away_from_kinks(layer: nn.Module, x: Tensor, activation: type[nn.Module]) -> Tensor:
    """Return where a slope's rounding can't fall on the other side of 0 or 6: one there is not an error."""
    plain = copy.deepcopy(layer).double()
    plain.act = nn.Identity()
    u = plain(x.double()).detach()
    near = ((u.abs() < 1e-4) | ((u - 6).abs() < 1e-4)) if activation in (nn.ReLU, nn.ReLU6) else u.isnan()
    return ~near


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("channels", [16, 17, 40])
@pytest.mark.parametrize("statistics", ["batch", "eval", "frozen"])
def test_values_gradients_and_running_statistics_agree_with_float64(
    statistics: str, channels: int, activation: type[nn.Module], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    layer = _norm(channels, activation)
    exact = copy.deepcopy(layer).double()
    x = _images(channels, dtype)
    slope = torch.randn_like(x) * _away_from_kinks(layer, x, activation)
    batch_norm.install(layer, frozen=statistics == "frozen")
    layer.train(statistics != "eval")
    exact.train(statistics == "batch")

    exact_x = x.double().requires_grad_()
    expected = exact(exact_x)
    expected.backward(slope.double())
    x.requires_grad_()
    found = layer(x)
    found.backward(slope)

    assert found.dtype == dtype
    assert _off(found, expected) < TOLERANCE[dtype]
    assert _off(x.grad, exact_x.grad) < TOLERANCE[dtype]
    # Sums of many numbers are float32 in both, but SiLU's slope is only as fine as bf16 needs it.
    allowed = 1e-3 if dtype == torch.bfloat16 else 5e-6
    for name in ("weight", "bias"):
        assert _off(getattr(layer, name).grad, getattr(exact, name).grad) < allowed
    for name in ("running_mean", "running_var"):
        assert _off(getattr(layer, name), getattr(exact, name)) < 1e-6
    assert layer.num_batches_tracked == exact.num_batches_tracked


def test_a_mean_far_from_zero_does_not_spoil_the_variance() -> None:
    x = (torch.randn(4, 16, 32, 32) * 0.01 + 100.0).contiguous(memory_format=torch.channels_last)
    layer = nn.BatchNorm2d(16)
    batch_norm.install(layer, frozen=False)
    expected = nn.BatchNorm2d(16).double()(x.double())
    assert _off(layer(x), expected) < 1e-3


def test_a_shortcut_is_added_after_the_activation_and_gets_the_whole_slope() -> None:
    torch.manual_seed(0)
    layer = _norm(24, nn.SiLU)
    plain = copy.deepcopy(layer)
    batch_norm.install(layer, frozen=False)
    x, shortcut, slope = (_images(24, torch.float32) for _ in range(3))
    pairs = []
    for form in (lambda a, b: layer.forward_added(a, b), lambda a, b: plain(a) + b):
        a, b = x.clone().requires_grad_(), shortcut.clone().requires_grad_()
        z = form(a, b)
        z.backward(slope)
        pairs.append((z, a.grad, b.grad))
    for found, expected in zip(*pairs, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
def test_gates_learn_as_squeeze_and_excitation_does(frozen: bool) -> None:
    torch.manual_seed(0)
    layer = _norm(40, nn.SiLU)
    excite = nn.Sequential(nn.Conv2d(40, 4, 1), nn.SiLU(), nn.Conv2d(4, 40, 1), nn.Sigmoid())
    exact, exact_excite = copy.deepcopy(layer).double().train(not frozen), copy.deepcopy(excite).double()
    batch_norm.install(layer, frozen)
    x, slope = _images(40, torch.float32), _images(40, torch.float32)
    exact_x = x.double().requires_grad_()
    z = exact(exact_x)
    expected = z * exact_excite(z.mean((2, 3), keepdim=True))
    expected.backward(slope.double())
    x.requires_grad_()
    found = layer.forward_excited(x, excite, list(excite.parameters()))
    found.backward(slope)
    assert _off(found, expected) < 5e-6
    assert _off(x.grad, exact_x.grad) < 5e-6
    for a, b in zip(
        [*layer.parameters(), *excite.parameters()], [*exact.parameters(), *exact_excite.parameters()], strict=True
    ):
        assert _off(a.grad, b.grad) < 2e-5


def test_gates_whose_parameters_are_frozen_get_no_gradient() -> None:
    layer = _norm(16, nn.SiLU)
    excite = nn.Conv2d(16, 16, 1).requires_grad_(False)
    batch_norm.install(layer, frozen=False)
    x = _images(16, torch.float32).requires_grad_()
    layer.forward_excited(x, excite, list(excite.parameters())).sum().backward()
    assert excite.weight.grad is None
    assert x.grad is not None


def test_tuning_and_its_undoing_leave_names_state_and_class_alone() -> None:
    layer = _norm(16, nn.SiLU)
    before, kind, attributes = copy.deepcopy(layer.state_dict()), type(layer), set(vars(layer))
    batch_norm.install(layer, frozen=False)
    assert isinstance(copy.deepcopy(layer), batch_norm.BatchNormAct2d)
    assert layer.state_dict().keys() == before.keys()
    batch_norm.uninstall(layer)
    assert type(layer) is kind
    assert set(vars(layer)) == attributes


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(8),
        nn.BatchNorm2d(32, affine=False),
        nn.BatchNorm2d(32, track_running_stats=False),
        nn.BatchNorm2d(32, momentum=None),
        BatchNormAct2d(32, act_layer=nn.GELU),
        nn.GroupNorm(2, 32),
    ],
    ids=str,
)
def test_what_no_kernel_computes_is_not_tunable(layer: nn.Module) -> None:
    assert not batch_norm.tunable(layer)


def test_sums_give_the_same_bits_on_any_number_of_threads() -> None:
    torch.manual_seed(0)
    x = _images(40, torch.bfloat16, images=7)
    results = []
    before = torch.get_num_threads()
    for threads in (1, 2, 3):
        torch.manual_seed(1)
        layer = _norm(40, nn.SiLU)
        batch_norm.install(layer, frozen=False)
        torch.set_num_threads(threads)
        try:
            a = x.clone().requires_grad_()
            layer(a).float().square().sum().backward()
        finally:
            torch.set_num_threads(before)
        results.append((a.grad, layer.weight.grad, layer.running_var.clone()))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
