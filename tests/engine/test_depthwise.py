"""Depthwise convolutions: every way of every pass against float64, and the tuned layer against the plain one."""

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame
from torch import Tensor, nn

from breastai.engine.acceleration import depthwise
from breastai.engine.acceleration.depthwise import DepthwiseImplementations, Window
from breastai.engine.network.runtime import fast_bf16

# bf16 keeps 8 bits, so a result is off by at most 2**-9 of itself; float32 sums add some of their own bits.
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 2**-8}
# Where the processor has no instructions for bf16, PyTorch's own ways add up in bf16.
PYTORCH_WITHOUT_BF16 = 2**-5
PADDINGS = {3: [(1, 1, 1, 1), (0, 0, 1, 1)], 5: [(2, 2, 2, 2), (1, 1, 2, 2)], 7: [(3, 3, 3, 3), (2, 2, 3, 3)]}
CASES = [
    (size, stride, padding, height, width, channels, images)
    for size in (3, 5, 7)
    for stride in (1, 2)
    for padding in PADDINGS[size]
    for (height, width), channels, images in [((13, 10), 40, 2), ((7, 9), 16, 1)]
]


def tier(size: int, stride: int, padding: tuple[int, ...], height: int, width: int, channels: int, images: int) -> list:
    """For each size and stride one case is standard, of the smallest size all are: each compiles kernels of its own."""
    return [] if size == 3 or (padding == PADDINGS[size][0] and images == 2) else [pytest.mark.full]


def _channels_last(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)


def _off(found: Tensor, exact: Tensor) -> float:
    return float(((found.double() - exact).abs().max() / exact.abs().max()).detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", [pytest.param(case, marks=tier(*case), id=str(case)) for case in CASES])
def test_each_way_of_each_pass_agrees_with_float64(case: tuple, dtype: torch.dtype) -> None:
    size, stride, (top, left, bottom, right), height, width, channels, images = case
    torch.manual_seed(0)
    window = Window(size, stride, top, left, bottom, right, height, width)
    x = _channels_last(images, channels, height, width, dtype=dtype)
    # Weights that bf16 can hold, since PyTorch's ways round them to it.
    weight = torch.randn(channels, 1, size, size).bfloat16().float()
    bias = torch.randn(channels).bfloat16().float()
    exact_x, exact_weight = x.double().requires_grad_(), weight.double().requires_grad_()
    padded = F.pad(exact_x, (left, right, top, bottom))
    exact_y = F.conv2d(padded, exact_weight, bias.double(), stride, groups=channels)
    dy = _channels_last(*exact_y.shape, dtype=dtype)
    exact_dx, exact_dw = torch.autograd.grad(exact_y, [exact_x, exact_weight], dy.double())

    def near(found: Tensor, exact: Tensor, way: str) -> bool:
        tolerance = TOLERANCE[dtype]
        if dtype == torch.bfloat16 and way in ("torch", "flipped") and not fast_bf16():
            tolerance = PYTORCH_WITHOUT_BF16
        return _off(found, exact) < tolerance

    for way in ("kernel", "torch"):
        assert near(depthwise.output(x, weight, bias, window, way), exact_y, way), way
    for way in ("kernel", "torch", "torch_float32", "flipped"):
        assert near(depthwise.input_gradient(x, dy, weight, window, way), exact_dx, way), way
    for way in ("kernel", "torch", "torch_float32"):
        assert near(depthwise.weight_gradient(x, dy, weight, window, way), exact_dw, way), way


def test_the_weight_gradient_kernel_sums_in_float32_whatever_the_images_are() -> None:
    window = Window(5, 1, 2, 2, 2, 2, 28, 28)
    x, dy = (_channels_last(4, 24, 28, 28, dtype=torch.bfloat16) for _ in range(2))
    weight = torch.zeros(24, 1, 5, 5)
    exact_weight = weight.double().requires_grad_()
    exact_y = F.conv2d(x.double(), exact_weight, padding=2, groups=24)
    (exact,) = torch.autograd.grad(exact_y, exact_weight, dy.double())
    assert _off(depthwise.weight_gradient(x, dy, weight, window, "kernel"), exact) < 1e-6


@pytest.mark.parametrize("size", [8, 9, 14, 15])
@pytest.mark.parametrize(("kernel", "stride"), list(itertools.product((3, 5), (1, 2))))
def test_a_window_over_conv2d_same_is_timms_own_padding(kernel: int, stride: int, size: int) -> None:
    layer = Conv2dSame(16, 16, kernel, stride, groups=16, bias=False)
    x = torch.randn(1, 16, size, size)
    window = depthwise.window_of(layer, size, size)
    expected = layer(x)
    assert (window.out_height, window.out_width) == expected.shape[2:]
    torch.testing.assert_close(depthwise.output(x, layer.weight, None, window, "torch"), expected)


def _layers() -> list[nn.Module]:
    return [
        nn.Conv2d(24, 24, 3, 2, 1, groups=24, bias=False),
        Conv2dSame(24, 24, 5, 2, groups=24, bias=False),
        nn.Conv2d(24, 24, 7, 1, 3, groups=24),
    ]


@pytest.mark.parametrize("number", range(3))
def test_a_tuned_layer_learns_as_the_plain_one_does(number: int) -> None:
    torch.manual_seed(0)
    plain = _layers()[number]
    tuned = copy.deepcopy(plain)
    assert depthwise.tunable(tuned)
    depthwise.install(tuned, DepthwiseImplementations())
    x = torch.randn(2, 24, 15, 15, requires_grad=True)
    other = x.detach().clone().requires_grad_()
    expected, found = plain(x), tuned(other)
    slope = torch.randn_like(expected)
    expected.backward(slope)
    found.backward(slope)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(other.grad, x.grad)
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(dict(tuned.named_parameters())[name].grad, parameter.grad)


@pytest.mark.parametrize("number", range(3))
def test_tuning_and_its_undoing_leave_names_state_and_class_alone(number: int) -> None:
    layer = _layers()[number]
    before, kind = copy.deepcopy(layer.state_dict()), type(layer)
    depthwise.install(layer, DepthwiseImplementations())
    copied = copy.deepcopy(layer)
    assert isinstance(copied, depthwise.DepthwiseConv2d)
    for state in (layer.state_dict(), copied.state_dict()):
        assert state.keys() == before.keys()
        assert all(torch.equal(state[name], before[name]) for name in before)
    depthwise.uninstall(layer)
    assert type(layer) is kind
    assert vars(layer).keys() == vars(_layers()[number]).keys()


def test_a_tuned_layer_answers_in_inference_mode_and_under_autocast() -> None:
    layer = nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False)
    x = torch.randn(1, 32, 8, 8)
    expected = layer(x)
    depthwise.install(layer, DepthwiseImplementations())
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), expected)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.02)


def test_a_number_type_without_a_kernel_is_left_to_pytorch() -> None:
    layer = nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False).double()
    x = torch.randn(1, 32, 8, 8, dtype=torch.float64)
    expected = layer(x)
    depthwise.install(layer, DepthwiseImplementations())
    assert torch.equal(layer(x), expected)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(32, 64, 3, groups=32),
        nn.Conv2d(32, 32, 3, groups=16),
        nn.Conv2d(32, 32, 3, dilation=2, groups=32),
        nn.Conv2d(32, 32, 3, padding="same", groups=32),
        nn.Conv2d(32, 32, 3, padding=1, padding_mode="reflect", groups=32),
        nn.Conv2d(32, 32, (3, 5), groups=32),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Conv2d(32, 32, 3, stride=3, groups=32),
        nn.BatchNorm2d(32),
    ],
    ids=str,
)
def test_what_no_kernel_computes_is_not_tunable(layer: nn.Module) -> None:
    assert not depthwise.tunable(layer)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_passes_give_the_same_bits_each_time_and_on_any_number_of_threads(threads: int) -> None:
    window = Window(5, 2, 1, 1, 2, 2, 12, 12)
    torch.manual_seed(0)
    x = _channels_last(3, 40, 12, 12, dtype=torch.bfloat16)
    dy = _channels_last(3, 40, window.out_height, window.out_width, dtype=torch.bfloat16)
    weight = torch.randn(40, 1, 5, 5)

    def passes() -> list[Tensor]:
        return [
            depthwise.output(x, weight, None, window, "kernel"),
            depthwise.input_gradient(x, dy, weight, window, "kernel"),
            depthwise.weight_gradient(x, dy, weight, window, "kernel"),
        ]

    before = torch.get_num_threads()
    one = passes()
    torch.set_num_threads(threads)
    try:
        again = passes()
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
