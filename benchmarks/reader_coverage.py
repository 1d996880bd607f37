"""How often the intervals and tests of `breastai readers` hold, on made-up studies with a known truth.

Ratings as Roe and Metz draw them (Acad Radiol 1997;4:298-303): effects of case, reader and test, and their products, all
normal. `python benchmarks/reader_coverage.py --repetitions 400`
"""

import argparse
from itertools import product
from typing import Any

import numpy as np

from breastai.clinical.readers.obuchowski_rockette import compare_tests, compare_with_model, estimate_mean
from breastai.clinical.readers.reader_figures import measure_readings

# Roe and Metz' structures: variances of readers, readers by tests; of cases, tests by cases, readers by cases, the rest.
STRUCTURES = {
    "low data correlation, little readers": (0.0055, 0.0055, 0.3, 0.3, 0.2, 0.2),
    "high data correlation, large readers": (0.03, 0.03, 0.3, 0.1, 0.2, 0.4),
}


def draw(
    generator: np.random.Generator, structure: str, tests: int, readers: int, cases: int, images: int, mu: float
) -> Any:
    """Return ratings (T, R, N), truth (N,) and patients (N,); `images` of a patient are alike by half."""
    of_reader, of_both, case, by_test, by_reader, rest = STRUCTURES[structure]
    n = cases * images
    truth = np.arange(n) // images % 2 == 0
    patient = np.arange(n) // images

    def of_cases(variance: float, *shape: int) -> np.ndarray:
        alike = generator.normal(size=(*shape, cases))[..., patient]
        own = generator.normal(size=(*shape, n))
        found: np.ndarray = np.sqrt(variance) * (alike if images == 1 else (alike + own) / np.sqrt(2))
        return found

    scores = mu * truth + of_cases(case) + of_cases(by_test, tests, 1) + of_cases(by_reader, 1, readers)
    scores = scores + of_cases(rest, tests, readers)
    for kind in (truth, ~truth):
        scores[..., kind] += np.sqrt(of_reader) * generator.normal(size=(1, readers, 1))
        scores[..., kind] += np.sqrt(of_both) * generator.normal(size=(tests, readers, 1))
    return scores, truth, patient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--covariance", choices=["delong", "jackknife"], default="delong")
    repetitions = (asked := parser.parse_args()).repetitions
    from scipy.stats import norm

    print("structure | readers | cases | images | difference | mean | readers less a model | size of the test")
    for structure, readers, cases, images in product(STRUCTURES, (3, 6), (50, 120), (1, 3)):
        generator = np.random.default_rng(0)
        mu = 1.5
        variances = STRUCTURES[structure]
        area = float(norm.cdf(mu / np.sqrt(2 * sum(variances))))
        of_model = float(norm.cdf(mu / np.sqrt(2 * (variances[2] + 0.7))))
        held = np.zeros(3)
        for _ in range(repetitions):
            scores, truth, patients = draw(generator, structure, 2, readers, cases, images, mu)
            model = mu * truth + generator.normal(size=len(truth)) * np.sqrt(variances[2] + 0.7)
            rows = np.concatenate([scores.reshape(2 * readers, -1), model[None]])
            found = measure_readings("auc", truth, rows, None if images == 1 else patients, asked.covariance)
            assert found is not None
            last = 2 * readers
            values, errors = found.values[:last].reshape(2, readers), found.covariance[:last, :last]
            difference = compare_tests(values, errors, "readers_and_cases")[0, 1]
            mean = estimate_mean(values[0], errors[:readers, :readers], "readers_and_cases")
            chosen = [*range(readers), last]
            beside = compare_with_model(
                values[0], float(found.values[last]), found.covariance[np.ix_(chosen, chosen)], "readers_and_cases"
            )
            assert mean is not None and beside is not None
            for place, (effect, true) in enumerate(((difference, 0.0), (mean, area), (beside, area - of_model))):
                held[place] += effect.bounds[0] <= true <= effect.bounds[1]
        shares = held / repetitions
        figures = " | ".join(f"{share:.3f}" for share in shares)
        print(f"{structure} | {readers} | {cases} | {images} | {figures} | {1 - shares[0]:.3f}", flush=True)


if __name__ == "__main__":
    main()
