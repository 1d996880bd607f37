"""Evaluation and prediction by a checkpoint."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from sklearn.metrics import roc_auc_score

from breastai.data.cases.image_set import matched_cases
from breastai.data.decoders.decoder_table import read_image
from breastai.domain.config import Config
from breastai.domain.dataset_description import parse_description
from breastai.domain.errors import DataNotFound, PartNotFound
from breastai.domain.events import (
    Comparison,
    DataLoaded,
    Evaluation,
    Event,
    Log,
    Prediction,
    PredictionsComplete,
    ProgressUpdate,
    TrainingUpdate,
)
from breastai.domain.jobs import Compare, Evaluate, Predict
from breastai.domain.records import ImageUse
from breastai.domain.text import Text
from breastai.engine.inference.evaluation_job import compare_checkpoints, evaluate, predict
from breastai.engine.inference.labelled_predictions import labelled_folder
from breastai.storage.checkpoints import FINGERPRINTS, find_checkpoint, read_manifest
from breastai.storage.datasets import save_dataset
from breastai.storage.evaluations import numbers_by_hash, openings_file, read_evaluations, sha256_of
from breastai.storage.workspace import Workspace

from ..data.test_dicom import content, dataset


@pytest.fixture
def trained(
    run_events: Callable[..., list[Event]], small_config: Callable[..., Config], workspace: Workspace
) -> Workspace:
    run_events(small_config({"training": {"epochs": 1}, "evaluation": {"patient_id": r"^(P\d+)_"}}))
    return workspace


def evaluation(workspace: Workspace, data: Path, split: str | None = None) -> Evaluation:
    job = Evaluate.model_validate(
        {"workspace": str(workspace.root), "checkpoint": "run/best", "data": str(data), "split": split}
    )
    last = list(evaluate(job, workspace))[-1]
    assert isinstance(last, Evaluation)
    return last


def predictions(workspace: Workspace, *images: Path) -> list[Event]:
    job = Predict(workspace=str(workspace.root), checkpoint="run/best", images=[str(image) for image in images])
    return list(predict(job, workspace))


def test_evaluation_and_prediction_agree(trained: Workspace, sample_data: Path) -> None:
    told = evaluation(trained, sample_data, "test")
    answers = [event for event in predictions(trained, sample_data / "test") if isinstance(event, Prediction)]
    assert told.n == len(answers)
    truth = [Path(answer.file).parent.name == "malignant" for answer in answers]
    scores = [answer.probabilities["malignant"] for answer in answers if answer.probabilities]
    assert told.figures["auc_roc.malignant"].value == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
    right = [answer.label == Path(answer.file).parent.name for answer in answers]
    assert told.figures["accuracy"].value == pytest.approx(sum(right) / len(right))
    # Called from the lowest threshold on, the model calls whatever "call all" does.
    assert len(told.decision["threshold"]) == 99 and told.decision["model"][0] == pytest.approx(
        told.decision["all"][0], abs=0.02
    )
    assert set(told.decision["none"]) == {0}


def test_each_part_that_a_table_tells_apart_is_judged_by_itself(
    trained: Workspace, sample_data: Path, tmp_path: Path
) -> None:
    files = sorted((sample_data / "test").rglob("*.png"))
    devices = {file: "A" if number % 2 else "B" for number, file in enumerate(files)}
    table = tmp_path / "about.csv"
    rows = [f"{file.relative_to(sample_data / 'test').as_posix()},{device}" for file, device in devices.items()]
    table.write_text("\n".join(["file,device", *rows]), encoding="utf-8")
    job = Evaluate(
        workspace=str(trained.root), checkpoint="run/best", data=str(sample_data), split="test", subgroups=str(table)
    )
    told = list(evaluate(job, trained))[-1]
    assert isinstance(told, Evaluation)
    answers = {event.file: event.label for event in predictions(trained, *files) if isinstance(event, Prediction)}
    for device in "AB":
        mine = [file for file in files if devices[file] == device]
        figure = told.figures[f"accuracy@device={device}"]
        assert figure.n == len(mine)
        right = [answers[trained.relative(file)] == file.parent.name for file in mine]
        assert figure.value == pytest.approx(sum(right) / len(right))
    assert {case.subgroups["device"] for case in read_evaluations(trained, "run")[-1][1].cases} == {"A", "B"}


def test_breasts_and_views_that_dicom_headers_name_are_judged_apart_and_no_patient_is_named(
    trained: Workspace, sample_data: Path, tmp_path: Path
) -> None:
    for number, file in enumerate(sorted((sample_data / "test").rglob("*.png"))):
        pixels = read_image(file)[:, :, 0]
        header = {"PatientID": f"SECRET-{number}", "ImageLaterality": "LR"[number % 2], "ViewPosition": "CC"}
        target = tmp_path / "dicom" / file.parent.name / f"P{number}_0.dcm"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content(dataset(pixels, **header)))
    told = evaluation(trained, tmp_path / "dicom")
    sides = [told.figures[f"accuracy@laterality={side}"] for side in "LR"]
    assert sum(figure.n for figure in sides) == told.n
    assert not any("view=" in name for name in told.figures)  # there is but one
    (path, record) = read_evaluations(trained, "run")[-1]
    assert {case.subgroups["laterality"] for case in record.cases} == {"L", "R"}
    assert "SECRET" not in path.read_text(encoding="utf-8") + told.model_dump_json()


@pytest.mark.parametrize("given", [True, False])
def test_without_a_folder_a_run_is_judged_on_the_images_it_validated_on(
    run_events: Callable[..., list[Event]],
    small_config: Callable[..., Config],
    workspace: Workspace,
    given: bool,
) -> None:
    data = {} if given else {"val_dir": None, "val_split": 0.3}
    run_events(small_config({"training": {"epochs": 1}, "data": data}))
    told = list(evaluate(Evaluate(workspace=str(workspace.root), checkpoint="run/best"), workspace))[-1]
    assert isinstance(told, Evaluation) and told.split == "val"
    split = read_manifest(find_checkpoint(workspace, "run/best")).split
    assert told.n == len(split.val)
    (record,) = (record for _, record in read_evaluations(workspace, "run"))
    number_of = numbers_by_hash(workspace, split.val)
    assert sorted(number_of[case.name_sha256] for case in record.cases) == list(range(len(split.val)))
    assert not {case.name_sha256 for case in record.cases} & {sha256_of(name) for name in split.val}
    assert any(f"{told.n} of these images were also used to choose the best epoch" in str(note) for note in told.notes)
    uses = told.uses
    assert uses is not None and uses == record.uses
    assert (uses.training, uses.epoch, uses.temperature, uses.threshold) == (0, told.n, told.n, told.n)


def test_images_the_model_learnt_from_are_named_in_the_notes(trained: Workspace, sample_data: Path) -> None:
    assert any("trained the model" in str(note) for note in evaluation(trained, sample_data, "train").notes)
    assert not any("trained the model" in str(note) for note in evaluation(trained, sample_data, "test").notes)
    assert evaluation(trained, sample_data, "test").uses == ImageUse()


def test_of_a_folder_that_trained_the_model_the_images_set_aside_are_judged(
    small_config: Callable[..., Config],
    run_events: Callable[..., list[Event]],
    workspace: Workspace,
    sample_data: Path,
) -> None:
    run_events(small_config({"data": {"val_dir": None}, "training": {"epochs": 1}}))
    split = read_manifest(find_checkpoint(workspace, "run/best")).split
    job = Evaluate(workspace=str(workspace.root), checkpoint="run/best", data=str(sample_data / "train"))
    told = list(evaluate(job, workspace))
    assert [event.params for event in told if isinstance(event, Log) and event.code == "evaluation.set_aside"] == [
        {"count": len(split.val)}
    ]
    judged = told[-1]
    assert isinstance(judged, Evaluation) and judged.uses is not None
    assert (judged.n, judged.split, judged.uses.training) == (len(split.val), "val", 0)


def test_patients_are_counted_and_pooled_by_the_rule_of_the_model(trained: Workspace, sample_data: Path) -> None:
    told = evaluation(trained, sample_data, "test")
    files = sorted((sample_data / "test").rglob("*.png"))
    patients = {file.name.split("_")[0] for file in files}
    assert told.patients == len(patients)
    if len(patients) < len(files):
        assert told.by_patient is not None
        assert (told.by_patient.patients, told.by_patient.target_class) == (len(patients), "malignant")
    manifest = read_manifest(find_checkpoint(trained, "run/best"))
    ill = {Path(file).name.split("_")[0] for file in manifest.split.val if file.startswith("malignant")}
    point = manifest.decision.operating_point
    assert point is not None and (point.unit, point.positives) == ("patient", len(ill))


def test_a_bad_file_is_an_answer_with_its_reason(trained: Workspace, sample_data: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("not an image")
    good = next((sample_data / "test" / "benign").iterdir())
    events = predictions(trained, bad, good)
    assert [event.error is None for event in events if isinstance(event, Prediction)] == [False, True]
    assert events[-1] == PredictionsComplete(count=2, failed=1)


def test_a_root_means_its_test_part_unless_told_otherwise(sample_data: Path) -> None:
    assert labelled_folder(sample_data, None) == (sample_data / "test", "test")
    assert labelled_folder(sample_data, "val") == (sample_data / "val", "val")
    assert labelled_folder(sample_data / "train", None) == (sample_data / "train", None)
    with pytest.raises(DataNotFound):
        labelled_folder(sample_data / "nowhere", None)


def test_a_part_that_a_place_lacks_is_never_judged_by_the_whole(sample_data: Path, tmp_path: Path) -> None:
    files = sorted((sample_data / "test").glob("*/*.png"))[::10]
    for file in files:
        shutil.copy(file, tmp_path)
    rows = [f"{file.name},{file.parent.name}" for file in files]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    assert labelled_folder(tmp_path / "labels.csv", None) == (tmp_path / "labels.csv", None)
    with pytest.raises(PartNotFound):
        labelled_folder(sample_data / "test", "val")
    place, part = labelled_folder(tmp_path / "labels.csv", "val")
    with pytest.raises(PartNotFound, match="val"):
        matched_cases(place, ["Benign", "Malignant"], Config(), part=part)


def test_an_evaluation_keeps_its_evidence_and_counts_how_often_the_images_were_opened(
    trained: Workspace, sample_data: Path
) -> None:
    first = evaluation(trained, sample_data, "test")
    (trained.root / "datasets").mkdir()
    described = {"name": "sample", "root": str(sample_data), "fields": {"label": {"folder": 2}, "split": {"folder": 1}}}
    save_dataset(trained, parse_description(described))
    second = evaluation(trained, sample_data, "test")
    assert (first.dataset, second.dataset) == (None, "sample")
    (path, record), (_, again) = read_evaluations(trained, "run")
    assert (record.dataset, again.dataset) == (None, "sample")
    assert first.record == trained.relative(path) == "logs/run/evaluations/test-1.json"
    assert record.evidence.figures == first.figures == second.figures
    assert (first.opened, second.opened) == (1, 2)
    assert any("judged 2 times" in str(note) for note in second.notes)
    assert record.fingerprint == again.fingerprint and len(record.cases) == first.n
    assert str(sample_data.parent) not in path.read_text() and "P0" not in path.read_text()
    assert first.operating_point is not None and first.operating_point.class_name == "malignant"


def test_two_checkpoints_are_compared_on_the_same_images(trained: Workspace, sample_data: Path) -> None:
    job = Compare(workspace=str(trained.root), first="run/best", second="run/last", data=str(sample_data), split="test")
    openings = openings_file(trained)
    before = openings.read_text().count("\n") if openings.exists() else 0
    told = list(compare_checkpoints(job, trained))[-1]
    assert isinstance(told, Comparison)
    assert openings.read_text().count("\n") == before + 1  # whoever compares has looked at these images too
    assert set(told.figures) >= {"auc_roc.malignant", "accuracy"}
    assert all(pair.difference.value is None or abs(pair.difference.value) <= 1 for pair in told.figures.values())


def test_other_images_of_training_patients_and_near_duplicates_are_told_before_the_figures(
    trained: Workspace, sample_data: Path, tmp_path: Path
) -> None:
    data = tmp_path / "judged"
    for folder in sorted((sample_data / "test").iterdir()):
        shutil.copytree(folder, data / folder.name)
    seen = sorted((sample_data / "train" / "benign").iterdir())
    patient = seen[0].name.split("_")[0]
    shutil.copy(next((sample_data / "test" / "benign").iterdir()), data / "benign" / f"{patient}_another.png")
    mirrored = read_image(seen[-1])[:, ::-1, 0]
    cv2.imwrite(str(data / "benign" / "P999999_0.png"), mirrored)  # under another name it is nobody's near-duplicate
    events = list(evaluate(Evaluate(workspace=str(trained.root), checkpoint="run/best", data=str(data)), trained))
    told, first = events[-1], next(event for event in events if isinstance(event, Log))
    assert isinstance(told, Evaluation) and first.code == "evaluation.patients_train"
    sought = [event.text for event in events if isinstance(event, ProgressUpdate) and event.stage == "auditing"]
    assert sought and all(isinstance(text, Text) and text.params.get("done", 0) <= 100 for text in sought)
    assert str(sought[-1]).endswith("%")
    overlap = read_evaluations(trained, "run")[-1][1].overlap
    assert overlap is not None and overlap.unchecked == []
    assert (overlap.train.identical, overlap.train.of_patients, overlap.train.patients) == (0, 1, 1)
    assert overlap.train.near_duplicates == 0
    assert any(
        "1 of these images shows a patient (1) whose other images trained the model" in str(note) for note in told.notes
    )
    record = (trained.checkpoint_dir("run") / FINGERPRINTS).read_bytes()
    assert patient.encode() not in record and seen[0].name.encode() not in record


def test_near_duplicates_of_training_images_are_told_where_patients_are_unknown(
    run_events: Callable[..., list[Event]],
    small_config: Callable[..., Config],
    workspace: Workspace,
    sample_data: Path,
    tmp_path: Path,
) -> None:
    run_events(small_config({"training": {"epochs": 1}}))
    data = tmp_path / "judged"
    for folder in sorted((sample_data / "test").iterdir()):
        shutil.copytree(folder, data / folder.name)
    for number, file in enumerate(sorted((sample_data / "train" / "benign").iterdir())[:3]):
        cv2.imwrite(str(data / "benign" / f"mirrored{number}.png"), read_image(file)[:, ::-1, 0])
    told = evaluation(workspace, data)
    assert any(
        "3 of these images are near-duplicates of images that trained the model" in str(note) for note in told.notes
    )
    job = Compare(workspace=str(workspace.root), first="run/best", second="run/last", data=str(data))
    compared = list(compare_checkpoints(job, workspace))[-1]
    assert isinstance(compared, Comparison)
    assert sum("3 of these images are near-duplicates" in str(note) for note in compared.notes) == 2
    own = list(evaluate(Evaluate(workspace=str(workspace.root), checkpoint="run/best"), workspace))[-1]
    assert isinstance(own, Evaluation) and not any("near-duplicates" in str(note) for note in own.notes)


def test_a_checkpoint_without_fingerprints_or_of_another_salt_says_what_it_can_t_tell(
    trained: Workspace, sample_data: Path
) -> None:
    (trained.root / ".salt").write_text("ab" * 32, encoding="ascii")
    assert any("another salt" in str(note) for note in evaluation(trained, sample_data, "test").notes)
    (trained.checkpoint_dir("run") / FINGERPRINTS).unlink()
    assert any("keeps no fingerprints" in str(note) for note in evaluation(trained, sample_data, "test").notes)
    assert read_evaluations(trained, "run")[-1][1].overlap is None


def test_a_calibration_part_serves_the_decision_rule_alone_and_every_figure_says_so(
    run_events: Callable[..., list[Event]], small_config: Callable[..., Config], workspace: Workspace, sample_data: Path
) -> None:
    own = {"data": {"calibration_split": 0.3}, "evaluation": {"patient_id": r"^(P\d+)_"}, "training": {"epochs": 2}}
    events = run_events(small_config(own))
    # They are judged once the epoch is over, and still it is that epoch which is told.
    first = next(number for number, event in enumerate(events) if isinstance(event, TrainingUpdate))
    told = [event.epoch for event in events[:first] if isinstance(event, ProgressUpdate) and event.epoch is not None]
    assert set(told) == {1}
    loaded = next(event for event in events if isinstance(event, DataLoaded))
    manifest = read_manifest(find_checkpoint(workspace, "run/best"))
    split, rule = manifest.split, manifest.decision
    assert rule.fitted_on == "calibration" and rule.n == len(split.calibration_sha256) == sum(
        loaded.calibration.values()
    )
    assert set(split.calibration_sha256).isdisjoint([*split.train_sha256, *split.val_sha256])
    on_val = evaluation(workspace, sample_data, "val")
    assert on_val.uses is not None and on_val.used_for is not None and on_val.operating_point is not None
    assert (on_val.uses.epoch, on_val.uses.threshold, on_val.uses.temperature) == (on_val.n, 0, 0)
    assert (on_val.used_for.epoch, on_val.used_for.threshold, on_val.used_for.figures) == ("val", "calibration", "val")
    assert on_val.operating_point.chosen_on == "calibration"
    assert {"note.chose_epoch"} == {note.code for note in on_val.notes} & {"note.chose_epoch", "note.validated"}
    on_train = evaluation(workspace, sample_data, "train")
    assert on_train.uses is not None and on_train.uses.threshold == len(split.calibration_sha256)
    _images_from_elsewhere_are_judged_without_the_patients_of_their_names(workspace, sample_data)


def _images_from_elsewhere_are_judged_without_the_patients_of_their_names(
    workspace: Workspace, sample_data: Path
) -> None:
    elsewhere = workspace.root / "elsewhere"
    for number, file in enumerate(sorted((sample_data / "test").rglob("*.png"))):
        (elsewhere / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, elsewhere / file.parent.name / f"scan{number}.png")
    found = evaluation(workspace, elsewhere)
    assert "note.rule_finds_no_patient" in {note.code for note in found.notes} and found.by_patient is None


def test_without_a_calibration_part_a_run_is_what_it_was(
    run_events: Callable[..., list[Event]], small_config: Callable[..., Config], workspace: Workspace
) -> None:
    """Too few cases for one, and none asked for, are the same run, bit for bit."""
    one = {"training": {"epochs": 1}}
    run_events(small_config(one), "auto")
    run_events(small_config(one, {"data": {"calibration_split": 0}}), "off")
    first, second = (read_manifest(find_checkpoint(workspace, f"{name}/best")) for name in ("auto", "off"))
    assert first.sha256 == second.sha256 and first.decision == second.decision and first.decision.fitted_on == "val"
