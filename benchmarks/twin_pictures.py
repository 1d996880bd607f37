"""Twins as a person sees them: one picture of a dozen pairs that the audit found, to judge by eye.

python benchmarks/twin_pictures.py FOLDER PICTURE.png [--pairs 12]

FOLDER holds train/ and val/ of class folders. Pairs of different labels come first, then evenly from all other groups.
Above each pair stand their files and the correlation of their 64x64 grey versions. Nothing is written but PICTURE.png,
which shows real images: it is not for the repository.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np

from breastai.clinical.audit_job import audit_record, folders_below
from breastai.data.decoders.decoder_table import read_image
from breastai.domain.records import TwinGroup
from breastai.storage.workspace import Workspace

SIDE = 260
HEADER = 40
COLUMNS = 3
GAP = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--pairs", type=int, default=12)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        record = audit_record(folders_below(asked.folder), None, Workspace.open(place))
    groups = chosen(record.groups, asked.pairs)
    cells = [cell(group, asked.folder) for group in groups]
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % COLUMNS)
    rows = [np.concatenate(cells[start : start + COLUMNS], axis=1) for start in range(0, len(cells), COLUMNS)]
    cv2.imwrite(str(asked.picture), np.concatenate(rows, axis=0))
    print(f"{len(groups)} pairs of {len(record.groups)} groups in {record.images} images: {asked.picture}")


def chosen(groups: list[TwinGroup], count: int) -> list[TwinGroup]:
    """Return `count` groups: those of different labels, then evenly from the others."""
    first = [group for group in groups if group.contradicts][:count]
    others = [group for group in groups if not group.contradicts]
    rest = min(count - len(first), len(others))
    return first + [others[place] for place in np.linspace(0, len(others) - 1, rest).round().astype(int)]


def cell(group: TwinGroup, root: Path) -> np.ndarray:
    """Return a picture of two of a group, of different classes where it has them, side by side under their names."""
    first = group.classes[0]
    second = next((number for number, name in enumerate(group.classes) if name != first), 1)
    files = (group.files[0], group.files[second])
    sides = [grey(root / file) for file in files]
    small = [cv2.resize(side, (64, 64), interpolation=cv2.INTER_AREA).ravel().astype(float) for side in sides]
    correlation = float(np.corrcoef(small)[0, 1])
    pair = np.concatenate([cv2.resize(side, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for side in sides], axis=1)
    header = np.full((HEADER, pair.shape[1]), 255, np.uint8)
    for number, file in enumerate(files):
        cv2.putText(header, file, (4 + number * SIDE, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.38, 0, 1, cv2.LINE_AA)
    words = f"r = {correlation:.3f}, {len(group.files)} in the group"
    cv2.putText(header, words, (4, 32), cv2.FONT_HERSHEY_SIMPLEX, 0.38, 0, 1, cv2.LINE_AA)
    framed = np.concatenate([header, pair], axis=0)
    return np.pad(framed, ((0, GAP), (0, GAP)), constant_values=255)


def grey(path: Path) -> np.ndarray:
    image = read_image(path)
    return image[:, :, 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


if __name__ == "__main__":
    main()
