"""Long work of the page in steps: all of it is done, in order, and others have their turn in between."""

from collections.abc import Callable
from typing import Any

import pytest

RunJs = Callable[..., Any]
# Each part takes so many milliseconds of a clock that only they move; a pause begins a new step.
STEPS = """
let now = 0;
performance.now = () => now;
const steps = [[]];
globalThis.scheduler = { yield: async () => { steps.push([]); } };
function* parts() {
  for (const [index, ms] of input.entries()) yield () => { now += ms; steps.at(-1).push(index); };
}
BreastAI.steps.run(parts()).then(() => output(steps.filter((step) => step.length)));
"""


@pytest.mark.parametrize(
    ("parts_ms", "steps"), [([1, 1, 1], [[0, 1, 2]]), ([20, 1, 1], [[0], [1, 2]]), ([5, 5, 5], [[0, 1], [2]])]
)
def test_a_step_ends_with_the_first_part_that_took_its_time(
    run_js: RunJs, parts_ms: list[int], steps: list[list[int]]
) -> None:
    assert run_js(STEPS, parts_ms) == steps


def test_without_a_scheduler_others_have_their_turn_in_a_pause(run_js: RunJs) -> None:
    code = """
    const done = [];
    setImmediate(() => done.push("other"));
    BreastAI.steps.pause().then(() => setImmediate(() => output(done)));
    """
    assert run_js(code) == ["other"]
