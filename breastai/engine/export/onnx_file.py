"""ONNX files: torch's graph written, described and read back; and the same with weights of half precision."""

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.errors import ExportFailed
from breastai.predictor.model_output import Answer, join_outputs
from breastai.predictor.onnx_model import INPUT_NAME, METADATA_KEY, OUTPUT_NAME, OnnxModel

# Beside single images: the batch is dynamic, and each of these sizes is tried.
_BATCHES = (1, 3, 16)
_OPSET, _IR_VERSION = 17, 8
_IN_PLACE = "inplace"
# Of the reductions: torch writes its default, and the converter leaves it where it is not known yet.
_SINCE_OPSET_18 = "noop_with_empty_axes"


def write_float32(graph: nn.Module, example: torch.Tensor, path: Path, outputs: Sequence[str] = (OUTPUT_NAME,)) -> None:
    """Write `graph` to `path`, its batch dynamic; raise ExportFailed.

    In opset 17 and IR 8, which ONNX Runtime 1.12 and later open, where the graph has nothing newer in it.
    """
    import onnx

    onnx_program(graph, example, outputs).save(path, include_initializers=True, external_data=False)
    older = in_older_opset(onnx.load(path))
    if older is not None:
        onnx.save(older, path)


def in_older_opset(model: Any) -> Any:
    """Return the model in opset 17 and IR 8; None where one of its operators has no such form."""
    import onnx
    from onnx import version_converter

    try:
        older = version_converter.convert_version(model, _OPSET)
        for node in older.graph.node:
            for attribute in [each for each in node.attribute if each.name == _SINCE_OPSET_18]:
                node.attribute.remove(attribute)
        older.ir_version = _IR_VERSION
        onnx.checker.check_model(older)
    except (RuntimeError, onnx.checker.ValidationError):
        return None
    return older


def write_float16(source: Path, target: Path) -> None:
    """Write the float32 model at `source` with half-precision weights and inner values; inputs and outputs stay float32."""
    import onnx
    from onnxruntime.transformers import onnx_model
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with quiet_exporter():
        exact = onnx.load(source)
        # Half precision has 3 digits: the normalisation of 0..255 and the probabilities stay in float32.
        kept = [node.name for node in _ends(exact)]
        half = onnx_model.OnnxModel(convert_float_to_float16(exact, keep_io_types=True, node_block_list=kept))
        without_detours(half.model)
        half.topological_sort()  # its casts stand at the end
        onnx.save(half.model, target)


def without_detours(model: Any) -> None:
    """Take out casts to half precision and back between nodes kept in float32: they round, and overflow at 65504.

    The converter also writes the same cast once for each node that reads it, which no runtime takes.
    """
    import onnx

    casts = {node.output[0]: node for node in model.graph.node if node.op_type == "Cast"}
    target = {name: node.attribute[0].i for name, node in casts.items()}
    straight = {
        name: casts[node.input[0]].input[0]
        for name, node in casts.items()
        if target[name] == onnx.TensorProto.FLOAT and target.get(node.input[0]) == onnx.TensorProto.FLOAT16
    }
    outputs = {output.name for output in model.graph.output}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    written: set[str] = set()
    for node in nodes:
        name = node.output[0]
        if node.op_type == "Cast" and name not in outputs and (name in straight or name in written):
            continue
        if name in straight:  # an output: it is cast from what went the long way round
            node.input[0] = straight[name]
        written.update(node.output)
        for place, given in enumerate(node.input):
            node.input[place] = straight.get(given, given)
        model.graph.node.append(node)


def describe(path: Path, metadata: dict[str, Any]) -> None:
    """Write what the model says of itself into the file at `path`, replacing what it said before."""
    import onnx

    model = onnx.load(path)
    del model.metadata_props[:]
    texts = {
        METADATA_KEY: json.dumps(metadata, ensure_ascii=False),
        "notice": RESEARCH_USE,
        "class_names": json.dumps(metadata["class_names"], ensure_ascii=False),
    }
    onnx.helper.set_model_props(model, texts)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def answer_of(model: OnnxModel, images: np.ndarray) -> Answer:
    """Return the model's answer, asked in batches of 1, 3 and 16, then 16 again."""
    parts: list[Answer] = []
    start = 0
    for size in (*_BATCHES, *[_BATCHES[-1]] * (len(images) // _BATCHES[-1])):
        if start < len(images):
            parts.append(model.answer(images[start : start + size]))
            start += size
    return join_outputs(parts)


def onnx_program(graph: nn.Module, example: torch.Tensor, outputs: Sequence[str] = (OUTPUT_NAME,)) -> Any:
    """Return torch's ONNX program of `graph`, its batch dynamic; raise ExportFailed."""
    batch = torch.export.Dim("batch", min=1)
    try:
        with quiet_exporter(), _nothing_in_place(graph):
            return torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                input_names=[INPUT_NAME],
                output_names=list(outputs),
                dynamic_shapes={INPUT_NAME: {0: batch}},
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever its layers raise
        raise ExportFailed("onnx", reason_of(error)) from error


@contextlib.contextmanager
def _nothing_in_place(graph: nn.Module) -> Iterator[None]:
    """Keep activations from overwriting their input meanwhile: the exporter takes such a hardtanh apart, at 0.2 s each."""
    changed = [module for module in graph.modules() if getattr(module, _IN_PLACE, False)]
    for module in changed:
        setattr(module, _IN_PLACE, False)
    try:
        yield
    finally:
        for module in changed:
            setattr(module, _IN_PLACE, True)


def reason_of(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


@contextlib.contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep the exporters' own deprecations and remarks to themselves: they are not the user's affair."""
    loggers = [logging.getLogger(name) for name in (None, "torch.onnx", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _ends(model: Any) -> list[Any]:
    """Return the nodes before the first convolution, and the last ones from the classifier on."""
    nodes = list(model.graph.node)
    weighted = [number for number, node in enumerate(nodes) if node.op_type in ("Conv", "Gemm", "MatMul")]
    return [*nodes[: weighted[0]], *nodes[weighted[-1] + 1 :]] if weighted else nodes
