"""A model judged on images of other hospitals: other classes, several sets at once."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from breastai.commands.sites_text import sites_lines
from breastai.domain.errors import ClassesUnmatched, ClassMapInvalid
from breastai.domain.events import Evaluation, SitesEvaluated
from breastai.domain.jobs import Evaluate, EvaluateSites
from breastai.engine.inference.evaluation_job import evaluate
from breastai.engine.inference.sites_job import evaluate_sites
from breastai.storage.evaluations import latest_sites, read_evaluations
from breastai.storage.workspace import Workspace


def external(source: Path, place: Path, classes: Mapping[str, str]) -> Path:
    """Return a folder with the images of some classes, under other names; those of files tell no class."""
    for number, (name, called) in enumerate(classes.items()):
        for file in (source / "test" / name).iterdir():
            target = place / called / f"{number}_{file.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    return place


def judged(workspace: Workspace, data: Path, class_map: dict[str, list[str]] | None = None) -> Evaluation:
    job = Evaluate(workspace=str(workspace.root), checkpoint="run/best", data=str(data), class_map=class_map or {})
    last = list(evaluate(job, workspace))[-1]
    assert isinstance(last, Evaluation)
    return last


def test_a_set_that_lacks_a_class_is_judged_on_what_both_have(
    trained: Workspace, sample_data: Path, tmp_path: Path
) -> None:
    whole = judged(trained, sample_data / "test")
    part = judged(trained, external(sample_data, tmp_path / "set", {"benign": "Bénin", "malignant": "1_malignant"}))
    assert part.class_match is not None and part.class_match.lacking == ["normal"]
    assert part.n == whole.counts["benign"] + whole.counts["malignant"]
    mine = part.figures
    assert mine["sensitivity.malignant"].value == whole.figures["sensitivity.malignant"].value
    assert mine["auc_roc.malignant"].value is not None and mine["auc_roc.normal"].value is None
    assert mine["precision.normal"].value is None and mine["f1_macro"].value is None
    assert part.confusion_matrix == [*whole.confusion_matrix[:2], [0, 0, 0]]
    assert any("No image is normal" in str(note) for note in part.notes)


def test_a_set_of_one_class_has_a_sensitivity_and_no_auc(trained: Workspace, sample_data: Path, tmp_path: Path) -> None:
    told = judged(trained, external(sample_data, tmp_path / "set", {"malignant": "malignant"}))
    assert told.operating_point is not None and told.operating_point.figures["sensitivity"].value is not None
    assert told.operating_point.figures["specificity"].value is None
    assert told.figures["auc_roc"].value is None and told.figures["auc_roc.malignant"].value is None
    assert any("no AUC" in str(note) for note in told.notes)


def test_classes_that_images_do_not_tell_apart_are_judged_as_one(
    trained: Workspace, sample_data: Path, tmp_path: Path
) -> None:
    classes = {"benign": "no_cancer", "normal": "no_cancer", "malignant": "cancer"}
    whole, told = judged(trained, sample_data / "test"), judged(trained, external(sample_data, tmp_path / "s", classes))
    assert told.class_names == ["benign + normal", "malignant"]
    assert told.figures["auc_roc.malignant"].value == pytest.approx(whole.figures["auc_roc.malignant"].value)
    assert told.operating_point is not None and whole.operating_point is not None
    assert told.operating_point.missed == whole.operating_point.missed
    record = read_evaluations(trained, "run")[-1][1]
    assert {case.label for case in record.cases} == set(told.class_names)
    assert all(sum(case.probabilities) == pytest.approx(1) for case in record.cases)


def test_names_that_tell_nothing_are_asked_for(trained: Workspace, sample_data: Path, tmp_path: Path) -> None:
    folder = external(sample_data, tmp_path / "set", {"benign": "0", "malignant": "1"})
    with pytest.raises(ClassesUnmatched):
        judged(trained, folder)
    told = judged(trained, folder, {"0": ["benign"], "1": ["malignant"]})
    assert told.counts == {"benign": told.counts["benign"], "malignant": told.counts["malignant"], "normal": 0}


def test_several_sites_are_a_row_each_and_all_together(trained: Workspace, sample_data: Path, tmp_path: Path) -> None:
    first = external(sample_data, tmp_path / "one", {"benign": "benign", "malignant": "malignant"})
    second = external(sample_data, tmp_path / "two", {"benign": "no_cancer", "normal": "no_cancer", "malignant": "1"})
    job = EvaluateSites(
        workspace=str(trained.root),
        checkpoint="run/best",
        data=[str(first), str(second)],
        class_map={"1": ["malignant"]},
        local_sample=0.4,
    )
    told = list(evaluate_sites(job, trained))[-1]
    assert isinstance(told, SitesEvaluated) and told.target_class == "malignant"
    assert [site.class_match.lacking for site in told.sites] == [["normal"], []]
    alone = judged(trained, first)
    name = "auc_roc.malignant"
    assert told.sites[0].figures[name] == alone.figures[name]
    assert (told.internal_set, set(told.sites[0].differences)) == (
        "validation",
        set(told.sites[0].internal) - {"brier"},
    )
    assert {row.name for row in told.sites[0].drift} >= {"unlike", "brightness", "contrast", "size"}
    sample = told.sites[0].local_sample
    assert sample is not None and [point.kind for point in sample.points] == ["frozen", "refitted", "recalibrated"]
    assert told.pooled[name].sites == 2
    record = latest_sites(trained, "run")
    assert record is not None and len(record.sites) == 2 and str(tmp_path) not in record.model_dump_json()
    assert all(str(line) for line in sites_lines(told))
    with pytest.raises(ClassMapInvalid):
        list(evaluate_sites(job.model_copy(update={"class_map": {"7": ["benign"]}}), trained))
