"""Weeks of a watched folder compared with the first ones, against scipy's tests and statsmodels' adjustment."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import fisher_exact, ks_2samp
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from breastai.clinical.ledger_drift import NUMBERS, SHARES, WeekValue, summarise_weeks
from breastai.domain.watch_records import LedgerLine

BEGIN = datetime(2025, 12, 22, 12, tzinfo=UTC)


def line(week: int, number: int, **fields: object) -> LedgerLine:
    when = BEGIN + timedelta(days=7 * week, minutes=number)
    known = {"time": when.isoformat(), "is_skipped": False, "error": None, "model": "m", **fields}
    return LedgerLine.model_construct(**dict.fromkeys(LedgerLine.model_fields) | known)


def drawn(week: int, count: int, shift: float = 0.0, refer: float = 0.3) -> list[LedgerLine]:
    generator = np.random.default_rng(week)
    return [
        line(
            week, number, probabilities={"ill": float(generator.random() + shift)}, target_class="ill", novelty=float(generator.random()),
            brightness=100.0, contrast=float(number), width=40, height=90,
            refer=bool(generator.random() < refer), called=bool(generator.random() < 0.5),
        )
        for number in range(count)
    ]  # fmt: skip


def test_weeks_are_iso_s_in_their_order_and_the_first_with_images_are_the_reference() -> None:
    lines = [*drawn(3, 2), *drawn(0, 3), *drawn(1, 4), line(2, 0, is_skipped=True)]
    found = summarise_weeks(lines, 2)
    assert [week.week for week in found.weeks] == ["2025-W52", "2026-W01", "2026-W03"]
    assert [week.images for week in found.weeks] == [3, 4, 2]
    assert [week.is_reference for week in found.weeks] == [True, True, False]
    assert (found.images, found.reference_images, found.left_out) == (9, 7, 1)
    assert summarise_weeks([], 2).weeks == []


def test_models_are_named_in_the_order_of_their_first_answers() -> None:
    lines = [line(0, number, model=model) for number, model in enumerate("bab")]
    assert summarise_weeks(list(reversed(lines)), 1).weeks[0].models == ["b", "a"]


def test_numbers_are_medians_with_quartiles_and_differ_by_the_largest_distance_of_distributions() -> None:
    lines = [*drawn(0, 30), *drawn(1, 25, shift=0.4), *drawn(2, 20)]
    found = summarise_weeks(lines, 1)
    scores = [[each.score for each in drawn(*arguments)] for arguments in ((0, 30), (1, 25, 0.4), (2, 20))]
    for week, own in zip(found.weeks, scores, strict=True):
        value = week.values["score"]
        assert [value.low, value.value, value.high] == pytest.approx(np.percentile(own, [25, 50, 75]).tolist())
        assert value.n == len(own) and week.values["size"].value == 60.0
    assert found.weeks[0].values["score"].difference is None
    assert found.weeks[1].values["score"].difference == pytest.approx(ks_2samp(scores[1], scores[0]).statistic)


def test_shares_have_wilson_s_interval_and_differ_from_the_reference_with_holm_s_adjustment_over_all() -> None:
    lines = [*drawn(0, 40), *drawn(1, 30, refer=0.9), *drawn(2, 25, shift=0.2)]
    found = summarise_weeks(lines, 1)
    before, here = ([float(each.refer or 0) for each in drawn(*each)] for each in ((0, 40), (1, 30, 0.0, 0.9)))
    share = found.weeks[1].values["referred"]
    assert share.share is not None and share.value == share.share.value == pytest.approx(np.mean(here))
    assert (share.share.low, share.share.high) == pytest.approx(proportion_confint(sum(here), 30, method="wilson"))
    assert share.difference == pytest.approx(np.mean(here) - np.mean(before))
    assert found.weeks[1].values["unreadable"].value == 0
    p_values, told = [], []
    for week, others in ((1, drawn(1, 30, refer=0.9)), (2, drawn(2, 25, shift=0.2))):
        for name, value_of in (NUMBERS | SHARES).items():
            one, other = ([value_of(each) for each in some] for some in (others, drawn(0, 40)))
            if name in NUMBERS:
                p_values.append(ks_2samp(one, other).pvalue)
            else:
                table = [[sum(some), len(some) - sum(some)] for some in (one, other)]  # type: ignore[arg-type]
                p_values.append(fisher_exact(table).pvalue)
            told.append(found.weeks[week].values[name].adjusted_p)
    np.testing.assert_allclose(told, multipletests(p_values, method="holm")[1])


@pytest.mark.parametrize(("before", "here", "tested"), [(10, 10, True), (9, 10, False), (10, 9, False)])
def test_a_week_is_tested_from_ten_images_on_either_side(before: int, here: int, tested: bool) -> None:
    week = summarise_weeks([*drawn(0, before), *drawn(1, here)], 1).weeks[1]
    for name in (*NUMBERS, *SHARES):
        assert (week.values[name].adjusted_p is not None) is tested, name
        assert (week.values[name].difference is not None) is tested


def test_what_no_image_says_is_undefined() -> None:
    week = summarise_weeks([line(0, 0), line(0, 1, width=4)], 1).weeks[0]
    for name in (*NUMBERS, "referred", "called"):
        assert (week.values[name].value, week.values[name].n) == (None, 0)
    assert week.values["unreadable"].n == 2


@pytest.mark.parametrize(("p", "differs"), [(None, False), (0.0099, True), (0.01, False)])
def test_a_difference_is_called_one_below_one_in_a_hundred(p: float | None, differs: bool) -> None:
    assert WeekValue(value=1, n=20, adjusted_p=p).differs is differs
