"""How often the intervals of subgroups' differences hold the truth, and how often Holm's method finds what isn't there.

python benchmarks/subgroup_coverage.py [--repetitions 400]

Test sets of 120 and 300 images, one or two of a patient (of one class, correlated by 0.6), prevalence 0.3, AUC 0.9; four
devices as likely as each other, drawn by patient, or the patient's two sides. No subgroup differs in truth: the true
difference is 0. Prints a line of JSON for each regime: coverage by figure, and the share of test sets with any adjusted
p-value below 0.05.
"""

import argparse
import json
from collections import defaultdict

import numpy as np
from scipy import stats

from breastai.clinical.subgroup_evidence import gather_subgroups

SHIFT = float(np.sqrt(2) * stats.norm.ppf(0.9))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400)
    asked = parser.parse_args()
    for patients, images, kind in ((120, 1, "device"), (300, 1, "device"), (60, 2, "device"), (150, 2, "side")):
        print(json.dumps({"patients": patients, "images": images, "column": kind, **regime(patients, images, kind, asked.repetitions)}), flush=True)  # fmt: skip


def regime(patients: int, images: int, kind: str, repetitions: int) -> dict[str, float]:
    held: dict[str, list[bool]] = defaultdict(list)
    found = []
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        labels = np.repeat(rng.random(patients) < 0.3, images).astype(np.int64)
        shared = np.repeat(rng.normal(size=patients), images)
        logits = np.sqrt(0.6) * shared + np.sqrt(0.4) * rng.normal(size=patients * images) + SHIFT * labels
        scores = 1 / (1 + np.exp(-logits))
        of_patient = np.repeat(rng.integers(0, 4, patients), images)
        values = np.tile([0, 1], patients) if kind == "side" else of_patient
        groups = gather_subgroups(
            labels,
            np.stack([1 - scores, scores], axis=1),
            ["benign", "malignant"],
            {kind: [f"value {value}" for value in values.tolist()]},
            np.repeat(np.arange(patients), images) if images > 1 else None,
            target="malignant",
            threshold=float(1 / (1 + np.exp(-SHIFT / 2))),
        )
        told = [(name, each) for group in groups for name, each in group.differences.items()]
        for name, each in told:
            low, high = each.difference.low, each.difference.high
            if low is not None and high is not None:
                held[name.partition("_at")[0].partition(".")[0]].append(low <= 0 <= high)
        found.append(any((each.adjusted_p or 1) < 0.05 for _, each in told))
    return {name: round(float(np.mean(each)), 3) for name, each in held.items()} | {
        "any": round(float(np.mean(found)), 3)
    }


if __name__ == "__main__":
    main()
