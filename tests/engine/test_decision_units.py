"""Runs that decide by patient: rules in the checkpoint, figures by unit, exports and predictions that say the same."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from torch import nn

from breastai import load
from breastai.commands.predictions_csv import UnitRows
from breastai.data.preprocessing.model_images import read_for
from breastai.domain.config import Config
from breastai.domain.errors import DecisionUnitUnknown, ModelUnreadable
from breastai.domain.events import DataLoaded, Evaluation, Event, Log, ReportCreated, UnitPrediction
from breastai.domain.jobs import Evaluate, Export, Predict, Report, Train
from breastai.engine.network.attention_pooling import fit_attention
from breastai.engine.network.checkpoint_io import load_checkpoint
from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.predictions import predict_files
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.evaluations import read_evaluations, sha256_of
from breastai.storage.workspace import Workspace
from breastai.worker import perform

POOLINGS = ["mean", "largest", "noisy_or", "learnt", "attention"]
Runs = Callable[[str], tuple[Workspace, list[Event]]]
Exported = Callable[[str], Workspace]


def by_patient(pooling: str = "mean", **others: Any) -> dict[str, Any]:
    return {"evaluation": {"patient_id": r"^(P\d+)_", "pooling": pooling, **others}, "training": {"epochs": 1}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, small_config: Callable[..., Config]) -> Runs:
    """Return a run of each rule of pooling, made once."""
    made: dict[str, tuple[Workspace, list[Event]]] = {}

    def run(pooling: str) -> tuple[Workspace, list[Event]]:
        if pooling not in made:
            place = Workspace.open(tmp_path_factory.mktemp(pooling) / "workspace")
            events = list(
                perform(Train(workspace=str(place.root), run_id="run", config=small_config(by_patient(pooling))))
            )
            made[pooling] = place, events
        return made[pooling]

    return run


@pytest.fixture(scope="module")
def exported(runs: Runs) -> Exported:
    """Return the workspace of a run and its export as ONNX, made once: that takes longer than ten such runs."""

    def of(pooling: str) -> Workspace:
        place, _ = runs(pooling)
        if not (place.exports_dir / "onnx" / "run_best.onnx").exists():
            list(perform(Export(workspace=str(place.root), checkpoint="run/best", format="onnx")))
        return place

    return of


def test_the_unit_that_the_data_suggest_is_told(runs: Runs) -> None:
    _, events = runs("mean")
    codes = [event.code for event in events if isinstance(event, Log)]
    assert "data.unit_patient" in codes
    loaded = next(place for place, event in enumerate(events) if isinstance(event, DataLoaded))
    assert isinstance(events[loaded + 1], Log)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_checkpoint_keeps_the_rule_of_its_unit(runs: Runs, pooling: str) -> None:
    place, _ = runs(pooling)
    loaded = load_checkpoint(checkpoint_files(place, "run", "best"))
    rule = loaded.manifest.unit_rule
    assert rule is not None and (rule.unit, rule.pooling.rule) == ("patient", pooling)
    assert rule.decision.n < loaded.manifest.decision.n and rule.decision.operating_point is not None
    assert (loaded.attention is not None) == (pooling == "attention")


@pytest.mark.parametrize(
    "pooling", [*(pytest.param(name, marks=pytest.mark.full) for name in POOLINGS[:-1]), POOLINGS[-1]]
)
def test_an_evaluation_and_both_ways_to_predict_say_the_same_of_each_patient(
    exported: Exported, sample_data: Path, pooling: str
) -> None:
    place = exported(pooling)
    job = Evaluate(workspace=str(place.root), checkpoint="run/best", data=str(sample_data / "val"))
    (event,) = [event for event in perform(job) if isinstance(event, Evaluation)]
    assert event.by_unit is not None and event.by_unit.evidence.n < event.n
    record = read_evaluations(place, "run")[-1][1]
    assert record.by_unit is not None and len(record.units) == record.by_unit.evidence.n
    files = sorted((sample_data / "val").rglob("*.png"))
    asked = perform(Predict(workspace=str(place.root), checkpoint="run/best", images=[str(file) for file in files]))
    by_checkpoint = {event.name: event for event in asked if isinstance(event, UnitPrediction)}
    model = OnnxModel.open(place.exports_dir / "onnx" / "run_best.onnx")
    by_onnx = {event.name: event for event in predict_files(model, files, str) if isinstance(event, UnitPrediction)}
    assert by_onnx.keys() == by_checkpoint.keys() and len(by_onnx) == len(record.units)
    for name, said in by_onnx.items():
        for label, value in said.probabilities.items():
            assert value == pytest.approx(by_checkpoint[name].probabilities[label], abs=1e-4)
        assert said.decision == by_checkpoint[name].decision
        bag = np.stack(
            [
                model.preprocess(read_for(file, model.preprocessing).pixels)
                for file in files
                if file.name.startswith(f"{name}_")
            ]
        )
        probabilities, weights = model.answer_unit(bag)
        assert probabilities == pytest.approx(list(said.probabilities.values()), abs=1e-4)
        assert weights.sum() == pytest.approx(1, abs=1e-5)
    judged = sorted(max(case.probabilities) for case in record.units)
    assert judged == pytest.approx(sorted(max(said.probabilities.values()) for said in by_onnx.values()), abs=1e-4)


def test_images_of_one_patient_are_one_whatever_they_are_called(runs: Runs, sample_data: Path) -> None:
    place, _ = runs("largest")
    files = [str(file) for file in sorted((sample_data / "val").rglob("*.png"))[:3]]
    job = Predict(workspace=str(place.root), checkpoint="run/best", images=files, one_patient=True)
    (said,) = [event for event in perform(job) if isinstance(event, UnitPrediction)]
    assert len(said.images) == 3 and said.images[0].share == 1


def test_a_table_has_a_line_for_each_patient(runs: Runs, sample_data: Path, tmp_path: Path) -> None:
    place, _ = runs("mean")
    files = [str(file) for file in sorted((sample_data / "val").rglob("*.png"))]
    with (tmp_path / "out.csv").open("w", newline="") as stream:
        rows = UnitRows(stream)
        for event in perform(Predict(workspace=str(place.root), checkpoint="run/best", images=files)):
            rows.event(event)
    with (tmp_path / "out.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert {row["name"] for row in table} == {Path(file).name.partition("_")[0] for file in files}
    assert all(row["carried_by"].endswith(".png") for row in table)


def test_half_precision_answers_for_patients_too(exported: Exported) -> None:
    place = exported("attention")
    list(perform(Export(workspace=str(place.root), checkpoint="run/best", format="onnx-fp16")))
    model = OnnxModel.open(place.exports_dir / "onnx" / "run_best.fp16.onnx")
    assert model.unit_rule is not None
    images = np.random.default_rng(0).integers(0, 255, (3, model.image_size, model.image_size, 3), dtype=np.uint8)
    exact = OnnxModel.open(place.exports_dir / "onnx" / "run_best.onnx")
    assert model.answer_unit(images)[0] == pytest.approx(exact.answer_unit(images)[0], abs=0.02)


def test_a_unit_that_nobody_knows_is_refused_before_an_image_is_learnt_from(
    small_config: Callable[..., Config], run_events: Callable[..., list[Event]], workspace: Workspace
) -> None:
    with pytest.raises(DecisionUnitUnknown):
        run_events(small_config(by_patient(decision_unit="breast")))
    assert not workspace.checkpoint_dir("run").exists()


def test_images_alone_are_decided_where_that_is_wished(
    small_config: Callable[..., Config], run_events: Callable[..., list[Event]], workspace: Workspace
) -> None:
    run_events(small_config(by_patient(decision_unit="image")))
    assert read_manifest(checkpoint_files(workspace, "run", "best")).unit_rule is None


@pytest.mark.full
def test_attention_is_the_same_for_the_same_seed() -> None:
    generator = np.random.default_rng(1)
    features, labels = generator.normal(size=(160, 8)).astype(np.float32), np.arange(160) // 2 % 2
    features[::2, 0] += 3 * labels[::2]  # the first image of each tells
    units, head = [str(number // 2) for number in range(160)], nn.Linear(8, 2)
    first, again, other = (
        fit_attention(features, labels, units, head, 1, seed=seed).evidence(features) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


@pytest.mark.parametrize("fault", ["pattern", "text"])
def test_a_file_that_lies_about_its_units_is_refused_by_name(exported: Exported, tmp_path: Path, fault: str) -> None:
    place = exported("attention")
    model = onnx.load(place.exports_dir / "onnx" / "run_best.onnx")
    said = {entry.key: entry for entry in model.metadata_props}["breastai"]
    described = json.loads(said.value)
    if fault == "pattern":
        described["unit_rule"]["patient_id"]["pattern"] = "("
    else:
        described["unit_rule"]["pooling"] |= {"rule": "largest", "class_name": "no such class"}
    said.value = json.dumps(described)
    onnx.save(model, tmp_path / "lie.onnx")
    with pytest.raises(ModelUnreadable):
        OnnxModel.open(tmp_path / "lie.onnx")


def test_a_patient_whose_image_can_not_be_read_says_so(runs: Runs, sample_data: Path, tmp_path: Path) -> None:
    place, _ = runs("mean")
    (tmp_path / "P7_1.png").write_bytes(next((sample_data / "val").rglob("*.png")).read_bytes())
    (tmp_path / "P7_2.png").write_bytes(b"no image")
    job = Predict(
        workspace=str(place.root), checkpoint="run/best", images=[str(tmp_path / f"P7_{n}.png") for n in (1, 2)]
    )
    (said,) = [event for event in perform(job) if isinstance(event, UnitPrediction)]
    assert (said.name, len(said.images), said.failed) == ("P7", 1, 1)


def test_attention_finds_the_one_view_that_tells() -> None:
    generator = np.random.default_rng(0)
    ill = generator.random(360) < 0.5
    features = generator.normal(size=(360, 4, 24)).astype(np.float32)
    telling = generator.integers(0, 4, 360)
    features[np.flatnonzero(ill), telling[ill], :3] += 2.0
    labels, units = np.repeat(ill, 4).astype(int), [str(number) for number in np.repeat(range(360), 4)]
    rows = features.reshape(-1, 24)
    learnt = np.repeat(np.arange(360) < 240, 4)
    head = nn.Linear(24, 2)
    head.weight.data.zero_()
    head.bias.data.zero_()
    attention = fit_attention(
        rows[learnt], labels[learnt], [u for u, own in zip(units, learnt, strict=True) if own], head, 1
    )
    said = attention.evidence(rows[~learnt])
    heeded = said[:, 0].reshape(120, 4).argmax(axis=1)
    of_ill = ill[240:]
    assert (heeded == telling[240:])[of_ill].mean() > 0.7


def test_what_is_kept_names_neither_patient_nor_file_to_who_lacks_the_salt(runs: Runs, sample_data: Path) -> None:
    place, _ = runs("mean")
    job = Evaluate(workspace=str(place.root), checkpoint="run/best", data=str(sample_data / "val"))
    list(perform(job))
    path, record = read_evaluations(place, "run")[-1]
    text = path.read_text(encoding="utf-8")
    patients = {file.name.partition("_")[0] for file in (sample_data / "val").rglob("*.png")}
    assert not [name for name in patients if name in text or sha256_of(name) in text]
    known = {case.name_sha256 for case in record.cases}
    assert {name for unit in record.units for name in unit.images} == known


@pytest.mark.one_variant
@pytest.mark.parametrize(("language", "heading"), [("en", "Decisions by patient"), ("fr", "Décisions par patient")])
def test_a_report_tells_the_decisions_by_patient(runs: Runs, sample_data: Path, language: Any, heading: str) -> None:
    place, _ = runs("attention")
    list(perform(Evaluate(workspace=str(place.root), checkpoint="run/best", data=str(sample_data / "val"))))
    (created,) = [
        event
        for event in perform(Report(workspace=str(place.root), run_id="run", language=language, pictures=False))
        if isinstance(event, ReportCreated)
    ]
    files = [place.resolve(file) for file in created.files]
    html = next(file for file in files if file.suffix == ".html").read_text(encoding="utf-8")
    found = json.loads(next(file for file in files if file.suffix == ".json").read_text(encoding="utf-8"))["by_unit"]
    assert heading in html and found["pooling"] == "attention"
    area = found["evidence"]["figures"]["auc_roc.malignant"]["value"]
    assert f"{area:.3f}".replace(".", "," if language == "fr" else ".") in html


def test_a_loaded_model_says_the_same_in_python(exported: Exported, sample_data: Path) -> None:
    place = exported("attention")
    model = load(place.exports_dir / "onnx" / "run_best.onnx")
    files = sorted((sample_data / "val").rglob("*.png"))
    found = model.predict(files)
    assert {unit.name for unit in found.units} == {file.name.partition("_")[0] for file in files}
    (one,) = model.predict(files[:2], one_patient=True).units
    assert len(one.images) == 2
