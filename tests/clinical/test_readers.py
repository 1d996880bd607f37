"""A study of readers equals what is published of it, and what other ways to compute it come to."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from breastai.clinical.intervals import delong_test, number_clusters
from breastai.clinical.multiplicity import adjust_holm
from breastai.clinical.readers.obuchowski_rockette import (
    compare_by_reader,
    compare_overall,
    compare_tests,
    compare_with_model,
    estimate_mean,
    find_components,
)
from breastai.clinical.readers.reader_agreement import measure_agreement
from breastai.clinical.readers.reader_figures import measure_readings
from breastai.clinical.readers.readers_job import compare_readers
from breastai.data.cases.reader_table import read_readings
from breastai.domain.errors import CasesNotPredicted, ReadersInvalid, TargetClassUnknown
from breastai.domain.events import ReadersCompared
from breastai.domain.jobs import CompareReaders
from breastai.domain.reader_records import ReaderStudyRecord
from breastai.storage.comparisons import find_comparison
from breastai.storage.workspace import Workspace

# The study of Van Dyke et al. (1993), aortic dissection by CINE and spin-echo MRI, 5 readers, 114 patients: areas by
# reader and jackknife covariances as Hillis (Stat Med 2007;26:596-619) and the vignettes of RJafroc print them. The
# ratings themselves are not ours to copy.
VAN_DYKE = np.array(
    [
        [0.9196457, 0.8587762, 0.9038647, 0.9731079, 0.8297907],
        [0.9478261, 0.9053140, 0.9217391, 0.9993559, 0.9299517],
    ]
)
VARIANCE, SAME_READER, SAME_TEST, NEITHER = 0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284


def covariance_of(tests: int, readers: int, variance: float, cov1: float, cov2: float, cov3: float) -> np.ndarray:
    found = np.empty((tests, readers, tests, readers))
    for i, j, k, m in itertools.product(range(tests), range(readers), range(tests), range(readers)):
        found[i, j, k, m] = {(1, 1): variance, (0, 1): cov1, (1, 0): cov2, (0, 0): cov3}[int(i == k), int(j == m)]
    return found.reshape(tests * readers, tests * readers)


def study(seed: int = 0, tests: int = 2, readers: int = 4, cases: int = 60, images: int = 1):
    """Ratings of 1 to 5 that hang together through cases and readers: (T, R, N), truth and patients."""
    generator = np.random.default_rng(seed)
    truth = np.arange(cases) % 3 == 0
    patient = generator.normal(size=cases // images).repeat(images)
    latent = 1.2 * truth + patient + 0.5 * generator.normal(size=cases)
    of_reader = generator.normal(size=(readers, 1)) * 0.3
    scores = latent + of_reader + 0.8 * generator.normal(size=(tests, readers, cases))
    return np.clip(np.digitize(scores, [-1, 0, 1, 2]) + 1, 1, 5).astype(float), truth, np.arange(cases) // images


def test_van_dykes_study_comes_out_as_it_is_published() -> None:
    covariance = covariance_of(2, 5, VARIANCE, SAME_READER, SAME_TEST, NEITHER)
    components = find_components(VAN_DYKE, covariance)
    assert components.ms_test == pytest.approx(0.004796171, abs=1e-6)
    assert components.ms_test_reader == pytest.approx(0.0005510306, abs=1e-7)
    whole = compare_overall(VAN_DYKE, covariance, "readers_and_cases")
    assert whole is not None
    assert whole.statistic == pytest.approx(4.456319, abs=2e-4) and whole.first_degrees == 1
    assert whole.second_degrees == pytest.approx(15.25967, abs=2e-3) and whole.p_value == pytest.approx(
        0.0517, abs=5e-5
    )
    effect = compare_tests(VAN_DYKE, covariance, "readers_and_cases")[0, 1]
    assert effect.value == pytest.approx(-0.0438003, abs=1e-6)
    assert effect.bounds == pytest.approx((-0.08795950, 0.0003588544), abs=2e-6)
    assert compare_tests(VAN_DYKE, covariance, "cases")[0, 1].p_value == pytest.approx(0.0193, abs=5e-5)
    assert compare_tests(VAN_DYKE, covariance, "readers")[0, 1].p_value == pytest.approx(0.0420, abs=5e-5)


@pytest.mark.parametrize("images", [1, 3])
def test_the_analysis_of_pseudovalues_of_dorfman_berbaum_and_metz_is_the_same(images: int) -> None:
    scores, truth, patients = study(images=images, readers=3, cases=24)
    tests, readers, _ = scores.shape
    clusters = None if images == 1 else patients
    found = measure_readings("auc", truth, scores.reshape(tests * readers, -1), clusters, "jackknife")
    assert found is not None
    values = found.values.reshape(tests, readers)
    names = np.unique(patients)
    without = np.array(
        [
            [[roc_auc_score(truth[patients != name], row[patients != name]) for name in names] for row in rows]
            for rows in scores
        ]
    )
    n = len(names)
    pseudo = n * values[..., None] - (n - 1) * without
    pseudo += (values - pseudo.mean(axis=2))[..., None]  # normalised, so that their means are the areas
    whole, of_test, of_reader, of_case = pseudo.mean(), *(pseudo.mean(axis=tuple({0, 1, 2} - {a})) for a in range(3))
    of_pair = pseudo.mean(axis=2)
    with_test, with_reader = pseudo.mean(axis=1), pseudo.mean(axis=0)
    ms_t = readers * n * ((of_test - whole) ** 2).sum() / (tests - 1)
    ms_tr = n * ((of_pair - of_test[:, None] - of_reader + whole) ** 2).sum() / ((tests - 1) * (readers - 1))
    ms_tc = readers * ((with_test - of_test[:, None] - of_case + whole) ** 2).sum() / ((tests - 1) * (n - 1))
    rest = (
        pseudo
        - of_pair[:, :, None]
        - with_test[:, None, :]
        - with_reader[None]
        + of_test[:, None, None]
        + of_reader[None, :, None]
        + of_case[None, None, :]
        - whole
    )
    ms_trc = (rest**2).sum() / ((tests - 1) * (readers - 1) * (n - 1))
    denominator = ms_tr + max(0.0, ms_tc - ms_trc)
    overall = compare_overall(values, found.covariance, "readers_and_cases")
    assert overall is not None
    assert overall.statistic == pytest.approx(ms_t / denominator, rel=1e-9)
    assert overall.second_degrees == pytest.approx(denominator**2 / (ms_tr**2 / (readers - 1)), rel=1e-9)


def test_one_reader_with_two_tests_is_delongs_test_of_two_models() -> None:
    scores, truth, patients = study(readers=1, images=2)
    for clusters in (None, patients):
        found = measure_readings("auc", truth, scores.reshape(2, -1), clusters)
        assert found is not None
        test = delong_test(truth, scores[0, 0], scores[1, 0], clusters)
        assert test is not None
        effect = compare_by_reader(found.values.reshape(2, 1), found.covariance)[0, 0, 1]
        assert effect.statistic == pytest.approx(test.z, rel=1e-9) and effect.p_value == pytest.approx(test.p_value)
        assert compare_tests(found.values.reshape(2, 1), found.covariance, "readers_and_cases") == {}


def test_both_covariances_of_a_share_are_those_of_a_proportion_and_near_each_other_of_an_area() -> None:
    scores, truth, _ = study(cases=150)
    calls = (scores.reshape(8, -1) >= 3).astype(float)
    analytic, jackknife = (measure_readings("sensitivity", truth, calls, None, how) for how in ("delong", "jackknife"))
    assert analytic is not None and jackknife is not None
    p, m = analytic.values, truth.sum()
    assert np.diag(analytic.covariance) == pytest.approx(p * (1 - p) / (m - 1), rel=1e-12)
    assert jackknife.covariance == pytest.approx(analytic.covariance, rel=0.03, abs=1e-6)
    areas = [measure_readings("auc", truth, scores.reshape(8, -1), None, how) for how in ("delong", "jackknife")]
    assert areas[0].covariance == pytest.approx(areas[1].covariance, rel=0.05, abs=2e-5)


def test_images_that_repeat_a_patient_tell_no_more_than_one_image_each() -> None:
    scores, truth, _ = study(cases=60)
    once = measure_readings("auc", truth, scores.reshape(8, -1))
    thrice = measure_readings("auc", truth.repeat(3), scores.reshape(8, -1).repeat(3, axis=1), np.arange(60).repeat(3))
    assert once is not None and thrice is not None
    assert thrice.values == pytest.approx(once.values)
    assert thrice.covariance == pytest.approx(once.covariance, rel=1e-9)


def test_a_model_beside_readers_is_compared_by_their_differences_from_it() -> None:
    scores, truth, _ = study(tests=1, readers=5)
    rows = np.concatenate([scores[0], scores[0].mean(axis=0, keepdims=True)])
    found = measure_readings("auc", truth, rows)
    assert found is not None
    effect = compare_with_model(found.values[:5], float(found.values[5]), found.covariance, "readers_and_cases")
    contrast = np.eye(5, 6) - np.eye(6)[5]
    beside = estimate_mean(contrast @ found.values, contrast @ found.covariance @ contrast.T, "readers_and_cases")
    assert effect == pytest.approx(beside)
    # A constant added to every reading of a reader moves no area.
    moved = measure_readings("auc", truth, rows + np.arange(6)[:, None])
    assert moved is not None and moved.values == pytest.approx(found.values)


def test_kappas_are_those_of_scikit_learn_and_statsmodels() -> None:
    scores, _, patients = study(tests=1, readers=3, images=2)
    categories = scores[0].astype(int) - 1
    found = measure_agreement(categories, ["a", "b", "c"], "CT", "scores", patients)
    by_kind = {(row.measure, *row.readers): row.figure for row in found}
    assert by_kind["fleiss", "a", "b", "c"].value == pytest.approx(fleiss_kappa(aggregate_raters(categories.T)[0]))
    for measure, weights in (("cohen", None), ("cohen_linear", "linear"), ("cohen_quadratic", "quadratic")):
        figure = by_kind[measure, "a", "c"]
        assert figure.value == pytest.approx(cohen_kappa_score(categories[0], categories[2], weights=weights))
        assert figure.low is not None and figure.low < figure.value < figure.high


def test_holms_p_values_are_those_of_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p_values = [0.04, 0.001, 0.03, 0.2, 0.03]
    assert adjust_holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert adjust_holm([0.01, None]) == [0.01, None]


def table(path: Path, readers: int = 3, cases: int = 40, *, calls: bool = False) -> Path:
    scores, truth, _ = study(tests=2, readers=readers, cases=cases)
    rows = ["reader,modality,file,patient_id,label,rating" + (",call" if calls else "")]
    for (i, j, k), score in np.ndenumerate(scores):
        name = "malignant" if truth[k] else "benign"
        cells = [f"R{j}", ["DM", "DBT"][i], f"{k}.png", f"P{k // 2}", name, f"{score:g}"]
        rows.append(",".join(cells + (["malignant" if score >= 3 else "benign"] if calls else [])))
    path.write_text("\n".join(rows))
    return path


def analysed(job: CompareReaders, workspace: Workspace) -> ReaderStudyRecord:
    *_, last = compare_readers(job, workspace)
    assert isinstance(last, ReadersCompared)
    return last.study


def test_a_table_of_readings_is_analysed_and_kept_without_a_name_of_a_case(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    job = CompareReaders(workspace=str(workspace.root), table=str(table(tmp_path / "t.csv", calls=True)))
    record = analysed(job, workspace)
    assert (record.readers, record.tests) == (["R0", "R1", "R2"], ["DM", "DBT"])
    assert (record.cases, record.patients, record.target_class) == (40, 20, "malignant")
    assert [each.merit for each in record.analyses] == ["auc", "sensitivity", "specificity"]
    area = record.analyses[0]
    assert {each.analysis for each in area.differences} == {"readers_and_cases", "cases", "readers"}
    assert len(area.by_reader) == 3 and all(row.adjusted_p >= row.p_value for row in area.by_reader)
    path, kept = find_comparison(workspace, record.comparison_id)
    assert kept == record and path.name == "readers.json"
    assert "P3" not in path.read_text() and "3.png" not in path.read_text()
    called = analysed(job.model_copy(update={"table": str(table(tmp_path / "s.csv")), "call_from": 3}), workspace)
    assert called.analyses[1].figures == record.analyses[1].figures


def test_a_models_predictions_stand_beside_the_readers(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    readings = table(tmp_path / "t.csv", calls=True)
    rows = [f"{k}.png,{'malignant' if k % 3 == 0 else 'benign'},{0.8 - k % 3 / 4},{0.2 + k % 3 / 4}" for k in range(40)]
    (tmp_path / "p.csv").write_text("file,label,p_malignant,p_benign\n" + "\n".join(rows))
    job = CompareReaders(
        workspace=str(workspace.root), table=str(readings), predictions=str(tmp_path / "p.csv"), model_threshold=0.5
    )
    record = analysed(job, workspace)
    area = record.analyses[0]
    assert area.model is not None and area.model.value == 1
    mean = next(each for each in area.means if (each.test, each.analysis) == ("DM", "cases"))
    beside = next(each for each in area.against_model if (each.test, each.analysis) == ("DM", "cases"))
    assert beside.figure.value == pytest.approx(mean.figure.value - 1)
    (tmp_path / "p.csv").write_text("file,label,p_malignant,p_benign\n" + "\n".join(rows[1:]))
    with pytest.raises(CasesNotPredicted, match=r"cases: 1, the first 0\.png"):
        analysed(job, workspace)


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        (["reader,file,label", "A,1.png,malignant"], "a column score / rating / call / answer"),
        (["reader,file,label,score", "A,1.png,malignant,high"], "row 2, column score: expected a number, got 'high'"),
        (["reader,file,label,score", "A,1,malignant,3", "A,1,malignant,2"], "1 as in row 2"),
        (
            ["reader,file,label,score", "A,1,malignant,3", "B,1,benign,2"],
            "row 3, column label: expected the same truth",
        ),
        (
            ["reader,file,label,call", "A,1,malignant,yes", "A,2,benign,perhaps"],
            "row 3, column call: expected one of malignant, benign, yes, no, got 'perhaps'",
        ),
        (
            ["reader,file,label,score,score", "A,1,malignant,3,3", "A,2,benign,1,4"],
            "the column score stands there twice, and row 3 says different things",
        ),
        (
            ["reader,file,label,score", "A,1,malignant,3", "A,2,benign,1", "B,1,malignant,2"],
            "reader B has no reading of 2",
        ),
    ],
)
def test_a_fault_of_the_table_is_named_by_its_cell(tmp_path: Path, rows: list[str], part: str) -> None:
    (tmp_path / "t.csv").write_text("\n".join(rows))
    workspace = Workspace.open(tmp_path / "w")
    with pytest.raises(ReadersInvalid) as caught:
        analysed(CompareReaders(workspace=str(workspace.root), table=str(tmp_path / "t.csv")), workspace)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("truths", "calls", "target"),
    [
        (("Malignant", "benign"), ("malignant", "Benign"), "malignant"),
        (("benign", "Malignant"), ("Benign", "malignant"), "malignant"),
        (("malignant", "normal"), ("Yes", "no"), "malignant"),
        (("1", "0"), ("ja", "nein"), "1"),
        (("oui", "non"), ("1", "0"), "oui"),
        (("0", "1"), ("0", "1"), "0"),
        (("cancer", "no cancer"), ("positive", "negative"), "cancer"),
    ],
)
def test_calls_and_truths_are_understood_however_they_are_written(
    tmp_path: Path, truths: tuple[str, str], calls: tuple[str, str], target: str
) -> None:
    rows = [f"{reader},{k},{truths[k % 2]},{calls[k % 2]}" for reader in "AB" for k in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["reader,file,label,call", *rows]))
    readings = read_readings(tmp_path / "t.csv", target)
    assert readings.target_class == target and readings.calls is not None
    assert np.array_equal(readings.calls, np.broadcast_to(readings.positive, readings.calls.shape))
    assert readings.positive.sum() == 10


@pytest.mark.parametrize("truths", [("1", "2"), ("A", "B"), ("1", "maybe")])
def test_which_truth_is_read_for_is_asked_where_no_word_tells(truths: tuple[str, str], tmp_path: Path) -> None:
    rows = [f"A,{k},{truths[k % 2]},{k % 5}" for k in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["reader,file,label,score", *rows]))
    with pytest.raises(ReadersInvalid, match="for which of"):
        read_readings(tmp_path / "t.csv")
    with pytest.raises(TargetClassUnknown):
        read_readings(tmp_path / "t.csv", "neither")
    assert read_readings(tmp_path / "t.csv", truths[1]).positive.sum() == 10


def test_one_reader_and_readers_who_all_agree_are_no_fault(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    rows = ["reader,file,label,score"]
    rows += [f"{reader},{k},{'ill' if k < 5 else 'well'},{int(k < 5)}" for reader in "AB" for k in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    job = CompareReaders(workspace=str(workspace.root), table=str(tmp_path / "t.csv"), target_class="ill")
    area = analysed(job, workspace).analyses[0]
    assert all(each.figure.value == 1 and each.figure.flag == "no_variation" for each in area.means)
    (tmp_path / "t.csv").write_text("\n".join(rows[:13]))
    alone = analysed(job, workspace)
    assert [each.analysis for each in alone.analyses[0].means] == ["cases"]
    assert number_clusters(["b", "a"]).tolist() == [1, 0]


def test_a_score_that_no_reading_reaches_is_told_beside_what_it_makes_of_all(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    job = CompareReaders(workspace=str(workspace.root), table=str(table(tmp_path / "t.csv")), call_from=3)
    codes = [
        [str(getattr(note, "code", "")) for note in analysed(job.model_copy(update=changes), workspace).notes]
        for changes in ({}, {"call_from": 99}, {"call_from": -99})
    ]
    assert ["note.call_from_outside" in each for each in codes] == [False, True, True]
