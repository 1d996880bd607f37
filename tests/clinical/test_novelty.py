"""Novelty: strange images are told from known ones, new ones like the known ones seldom, and by how many cases."""

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from breastai.clinical.apply_decision_rule import decide
from breastai.clinical.out_of_distribution import COMPONENTS, LEAST_CASES, OutOfDistribution, fit_novelty, unit_length
from breastai.domain.decision_rule import ConformalSets, DecisionRule, NoveltyLimit

WIDTH = 64
# Features as networks give them: a few directions vary much, most hardly.
SPREAD = 1.2 ** -np.arange(WIDTH)


def cloud(n: int, seed: int, centre: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(n, WIDTH)) * SPREAD + 6 * np.eye(WIDTH)[centre]).astype(np.float32)


def fitted(features: Any, units: Any = None, *statistics: Any) -> OutOfDistribution:
    found = fit_novelty(features, units, *statistics)
    assert found is not None
    return found[0]


def test_strange_features_lie_above_the_limit_and_known_ones_seldom() -> None:
    shares = []
    for seed in range(10):
        novelty = fitted(cloud(300, seed))
        shares.append((novelty.of(cloud(1000, 100 + seed)) > novelty.limit.limit).mean())
        assert (novelty.of(cloud(400, 3, centre=50)) > novelty.limit.limit).all()
        assert novelty.of(np.zeros((1, WIDTH)))[0] > novelty.limit.limit
    assert 0.01 < np.mean(shares) <= 0.06


def test_fewer_cases_than_features_leave_the_limit_honest() -> None:
    shares = [
        (novelty.of(cloud(1000, 100 + seed)) > novelty.limit.limit).mean()
        for seed in range(30)
        for novelty in [fitted(cloud(40, seed))]
    ]
    assert np.mean(shares) <= 2 / 41


def test_the_distance_is_that_of_probabilistic_pca() -> None:
    features, new = cloud(300, 0), unit_length(cloud(20, 1))
    theirs = PCA(COMPONENTS, svd_solver="full").fit(unit_length(features))
    centred = new - theirs.mean_
    expected = np.sqrt(np.einsum("nd,de,ne->n", centred, theirs.get_precision(), centred) / WIDTH)
    assert fitted(features).of(new) == pytest.approx(expected, rel=1e-3)
    assert fitted(features).of(100 * new) == pytest.approx(expected, rel=1e-3)


def test_the_same_features_give_the_same_novelty_and_leave_numpy_s_random_numbers_alone() -> None:
    np.random.seed(4)
    first, again = fitted(cloud(60, 0)), fitted(cloud(60, 0))
    drawn = np.random.random()
    np.random.seed(4)
    assert drawn == np.random.random()
    assert first.limit == again.limit and (first.features.directions == again.features.directions).all()


def test_images_of_one_patient_do_not_make_the_limit_tighter() -> None:
    patients = cloud(30, 0).repeat(4, axis=0) + cloud(120, 1) * 1e-3
    units = [f"patient{number // 4}" for number in range(120)]
    assert fitted(patients, units).limit.limit > 1.2 * fitted(patients).limit.limit


def test_the_limit_says_on_how_many_cases_it_rests() -> None:
    assert fit_novelty(cloud(LEAST_CASES - 1, 0)) is None
    assert fit_novelty(cloud(20, 0), ["one patient"] * 20) is None
    few, many = fitted(cloud(15, 0)).limit, fitted(cloud(200, 0)).limit
    assert (few.n, few.components, few.quantile) == (15, 3, pytest.approx(15 / 16))
    assert (many.n, many.components, many.quantile) == (200, COMPONENTS, 0.95)


def with_statistics(n: int, seed: int, grey: float = 0.0) -> tuple[Any, Any]:
    """Features of one cloud, and statistics that vary a little around `grey`."""
    return cloud(n, seed), np.random.default_rng(seed).normal(grey, 0.1, (n, 6)).astype(np.float32)


def test_an_image_of_other_statistics_is_told_though_its_features_are_usual() -> None:
    novelty = fitted(*with_statistics(200, 0)[:1], None, with_statistics(200, 0)[1])
    assert novelty is not None
    features, statistics = with_statistics(500, 1)
    assert 0 < (novelty.of(features, statistics) > novelty.limit.limit).mean() < 0.1
    assert (novelty.of(features, statistics + 1.0) > novelty.limit.limit).all()
    assert (novelty.of(cloud(500, 2, centre=50), statistics) > novelty.limit.limit).all()


def test_training_images_sharpen_the_statistics_and_validation_images_alone_fit_the_limit() -> None:
    shares = []
    for seed in range(12):
        features, statistics = with_statistics(30, seed)
        taught = with_statistics(400, 200 + seed)[1]
        novelty, other = (fitted(features, None, statistics, each) for each in (taught, 5 * taught))
        assert novelty is not None and other is not None
        shares.append((novelty.of(*with_statistics(500, 100 + seed)) > novelty.limit.limit).mean())
        assert other.limit.parts[1] < novelty.limit.parts[1]
        assert other.limit.parts[0] == novelty.limit.parts[0]
    assert 0.005 < np.mean(shares) < 0.08


def test_two_distances_keep_the_quantile_of_one() -> None:
    shares = []
    for seed in range(12):
        features, statistics = with_statistics(60, seed)
        novelty = fitted(features, [f"{number // 2}" for number in range(60)], statistics)
        assert novelty is not None
        shares.append((novelty.of(*with_statistics(500, 100 + seed)) > novelty.limit.limit).mean())
    assert 0.01 < np.mean(shares) < 0.07


def test_validation_images_without_colour_make_a_coloured_one_unlike_and_noise_of_rounding_not() -> None:
    features, statistics = with_statistics(60, 0)
    statistics[:, 0] = 0
    novelty = fitted(features, None, statistics)
    assert novelty is not None
    new, theirs = with_statistics(200, 1)
    theirs[:, 0] = 2 / 255
    assert (novelty.of(new, theirs) > novelty.limit.limit).mean() < 0.15
    theirs[:, 0] = 0.3
    assert (novelty.of(new, theirs) > novelty.limit.limit).all()


def test_features_that_never_vary_give_finite_distances() -> None:
    novelty = fitted(np.ones((20, WIDTH), np.float32))
    assert np.isfinite(novelty.of(np.ones((2, WIDTH)))).all()
    assert (novelty.of(cloud(3, 0)) > novelty.limit.limit).all()


RULE = DecisionRule(
    conformal=ConformalSets(error_rate=0.1, thresholds=(0.4, 0.4), by_class=True),
    novelty=NoveltyLimit(limit=2.0, quantile=0.99, components=16, n=200),
    n=200,
)


def test_an_unlike_case_is_referred_whatever_its_probabilities() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5], [0.9, 0.1]])
    verdicts = decide(RULE, probabilities, ("a", "b"), np.array([1.0, 2.5, 3.0, np.nan]))
    assert [verdict.reason for verdict in verdicts] == [None, "unlike", "unlike", "unlike"]
    assert [verdict.refer for verdict in verdicts] == [False, True, True, True]


def test_without_a_novelty_nothing_is_said_of_it() -> None:
    (verdict,) = decide(RULE, np.array([[0.5, 0.5]]), ("a", "b"))
    assert (verdict.unlike, verdict.reason) == (None, "several_classes")
    (neither,) = decide(DecisionRule(), np.array([[0.5, 0.5]]), ("a", "b"), np.array([9.0]))
    assert (neither.unlike, neither.refer) == (None, None)
