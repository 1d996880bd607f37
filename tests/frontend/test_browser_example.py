"""The browser example in headless Chromium: the same probabilities as ONNX Runtime's in Python."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from breastai.predictor.onnx_model import METADATA_KEY

from ..predictor.test_onnx_model import METADATA
from .conftest import CHROMIUM, missing

SIDE = 64


def small_network(path: Path) -> Path:
    """Write a network of a float32 layer, one in int8 as our exports have them, and a classifier of two classes."""
    generator = np.random.default_rng(0)
    first, last = (generator.normal(0, 0.2, shape).astype(np.float32) for shape in ((8, 3, 3, 3), (8, 2)))
    second = generator.integers(-64, 64, (8, 8, 3, 3), dtype=np.int8)
    tensors = {
        "first": first / 64, "second": second, "last": last * 4, "step": np.full(8, 0.004, np.float32),
        "zeros": np.zeros(8, np.int8), "range": np.float32(0.06), "zero": np.uint8(0),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["images", "first"], ["a"], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("QuantizeLinear", ["b", "range", "zero"], ["bq"]),
        helper.make_node("DequantizeLinear", ["bq", "range", "zero"], ["c"]),
        helper.make_node("DequantizeLinear", ["second", "step", "zeros"], ["w"], axis=0),
        helper.make_node("Conv", ["c", "w"], ["d"]),
        helper.make_node("Sigmoid", ["d"], ["e"]),
        helper.make_node("GlobalAveragePool", ["e"], ["f"]),
        helper.make_node("Flatten", ["f"], ["g"]),
        helper.make_node("Gemm", ["g", "last"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [onnx.numpy_helper.from_array(np.asarray(values), name) for name, values in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(METADATA | {"image_size": SIDE})})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def test_the_browser_example_gives_the_same_probabilities(project_root: Path, tmp_path: Path) -> None:
    folder = project_root / "examples" / "browser"
    if not CHROMIUM.exists():
        missing("chromium")
    if not (folder / "node_modules" / "onnxruntime-web").is_dir():
        missing("onnxruntime-web (npm ci --prefix examples/browser)")
    model = small_network(tmp_path / "m.onnx")
    command = [sys.executable, str(folder / "check.py"), str(model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "allowed 0.001" in done.stdout
