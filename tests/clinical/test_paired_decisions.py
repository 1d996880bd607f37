"""Two models' decisions on the same cases, and what is kept of their comparison."""

from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from breastai.clinical.evaluate_predictions import compare_predictions, evaluate_predictions
from breastai.clinical.intervals import proportion
from breastai.clinical.metric_intervals import macro_auc_difference
from breastai.clinical.paired_decisions import compare_decisions, mcnemar_test
from breastai.domain.errors import CommandInvalid, PartInvalid
from breastai.domain.events import Comparison, Evaluation
from breastai.domain.jobs import ComparePredictions, EvaluatePredictions
from breastai.storage.comparisons import find_comparison
from breastai.storage.evaluations import read_evaluations
from breastai.storage.workspace import Workspace


def decisions(seed: int = 0, n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    positive = np.arange(n) % 3 == 0
    return positive, *(generator.random(n) < np.where(positive, hit, 0.2) for hit in (0.9, 0.7))


def write(path: Path, seed: int, skill: float, n: int = 120) -> Path:
    generator = np.random.default_rng(seed)
    lines = ["label,p_benign,p_malignant,file,patient_id,part,age"]
    for number in range(n):
        label = number // 2 % 3 == 0
        score = 1 / (1 + np.exp(-skill * (2 * label - 1) - generator.normal()))
        part = "tune" if number < n // 2 else "test"
        name = "malignant" if label else "benign"
        lines.append(
            f"{name},{1 - score:.6f},{score:.6f},{number}.png,P{number // 2},{part},{35 + number // 2 * 7 % 41}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def test_differences_are_those_of_the_counts_and_net_benefit_is_vickers_formula() -> None:
    positive, first, second = decisions()
    found = compare_decisions(positive, first, second, 0.2, {"screening": 0.01})
    hits = [float(calls[positive].mean()) for calls in (first, second)]
    alarms = [float(calls[~positive].mean()) for calls in (first, second)]
    assert (found["sensitivity"].first, found["sensitivity"].second) == pytest.approx(hits)
    n = len(positive)
    here = [((calls & positive).sum() - 0.25 * (calls & ~positive).sum()) / n for calls in (first, second)]
    assert (found["net_benefit"].first, found["net_benefit"].second) == pytest.approx(here)
    screened = [0.01 * hit - 0.99 * 0.25 * alarm for hit, alarm in zip(hits, alarms, strict=True)]
    pair = found["net_benefit.screening"]
    assert (pair.first, pair.second) == pytest.approx(screened)
    assert pair.difference.value == pytest.approx(screened[0] - screened[1])
    for each in found.values():
        assert each.bootstrap is not None and each.difference.low < each.difference.value < each.difference.high
        assert each.bootstrap.low == pytest.approx(each.difference.low, abs=0.04)


@pytest.mark.parametrize("all_called", [True, False])
def test_beside_a_model_that_calls_all_or_none_no_difference_is_surer_than_its_shares(all_called: bool) -> None:
    """Newcombe's method 10: what one model's cases can't tell of the other's lets no errors cancel."""
    positive, first, _ = decisions()
    same = np.full(len(positive), all_called)
    found = compare_decisions(positive, first, same, 0.2, {"screening": 0.01})
    for name, right, other in (("sensitivity", first, same), ("specificity", ~first, ~same)):
        among = positive if name == "sensitivity" else ~positive
        one, two = (proportion(share[among]) for share in (right, other))
        difference = found[name].difference
        down, up = (
            np.hypot(one.value - one.low, two.high - two.value),
            np.hypot(one.high - one.value, two.value - two.low),
        )
        assert (difference.low, difference.high) == pytest.approx((difference.value - down, difference.value + up))
    for name in ("net_benefit", "net_benefit.screening"):
        assert found[name].difference.high - found[name].difference.low > 0.02


def test_beside_a_model_without_a_fault_the_difference_of_areas_has_its_interval() -> None:
    generator = np.random.default_rng(3)
    labels = np.arange(60) % 2
    perfect, other = labels.astype(float), np.clip(labels * 0.3 + generator.random(60) * 0.7, 0, 1)
    found = macro_auc_difference(labels, *(np.stack([1 - scores, scores], axis=1) for scores in (perfect, other)))
    assert found.value is not None and found.low is not None and found.value - found.low > 0.03


def test_where_no_case_is_of_the_class_that_is_told_and_no_margin_is_called_unknown(tmp_path: Path) -> None:
    place = Workspace.open(tmp_path / "workspace")
    paths = [write(tmp_path / f"{seed}.csv", seed, 1) for seed in (1, 2)]
    for path in paths:
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *(row for row in rows if row.startswith("benign"))]) + "\n")
    job = {"workspace": str(place.root), "first": str(paths[0]), "second": str(paths[1]), "thresholds": [0.5, 0.5]}
    told = list(compare_predictions(ComparePredictions.model_validate(job), place))[-1]
    assert isinstance(told, Comparison) and "No case is malignant" in " ".join(map(str, told.notes))
    asked = ComparePredictions.model_validate(job | {"margins": {"sensitivity": 0.05}})
    with pytest.raises(CommandInvalid, match="No case is malignant"):
        list(compare_predictions(asked, place))
    assert not (place.logs_dir / "margins.jsonl").exists()


def test_mcnemars_test_of_single_cases_is_the_exact_one() -> None:
    positive, first, second = decisions()
    right, other = first == positive, second == positive
    b, c = int((right & ~other).sum()), int((other & ~right).sum())
    assert mcnemar_test(right, other).p_value == pytest.approx(mcnemar([[0, b], [c, 0]], exact=True).pvalue)
    assert mcnemar_test(right, right).p_value == 1.0


def test_repeating_each_case_of_a_patient_changes_no_clustered_test() -> None:
    positive, first, second = decisions()
    right, other = first == positive, second == positive
    twice = mcnemar_test(right.repeat(2), other.repeat(2), np.arange(120).repeat(2))
    thrice = mcnemar_test(right.repeat(3), other.repeat(3), np.arange(120).repeat(3))
    b, c = int((right & ~other).sum()), int((other & ~right).sum())
    assert twice.statistic == pytest.approx((b - c) ** 2 / (b + c)) and thrice.p_value == pytest.approx(twice.p_value)


def compared(workspace: Workspace, first: Path, second: Path, **fields: object) -> Comparison:
    job = ComparePredictions(workspace=str(workspace.root), first=str(first), second=str(second), **fields)
    *_, last = compare_predictions(job, workspace)
    assert isinstance(last, Comparison)
    return last


def test_thresholds_are_chosen_on_the_stated_part_and_judged_on_the_rest(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    one, other = write(tmp_path / "a.csv", 1, 2.0), write(tmp_path / "b.csv", 2, 0.5)
    found = compared(workspace, one, other, choose_on="part=tune", target_sensitivity=0.8)
    assert found.decisions is not None and (found.n, found.decisions.source) == (60, "part")
    assert {"sensitivity", "net_benefit.clinic", "sensitivity@patient"} <= set(found.decisions.figures)
    tests = [pair.adjusted_p for pair in found.figures.values()] + [
        test.adjusted_p for test in found.decisions.mcnemar.values()
    ]
    raw = [pair.p_value for pair in found.figures.values()] + [
        test.p_value for test in found.decisions.mcnemar.values()
    ]
    assert all(p is None if q is None else p >= q for p, q in zip(tests, raw, strict=True))
    _, kept = find_comparison(workspace, str(found.comparison_id))
    assert kept.figures == found.figures and "P3" not in kept.model_dump_json()
    with pytest.raises(PartInvalid, match="age"):
        compared(workspace, one, other, choose_on="site=A")


def test_a_margin_counts_as_stated_beforehand_only_when_it_was(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    one, other = write(tmp_path / "a.csv", 1, 2.0), write(tmp_path / "b.csv", 2, 0.5)
    margins = {"auc_roc.malignant": 0.05, "brier": 0.05}
    (judged, of_error) = compared(workspace, one, other, margins=margins).non_inferiority
    assert judged.shown and not judged.beforehand
    assert of_error.shown and of_error.bound < 0.05  # of an error, less is better
    (again, _) = compared(workspace, one, other, margins=margins).non_inferiority
    assert again.beforehand and again.stated == judged.stated and again.others == judged.others == []
    (wider, _) = compared(workspace, one, other, margins=margins | {"auc_roc.malignant": 0.1}).non_inferiority
    assert [(each.margin, each.stated) for each in wider.others] == [(0.05, judged.stated)] and not wider.beforehand
    (again, _) = compared(workspace, one, other, margins=margins).non_inferiority
    assert again.beforehand and [each.margin for each in again.others] == [0.1]
    (worse, _) = compared(workspace, other, one, margins=margins).non_inferiority
    assert not worse.shown
    with pytest.raises(CommandInvalid, match="beauty"):
        compared(workspace, one, other, margins={"beauty": 0.1})


def evaluated(workspace: Workspace, table: Path, **fields: object) -> Evaluation:
    *_, last = evaluate_predictions(
        EvaluatePredictions(workspace=str(workspace.root), predictions=str(table), **fields), workspace
    )
    assert isinstance(last, Evaluation)
    return last


def test_predictions_are_judged_at_a_threshold_that_no_judged_case_chose(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    table = write(tmp_path / "a.csv", 1, 2.0)
    found = evaluated(
        workspace, table, choose_on="part=tune", target_sensitivity=0.8, prevalences={"here": 0.1}, bands={"age": [50]}
    )
    point = found.operating_point
    assert point is not None and (found.n, point.source, point.positives) == (60, "part", 20)
    assert point.validation_unit == "patient" and set(found.predictive_values) == {"ppv.here", "npv.here"}
    assert {"accuracy@age=< 50", "accuracy@age=≥ 50"} <= set(found.figures)
    assert not any("part=" in name for name in found.figures)
    ((_, record),) = read_evaluations(workspace, "predictions")
    assert len(record.cases) == 60
    given = evaluated(workspace, table, threshold=0.4)
    assert given.operating_point is not None and given.n == 120
    assert (given.operating_point.threshold, given.operating_point.source) == (0.4, "option")


def test_a_patient_on_both_sides_is_no_part(tmp_path: Path) -> None:
    text = write(tmp_path / "a.csv", 1, 2.0).read_text().replace("1.png,P0,tune", "1.png,P0,test")
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(PartInvalid, match="1 patient has"):
        evaluated(Workspace.open(tmp_path / "w"), tmp_path / "a.csv", choose_on="part=tune")
