"""The writer of vector loops: right roundings, and machine code that needs nothing but the processor."""

import re

import llvmlite.binding as llvm
import pytest
import torch
from torch import Tensor

from breastai.engine.acceleration import kernels
from breastai.engine.acceleration.simd_builder import LANES, KernelBuilder, serves

# What a processor has that LLVM does not know by its name alone: nothing, so the name says it all.
PROCESSORS = {"haswell": {}, "skylake-avx512": {"avx512f": True}, "znver4": {"avx512f": True, "avx512bf16": True}}


def _copying(source: torch.dtype, target: torch.dtype) -> KernelBuilder:
    """Return the kernel that copies one vector, from argument 0 to argument 1."""
    code = KernelBuilder("copying")
    code.store(code.load(code.argument(0), source), code.argument(1), target)
    return code


def _copied(values: Tensor, target: torch.dtype) -> Tensor:
    copied = torch.empty(LANES, dtype=target)
    kernels.compile_kernel(_copying(values.dtype, target))([values.data_ptr(), copied.data_ptr()], 1)
    return copied


SPECIAL = [
    [1.0, -1.0, 0.0, -0.0, 1.00390625, 1.01171875, 3.3895e38, -3.3895e38],
    [float("inf"), -float("inf"), float("nan"), 65504.0, 1e-30, 2.0**-120, -(2.0**-126), 0.1],
]


@pytest.mark.parametrize("processor", ["this one", "one without instructions for bf16"])
def test_bf16_is_rounded_to_nearest_even_with_instructions_for_it_and_without(
    processor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if processor != "this one":
        monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: _without_bf16(FEATURES))
    values = [torch.tensor([*SPECIAL[0], *SPECIAL[1]]), *(torch.randn(64, LANES) * 10 ** torch.randn(64, 1)).unbind()]
    for vector in values:
        found = _copied(vector.contiguous(), torch.bfloat16)
        assert torch.equal(found.nan_to_num(7.0), vector.bfloat16().nan_to_num(7.0))
        assert torch.equal(found.isnan(), vector.isnan())
        assert torch.equal(_copied(found, torch.float32).nan_to_num(7.0), found.float().nan_to_num(7.0))


def test_a_processor_without_fused_multiplication_keeps_pytorchs_own_ways() -> None:
    assert not serves("x86_64-unknown-linux-gnu", {"sse4.1": True, "avx": True})
    assert serves("x86_64-pc-windows-msvc", {"sse4.1": True, "avx2": True, "fma": True})
    assert serves("arm64-apple-darwin", {"neon": True})


FEATURES = llvm.get_host_cpu_features()


def _without_bf16(features: llvm.FeatureMap) -> llvm.FeatureMap:
    left = llvm.FeatureMap(features)
    left["avx512bf16"] = False
    return left


@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_machine_code_calls_no_function_that_may_be_missing(
    processor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is not resolved ends the process, without a word."""
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: llvm.FeatureMap(PROCESSORS[processor]))
    code = KernelBuilder("everything")
    source, target = code.argument(0), code.argument(1)
    for dtype in (torch.float32, torch.bfloat16):
        x = code.load(source, dtype)
        y = code.fma(code.sigmoid(x, True), code.sigmoid(x, False), code.exp(x, True))
        code.store(code.maximum(code.minimum(x, y), code.load_scalar(source)), target, dtype)
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple("x86_64-unknown-linux-gnu").create_target_machine(cpu=processor, opt=3)
    assembly = machine.emit_assembly(llvm.parse_assembly(code.finish()))
    assert "everything:" in assembly
    assert re.findall(r"\bcallq?\s+(\S+)", assembly) == []
