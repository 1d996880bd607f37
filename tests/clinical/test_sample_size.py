"""Sample sizes equal what pmsampsize and pmvalsampsize print, and what simulated studies of that size show."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from breastai.clinical.intervals import auc, wilson
from breastai.clinical.sample_size import (
    _least,
    _need,
    auc_cases,
    cox_snell_of,
    development_needs,
    make_plan,
    observed_expected_cases,
    plan_study,
    share_cases,
    slope_cases,
)
from breastai.clinical.sample_size import linear_predictor as predictor_of
from breastai.domain.errors import PlanImpossible
from breastai.domain.events import StudyPlanned
from breastai.domain.jobs import PlanStudy
from breastai.domain.study_plan import PlanAssumptions, StudyPlan
from breastai.storage.workspace import Workspace


def test_a_development_needs_what_the_example_of_pmsampsize_prints() -> None:
    # pmsampsize(type = "b", csrsquared = 0.288, parameters = 24, prevalence = 0.174): 623, 662, 221.
    needs = development_needs(0.174, 0.288, 24)
    assert [int(np.ceil(needs[name])) for name in ("shrinkage", "optimism", "overall_risk")] == [623, 662, 221]


def test_a_validation_needs_what_the_example_of_pmvalsampsize_prints() -> None:
    # pmvalsampsize(type = "b", prevalence = 0.018, cstatistic = 0.8, lpnormal = c(-5, 2.5), oewidth = 1) prints 905 for
    # observed to expected, whose standard error it looks for in steps, and 4252 for the AUC.
    assert observed_expected_cases(0.018, 1.0) == pytest.approx(905, abs=1)
    assert int(np.ceil(auc_cases(0.8, 0.018, 0.1))) == 4252
    # A width of 0.2 is a standard error of 0.051 of the logarithm, as in Riley et al. 2021.
    assert observed_expected_cases(0.5, 0.2) ** -0.5 == pytest.approx(0.051, abs=1e-4)
    # The slope's 4544 is of one simulated predictor, normal with these two; here it is integrated.
    normal = PlanAssumptions(purpose="validation", prevalence=0.018, auc=0.8, lp_mean=-5, lp_sd=2.5)
    assert slope_cases(*predictor_of(normal), 0.2) == pytest.approx(4544, rel=0.01)


def drawn(prevalence: float, area: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    from scipy.stats import norm

    truth = generator.random(n) < prevalence
    apart = np.sqrt(2) * norm.ppf(area)
    score = generator.normal(size=n) + apart * truth
    return truth, np.log(prevalence / (1 - prevalence)) - apart**2 / 2 + apart * score


def test_the_r2_an_area_implies_is_that_of_a_large_simulated_study() -> None:
    truth, predictor = drawn(0.2, 0.8, 200_000, 0)
    risk = 1 / (1 + np.exp(-predictor))
    model = np.where(truth, np.log(risk), np.log1p(-risk)).sum()
    none = truth.sum() * np.log(truth.mean()) + (~truth).sum() * np.log(1 - truth.mean())
    assert cox_snell_of(0.8, 0.2) == pytest.approx(1 - np.exp(2 * (none - model) / len(truth)), abs=0.004)


def test_studies_of_the_planned_size_have_slopes_and_areas_as_precise_as_wanted() -> None:
    wanted = PlanAssumptions(purpose="validation", prevalence=0.3, auc=0.8)
    n = int(np.ceil(slope_cases(*predictor_of(wanted), 0.5)))
    slopes = []
    for seed in range(150):
        truth, predictor = drawn(0.3, 0.8, n, seed)
        fit = LogisticRegression(C=np.inf).fit(predictor[:, None], truth)
        slopes.append(fit.coef_[0, 0])
    assert 2 * 1.96 * np.std(slopes) == pytest.approx(0.5, rel=0.2)
    n = int(np.ceil(auc_cases(0.8, 0.3, 0.12)))
    widths = [(found := auc(*drawn(0.3, 0.8, n, seed))).high - found.low for seed in range(20)]
    assert np.mean(widths) == pytest.approx(0.12, rel=0.12)


def test_several_images_of_a_patient_count_by_their_design_effect() -> None:
    wanted = PlanAssumptions(purpose="validation", prevalence=0.2, auc=0.85, sensitivity=0.9, specificity=0.8)
    alone = make_plan(wanted, "x")
    several = make_plan(wanted.model_copy(update={"images_per_patient": 4, "icc": 0.5}), "x")
    same = make_plan(wanted.model_copy(update={"images_per_patient": 4, "icc": 1.0}), "x")
    assert several.design_effect == 2.5 and several.patients == pytest.approx(alone.patients * 2.5 / 4, abs=1)
    assert same.patients == alone.patients and same.images == 4 * alone.patients
    assert {need.criterion for need in alone.needs} >= {"observed_expected", "calibration_slope", "auc", "sensitivity"}
    positives = share_cases(0.9, 0.1)
    assert next(need.cases for need in alone.needs if need.criterion == "sensitivity") == int(np.ceil(positives / 0.2))


def test_what_no_number_of_patients_can_give_is_said() -> None:
    with pytest.raises(PlanImpossible):
        development_needs(0.01, 0.5, 10)


def test_a_plan_is_kept_as_it_is_told(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    wanted = PlanAssumptions(purpose="development", prevalence=0.2, auc=0.8, parameters=10)
    (told,) = plan_study(PlanStudy(workspace=str(tmp_path), assumptions=wanted), workspace)
    assert isinstance(told, StudyPlanned) and told.plan.assumptions == wanted
    kept = workspace.logs_dir / told.plan.plan_id / "sample_size.json"
    assert StudyPlan.model_validate_json(kept.read_text(encoding="utf-8")) == told.plan
    # Development looks at no area or share of its own; the plan is that of the criterion that needs the most.
    assert [need.criterion for need in told.plan.needs] == ["shrinkage", "optimism", "overall_risk"]
    assert told.plan.r_squared == cox_snell_of(0.8, 0.2)
    most = max(told.plan.needs, key=lambda need: need.patients)
    assert (told.plan.patients, told.plan.images) == (most.patients, most.images)
    assert told.plan.positive_images == int(np.ceil(0.2 * most.images - 1e-9))


@pytest.mark.parametrize(
    ("cases", "images", "expected"),
    [(100.0, 1, (100, 100, 100)), (100.2, 1, (101, 101, 101)), (100.0, 3, (100, 34, 102))],
)
def test_a_need_is_of_whole_cases_patients_and_images(
    cases: float, images: int, expected: tuple[int, int, int]
) -> None:
    need = _need("auc", 0.05, cases, 1.0, images)
    assert (need.cases, need.patients, need.images) == expected
    for none in (float("inf"), 2e8):
        with pytest.raises(PlanImpossible):
            _need("auc", 0.05, none, 1.0, images)


def test_the_least_number_is_two_or_where_the_width_is_reached() -> None:
    assert _least(lambda n: -1.0) == 2.0 and _least(lambda n: 1.0) == float("inf")
    assert _least(lambda n: 50 - n) == pytest.approx(50)
    width = 0.2
    n = share_cases(0.9, width)
    found = wilson(0.9 * n, n)
    assert found.high is not None and found.low is not None and found.high - found.low == pytest.approx(width, abs=1e-6)
