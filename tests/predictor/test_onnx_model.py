"""Prediction from an ONNX file, on graphs small enough to compute by hand."""

import csv
import json
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from breastai.cli import run
from breastai.commands.predictions_csv import processing_text
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.errors import ImageUnreadable, ModelUnreadable, NoImages
from breastai.domain.jobs import AskExports, HandedImage
from breastai.predictor import predictions as prediction_module
from breastai.predictor.image_files import image_files
from breastai.predictor.onnx_model import METADATA_KEY, OnnxModel
from breastai.predictor.predictions import BATCH_SIZE, predictions
from breastai.predictor.uploaded_images import ask_exports
from breastai.storage.workspace import Workspace

SIDE = 8
METADATA = {
    "architecture": "resnet50",
    "class_names": ["dark", "bright"],
    "image_size": SIDE,
    "preprocessing": {"clahe": False},
    "of_a_later_version": True,
}


def picture(grey: int) -> Image.Image:
    """A small picture around a grey: half its rows a little darker, half a little brighter."""
    rows = np.array([-5, 5] * 5 + [0, 0], np.int16)[:, None] + np.full((12, 9), grey, np.int16)
    return Image.fromarray(rows.astype(np.uint8).T.copy())


def brightness_model(
    path: Path, metadata: Any = METADATA, classes: int = 2, names: tuple[str, str] = ("images", "probabilities")
) -> Path:
    """Write a model that answers softmax(0, mean of the image / 255 - 0.5, 0, ...), so that bright images are class 1."""
    weights = np.zeros((3, classes), np.float32)
    weights[:, 1] = 1 / (3 * 255)
    bias = np.zeros(classes, np.float32)
    bias[1] = -0.5
    nodes = [
        helper.make_node("GlobalAveragePool", [names[0]], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [names[1]], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, ["batch", classes])],
        [onnx.numpy_helper.from_array(weights, "weights"), onnx.numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if metadata is not None:
        helper.set_model_props(model, {METADATA_KEY: metadata if isinstance(metadata, str) else json.dumps(metadata)})
    path.write_bytes(model.SerializeToString())
    return path


def test_a_model_says_what_it_is(tmp_path: Path) -> None:
    model = OnnxModel.open(brightness_model(tmp_path / "é 1.onnx"))
    assert model.class_names == ["dark", "bright"]
    assert (model.metadata.architecture, model.metadata.image_size) == ("resnet50", SIDE)
    assert model.metadata.notice == RESEARCH_USE
    assert not model.metadata.preprocessing.clahe


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_graph_gets_rgb_values_from_0_to_255(tmp_path: Path, count: int) -> None:
    model = OnnxModel.open(brightness_model(tmp_path / "m.onnx"))
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    logit = images.mean(axis=(1, 2, 3)) / 255 - 0.5
    bright = 1 / (1 + np.exp(-logit))
    np.testing.assert_allclose(model.predict(images), np.stack([1 - bright, bright], axis=1), atol=1e-6)


@pytest.mark.parametrize("shape", [(SIDE, SIDE, 3), (1, SIDE, SIDE, 1), (1, 4, SIDE, 3)])
def test_images_that_were_not_preprocessed_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    model = OnnxModel.open(brightness_model(tmp_path / "m.onnx"))
    with pytest.raises(ValueError, match="expected images of shape"):
        model.predict(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"metadata": None}, "it was not exported by BreastAI"),
        ({"metadata": "no json"}, "its metadata is damaged"),
        ({"metadata": METADATA | {"image_size": 0}}, "its metadata is damaged (image_size"),
        ({"metadata": METADATA | {"class_names": ["one"]}}, "its metadata is damaged (class_names"),
        ({"classes": 3}, "it gives 3 probabilities for 2 classes"),
        ({"names": ("input", "probabilities")}, "its graph has other inputs"),
        ({"names": ("images", "output")}, "its graph has other inputs"),
    ],
)
def test_a_file_that_is_no_model_of_ours_is_refused_with_the_reason(
    tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ModelUnreadable) as caught:
        OnnxModel.open(brightness_model(tmp_path / "m.onnx", **options))
    assert reason in str(caught.value.reason)


@pytest.mark.parametrize("content", [None, b"", b"words", b"\x08\x07\x00"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelUnreadable):
        OnnxModel.open(path)


def test_predictions_keep_their_order_around_files_that_can_not_be_read(tmp_path: Path) -> None:
    model = OnnxModel.open(brightness_model(tmp_path / "m.onnx"))
    files = []
    for number in range(2 * BATCH_SIZE + 3):
        file = tmp_path / f"{number:03d}.png"
        if number % 5 == 3:
            file.write_bytes(b"words" if number % 2 else b"")
        else:
            picture(230 if number % 2 else 20).save(file)
        files.append(file)
    answers = list(predictions(model, files, lambda file: file.name))
    assert [answer.file for answer in answers] == [file.name for file in files]
    for number, answer in enumerate(answers):
        if number % 5 == 3:
            assert (answer.label, answer.probabilities) == (None, None) and answer.error
        else:
            assert answer.label == ("bright" if number % 2 else "dark") and answer.error is None
            assert answer.probabilities is not None
            assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-6)


RULE = {
    "operating_point": {
        "class_name": "bright",
        "threshold": 0.55,
        "target_sensitivity": 0.95,
        "positives": 60,
        "positives_needed": 59,
        "sensitivity": {"value": 0.95, "low": 0.9, "high": 0.99, "n": 60},
        "specificity": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 60},
    },
    "conformal": {"error_rate": 0.1, "thresholds": [0.48, 0.48], "by_class": True},
    "n": 120,
}


def test_a_prediction_says_what_is_called_what_is_referred_and_what_was_done_to_the_image(tmp_path: Path) -> None:
    model = OnnxModel.open(brightness_model(tmp_path / "m.onnx", METADATA | {"decision": RULE}))
    for name, grey in (("dark", 10), ("between", 127), ("bright", 250)):
        picture(grey).save(tmp_path / f"{name}.png")
    files = [tmp_path / f"{name}.png" for name in ("dark", "between", "bright")]
    dark, between, bright = predictions(model, files, lambda file: file.stem)
    assert [answer.called for answer in (dark, between, bright)] == [False, False, True]
    assert [answer.refer for answer in (dark, between, bright)] == [False, True, False]
    assert between.refer_reason == "several_classes" and between.plausible == ["dark", "bright"]
    assert (bright.target_class, bright.threshold, bright.plausible) == ("bright", 0.55, ["bright"])
    assert bright.processing is not None
    assert processing_text(bright.processing) == "12 x 9, grey; stretched to 8 x 8"


def test_a_case_that_is_like_no_class_is_referred_too(tmp_path: Path) -> None:
    rule = RULE | {"conformal": {"error_rate": 0.1, "thresholds": [0.9, 0.9], "by_class": True}}
    model = OnnxModel.open(brightness_model(tmp_path / "m.onnx", METADATA | {"decision": rule}))
    picture(127).save(tmp_path / "a.png")
    (answer,) = predictions(model, [tmp_path / "a.png"], str)
    assert (answer.refer, answer.refer_reason, answer.plausible) == (True, "no_class", [])


@pytest.mark.parametrize(("name", "size"), [("black.png", (60, 40)), ("one.png", (1, 1))])
def test_a_black_or_one_pixel_image_gets_no_class(
    name: str, size: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = brightness_model(tmp_path / "m.onnx")
    Image.new("L", size).save(tmp_path / name)
    assert run(["predict", str(model), str(tmp_path / name), "--workspace", str(tmp_path), "--json"]) == 2
    said = json.loads(capsys.readouterr().out.splitlines()[0])
    assert said["label"] is None and said["probabilities"] is None and said["called"] is None
    assert "blank" in said["error"] or "too few" in said["error"]
    image = HandedImage(image="i", name=name, path=str(tmp_path / name))
    answer, _ = ask_exports(
        AskExports(workspace=str(tmp_path), images=[image], models=["m.onnx"]), Workspace.open(tmp_path)
    )
    assert answer.answers[0].prediction.label is None  # type: ignore[union-attr]


def test_a_16_bit_image_is_read_by_the_depth_that_the_model_keeps(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 3000, (40, 40)).astype(np.uint16)
    said = []
    for peak in (4095, 4100):
        values[0, 0] = peak
        cv2.imwrite(str(tmp_path / f"{peak}.png"), values)
        model = OnnxModel.open(
            brightness_model(tmp_path / "m.onnx", METADATA | {"preprocessing": {"clahe": False, "bit_depth": 14}})
        )
        (found,) = predictions(model, [tmp_path / f"{peak}.png"], str)
        assert found.probabilities is not None
        said.append(found.probabilities["bright"])
    assert said[0] == pytest.approx(said[1], abs=0.01)


def test_predictions_as_csv_have_a_row_for_each_file_and_the_bad_ones_their_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = brightness_model(tmp_path / "m.onnx", METADATA | {"decision": RULE})
    (tmp_path / "a.png").write_bytes(b"")
    for number in range(2 * BATCH_SIZE):
        picture(250).save(tmp_path / f"b{number:02d}.png")
    assert run(["predict", str(model), str(tmp_path / "*.png"), "--csv", "--workspace", str(tmp_path)]) == 2
    first, *rows = csv.DictReader(capsys.readouterr().out.splitlines())
    assert first["file"] == "a.png" and first["error"] == "the file is empty (0 bytes)" and first["p_bright"] == ""
    assert [row["file"] for row in rows] == [f"b{number:02d}.png" for number in range(2 * BATCH_SIZE)]
    assert {(row["predicted"], row["called"], row["refer"], row["plausible"]) for row in rows} == {
        ("bright", "1", "0", "bright")
    }
    assert float(rows[0]["p_bright"]) == pytest.approx(0.6174, abs=1e-3)
    assert run(["predict", str(model), str(tmp_path / "b*.png"), "--csv", "--json"]) == 2


def test_a_batch_without_a_readable_image_is_answered_too(tmp_path: Path) -> None:
    model = OnnxModel.open(brightness_model(tmp_path / "m.onnx"))
    (tmp_path / "a.png").write_bytes(b"")
    (answer,) = predictions(model, [tmp_path / "a.png"], str)
    assert answer.error == "the file is empty (0 bytes)"


# --- which files ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "sub/c.tif", "a_mask.png", ".hidden.png", ".git/d.png", "notes.txt", "x[1].png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["b.png"], ["b.png"]),
        (["notes.txt"], ["notes.txt"]),
        (["a_mask.png"], ["a_mask.png"]),
        (["."], ["a.JPG", "b.png", "sub/c.tif", "x[1].png"]),
        (["sub", "b.png", "sub"], ["sub/c.tif", "b.png"]),
        (["**/*.tif"], ["sub/c.tif"]),
        (["x[1].png"], ["x[1].png"]),
        (["b*", "n*"], None),
    ],
)
def test_names_folders_and_patterns_become_files(folder: Path, wanted: list[str], found: list[str] | None) -> None:
    if found is None:
        with pytest.raises(NoImages, match=r"n\*"):
            image_files(wanted, folder)
        return
    assert [path.relative_to(folder).as_posix() for path in image_files(wanted, folder)] == found


def test_a_name_without_a_file_is_refused(folder: Path) -> None:
    with pytest.raises(ImageUnreadable, match=r"none\.png"):
        image_files(["b.png", "none.png"], folder)


REFERENCES = {"images_sha256": "", "allowed_difference": 1.0}
POINT = {"class_name": "absent", "threshold": 0.5, "target_sensitivity": 0.9, "positives": 1, "positives_needed": 1}


@pytest.mark.parametrize(
    "hostile",
    [
        {"image_size": 40_000},
        {"references": REFERENCES | {"probabilities": [[0.5, 0.5]] * 65}},
        {"references": REFERENCES | {"probabilities": [[0.5] * 5_000]}},
        {"class_names": ["dark", "b" * 10_000]},
        {"of_a_later_version": "x" * (5 * 2**20)},
        {"decision": {"operating_point": POINT | {"sensitivity": None, "specificity": None}}},
        {"decision": {"conformal": {"error_rate": 0.1, "thresholds": [0.1] * 9, "by_class": True}}},
        {"preprocessing": {"clahe": False, "output_size": 10**9, "resize": "endless"}},
    ],
)
def test_what_a_foreign_model_says_of_itself_costs_nothing_and_is_told(
    tmp_path: Path, hostile: dict[str, object]
) -> None:
    with pytest.raises(ModelUnreadable):
        OnnxModel.open(brightness_model(tmp_path / "m.onnx", METADATA | hostile))


def foreign_graph(path: Path, operation: str, shape: list[int | str], **attributes: Any) -> Path:
    """Write a model that does one operation with the images and calls that its probabilities."""
    graph = helper.make_graph(
        [helper.make_node(operation, ["images"], ["probabilities"], **attributes)],
        "foreign",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(METADATA)})
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("operation", "attributes"),
    [("Identity", {}), ("Flatten", {}), ("Log", {}), ("DepthToSpace", {"blocksize": 7})],
)
def test_whatever_a_foreign_graph_answers_it_is_told_as_a_model_that_can_not_be_used(
    tmp_path: Path, operation: str, attributes: dict[str, int]
) -> None:
    path = foreign_graph(
        tmp_path / "m.onnx", operation, ["n", "c"] if operation == "Flatten" else list("nchw"), **attributes
    )
    with pytest.raises(ModelUnreadable):
        OnnxModel.open(path).predict(np.zeros((1, SIDE, SIDE, 3), np.uint8))


def test_not_a_number_is_no_probability(tmp_path: Path) -> None:
    model = OnnxModel.open(brightness_model(tmp_path / "m.onnx"))
    broken = onnx.load(tmp_path / "m.onnx")
    broken.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(np.full(2, np.nan, np.float32), "bias"))
    onnx.save(broken, tmp_path / "nan.onnx")
    images = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    assert np.isfinite(model.predict(images)).all()
    with pytest.raises(ModelUnreadable, match="can’t answer"):
        OnnxModel.open(tmp_path / "nan.onnx").predict(images)


def test_while_a_batch_is_answered_the_whole_next_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = OnnxModel.open(brightness_model(tmp_path / "m.onnx"))
    files = [tmp_path / f"{number:02d}.png" for number in range(3 * BATCH_SIZE)]
    for file in files:
        file.write_bytes(b"words")
    begun: list[Path] = []
    enough, read = threading.Event(), prediction_module._read

    def noted(file: Path, *others: Any) -> Any:
        begun.append(file)
        if len(begun) == 2 * BATCH_SIZE:
            enough.set()
        return read(file, *others)

    monkeypatch.setattr(prediction_module, "_read", noted)
    answers = predictions(model, files, lambda file: file.name)
    first = next(answers)
    # Nobody asks for more, and the second batch is read all the same; the third has to wait.
    assert enough.wait(60) and len(begun) == 2 * BATCH_SIZE
    assert [first.file, *(answer.file for answer in answers)] == [file.name for file in files]
    assert sorted(begun) == files
