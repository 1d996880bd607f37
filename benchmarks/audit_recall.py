"""What the audit finds of planted faults, how many groups it makes without cause, and how long it takes.

python benchmarks/audit_recall.py FOLDER [--pairs 200] [--images 10000]

FOLDER holds class folders of real images, or train/ and val/ of them. Part 1 plants a twin of each of `pairs` images:
re-encoded at JPEG quality 40, scaled by 0.7, cropped by 5 %, brightened or flipped, half of them in another class or
another split, a mark burned into one class only, and masks; it prints the share of the pairs found. Part 2 prints the
share of FOLDER's own images in a group, and those pairs whose 64x64 grey versions correlate by less than 0.97, to be
looked at by eye. Part 3 audits --images images made by turning, cropping and darkening those there are (0: left out).
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from breastai.clinical.auditing import audit_record, folders_below
from breastai.data.decode import read_image
from breastai.data.duplicates import thumbnail
from breastai.domain.evidence import AuditRecord
from breastai.storage.workspace import Workspace

Image = Any


def cropped(image: Image) -> Image:
    rows, columns = (max(1, round(side * 0.025)) for side in image.shape[:2])
    return image[rows:-rows, columns:-columns]


CHANGES: dict[str, Callable[[Image], Image]] = {
    "jpeg_40": lambda image: image,
    "scaled_0.7": lambda image: cv2.resize(image, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA),
    "cropped_5": cropped,
    "brightened": lambda image: np.clip(image.astype(np.float32) * 1.25, 0, 255).astype(np.uint8),
    "flipped": lambda image: image[:, ::-1],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--images", type=int, default=10_000)
    asked = parser.parse_args()
    files = [
        (folder.path(number), folder.class_names[folder.labels[number]])
        for folder in folders_below(asked.folder).values()
        for number in range(len(folder))
    ]
    order = np.random.default_rng(0).permutation(len(files)).tolist()
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps({"planted": planted(files, order, asked.pairs, Path(place) / "planted")}))
        record = audited(asked.folder, Path(place) / "own")
        print(json.dumps({"own": own_groups(record, asked.folder)}))
        if asked.images:
            print(json.dumps({"many": many(files, asked.images, Path(place) / "many")}))


def audited(folder: Path, workspace: Path) -> AuditRecord:
    return audit_record(folders_below(folder), None, Workspace.open(workspace))


def planted(files: list[tuple[Path, str]], order: list[int], pairs: int, root: Path) -> dict[str, Any]:
    """Plant twins and a mark; return the share found by kind of change."""
    names = sorted({name for _, name in files})
    expected: dict[tuple[str, str], str] = {}
    for place, number in enumerate(order):
        path, name = files[number]
        image = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR) if read_image(path).ndim == 3 else read_image(path)
        if name == names[0]:
            image = cv2.putText(image.copy(), "X", (3, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2)
        split = "val" if place % 5 == 4 else "train"
        original = write(root / split / name / f"{place}.png", image)
        if place % 20 == 0:
            write(root / split / name / f"{place}_mask.png", np.where(image > 100, 255, 0).astype(np.uint8))
        if place < pairs:
            change = list(CHANGES)[place % len(CHANGES)]
            other_class = names[(names.index(name) + 1) % len(names)] if place % 4 == 1 else name
            other_split = "val" if split == "train" and place % 4 == 2 else split
            twin = root / other_split / other_class / f"{place}_twin.jpg"
            twin.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(
                str(twin), CHANGES[change](image), [cv2.IMWRITE_JPEG_QUALITY, 40 if change == "jpeg_40" else 90]
            )
            expected[original, twin.relative_to(root).as_posix()] = change
    record = audited(root, root.parent / "workspace")
    together = {file: number for number, group in enumerate(record.groups) for file in group.files}
    found = {pair: together.get(pair[0], -1) == together.get(pair[1], -2) for pair in expected}
    shortcuts = [finding.params.get("feature") for finding in record.findings if finding.code == "shortcut"]
    return {
        "pairs": len(expected),
        "found": sum(found.values()) / len(found),
        "by_change": {
            change: float(np.mean([found[pair] for pair, kind in expected.items() if kind == change]))
            for change in CHANGES
        },
        "mark_found": any(str(feature).startswith("mark") for feature in shortcuts),
        "masks_found": any(finding.code.startswith("masks") for finding in record.findings),
    }


def write(path: Path, image: Image) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return "/".join(path.parts[-3:])


def own_groups(record: AuditRecord, root: Path) -> dict[str, Any]:
    """Return how many images are in groups, and the groups whose members hardly correlate as they lie."""
    doubtful = []
    for group in record.groups:
        small = [thumbnail(read_image(root / file)).astype(np.float64).ravel() for file in group.files]
        best = [max(np.corrcoef(one, other)[0, 1] for other in small if other is not one) for one in small]
        doubtful += [file for file, likeness in zip(group.files, best, strict=True) if likeness < 0.97]
    return {
        "images": record.images,
        "groups": len(record.groups),
        "images_in_groups": sum(len(group.files) for group in record.groups),
        "to_look_at": doubtful,
    }


def many(files: list[tuple[Path, str]], count: int, root: Path) -> dict[str, Any]:
    """Audit `count` images made from those there are; return the time and the largest memory."""
    generator = np.random.default_rng(1)
    for number in range(count):
        path, name = files[number % len(files)]
        image = read_image(path)
        height, width = image.shape[:2]
        top, left = generator.integers(0, height // 2), generator.integers(0, width // 2)
        part = np.rot90(image[top : top + height // 2, left : left + width // 2], int(generator.integers(0, 4)))
        write(root / name / f"{number}.png", np.ascontiguousarray(part[:, :, ::-1]))
    began = time.perf_counter()
    record = audited(root, root.parent / "workspace")
    return {
        "images": record.images,
        "seconds": round(time.perf_counter() - began, 1),
        "largest_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
