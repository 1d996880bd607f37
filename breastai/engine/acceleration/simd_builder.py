"""The writer of vector loops: a kernel is a Python function that writes its loops with a `Code`.

Whole numbers (`Int`) and vectors of float32 (`Vec`) stand for values the compiled kernel will have; the
text that comes out is LLVM's. bf16 exists only in memory: loaded as float32, stored rounded to nearest even.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

try:
    import llvmlite.binding as llvm
    from llvmlite import ir
except ImportError:  # then every layer keeps PyTorch's own way
    llvm = ir = None

__all__ = ["AVAILABLE", "ELEMENT_BYTES", "LANES", "Int", "KernelBuilder", "Variable", "Vec", "llvm", "serves"]


def serves(triple: str, features: Mapping[str, bool]) -> bool:
    """Return whether a processor has an instruction for all that kernels compute.

    For what it lacks LLVM would call functions of a library, slow where they are found, and the process's end where not.
    """
    x86 = triple.split("-")[0] in ("x86_64", "i686", "i386")
    return not x86 or all(features.get(name, False) for name in ("fma", "sse4.1"))


AVAILABLE = llvm is not None and serves(llvm.get_default_triple(), llvm.get_host_cpu_features())
LANES = 16  # float32 numbers in one vector; LLVM splits it where registers are shorter
ELEMENT_BYTES = {torch.bfloat16: 2, torch.float32: 4}

if AVAILABLE:

    class _BFloat(ir.types.Type):  # type: ignore[misc]
        """bfloat16, which llvmlite does not name; LLVM rounds it to nearest even."""

        def _to_string(self) -> str:
            return "bfloat"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, _BFloat)

        def __hash__(self) -> int:
            return hash("bfloat")

    _I1, _I16, _I32, _I64, _F32 = (*map(ir.IntType, (1, 16, 32, 64)), ir.FloatType())
    _PTR = ir.PointerType()
    _VECTOR = ir.VectorType(_F32, LANES)
    _VECTOR_I16 = ir.VectorType(_I16, LANES)
    _VECTOR_I32 = ir.VectorType(_I32, LANES)
    _VECTOR_BF16 = ir.VectorType(_BFloat(), LANES)


class Int:
    """A 64-bit whole number of a kernel; division and remainder are for numbers from zero up."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    def _of(self, other: "Int | int") -> Any:
        return other.value if isinstance(other, Int) else _I64(other)

    def __add__(self, other: "Int | int") -> "Int":
        return Int(self.builder, self.builder.add(self.value, self._of(other)))

    def __sub__(self, other: "Int | int") -> "Int":
        return Int(self.builder, self.builder.sub(self.value, self._of(other)))

    def __mul__(self, other: "Int | int") -> "Int":
        return Int(self.builder, self.builder.mul(self.value, self._of(other)))

    def __floordiv__(self, other: "Int | int") -> "Int":
        return Int(self.builder, self.builder.udiv(self.value, self._of(other)))

    def __mod__(self, other: "Int | int") -> "Int":
        return Int(self.builder, self.builder.urem(self.value, self._of(other)))

    def compare(self, sign: str, other: "Int | int") -> Any:
        """Return the truth value of `self sign other`, for `Code.when`."""
        return self.builder.icmp_signed(sign, self.value, self._of(other))

    def at_most(self, other: "Int | int") -> "Int":
        return Int(self.builder, self.builder.select(self.compare("<", other), self.value, self._of(other)))

    def at_least(self, other: "Int | int") -> "Int":
        return Int(self.builder, self.builder.select(self.compare(">", other), self.value, self._of(other)))


class Vec:
    """`LANES` float32 numbers."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    def __add__(self, other: "Vec") -> "Vec":
        return Vec(self.builder, self.builder.fadd(self.value, other.value))

    def __sub__(self, other: "Vec") -> "Vec":
        return Vec(self.builder, self.builder.fsub(self.value, other.value))

    def __mul__(self, other: "Vec") -> "Vec":
        return Vec(self.builder, self.builder.fmul(self.value, other.value))

    def __truediv__(self, other: "Vec") -> "Vec":
        return Vec(self.builder, self.builder.fdiv(self.value, other.value))


class KernelBuilder:
    """Writes one kernel: `void kernel(i64 *arguments, i64 thread, i64 threads)`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.features = {feature for feature, present in llvm.get_host_cpu_features().items() if present}
        self.module = ir.Module(name=name)
        kind = ir.FunctionType(ir.VoidType(), [_PTR, _I64, _I64])
        self.function = ir.Function(self.module, kind, name=name)
        self.entry = self.function.append_basic_block("entry")
        start = self.function.append_basic_block("start")
        self.builder: Any = ir.IRBuilder(start)
        self.start = start
        self.arguments, thread, threads = self.function.args
        self.thread, self.threads = Int(self.builder, thread), Int(self.builder, threads)

    # --- whole numbers and addresses ---

    def const(self, number: int) -> Int:
        return Int(self.builder, _I64(number))

    def argument(self, index: int) -> Int:
        place = self.builder.gep(self.arguments, [_I64(index)], source_etype=_I64)
        return Int(self.builder, self.builder.load(place, typ=_I64))

    def _pointer(self, address: Int) -> Any:
        return self.builder.inttoptr(address.value, _PTR)

    # --- vectors ---

    def splat(self, number: float) -> Vec:
        return Vec(self.builder, ir.Constant(_VECTOR, [float(np.float32(number))] * LANES))

    def load(self, address: Int, dtype: torch.dtype = torch.float32) -> Vec:
        """Load `LANES` numbers of `dtype` as float32."""
        kind = _VECTOR_BF16 if dtype == torch.bfloat16 else _VECTOR
        value = self.builder.load(self._pointer(address), typ=kind, align=ELEMENT_BYTES[dtype])
        return Vec(self.builder, self.builder.fpext(value, _VECTOR) if dtype == torch.bfloat16 else value)

    def load_scalar(self, address: Int) -> Vec:
        """Load one float32 into every lane."""
        number = self.builder.load(self._pointer(address), typ=_F32, align=4)
        first = self.builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, _I32(0))
        return Vec(self.builder, self.builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), self._whole(0)))

    def store(self, vector: Vec, address: Int, dtype: torch.dtype = torch.float32) -> None:
        """Store as `dtype`, rounding to nearest even."""
        value = self._bf16(vector) if dtype == torch.bfloat16 else vector.value
        self.builder.store(value, self._pointer(address), align=ELEMENT_BYTES[dtype])

    def _bf16(self, vector: Vec) -> Any:
        """Return the numbers rounded to bf16.

        Where the processor has no instruction for it, LLVM would call a function of the compiler's library, which is
        not there to be called; so it is done on the bits: half of the last place less one if that is even, and cut.
        """
        if "avx512bf16" in self.features:
            return self.builder.fptrunc(vector.value, _VECTOR_BF16)
        bits = self.builder.bitcast(vector.value, _VECTOR_I32)
        odd = self.builder.and_(self.builder.lshr(bits, self._whole(16)), self._whole(1))
        rounded = self.builder.add(self.builder.add(bits, self._whole(0x7FFF)), odd)
        quiet = self.builder.or_(bits, self._whole(0x400000))  # rounding could make infinity of a number that is none
        no_number = self.builder.fcmp_unordered("uno", vector.value, vector.value)
        chosen = self.builder.select(no_number, quiet, rounded)
        return self.builder.trunc(self.builder.lshr(chosen, self._whole(16)), _VECTOR_I16)

    def _whole(self, number: int) -> Any:
        return ir.Constant(_VECTOR_I32, [number] * LANES)

    def prefetch(self, address: Int) -> None:
        """Ask for the memory at `address`, which need not exist, before it is needed."""
        name = "llvm.prefetch.p0"
        kind = ir.FunctionType(ir.VoidType(), [_PTR, _I32, _I32, _I32])
        intrinsic = self.module.globals.get(name) or ir.Function(self.module, kind, name=name)
        self.builder.call(intrinsic, [self._pointer(address), _I32(0), _I32(2), _I32(1)])

    def fma(self, a: Vec, b: Vec, c: Vec) -> Vec:
        """Return a * b + c, rounded once."""
        return self._call("fma", a, b, c)

    def minimum(self, a: Vec, b: Vec) -> Vec:
        return self._where("olt", a, b, a, b)

    def maximum(self, a: Vec, b: Vec) -> Vec:
        return self._where("ogt", a, b, a, b)

    def where_between(self, value: Vec, low: Vec, high: Vec, then: Vec) -> Vec:
        """Return `then` where low < value < high, zero elsewhere."""
        zero = self.splat(0.0)
        inside = self.builder.and_(
            self.builder.fcmp_ordered(">", value.value, low.value),
            self.builder.fcmp_ordered("<", value.value, high.value),
        )
        return Vec(self.builder, self.builder.select(inside, then.value, zero.value))

    def _where(self, test: str, a: Vec, b: Vec, then: Vec, other: Vec) -> Vec:
        sign = {"olt": "<", "ogt": ">"}[test]
        return Vec(
            self.builder,
            self.builder.select(self.builder.fcmp_ordered(sign, a.value, b.value), then.value, other.value),
        )

    def _call(self, name: str, *operands: Vec) -> Vec:
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(operands))
        full_name = f"llvm.{name}.v{LANES}f32"
        intrinsic = self.module.globals.get(full_name) or ir.Function(self.module, kind, name=full_name)
        return Vec(self.builder, self.builder.call(intrinsic, [operand.value for operand in operands]))

    def exp(self, x: Vec, exact: bool) -> Vec:
        """Return e**x for x in [-87, 88]: to float32's last bits if `exact`, else to some 2**-13."""
        scaled = x * self.splat(1.4426950408889634)
        whole = self._call("nearbyint", scaled)
        if exact:
            rest = self.fma(whole, self.splat(-0.693359375), x)
            rest = self.fma(whole, self.splat(2.12194440e-4), rest)
            power = self.splat(1.3981999507e-3)
            for term in (8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5, 1.0, 1.0):
                power = self.fma(power, rest, self.splat(term))
        else:
            power = self._power_of_two(scaled - whole)
        exponent = self.builder.fptosi(whole.value, _VECTOR_I32)
        shifted = self.builder.shl(exponent, self._whole(23))
        bits = self.builder.add(self.builder.bitcast(power.value, _VECTOR_I32), shifted)
        return Vec(self.builder, self.builder.bitcast(bits, _VECTOR))

    def sigmoid(self, x: Vec, exact: bool) -> Vec:
        """Return 1 / (1 + e**-x): to float32's last bits if `exact`, else to some 2**-12."""
        one = self.splat(1.0)
        if "avx512f" in self.features and not exact:
            return self._sigmoid_avx512(x)
        bounded = self.maximum(self.minimum(x, self.splat(80.0)), self.splat(-80.0))
        return one / (one + self.exp(self.splat(0.0) - bounded, exact))

    def _sigmoid_avx512(self, x: Vec) -> Vec:
        """The processor's own scaling by powers of two goes to 0 and infinity by itself, so nothing is bounded."""
        scaled = x * self.splat(-1.4426950408889634)
        whole = self._call("nearbyint", scaled)
        power = self._power_of_two(scaled - whole)
        mask = ir.IntType(16)(-1)
        rounding = _I32(4)  # as the processor is set
        raised = self._avx512("mask.scalef.ps.512", power.value, whole.value, power.value, mask, rounding)
        denominator = self.splat(1.0) + Vec(self.builder, raised)
        return Vec(self.builder, self._avx512("rcp14.ps.512", denominator.value, denominator.value, mask))

    def _avx512(self, name: str, *operands: Any) -> Any:
        full_name = f"llvm.x86.avx512.{name}"
        kind = ir.FunctionType(_VECTOR, [operand.type for operand in operands])
        intrinsic = self.module.globals.get(full_name) or ir.Function(self.module, kind, name=full_name)
        return self.builder.call(intrinsic, operands)

    def _power_of_two(self, x: Vec) -> Vec:
        """Return 2**x for |x| <= 1/2, to 1e-4 (near-minimax)."""
        power = self.splat(0.05517167)
        for term in (0.24261112, 0.69326099, 0.99992807):
            power = self.fma(power, x, self.splat(term))
        return power

    # --- variables and flow ---

    def variable(self, initial: Vec) -> "Variable":
        return Variable(self, initial)

    @contextmanager
    def loop(self, start: Int | int, stop: Int | int, step: Int | int = 1) -> Iterator[Int]:
        """Write `for i in range(start, stop, step)`."""
        builder = self.builder
        first, last, by = (n if isinstance(n, Int) else self.const(n) for n in (start, stop, step))
        head, body, after = (self.function.append_basic_block(name) for name in ("head", "body", "after"))
        before = builder.block
        builder.branch(head)
        builder.position_at_end(head)
        counter = builder.phi(_I64)
        counter.add_incoming(first.value, before)
        builder.cbranch(builder.icmp_signed("<", counter, last.value), body, after)
        builder.position_at_end(body)
        yield Int(builder, counter)
        counter.add_incoming(builder.add(counter, by.value), builder.block)
        builder.branch(head)
        builder.position_at_end(after)

    @contextmanager
    def when(self, condition: Any) -> Iterator[None]:
        with self.builder.if_then(condition):
            yield

    def both(self, a: Any, b: Any) -> Any:
        return self.builder.and_(a, b)

    @contextmanager
    def my_share(self, tasks: Int) -> Iterator[Int]:
        """Write a loop over this thread's contiguous share of `tasks`."""
        with self.loop(self.thread * tasks // self.threads, (self.thread + 1) * tasks // self.threads) as task:
            yield task

    def finish(self) -> str:
        self.builder.ret_void()
        self.builder.position_at_end(self.entry)
        self.builder.branch(self.start)
        return str(self.module)


class Variable:
    """A vector that changes; it lives in a register."""

    def __init__(self, code: KernelBuilder, initial: Vec) -> None:
        self.code = code
        with code.builder.goto_block(code.entry):
            self.place = code.builder.alloca(_VECTOR)
        self.set(initial)

    def get(self) -> Vec:
        return Vec(self.code.builder, self.code.builder.load(self.place, typ=_VECTOR))

    def set(self, value: Vec) -> None:
        self.code.builder.store(value.value, self.place)
