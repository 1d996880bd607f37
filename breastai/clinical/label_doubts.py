"""Labels in doubt: which images are most likely mislabelled, by probabilities of models that never saw them.

The list goes by self-confidence, the probability that a held-out model gives to the label (Kuan and Mueller, ICML workshop
on data-centric AI 2022), and by near-duplicates that say otherwise. What is likely wrong goes by confident learning
(Northcutt, Jiang and Chuang, JAIR 2021;70:1373-1411): a class's threshold is the mean probability that the images labelled
so get for it, so that a class that is hard, or rare, is not all doubt.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import breastai
from breastai.data.duplicates.near_duplicates import Duplicates
from breastai.data.sources.frames import file_of
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.label_doubts_record import LabelDoubt, LabelDoubts, PlantedCheck
from breastai.domain.text import Text
from breastai.storage.kept_doubts import save_doubts
from breastai.storage.workspace import Workspace

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_MOST_KEPT = 2000
# What near-duplicates weigh beside the probability, from 0 to 1, of the label.
_OF_TWINS = 0.5
# The share of labels that a check changes on purpose, and of the list in which they should stand.
PLANTED = 0.05


class Doubts(NamedTuple):
    """`doubt` (N,): from 0 to 1.5, the higher the likelier wrong; `suggested` (N,) class; `likely` (N,)."""

    doubt: Floats
    suggested: Numbers
    likely: npt.NDArray[np.bool_]


def rank_doubts(labels: Numbers, probabilities: Floats, disagreement: Floats | None = None) -> Doubts:
    """Return how doubtful each label is by held-out `probabilities` (N, C); those of a class without an image suggest it not.

    `disagreement` (N,): the share of an image's near-duplicates with another label; all of them weigh as much as half of
    the probability.
    """
    count = probabilities.shape[1]
    present = np.bincount(labels, minlength=count) > 0
    thresholds = np.array(
        [probabilities[labels == number, number].mean() if present[number] else np.inf for number in range(count)]
    )
    rows = np.arange(len(labels))
    above = probabilities - thresholds
    others = above.copy()
    others[rows, labels] = -np.inf
    suggested = others.argmax(axis=1).astype(np.int64)
    own, best = above[rows, labels], others[rows, suggested]
    doubt = 1 - probabilities[rows, labels] + (0.0 if disagreement is None else _OF_TWINS * disagreement)
    # In the confident joint an image is counted under the likeliest class whose threshold it reaches.
    return Doubts(doubt, suggested, (best >= 0) & (best > own))


def disagreements(labels: Numbers, twins: Numbers) -> Floats:
    """Return, for each of N images, the share of the others of its group in `twins` (N,) whose label is another; 0 alone."""
    found = np.zeros(len(labels))
    for group in np.flatnonzero(np.bincount(twins) > 1):
        members = np.flatnonzero(twins == group)
        same = (labels[members][:, None] == labels[members][None]).sum(axis=1) - 1
        found[members] = 1 - same / (len(members) - 1)
    return found


def plant_errors(labels: Numbers, count: int, generator: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Return `labels` (N,) of which a share of PLANTED, at least one, are another of the `count` classes, and which."""
    changed = generator.choice(len(labels), planted_in(len(labels)), replace=False)
    planted = labels.copy()
    planted[changed] = (labels[changed] + generator.integers(1, count, len(changed))) % count
    return planted, changed.astype(np.int64)


def planted_in(n: int) -> int:
    """Return how many of N labels a check changes, and how many of the list are its first."""
    return max(1, round(PLANTED * n))


def contradicting_twins(labels: Numbers, duplicates: Duplicates) -> dict[int, int]:
    """Return for each image in a group with several labels one of the group with another, the nearest pair first."""
    found: dict[int, int] = {}
    for pair in sorted(duplicates.pairs, key=lambda each: -each.correlation):
        if labels[pair.first] != labels[pair.second]:
            found.setdefault(pair.first, pair.second)
            found.setdefault(pair.second, pair.first)
    for group in duplicates.groups:
        for member in group:
            other = next((each for each in group if labels[each] != labels[member]), None)
            if other is not None:
                found.setdefault(member, other)
    return found


def make_doubts(
    workspace: Workspace,
    files: Sequence[str],
    labels: Numbers,
    probabilities: Floats,
    class_names: Sequence[str],
    twins: Mapping[int, int],
    *,
    data: str,
    part: str | None,
    method: Literal["probe", "crossval"],
    disagreement: Floats | None = None,
    check: PlantedCheck | None = None,
    dataset: tuple[str, str] | None = None,
) -> LabelDoubts:
    """Return the record of N images, the most doubtful label first, kept with a table beside it; raise DiskFull.

    `disagreement` (N,): see rank_doubts; without it a twin of another label counts as all of them. `check`: what the same
    list found of errors planted on purpose. `dataset`: the kept data set that the folder is of, and its place below that
    one's root, "" or ending in a slash.
    """
    if disagreement is None:
        disagreement = np.array([float(i in twins) for i in range(len(files))])
    ranked = rank_doubts(labels, probabilities, disagreement)
    order = np.lexsort((np.arange(len(files)), -ranked.doubt))
    doubts = [
        LabelDoubt(
            file=files[i],
            label=class_names[labels[i]],
            suggested=class_names[ranked.suggested[i]],
            given_to_label=float(probabilities[i, labels[i]]),
            given_to_suggested=float(probabilities[i, ranked.suggested[i]]),
            doubt=float(ranked.doubt[i]),
            likely=bool(ranked.likely[i]),
            twin=files[twins[i]] if i in twins else None,
            twin_label=class_names[labels[twins[i]]] if i in twins else None,
            dataset_file=None if dataset is None else dataset[1] + file_of(files[i]),
        )
        for i in order.tolist()
    ]
    truth = np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, 1.0)
    loss = float(-np.log(truth).mean()) if len(labels) else None
    notes = [Text("note.doubts_suggest")]
    if part == "test":
        notes.append(Text("note.doubts_of_test"))
    if loss is not None and loss >= _loss_of_chance(labels) * 0.98:
        notes.append(Text("note.doubts_no_better"))
    if check is not None:
        shown = {"found": check.found, "planted": check.planted, "share": check.share}
        notes.append(Text("note.doubts_check" if 2 * check.found >= check.planted else "note.doubts_check_low", shown))
    record = LabelDoubts(
        notice=RESEARCH_USE,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        breastai=breastai.__version__,
        doubts_id=workspace.new_run_id(),
        data=data,
        dataset=None if dataset is None else dataset[0],
        part=part,
        method=method,
        images=len(files),
        class_names=list(class_names),
        log_loss=loss,
        likely=int(ranked.likely.sum()),
        twins=len(twins),
        check=check,
        doubts=doubts[:_MOST_KEPT],
        notes=notes,
    )
    save_doubts(workspace, record)
    return record


def _loss_of_chance(labels: Numbers) -> float:
    """Return the log loss of who knows no more than how common each class is; `labels` has shape (N,), N > 0."""
    counts = np.bincount(labels)
    shares = counts[counts > 0] / len(labels)
    return float(-(shares * np.log(shares)).sum())
