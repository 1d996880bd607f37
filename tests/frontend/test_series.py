"""Points of curves: smoothing and CSV, in node."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

RunJs = Callable[..., Any]


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.95])
def test_smoothing_is_the_weighted_mean_of_the_points_so_far(run_js: RunJs, weight: float) -> None:
    values = [0.9, 0.1, None, 0.5, 0.7]
    line = [{"x": epoch, "y": value} for epoch, value in enumerate(values, 1)]
    found = [point["y"] for point in run_js(f"output(BreastAI.series.smoothed(input, {weight}));", line)]
    known = [value for value in values if value is not None]
    means = [np.average(known[:count], weights=weight ** np.arange(count - 1, -1, -1)) for count in range(1, 5)]
    assert [value for value in found if value is not None] == pytest.approx(means)
    assert found[2] is None


def test_csv_quotes_what_must_be_quoted_and_starts_no_formula(run_js: RunJs) -> None:
    rows = [["a,b", 'say "x"', "two\nlines"], ["=cmd()", "-1 day", "@x"], [-1.5, None, True], ["a;=b", "\uff1dc"]]
    assert run_js("output(BreastAI.series.csv(input));", rows) == (
        '"a,b","say ""x""","two\nlines"\r\n\'=cmd(),\'-1 day,\'@x\r\n-1.5,,true\r\na;\'=b,\'\uff1dc\r\n'
    )


def test_curves_with_the_same_places_stand_side_by_side_and_others_one_below_the_other(run_js: RunJs) -> None:
    code = 'output(BreastAI.series.rowsOf(input, { x: "x", y: "y" }));'
    alike = [{"label": name, "points": [{"x": 1, "y": value}]} for name, value in (("a", 0.1), ("b", None))]
    assert run_js(code, alike) == [["x", "a", "b"], [1, 0.1, None]]
    other = [alike[0], {"label": "b", "points": [{"x": 2, "y": 0.3}]}]
    assert run_js(code, other) == [["", "x", "y"], ["a", 1, 0.1], ["b", 2, 0.3]]
