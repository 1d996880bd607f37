"""What the audit finds of planted faults, how many groups it makes without cause, and how long it takes.

python benchmarks/audit_recall.py FOLDER [--pairs 200] [--images 10000] [--copies 60] [--patient-pattern REGEX]

FOLDER holds class folders of real images, or train/ and val/ of them. Part 1 plants a twin of each of `pairs` images:
re-encoded at JPEG quality 40, scaled by 0.7, cropped by 5 %, brightened or flipped, half of them in another class or
another split, a mark burned into one class only, and masks; it prints the share of the pairs found. Part 2 prints the
share of FOLDER's own images in a group, and those pairs whose 64x64 grey versions correlate by less than 0.97, to be
looked at by eye; with --patient-pattern, whose group is found in a file's name, also the groups that hold images of two
patients, which no audit is told of here. Part 3 plants --copies copies of every kind in KINDS, each kind by itself among
100 other images, and prints how many are found and how many groups join different images. Part 4 audits --images images made by turning, cropping and darkening those there are (0: left out).
"""

import argparse
import json
import re
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from breastai.clinical.audit_job import audit_record, folders_below
from breastai.data.decoders.decoder_table import read_image
from breastai.data.duplicates.grey_thumbnails import thumbnail
from breastai.data.duplicates.near_duplicates import find_duplicates
from breastai.domain.records import AuditRecord
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


def part(image: Image, top: float, bottom: float, left: float, right: float) -> Image:
    height, width = image.shape[:2]
    return image[round(height * top) : round(height * bottom), round(width * left) : round(width * right)]


def on_screen(image: Image, share: float) -> Image:
    """Return a grey image within a panel with text, which makes it larger by `share`."""
    height, width = image.shape
    rows, columns = (max(1, round(side * share / 2)) for side in image.shape)
    screen = np.full((height + 2 * rows, width + 2 * columns), 40, dtype=np.uint8)
    step = max(8, height // 16)
    for line in range(step, len(screen), step):
        text = f"{line % 97} dB  Gain {line % 89}  12.5 MHz" * 2
        cv2.putText(screen, text, (2, line), cv2.FONT_HERSHEY_SIMPLEX, step / 32, 200, 1)
    screen[rows : rows + height, columns : columns + width] = image
    return screen


def next_frame(image: Image) -> Image:
    noise = cv2.GaussianBlur(np.random.default_rng(9).normal(size=image.shape), (0, 0), 1) * 12
    return part(np.clip(image * (1 + noise / 100), 0, 255).astype(np.uint8), 0, 1, 0.06, 1)


def sloped(image: Image) -> Image:
    return np.clip(image * np.linspace(1.6, 0.5, len(image))[:, None], 0, 255).astype(np.uint8)


def patches(image: Image) -> tuple[Image, Image]:
    """Return two patches, half as wide as a large image, that overlap by nine tenths."""
    if min(image.shape) < 200:
        return part(image, 0, 1, 0, 0.9), part(image, 0, 1, 0.1, 1)
    return part(image, 0.25, 0.75, 0.2, 0.7), part(image, 0.25, 0.75, 0.25, 0.75)


def beside(image: Image, other: Image) -> Image:
    return np.hstack([image, cv2.resize(other, image.shape[::-1], interpolation=cv2.INTER_AREA)])


# Each makes of an image and another one the pair that is planted.
KINDS: dict[str, Callable[[Image, Image], tuple[Image, Image]]] = {
    "mirrored": lambda image, _: (image, image[:, ::-1]),
    "scaled_0.7": lambda image, _: (image, CHANGES["scaled_0.7"](image)),
    "cropped_10_all_round": lambda image, _: (image, part(image, 0.1, 0.9, 0.1, 0.9)),
    "cropped_20_one_side": lambda image, _: (image, part(image, 0, 1, 0, 0.8)),
    "cropped_20_top": lambda image, _: (image, part(image, 0.2, 1, 0, 1)),
    "screen_frame_10": lambda image, _: (image, on_screen(image, 0.1)),
    "screen_frame_30": lambda image, _: (image, on_screen(image, 0.3)),
    "clahe": lambda image, _: (image, cv2.createCLAHE(3.0, (8, 8)).apply(image)),
    "gain_slope": lambda image, _: (image, sloped(image)),
    "inverted": lambda image, _: (image, 255 - image),
    "next_frame_shifted_6": lambda image, _: (part(image, 0, 1, 0, 0.94), next_frame(image)),
    "patches_overlapping_90": lambda image, _: patches(image),
    "dual_screen": lambda image, other: (image, beside(image, other)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--copies", type=int, default=60)
    parser.add_argument("--patient-pattern", default=None)
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
        print(json.dumps({"own": own_groups(record, asked.folder, asked.patient_pattern)}), flush=True)
        if asked.copies:
            print(json.dumps({"by_kind": by_kind([files[number][0] for number in order], asked.copies)}), flush=True)
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


def by_kind(paths: list[Path], copies: int, others: int = 100) -> dict[str, str]:
    """Return for each kind of copy how many of those planted are found, and how many groups join different images."""
    images: list[Image] = []
    thumbnails: list[Image]
    for path in paths:
        image = read_image(path)
        grey = image[:, :, 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if min(grey.shape) >= 40:
            images.append(np.ascontiguousarray(grey))
        if len(images) == 2 * (copies + others):
            break
    thumbnails = [thumbnail(image) for image in images]
    own = find_duplicates(thumbnails, [str(number) for number in range(len(images))]).group_numbers(len(images))
    # Of the folder's own duplicates one is enough.
    alone = np.unique(own, return_index=True)[1][: copies + others]
    images, thumbnails = ([items[number] for number in alone] for items in (images, thumbnails))
    copies = min(copies, len(images) // 2)
    result = {}
    for kind, change in KINDS.items():
        pairs = [change(images[number], images[copies + number % (len(images) - copies)]) for number in range(copies)]
        # What is beside the copy on its screen must not stand alone as well.
        rest = thumbnails[2 * copies :] if kind == "dual_screen" else thumbnails[copies:]
        planted = [thumbnail(np.ascontiguousarray(image)) for pair in pairs for image in pair]
        sources = [*np.repeat(np.arange(copies), 2), *range(copies, copies + len(rest))]
        found = find_duplicates([*planted, *rest], [str(number) for number in range(len(sources))])
        numbers = found.group_numbers(len(sources))
        hits = sum(numbers[2 * number] == numbers[2 * number + 1] for number in range(copies))
        false = sum(len({sources[number] for number in group}) > 1 for group in found.groups)
        result[kind] = f"{hits} of {copies}, {false} false groups"
    return result


def own_groups(record: AuditRecord, root: Path, pattern: str | None) -> dict[str, Any]:
    """Return how many images are in groups, those of two patients, and whose members hardly correlate as they lie."""

    def patient_of(file: str) -> str:
        found = re.search(pattern or "^$", Path(file).name)
        return found[1] if found else ""

    doubtful = []
    mixed = [group for group in record.groups if len({patient_of(file) for file in group.files}) > 1]
    for group in record.groups:
        small = [thumbnail(read_image(root / file)).astype(np.float64).ravel() for file in group.files]
        best = [max(np.corrcoef(one, other)[0, 1] for other in small if other is not one) for one in small]
        doubtful += [file for file, likeness in zip(group.files, best, strict=True) if likeness < 0.97]
    return {
        "images": record.images,
        "groups": len(record.groups),
        "images_in_groups": sum(len(group.files) for group in record.groups),
        "groups_of_two_patients": len(mixed) if pattern else None,
        "images_in_those": sum(len(group.files) for group in mixed) if pattern else None,
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
    began, worked = time.perf_counter(), time.process_time()
    record = audited(root, root.parent / "workspace")
    return {
        "images": record.images,
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
        "largest_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
