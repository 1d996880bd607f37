"""Leaks: which training images are left out because of their twins, and which images belong together in a split."""

from collections.abc import Mapping, Sequence
from typing import Literal

from breastai.data.frames import by_file, file_of
from breastai.domain.errors import TwinsFound
from breastai.domain.evidence import TwinGroup

OnLeak = Literal["group", "exclude", "continue", "ask"]


def left_out(files: Sequence[str], twins: Sequence[TwinGroup], on_leak: OnLeak) -> dict[str, str]:
    """Return the files of the training folder to leave out, each with its reason.

    `files` are relative to that folder, the files of `twins` begin with their split. `group` leaves out what has a
    twin in a given val or test folder, or one of another label; `exclude` moreover all but the first of each group;
    `continue` nothing. A frame of a file goes with its other frames. `ask` raises TwinsFound when there are twins at all.
    """
    if on_leak == "ask" and twins:
        contradicting = sum(group.contradicts for group in twins)
        raise TwinsFound(len(twins), contradicting, sum(group.crosses for group in twins))
    if on_leak == "continue":
        return {}
    known = set(files)
    found: dict[str, str] = {}
    for group in twins:
        mine = [file for file in _of_split(group, "train") if file in known]
        wholes = {file_of(file) for file in mine}
        all_frames = [file for file in files if file_of(file) in wholes] if wholes - set(mine) else mine
        elsewhere = next((split for split in ("val", "test") if split in group.splits), None)
        if elsewhere is not None:
            found |= dict.fromkeys(all_frames, f"twin_in_{elsewhere}")
        elif group.contradicts:
            found |= dict.fromkeys(all_frames, "twin_of_another_label")
        elif on_leak == "exclude":
            others = [file for file in mine[1:] if file_of(file) == file or file_of(file) != file_of(mine[0])]
            found |= dict.fromkeys(others, "duplicate")
    return found


def units(
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
    return [files[root(number)] for number in range(len(files))]


def counted(reasons: Mapping[str, str]) -> dict[str, int]:
    """Return how many files were left out for each reason."""
    return {reason: list(reasons.values()).count(reason) for reason in sorted(set(reasons.values()))}


def _of_split(group: TwinGroup, split: str) -> list[str]:
    """Return the group's files in a split, relative to its folder."""
    return [file.removeprefix(f"{split}/") for file, own in zip(group.files, group.splits, strict=True) if own == split]
