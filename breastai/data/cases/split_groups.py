"""Leaks: which training images are left out because of near-duplicates or patients, and which belong together in a split."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from breastai.data.sources.frames import by_file, file_of
from breastai.domain.errors import TwinsFound
from breastai.domain.records import TwinGroup

OnLeak = Literal["auto", "group", "exclude", "continue", "ask"]

# Where likeness claims more than this share of the images, or one group more than this share and this many of them, it
# may be of the background or the device rather than of the tissue; and what takes more than this share of the training
# images is no detail.
MOST_ALIKE = 0.1
MOST_LEFT_OUT = 0.1
_HUGE_GROUP, _HUGE_SHARE = 10, 0.01


def exclusions(
    files: Sequence[str],
    twins: Sequence[TwinGroup],
    on_leak: OnLeak,
    patients: Sequence[str] | None = None,
    elsewhere: Mapping[str, Collection[str]] | None = None,
) -> dict[str, str]:
    """Return the files of the training folder to leave out, each with its reason.

    `files` are relative to that folder and `patients` theirs, the files of `twins` begin with their split; `elsewhere`
    names the patients of the given val and test folders. `group` (and `auto`) leaves out what has a patient or a twin
    there, or a twin of another label; `exclude` moreover all but the first of each group; `continue` nothing. A frame
    of a file goes with its other frames. `ask` raises TwinsFound when there is anything of the kind at all.
    """
    shared = patients_on_both_sides(patients, elsewhere)
    if on_leak == "ask" and (twins or shared):
        contradicting = sum(group.contradicts for group in twins)
        raise TwinsFound(len(twins), contradicting, sum(group.crosses for group in twins), len(shared))
    if on_leak == "continue":
        return {}
    known = set(files)
    found = {
        file: f"patient_in_{shared[patient]}"
        for file, patient in zip(files, patients or (), strict=patients is not None)
        if patient in shared
    }
    for group in twins:
        mine = [file for file in _of_split(group, "train") if file in known]
        wholes = {file_of(file) for file in mine}
        all_frames = [file for file in files if file_of(file) in wholes] if wholes - set(mine) else mine
        other_side = next((split for split in ("val", "test") if split in group.splits), None)
        if other_side is not None:
            reasons = dict.fromkeys(all_frames, f"twin_in_{other_side}")
        elif group.contradicts:
            reasons = dict.fromkeys(all_frames, "twin_of_another_label")
        elif on_leak == "exclude":
            staying = [file for file in mine if file not in found]
            others = [file for file in staying[1:] if file_of(file) == file or file_of(file) != file_of(staying[0])]
            reasons = dict.fromkeys(others, "duplicate")
        else:
            continue
        found = reasons | found
    return found


def patients_on_both_sides(
    patients: Sequence[str] | None, elsewhere: Mapping[str, Collection[str]] | None
) -> dict[str, str]:
    """Return the patients of training images who are in a given val or test folder too, each with the first it is in."""
    own = set(patients or ())
    return {
        patient: split for split in ("test", "val") for patient in own.intersection((elsewhere or {}).get(split, ()))
    }


def is_doubtful(alike: int, largest: int, images: int) -> bool:
    """Return whether near-duplicates are too many, or one group is too large, to be believed without a look.

    `alike` of `images` are in groups, `largest` of them in one.
    """
    return alike > MOST_ALIKE * images or largest > max(_HUGE_GROUP, _HUGE_SHARE * images)


def split_groups(
    files: Sequence[str], patients: Sequence[str] | None, twins: Sequence[TwinGroup], split: str
) -> list[str] | None:
    """Return for each of `files` of a split's folder a name that all images of its patient and all its twins share.

    Frames of one file belong together in any case. None when neither patients nor twins are known, and none is a frame.
    """
    number_of = {file: number for number, file in enumerate(files)}
    groups = [[number_of[file] for file in _of_split(group, split) if file in number_of] for group in twins]
    groups = [group for group in groups if len(group) > 1]
    wholes = by_file(files)
    if patients is None and wholes is None and not groups:
        return None
    parent = list(range(len(files)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    together: list[list[int]] = []
    for names in (patients or (), wholes or ()):
        first: dict[str, int] = {}
        together += [[number, first.setdefault(name, number)] for number, name in enumerate(names)]
    for group in [*groups, *together]:
        for number in group[1:]:
            one, other = sorted((root(group[0]), root(number)))
            parent[other] = one
    # Named so that they sort as their first images do, whatever those are called.
    return [f"{root(number):09d}" for number in range(len(files))]


def shared_with(
    learnt: Collection[tuple[str, str]],
    validating: Collection[tuple[str, str]],
    twins: Sequence[TwinGroup],
    patients: Collection[str] | None,
    elsewhere: Mapping[str, Collection[str]],
) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many patients, and how many groups of twins, train a model and are in val or test all the same.

    `learnt` and `validating` are (split, file) of the images that do; `patients` those of the former, `elsewhere` those
    of val and test. A split that shares none is not named.
    """
    shared_patients = {split: len(set(patients or ()).intersection(names)) for split, names in elsewhere.items()}
    shared_groups = {"val": 0, "test": 0}
    for group in twins:
        members = {
            (split, file.removeprefix(f"{split}/")) for file, split in zip(group.files, group.splits, strict=True)
        }
        if not members.isdisjoint(learnt):
            shared_groups["val"] += not members.isdisjoint(validating)
            shared_groups["test"] += "test" in group.splits
    return (
        {split: count for split, count in shared_patients.items() if count},
        {split: count for split, count in shared_groups.items() if count},
    )


def count_reasons(reasons: Mapping[str, str]) -> dict[str, int]:
    """Return how many files were left out for each reason."""
    return {reason: list(reasons.values()).count(reason) for reason in sorted(set(reasons.values()))}


def _of_split(group: TwinGroup, split: str) -> list[str]:
    """Return the group's files in a split, relative to its folder."""
    return [file.removeprefix(f"{split}/") for file, own in zip(group.files, group.splits, strict=True) if own == split]
