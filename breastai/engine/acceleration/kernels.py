"""Kernels: machine code of our own, compiled for this processor and run on torch's threads.

LLVM comes with llvmlite (a wheel; nobody needs a compiler). Compiling takes some 0.1 s a kernel, once per
machine: the result is kept in the user's cache folder. Work is cut into tasks whose number and borders
never depend on timing, so the same input gives the same bits.
"""

import ctypes
import functools
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch

from breastai.engine.acceleration.simd_builder import KernelBuilder, llvm
from breastai.storage.private_files import private_folder

Run = Callable[[Sequence[int], int], None]
_DIGEST_BYTES = 32
_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
_ENGINES: list[Any] = []  # keeps the loaded code alive


def compile_kernel(code: KernelBuilder) -> Run:
    """Compile what `code` wrote, or load it; the result runs it with (addresses and sizes, threads)."""
    address = _load(_object_of(code.finish()), code.name)
    return functools.partial(_run, address, _KERNEL(address))


def cache_folder() -> Path:
    """Return the folder of compiled kernels; nothing in it is needed, all of it may be deleted."""
    return platformdirs.user_cache_path("breastai") / "kernels"


def _target_machine() -> Any:
    """Return a new one each time: an engine owns the one it is given."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )


def _object_of(text: str) -> bytes:
    """Return the object file of a module, from the cache if it is there and whole."""
    target = f"{llvm.llvm_version_info} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
    path = cache_folder() / hashlib.sha256(f"{target}\n{text}".encode()).hexdigest()
    try:
        stored = path.read_bytes()
    except OSError:
        stored = b""
    digest, kept = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    if kept and hashlib.sha256(kept).digest() == digest:
        return kept
    made = _compile(text)
    _keep(path, hashlib.sha256(made).digest() + made)
    return made


def _compile(text: str) -> bytes:
    machine = _target_machine()
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_process_triple()
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False  # the kernels are vectors already
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    made: bytes = machine.emit_object(module)
    return made


def _keep(path: Path, content: bytes) -> None:
    """Write the file whole or not at all; a folder that can't be written only costs time at the next start."""
    try:
        private_folder(path.parent)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)
    except OSError:
        return


def _load(content: bytes, name: str) -> int:
    empty = llvm.parse_assembly("")
    engine = llvm.create_mcjit_compiler(empty, _target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(content))
    engine.finalize_object()
    _ENGINES.append(engine)
    return int(engine.get_function_address(name))


# --- running -----------------------------------------------------------------------------------


def _run(address: int, direct: Callable[[int, int, int], None], arguments: Sequence[int], threads: int) -> None:
    """Call the kernel on `threads` threads and wait for all of them."""
    values = np.array([address, *arguments], dtype=np.int64)
    here = values.ctypes.data
    team = _team() if threads > 1 else None
    if threads == 1:
        direct(here + 8, 0, 1)
    elif team is not None:
        team(here, threads)
    else:
        list(_pool(threads).map(lambda thread: direct(here + 8, thread, threads), range(threads)))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernel")


_TEAM = """
declare i32 @omp_get_thread_num()
declare i32 @omp_get_num_threads()
define void @team(ptr %arguments) {
  %kernel = load ptr, ptr %arguments
  %rest = getelementptr i64, ptr %arguments, i64 1
  %thread = call i32 @omp_get_thread_num()
  %threads = call i32 @omp_get_num_threads()
  %thread64 = sext i32 %thread to i64
  %threads64 = sext i32 %threads to i64
  call void %kernel(ptr %rest, i64 %thread64, i64 %threads64)
  ret void
}
"""


@functools.cache
def _team() -> Callable[[int, int], None] | None:
    """Return a call that runs a kernel on torch's own OpenMP threads, or None where they can't be reached.

    A second pool of threads would fight with torch's, which spin for a while after each operator.
    """
    found = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    if not found:
        return None
    library = ctypes.CDLL(str(found[0]))
    for name in ("omp_get_thread_num", "omp_get_num_threads"):
        llvm.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
    entry = _load(_object_of(_TEAM), "team")
    parallel = library.GOMP_parallel
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None

    def run(arguments: int, threads: int) -> None:
        parallel(entry, arguments, threads, 0)

    return run
