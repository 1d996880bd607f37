"""Cases in an .npz file as MedMNIST publishes them: arrays of images and of labels, one pair for each part."""

import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from breastai.data.decoders.array_images import ARRAYS_ENDING, array_names, read_array, row_name
from breastai.data.sources.case_table import BY_HAND, CaseTable, Skipped
from breastai.data.sources.class_folders import MaskRule
from breastai.data.sources.labels_table import dataset_name
from breastai.domain.class_words import split_of
from breastai.domain.dataset_description import ArrayPart, DatasetDescription
from breastai.domain.errors import ClassesDiffer, LabelsInvalid, PathNotFound, TooFewClasses
from breastai.domain.text import Text
from breastai.storage.remote_mirror import as_written, root_place

_IMAGES, _LABELS = "_images", "_labels"


def is_array_file(place: Path) -> bool:
    return place.suffix.lower() == ARRAYS_ENDING and place.is_file()


def describe_arrays(place: Path) -> DatasetDescription:
    """Return the description of an .npz file with the arrays PART_images and PART_labels; raise LabelsInvalid."""
    try:
        names = array_names(place)
    except (OSError, zipfile.BadZipFile) as error:
        raise LabelsInvalid(place.name, Text("fault.other", {"message": str(error)})) from None
    parts = [
        ArrayPart(
            images=name, labels=name.removesuffix(_IMAGES) + _LABELS, part=split_of(name.removesuffix(_IMAGES)) or ""
        )
        for name in names
        if name.endswith(_IMAGES) and split_of(name.removesuffix(_IMAGES))
    ]
    parts = [part for part in parts if part.labels in names]
    if not parts:
        raise LabelsInvalid(place.name, Text("reason.no_arrays", {"arrays": list(names) or ["-"]}))
    return DatasetDescription(
        name=dataset_name(place.stem), layout="arrays", root=place.absolute().as_posix(), arrays=tuple(parts)
    )


def read_arrays(
    description: DatasetDescription,
    base: Path,
    expected_classes: Sequence[str] | None = None,
    masks_are: MaskRule = "leave_out",
    known: Collection[str] = (),
) -> CaseTable:
    """Return the rows of the arrays of a description as cases, with their parts, each in the order of its array.

    Raises PathNotFound, LabelsInvalid, TooFewClasses and ClassesDiffer.
    """
    place = root_place(base, description.root)
    if not place.is_file():
        raise PathNotFound(as_written(place))
    cases: list[tuple[str, str, str]] = []
    skipped: list[Skipped] = []
    left_out = {item.file: item.note for item in description.left_out}
    relabelled = {item.file: item.label for item in description.relabelled}
    for part in description.arrays:
        for row, value in enumerate(_labels(place, part)):
            file = row_name(part.images, row)
            try:
                label = relabelled.get(file) or description.class_of(value)
            except LookupError:
                skipped.append(Skipped(file, Text("reason.value_without_class", {"value": value})))
                continue
            if file in left_out:
                skipped.append(Skipped(file, Text(BY_HAND, {"note": left_out[file]})))
            elif label is None:
                skipped.append(Skipped(file, Text("reason.value_left_out", {"value": value})))
            else:
                cases.append((file, label, part.part))
    found = {label for _, label, _ in cases}
    names = [name for name in description.class_names if name in found]
    names += sorted(found - set(names))
    if expected_classes:
        if set(expected_classes) != found:
            raise ClassesDiffer(as_written(place), names, list(expected_classes))
        names = list(expected_classes)
    elif expected_classes is None and len(names) < 2:
        raise TooFewClasses(as_written(place), names[0] if names else "-")
    return CaseTable(
        root=place,
        files=tuple(file for file, _, _ in cases),
        labels=np.array([names.index(label) for _, label, _ in cases], dtype=np.int64),
        class_names=tuple(names),
        skipped=tuple(skipped),
        masks_kept=masks_are == "keep",
        known=frozenset(known),
        description=description,
    ).with_columns(part=[part for _, _, part in cases])


def _labels(place: Path, part: ArrayPart) -> list[str]:
    """Return the label of each row as text; raise LabelsInvalid unless there is one for each image."""
    try:
        images, labels = read_array(place, part.images), read_array(place, part.labels)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise LabelsInvalid(place.name, Text("fault.other", {"message": str(error)})) from None
    if labels.size != len(labels) or len(labels) != len(images):
        params = {"images": str(images.shape), "labels": str(labels.shape)}
        raise LabelsInvalid(place.name, Text("reason.arrays_differ", params))
    return [str(value) for value in labels.ravel().tolist()]
