"""What int8 gives and costs: latency and size against ONNX float32 and PyTorch eager, AUC and sensitivity where there are weights.

    python benchmarks/int8.py [--threads 2] [--rounds 300] [--models tf_efficientnet_lite0 efficientnet_b0 ...]
    python benchmarks/int8.py --workspace W --checkpoint RUN/best --data FOLDER [--split val]
    python benchmarks/int8.py --workspace W --study STUDY

The first form times networks of random weights, batch 1, at the sizes of the catalog's presets, and says how far their
answers are apart. The second exports a trained checkpoint as the product does (the scope that loses little enough on its
own validation images), times it likewise, and judges PyTorch, float32 and int8 on labelled images: AUC of each class by
DeLong and sensitivity at the frozen operating point by Wilson, both with 95 % intervals, and the paired DeLong test.
The third form does so, without timing, for each fold of a cross-validation on the images that fold held out, and judges
all together: no image chose the weights, the scope or the threshold that answer for it. A fold whose int8 model is refused
is named and left out.
Where OpenVINO is installed (pip install openvino; no part of the product) it answers from the same two files, in float32
arithmetic and at the precision it chooses itself. All are asked in turns of 20, so that a busy machine slows all alike, with a pause before each: the threads of each
wait for more work by spinning, and would take the cores from the next. "best" is the least of all rounds.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from breastai.clinical.apply_decision_rule import reaches
from breastai.clinical.intervals import auc, delong_test, proportion
from breastai.data.cases.image_set import labelled_images
from breastai.data.cases.run_folders import usable_folders
from breastai.data.phantoms.phantom_dataset import phantom
from breastai.domain.config import ModelSettings
from breastai.domain.decision_rule import Calibration
from breastai.domain.errors import ExportLosesAccuracy, WeightsUnavailable
from breastai.domain.jobs import Export
from breastai.engine.export.exported_graph import ExportedGraph, as_input, checkpoint_answer, exported_graph
from breastai.engine.export.exporters import export
from breastai.engine.export.onnx_file import answer_of, write_float32
from breastai.engine.export.quantize import SCOPES, quantize
from breastai.engine.inference.labelled_predictions import labelled_folder
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint
from breastai.engine.network.models import build_model
from breastai.predictor.onnx_model import INPUT_NAME, OnnxModel
from breastai.scale.fold_evaluation import held_out_images
from breastai.storage.checkpoints import find_checkpoint
from breastai.storage.split_records import read_split, split_path
from breastai.storage.studies import read_study
from breastai.storage.workspace import Workspace

SIDES = {"tf_efficientnet_lite0": 224, "efficientnet_b0": 224, "resnet50": 224, "efficientnetv2_s": 384}
ORDER = ("PyTorch", "float32", "int8")
TURN, WARM_UP, PAUSE_S = 20, 5, 0.5


def session(path: Path, threads: int) -> Any:
    """Return ONNX Runtime's session of a file."""
    import onnxruntime  # after breastai, which switches its telemetry off

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def openvino_ways(name: str, path: Path, threads: int, image: np.ndarray) -> dict[str, Callable[[], object]]:
    """Return what asks OpenVINO, by name; nothing where it is not installed. Prints how far its answers are from ORT's."""
    try:
        import openvino
    except ModuleNotFoundError:
        return {}
    expected = session(path, threads).run(None, {INPUT_NAME: image})[0]
    ways: dict[str, Callable[[], object]] = {}
    for title, extra in ((f"OV {name}", {"INFERENCE_PRECISION_HINT": "f32"}), (f"OV {name}, its own precision", {})):
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", **extra}
        compiled = openvino.Core().compile_model(str(path), "CPU", options)
        answers = compiled([image])[0]
        print(f"  {title}: differs from ONNX Runtime by {np.abs(answers - expected).max():.2g}")
        ways[title] = partial(compiled, [image])
    return ways


def timed(
    graph: torch.nn.Module, files: tuple[Path, Path], side: int, threads: int, rounds: int
) -> dict[str, np.ndarray]:
    """Return milliseconds by name, (rounds,) each, the three asked in turns."""
    torch.set_num_threads(threads)
    image = (np.random.default_rng(0).random((1, 3, side, side)) * 255).astype(np.float32)
    given = torch.from_numpy(image)
    ways: dict[str, Callable[[], object]] = {"PyTorch": lambda: graph(given)}
    for name, path in zip(ORDER[1:], files, strict=True):
        ways[name] = partial(session(path, threads).run, None, {INPUT_NAME: image})
        ways |= openvino_ways(name, path, threads, image)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for begun in range(0, rounds, TURN):
            for name, ask in ways.items():
                time.sleep(PAUSE_S)
                for number in range(WARM_UP + min(TURN, rounds - begun)):
                    began = time.perf_counter()
                    ask()
                    if number >= WARM_UP:
                        taken[name].append(1000 * (time.perf_counter() - began))
    return {name: np.array(values) for name, values in taken.items()}


def tell(title: str, taken: dict[str, np.ndarray], files: tuple[Path, Path]) -> None:
    float32, int8 = (path.stat().st_size / 1e6 for path in files)
    print(f"{title}: {float32:.1f} MB -> {int8:.1f} MB, {float32 / int8:.2f} times smaller")
    for name, values in taken.items():
        print(
            f"  {name:26} best {values.min():7.2f} ms  median {np.median(values):7.2f}  p99 {np.quantile(values, 0.99):7.2f}"
        )
    pairs = [("int8", name) for name in ORDER[:2]]
    pairs += [(name, "int8" if "int8" in name else "float32") for name in taken if name not in ORDER]
    for fast, slow in pairs:
        best, median = (f(taken[slow]) / f(taken[fast]) for f in (np.min, np.median))
        print(f"  {fast} against {slow}: {best:.2f} times faster by the best, {median:.2f} by the median")


def phantoms(side: int, count: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    kinds = ("benign", "malignant", "normal")
    planes = [
        np.asarray(phantom(kinds[number % 3], generator, side)).reshape(side, side, -1) for number in range(count)
    ]
    return np.stack([np.repeat(plane[:, :, :1], 3, axis=2) for plane in planes]).astype(np.uint8)


def random_network(name: str, threads: int, rounds: int) -> None:
    side = SIDES.get(name, 224)
    torch.manual_seed(0)
    settings = ModelSettings(architecture=name)
    try:
        built = build_model(settings, 3, download=False)
    except WeightsUnavailable:
        built = build_model(settings.model_copy(update={"pretrained": "none"}), 3, download=False)
    images = phantoms(side, 40)
    if built.pretrained.source == "none":
        settle(built.model, images[:8])
    with torch.inference_mode():
        logits = built.model.eval()((as_input(images[:8]) - 127.5) / 127.5)
    # Random weights give logits of any size: calibrated, so that probabilities show how far answers are apart.
    calibration = Calibration(temperature=max(1.0, float(logits.std())), prior_shift=(0.0, 0.0, 0.0))
    graph = ExportedGraph(built.model, list(built.mean), list(built.std), calibration).eval()
    with tempfile.TemporaryDirectory() as folder:
        files = (Path(folder) / "float32.onnx", Path(folder) / "int8.onnx")
        write_float32(graph, as_input(images[:2]), files[0])
        quantize(files[0], files[1], built.model.backbone, images[:24], SCOPES[0])
        judged = as_input(images[24:])
        with torch.inference_mode():
            expected = graph(judged).numpy()
        found = [session(path, threads).run(None, {INPUT_NAME: judged.numpy()})[0] for path in files]
        tell(f"{name} at {side}", timed(graph, files, side, threads, rounds), files)
        for way, answers in zip(ORDER[1:], found, strict=True):
            same = (answers.argmax(1) == expected.argmax(1)).mean()
            print(f"  {way} against PyTorch: difference {np.abs(answers - expected).max():.2g}, same class {same:.0%}")


def settle(model: torch.nn.Module, images: np.ndarray) -> None:
    """Give the batch norms of random weights the statistics of images: else their values leave every range."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        model.train()((as_input(images) - 127.5) / 127.5)
    model.eval()


def trained_network(place: str, checkpoint: str, data: str, split: str | None, threads: int, rounds: int) -> None:
    workspace = Workspace.open(place)
    loaded = load_checkpoint(find_checkpoint(workspace, checkpoint))
    manifest = loaded.manifest
    pair = exported_pair(workspace, checkpoint)
    taken = timed(exported_graph(loaded), pair, manifest.image_size, threads, rounds)
    tell(f"{manifest.architecture} at {manifest.image_size}, trained", taken, pair)
    folder, _ = labelled_folder(workspace.resolve(data), split)
    images, _, _ = labelled_images(folder, manifest.class_names, manifest.config)
    pixels = np.stack([images.image(number) for number in range(len(images))])
    labels = images.labels
    scores = scores_of(loaded, pair, pixels)
    print(f"on {len(labels)} images of {folder}:")
    judge(labels, scores, manifest.class_names)
    tell_sensitivity(called_positives(loaded, labels, scores))


def exported_pair(workspace: Workspace, checkpoint: str) -> tuple[Path, Path]:
    """Export a checkpoint as float32 and as int8, as the product does; raise ExportLosesAccuracy."""
    files = []
    for form in ("onnx", "onnx-int8"):
        *_, done = export(Export(workspace=str(workspace.root), checkpoint=checkpoint, format=form), workspace)
        files.append(workspace.root / done.path)  # type: ignore[attr-defined]
        print(f"{checkpoint}, {form}: {done.compared}", flush=True)  # type: ignore[attr-defined]
    return files[0], files[1]


def scores_of(loaded: Loaded, pair: tuple[Path, Path], pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the probabilities of preprocessed images by each way."""
    asked = (answer_of(OnnxModel.open(path), pixels) for path in pair)
    answers = (checkpoint_answer(loaded, pixels), *asked)
    return {way: answer.probabilities for way, answer in zip(ORDER, answers, strict=True)}


def called_positives(loaded: Loaded, labels: np.ndarray, scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return, by each way, which images of the operating point's class are called; nothing without such a point."""
    point = loaded.manifest.decision.operating_point
    if point is None:
        return {}
    number = loaded.manifest.class_names.index(point.class_name)
    return {way: reaches(values[labels == number, number], point.threshold) for way, values in scores.items()}


def judge(labels: np.ndarray, scores: dict[str, np.ndarray], class_names: Sequence[str]) -> None:
    """Print the AUC of each class by each way, the paired test of float32 and int8, and how far answers are apart."""
    for number, name in enumerate(class_names):
        positive = labels == number
        for way, values in scores.items():
            area = auc(positive, values[:, number].astype(float))
            print(f"  AUC {name:10} {way:8} {area.value:.4f} ({area.low:.4f} to {area.high:.4f})")
        test = delong_test(
            positive, scores["float32"][:, number].astype(float), scores["int8"][:, number].astype(float)
        )
        if test is not None:
            change = test.difference
            print(
                f"    float32 minus int8 {change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f}), p {test.p_value:.3f}"
            )
    for way in ORDER[1:]:
        same = (scores[way].argmax(1) == scores["PyTorch"].argmax(1)).mean()
        print(f"  {way}: difference {np.abs(scores[way] - scores['PyTorch']).max():.2g}, same class {same:.1%}")


def tell_sensitivity(called: dict[str, np.ndarray]) -> None:
    for way, values in called.items():
        found = proportion(values)
        print(
            f"  sensitivity at the operating point {way:8} {found.value:.3f} ({found.low:.3f} to {found.high:.3f}), n {len(values)}"
        )


def folds(place: str, study_id: str) -> None:
    workspace = Workspace.open(place)
    labels: list[np.ndarray] = []
    scores: list[dict[str, np.ndarray]] = []
    called: list[dict[str, np.ndarray]] = []
    names: Sequence[str] = ()
    for member in read_study(workspace, study_id).members:
        checkpoint = f"{member.run_id}/best"
        loaded = load_checkpoint(find_checkpoint(workspace, checkpoint))
        config, names = loaded.manifest.config, loaded.manifest.class_names
        try:
            pair = exported_pair(workspace, checkpoint)
        except ExportLosesAccuracy as error:
            print(f"{checkpoint} is left out: {error}", flush=True)
            continue
        split = read_split(split_path(workspace, member.run_id), member.run_id)
        images = ended(held_out_images(split, config, usable_folders(config, workspace.root)))
        labels.append(images.labels)
        scores.append(scores_of(loaded, pair, np.stack([images.image(number) for number in range(len(images))])))
        called.append(called_positives(loaded, images.labels, scores[-1]))
    if not labels:
        sys.exit("The int8 model of every fold was refused.")
    print(f"on all {sum(map(len, labels))} images, each judged by the fold that held it out:")
    judge(np.concatenate(labels), together(scores), names)
    tell_sensitivity(together(called))


def together(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {way: np.concatenate([part[way] for part in parts]) for way in parts[0]}


def ended(steps: Generator[Any, None, Any]) -> Any:
    """Return what a generator returns."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--models", nargs="+", default=list(SIDES))
    parser.add_argument("--workspace")
    parser.add_argument("--checkpoint", default="latest")
    parser.add_argument("--data")
    parser.add_argument("--split")
    parser.add_argument("--study")
    asked = parser.parse_args()
    if asked.study:
        folds(asked.workspace, asked.study)
        return
    if asked.workspace:
        trained_network(asked.workspace, asked.checkpoint, asked.data, asked.split, asked.threads, asked.rounds)
        return
    for name in asked.models:
        random_network(name, asked.threads, asked.rounds)


if __name__ == "__main__":
    main()
