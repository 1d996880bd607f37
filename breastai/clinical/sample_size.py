"""How many cases a study of a binary outcome needs, to develop a model or to judge one, with several images a patient.

Development: Riley et al. (Stat Med 2019;38:1276-1296; BMJ 2020;368:m441). Validation: Riley et al. (Stat Med
2021;40:4230-4251). Of an image of one patient each; several are worth fewer by the design effect of Kish.
"""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

import breastai
from breastai.clinical.intervals import normal_quantile, wilson
from breastai.domain.errors import PlanImpossible
from breastai.domain.events import Event, StudyPlanned
from breastai.domain.jobs import PlanStudy
from breastai.domain.study_plan import Criterion, CriterionNeed, PlanAssumptions, StudyPlan
from breastai.domain.text import Text
from breastai.storage.workspace import Workspace, atomic_write

Floats = npt.NDArray[np.float64]

# Nagelkerke's R2 as apparent and as adjusted may differ by so much, and the overall risk be off by so much.
_OPTIMISM, _RISK_MARGIN = 0.05, 0.05
_MOST_CASES = 10**8
_NODES = 201


def plan_study(job: PlanStudy, workspace: Workspace) -> Iterator[Event]:
    """Plan a study and keep the plan; raise PlanImpossible."""
    plan = make_plan(job.assumptions, workspace.new_run_id())
    content = plan.model_dump_json(indent=1) + "\n"
    atomic_write(workspace.logs_dir / plan.plan_id / "sample_size.json", content.encode())
    yield StudyPlanned(plan=plan)


def make_plan(wanted: PlanAssumptions, plan_id: str) -> StudyPlan:
    """Return what each criterion of the purpose needs; raise PlanImpossible where no number of cases is enough."""
    r_squared = None
    needs: list[tuple[Criterion, float]] = []
    if wanted.purpose == "development":
        r_squared = wanted.r_squared or cox_snell_of(wanted.auc, wanted.prevalence)
        needs += development_needs(wanted.prevalence, r_squared, wanted.parameters, wanted.shrinkage).items()
    else:
        needs.append(("observed_expected", observed_expected_cases(wanted.prevalence, wanted.oe_width)))
        needs.append(("calibration_slope", slope_cases(*linear_predictor(wanted), wanted.slope_width)))
        needs.append(("auc", auc_cases(wanted.auc, wanted.prevalence, wanted.auc_width)))
        for name, share, among in (
            ("sensitivity", wanted.sensitivity, wanted.prevalence),
            ("specificity", wanted.specificity, 1 - wanted.prevalence),
        ):
            if share is not None:
                needs.append((name, share_cases(share, wanted.share_width) / among))  # type: ignore[arg-type]
    effect = 1 + (wanted.images_per_patient - 1) * wanted.icc
    targets = _targets(wanted)
    found = [_need(name, targets[name], cases, effect, wanted.images_per_patient) for name, cases in needs]
    most = max(found, key=lambda need: need.patients)
    return StudyPlan(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        breastai=breastai.__version__,
        plan_id=plan_id,
        assumptions=wanted,
        r_squared=r_squared,
        design_effect=effect,
        needs=found,
        patients=most.patients,
        images=most.images,
        positive_images=math.ceil(most.images * wanted.prevalence - 1e-9),
    )


def _targets(wanted: PlanAssumptions) -> dict[Criterion, float]:
    """Return what each criterion asks for: a width, a margin, or the least shrinkage."""
    return {
        "shrinkage": wanted.shrinkage,
        "optimism": _OPTIMISM,
        "overall_risk": _RISK_MARGIN,
        "observed_expected": wanted.oe_width,
        "calibration_slope": wanted.slope_width,
        "auc": wanted.auc_width,
        "sensitivity": wanted.share_width,
        "specificity": wanted.share_width,
    }


def _need(name: Criterion, target: float, cases: float, effect: float, images: float) -> CriterionNeed:
    if not math.isfinite(cases) or cases > _MOST_CASES:
        raise PlanImpossible(Text(f"plan.criterion.{name}"))
    whole = math.ceil(cases - 1e-9)
    patients = math.ceil(whole * effect / images - 1e-9)
    return CriterionNeed(
        criterion=name, target=target, cases=whole, images=math.ceil(patients * images - 1e-9), patients=patients
    )


def development_needs(
    prevalence: float, r_squared: float, parameters: int, shrinkage: float = 0.9
) -> dict[Criterion, float]:
    """Return the cases that Riley's criteria need: a global `shrinkage`, little optimism, a precise overall risk.

    `r_squared` is Cox and Snell's. Raises PlanImpossible where it is more than this prevalence allows.
    """
    entropy = prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)
    highest = 1 - math.exp(2 * entropy)
    if r_squared >= min(highest, shrinkage):
        raise PlanImpossible(Text("plan.criterion.shrinkage"))

    def for_shrinkage(s: float) -> float:
        return parameters / ((s - 1) * math.log(1 - r_squared / s))

    return {
        "shrinkage": for_shrinkage(shrinkage),
        "optimism": for_shrinkage(r_squared / (r_squared + _OPTIMISM * highest)),
        "overall_risk": (normal_quantile() / _RISK_MARGIN) ** 2 * prevalence * (1 - prevalence),
    }


def cox_snell_of(auc: float, prevalence: float) -> float:
    """Return the R2 of Cox and Snell that an AUC implies, the linear predictor being normal in either class.

    As Riley, Van Calster and Collins simulate it (Stat Med 2021;40:859-864), here by quadrature.
    """
    predictors, weights = _binormal(auc, prevalence)
    risk = special.expit(predictors)
    of_model = float(weights @ (special.xlogy(risk, risk) + special.xlogy(1 - risk, 1 - risk)))
    of_none = prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)
    return 1 - math.exp(2 * (of_none - of_model))


def linear_predictor(wanted: PlanAssumptions) -> tuple[Floats, Floats]:
    """Return nodes and weights of the distribution of the linear predictor: normal as given, or as the AUC implies."""
    if wanted.lp_mean is None or wanted.lp_sd is None:
        return _binormal(wanted.auc, wanted.prevalence)
    return _normal(wanted.lp_mean, wanted.lp_sd)


def observed_expected_cases(prevalence: float, width: float) -> float:
    """Return the cases for an interval of observed to expected of this width around 1, made on the log scale."""
    error = math.asinh(width / 2) / normal_quantile()
    return (1 - prevalence) / (prevalence * error**2)


def slope_cases(predictors: Floats, weights: Floats, width: float) -> float:
    """Return the cases for an interval of the calibration slope of this width around 1, by Fisher's information."""
    risk = special.expit(predictors)
    spread = risk * (1 - risk) * weights
    of_both, of_mixed, of_squares = (float(spread @ predictors**power) for power in (0, 1, 2))
    error = width / (2 * normal_quantile())
    return of_both / (error**2 * (of_both * of_squares - of_mixed**2))


def auc_cases(auc: float, prevalence: float, width: float) -> float:
    """Return the cases for an interval of the AUC of this width, by Newcombe's variance (Stat Med 2006;25:559-573)."""
    error = width / (2 * normal_quantile())

    def excess(n: float) -> float:
        weight = n / 2 - 1
        spread = 1 + weight * ((1 - auc) / (2 - auc) + auc / (1 + auc))
        return auc * (1 - auc) * spread / (n**2 * prevalence * (1 - prevalence)) - error**2

    return _least(excess)


def share_cases(share: float, width: float) -> float:
    """Return the cases, all of one class, for Wilson's interval of a share to be this wide."""

    def excess(n: float) -> float:
        estimate = wilson(share * n, n)
        return (estimate.high or 0.0) - (estimate.low or 0.0) - width

    return _least(excess)


def _least(excess: Callable[[float], float]) -> float:
    """Return the number from which on a falling `excess` is 0 or less."""
    if excess(2.0) <= 0:
        return 2.0
    if excess(float(_MOST_CASES)) > 0:
        return math.inf
    return float(optimize.brentq(excess, 2.0, float(_MOST_CASES), xtol=1e-6))


def _binormal(auc: float, prevalence: float) -> tuple[Floats, Floats]:
    """Return nodes and weights of the log odds of a score that is normal, of one variance, in either class."""
    apart = math.sqrt(2) * float(special.ndtri(auc))
    nodes, weights = _normal(0.0, 1.0)
    offset = math.log(prevalence / (1 - prevalence)) - apart**2 / 2
    scores = np.concatenate([nodes, nodes + apart])
    shares = np.concatenate([(1 - prevalence) * weights, prevalence * weights])
    return offset + apart * scores, shares


def _normal(mean: float, deviation: float) -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return mean + deviation * nodes, weights / weights.sum()
