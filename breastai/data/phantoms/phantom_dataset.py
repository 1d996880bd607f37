"""Phantoms: made-up breast ultrasound images of three classes, and the sample data set built from them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from breastai.data.cases.data_split import split
from breastai.data.phantoms.phantom_breast import CLASS_NAMES, draw_patient, image_of
from breastai.domain.errors import FolderNotEmpty, RequestInvalid
from breastai.domain.faults import describe_mismatch
from breastai.domain.text import Text
from breastai.storage.control_groups import usable_cores

SPLIT_NAMES = ("train", "val", "test")
# In the folder of a sample data set: what made it and every file it wrote.
MARKER = "sample-data.json"

_MIN_PER_CLASS = 3
_MAX_PER_PATIENT = 4
_SHARE = 0.2


@dataclass(frozen=True)
class SampleData:
    """A sample data set on disk; `counts[split][class]` are images."""

    root: Path
    counts: dict[str, dict[str, int]]
    patients: int
    seed: int

    @property
    def images(self) -> int:
        """The number of images in all."""
        return sum(sum(classes.values()) for classes in self.counts.values())


@dataclass(frozen=True)
class _Planned:
    """One patient of the set: number, class, split and the number of views."""

    number: int
    class_name: str
    split_name: str
    views: int

    def files(self) -> list[str]:
        return [
            f"{self.split_name}/{self.class_name}/P{self.number:04d}_{view}.png" for view in range(1, self.views + 1)
        ]


def phantom(class_name: str, rng: np.random.Generator, image_size: int) -> npt.NDArray[np.uint8]:
    """Return one image of a new patient of one of CLASS_NAMES, grey, uint8 (image_size, image_size)."""
    return image_of(draw_patient(class_name, rng), rng, image_size)


def write_sample_data(
    target: Path,
    per_class: int = 60,
    seed: int = 42,
    image_size: int = 256,
    on_progress: Callable[[int, int], None] | None = None,
) -> SampleData:
    """Write `per_class` phantoms of each class as target/{train,val,test}/CLASS/P0001_1.png and so on.

    Two to four images show the same patient, and a patient is in one split only: about 60, 20 and 20 % of the
    images. The same arguments write the same bytes. An earlier sample data set in `target` is replaced; a folder
    with anything else in it raises FolderNotEmpty. `on_progress(done, total)` counts images.
    """
    if per_class < _MIN_PER_CLASS:
        bound = Text("problem.from", {"low": _MIN_PER_CLASS})
        wanted = Text("expected.bounded", {"number": Text("problem.whole_number"), "bound": bound})
        raise RequestInvalid([describe_mismatch("per_class", wanted, per_class)])
    planned = _plan(per_class, seed)
    files = [file for patient in planned for file in patient.files()]
    _clear(target)
    for folder in sorted({str(Path(file).parent) for file in files}):
        (target / folder).mkdir(parents=True, exist_ok=True)
    made_by = {"made_by": "breastai sample-data", "per_class": per_class, "seed": seed, "image_size": image_size}
    # Written first, so that a set left half-way is known for one and can be written again.
    (target / MARKER).write_text(json.dumps(made_by | {"files": sorted(files)}, indent=1) + "\n", encoding="utf-8")
    done = 0
    with ThreadPoolExecutor(min(4, usable_cores())) as pool:
        for written in pool.map(lambda patient: _write(target, patient, seed, image_size), planned):
            done += written
            if on_progress is not None:
                on_progress(done, len(files))
    per_folder = Counter(tuple(file.split("/")[:2]) for file in files)
    counts = {name: {label: per_folder[name, label] for label in CLASS_NAMES} for name in SPLIT_NAMES}
    return SampleData(target, counts, len(planned), seed)


def _plan(per_class: int, seed: int) -> list[_Planned]:
    """Return the patients of the set; their numbers say nothing of class or split."""
    rng = np.random.default_rng(seed)
    views = [(label, number) for label in CLASS_NAMES for number in _views(per_class, rng)]
    labels = np.repeat([CLASS_NAMES.index(label) for label, _ in views], [number for _, number in views])
    patient_of = np.repeat(np.arange(len(views)), [number for _, number in views])
    names = [str(patient) for patient in patient_of]
    others, test = split(labels, names, _SHARE, seed, CLASS_NAMES)
    _, in_others = split(labels[others], [names[i] for i in others], _SHARE / (1 - _SHARE), seed, CLASS_NAMES)
    split_of = dict.fromkeys(range(len(views)), "train")
    split_of |= dict.fromkeys(patient_of[test].tolist(), "test")
    split_of |= dict.fromkeys(patient_of[others[in_others]].tolist(), "val")
    numbers = rng.permutation(len(views)) + 1
    planned = [
        _Planned(int(numbers[index]), label, split_of[index], number) for index, (label, number) in enumerate(views)
    ]
    return sorted(planned, key=lambda patient: patient.number)


def _views(per_class: int, rng: np.random.Generator) -> Iterator[int]:
    """Yield how many images each patient of a class has: 2 to 4, fewer only where three patients need it."""
    most = min(_MAX_PER_PATIENT, per_class // 3)
    fewest = min(2, most)
    left = per_class
    while left:
        number = int(rng.integers(fewest, most + 1))
        if left - number < fewest:
            number = left if left <= most else left - fewest
        yield number
        left -= number


def _write(target: Path, patient: _Planned, seed: int, image_size: int) -> int:
    rng = np.random.default_rng([seed, patient.number])
    drawn = draw_patient(patient.class_name, rng)
    for file in patient.files():
        content = cv2.imencode(".png", image_of(drawn, rng, image_size))[1].tobytes()
        (target / file).write_bytes(content)  # not by OpenCV, which can't open a path with accents on Windows
    return patient.views


def _clear(target: Path) -> None:
    """Remove an earlier sample data set from `target`; raise FolderNotEmpty for anything else in it."""
    if not target.exists():
        return
    if not target.is_dir():
        raise FolderNotEmpty(str(target), target.name)
    present = {
        path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir() or path.is_symlink()
    }
    ours = _files_of_marker(target / MARKER)
    foreign = sorted(present - ours)
    if foreign:
        raise FolderNotEmpty(str(target), foreign[0])
    for file in present & ours:
        (target / file).unlink()


def _files_of_marker(marker: Path) -> set[str]:
    try:
        values = json.loads(marker.read_text(encoding="utf-8"))
        return {MARKER, *(str(file) for file in values["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
