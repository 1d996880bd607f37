"""Cross-validated probes: the figures of ordinary runs, from one embedding of each image."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import TooFewPatients
from breastai.domain.events import CrossvalComplete, Event, StudyMemberChanged, StudyStopped
from breastai.domain.jobs import Crossval, ResumeStudy
from breastai.domain.study import CrossvalResult
from breastai.engine.network import embeddings
from breastai.scale import cross_validation, probe_folds
from breastai.storage.evaluations import read_evaluations
from breastai.storage.studies import read_study
from breastai.storage.workspace import Workspace
from breastai.worker import perform


@pytest.fixture
def config(small_config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(embeddings, "default_embeddings_root", lambda: tmp_path / "embeddings")
    return small_config(
        {
            "model": {"use_cbam": False, "attention_pooling": False},
            "training": {"recipe": "probe"},
            "crossval": {"folds": 3, "repeats": 1},
        }
    )


def crossval(place: Workspace, config: Config) -> tuple[list[Event], CrossvalResult]:
    events = list(perform(Crossval(workspace=str(place.root), study_id="study", config=config)))
    last = events[-1]
    assert isinstance(last, CrossvalComplete), last
    return events, last.result


def test_they_show_what_ordinary_runs_by_the_recipe_show(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, fast = crossval(Workspace.open(tmp_path / "fast"), config)
    monkeypatch.setattr(cross_validation, "fits_on_store", lambda config: False)
    slow_place = Workspace.open(tmp_path / "slow")
    _, slow = crossval(
        slow_place, config.model_copy(update={"crossval": config.crossval.model_copy(update={"ensemble": False})})
    )
    assert fast.confusion_matrix == slow.confusion_matrix
    assert fast.thresholds == pytest.approx(slow.thresholds, abs=1e-4)
    assert fast.figures.keys() == slow.figures.keys()
    for name, figure in fast.figures.items():
        for field in ("value", "low", "high"):
            assert getattr(figure, field) == pytest.approx(getattr(slow.figures[name], field), abs=1e-4), name
    assert fast.spread["auc_roc"].mean == pytest.approx(slow.spread["auc_roc"].mean, abs=1e-4)
    told = [event.member for event in events if isinstance(event, StudyMemberChanged)]
    assert [member.state for member in told] == ["complete"] * 3
    assert [member.n for member in told] == [member.n for member in read_study(slow_place, "study").members]


@pytest.mark.one_variant
@pytest.mark.parametrize("pooling", ["learnt", "attention"])
def test_patients_are_decided_as_by_ordinary_runs(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch, pooling: str
) -> None:
    # Attention is learnt in single precision, by as many threads as there are.
    tolerance = 0.02 if pooling == "attention" else 1e-3
    evaluation = parse_config({"evaluation": {"patient_id": r"^(P\d+)_", "pooling": pooling}}).evaluation
    folds = config.crossval.model_copy(update={"ensemble": False})
    config = config.model_copy(update={"evaluation": evaluation, "crossval": folds})
    fast_place = Workspace.open(tmp_path / "fast")
    _, fast = crossval(fast_place, config)
    monkeypatch.setattr(cross_validation, "fits_on_store", lambda config: False)
    slow_place = Workspace.open(tmp_path / "slow")
    _, slow = crossval(slow_place, config)
    assert fast.by_unit is not None and slow.by_unit is not None
    assert (fast.by_unit.unit, fast.by_unit.pooling, fast.by_unit.images) == ("patient", pooling, fast.cases)
    assert fast.by_unit.units == fast.units == slow.by_unit.units
    assert fast.by_unit.evidence.n == fast.units == slow.by_unit.evidence.n
    one, other = fast.by_unit.evidence.figures, slow.by_unit.evidence.figures
    assert one["auc_roc"].value == pytest.approx(other["auc_roc"].value, abs=tolerance)
    one, other = fast.unit_at_thresholds, slow.unit_at_thresholds
    assert one["sensitivity"].value == pytest.approx(other["sensitivity"].value, abs=2 * tolerance)
    for place in (fast_place, slow_place):
        record = read_evaluations(place, "study")[-1][1]
        assert {name for unit in record.units for name in unit.images} == {case.name_sha256 for case in record.cases}
    assert sorted(sum(unit.images.values()) for unit in record.units) == pytest.approx(
        [1.0] * fast.by_unit.evidence.n, abs=1e-5
    )


def test_repeats_do_not_multiply_the_patients(tmp_path: Path, config: Config) -> None:
    evaluation = parse_config({"evaluation": {"patient_id": r"^(P\d+)_"}}).evaluation
    twice = config.crossval.model_copy(update={"repeats": 2})
    _, found = crossval(
        Workspace.open(tmp_path / "place"), config.model_copy(update={"evaluation": evaluation, "crossval": twice})
    )
    assert found.by_unit is not None
    assert (found.by_unit.units, found.by_unit.images) == (found.units, found.cases)
    assert found.by_unit.evidence.n == 2 * (found.units or 0)


def test_nothing_is_kept_of_a_probe_but_what_it_said(tmp_path: Path, config: Config) -> None:
    place = Workspace.open(tmp_path / "workspace")
    _, result = crossval(place, config)
    assert result.export is None
    assert "note.probes_let_go" in [getattr(note, "code", "") for note in result.notes]
    assert not list(place.root.rglob("*.safetensors"))
    assert place.resolve(result.record).is_file()


def test_repeats_embed_each_image_once(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    original = embeddings.normalize
    monkeypatch.setattr(
        embeddings, "normalize", lambda images, *rest: (computed.append(len(images)), original(images, *rest))[1]
    )
    repeated = config.model_copy(update={"crossval": config.crossval.model_copy(update={"repeats": 4})})
    _, result = crossval(Workspace.open(tmp_path / "workspace"), repeated)
    assert sum(computed) == result.cases and result.predictions == 4 * result.cases
    crossval(Workspace.open(tmp_path / "again"), config)
    assert sum(computed) == result.cases


def test_one_that_is_stopped_goes_on_to_the_same_figures(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = crossval(Workspace.open(tmp_path / "whole"), config)
    judged: list[object] = []
    original = probe_folds.judge_fold
    monkeypatch.setattr(probe_folds, "judge_fold", lambda *parts: (judged.append(parts), original(*parts))[1])
    place = Workspace.open(tmp_path / "stopped")
    job = Crossval(workspace=str(place.root), study_id="study", config=config)
    assert isinstance(list(perform(job, lambda: bool(judged)))[-1], StudyStopped)
    *_, last = perform(ResumeStudy(workspace=str(place.root), study_id="study"))
    assert isinstance(last, CrossvalComplete)
    assert last.result.figures == whole.figures


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch, config: Config) -> Config:
    monkeypatch.setattr(probe_folds, "usable_cores", lambda: 2)
    monkeypatch.setattr(probe_folds, "FEWEST_FOLDS", 6)
    monkeypatch.setattr(probe_folds, "_FOLDS_AT_ONCE", 1)
    more = {"crossval": config.crossval.model_copy(update={"repeats": 2})}
    return config.model_copy(update={**more, "system": config.system.model_copy(update={"num_threads": 2})})


def fitting() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [each] if "loky" in " ".join(each.cmdline()) else []
    return [each for each in found if "resource_tracker" not in " ".join(each.cmdline())]


@pytest.mark.parametrize("killed", [pytest.param(False, marks=pytest.mark.full), True])
def test_many_folds_are_fitted_by_processes_to_the_same_figures(
    tmp_path: Path, two_cores: Config, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    seen: list[int] = []
    original = probe_folds.measure_epoch

    def watch(*parts: Any) -> Any:
        seen.append(len(fitting()))
        for each in fitting() if killed else ():
            each.kill()
        return original(*parts)

    monkeypatch.setattr(probe_folds, "measure_epoch", watch)
    _, together = crossval(Workspace.open(tmp_path / "together"), two_cores)
    assert len(seen) == 6 and seen[0] == 2
    monkeypatch.setattr(probe_folds, "usable_cores", lambda: 1)
    _, alone = crossval(Workspace.open(tmp_path / "alone"), two_cores)
    assert together.figures == alone.figures and together.thresholds == alone.thresholds


def test_classes_too_small_for_the_folds_are_refused_as_ever(tmp_path: Path, config: Config) -> None:
    many = config.model_copy(update={"crossval": config.crossval.model_copy(update={"folds": 20})})
    place = Workspace.open(tmp_path / "workspace")
    *_, last = perform(Crossval(workspace=str(place.root), study_id="study", config=many))
    assert getattr(last, "code", None) == TooFewPatients.code
