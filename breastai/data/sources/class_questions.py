"""Questions about classes that a run must have answered: are these folders classes, images, and which is the disease?"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from breastai.data.decoders.decoder_table import decode
from breastai.data.decoders.file_content import file_at, look_into
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.masks import is_two_valued
from breastai.domain.class_words import are_identifiers
from breastai.domain.config import Config
from breastai.domain.decision_rule import asked_target_class
from breastai.domain.errors import (
    ClassesAreIdentifiers,
    ClassOfMasks,
    ImageUnreadable,
    InputError,
    ManyClasses,
)
from breastai.storage.remote_mirror import as_written

MOST_CLASSES = 10
_LISTED = 5
# So many images of a class are looked at, evenly from all of them.
_LOOKED_AT = 6


def check_classes(config: Config, folder: CaseTable) -> None:
    """Raise the first question about the classes of the training images that the configuration leaves open.

    ManyClasses, ClassesAreIdentifiers, ClassOfMasks, TargetClassNeeded, SeveralDiseases; and TargetClassUnknown.
    """
    for question in open_questions(config, folder):
        raise question


def open_questions(config: Config, folder: CaseTable) -> Iterator[InputError]:
    """Yield the questions about the classes of a folder that the configuration leaves open, as errors."""
    names, place = list(folder.class_names), as_written(folder.root)
    if not config.data.accept_classes:
        if are_identifiers(names):
            yield ClassesAreIdentifiers(place, names[:_LISTED])
        elif len(names) > MOST_CLASSES:
            yield ManyClasses(place, len(names), names[:_LISTED])
    if not folder.masks_kept:
        yield from (ClassOfMasks(place, name) for name in _classes_of_masks(folder))
    try:
        asked_target_class(config, names)
    except InputError as question:
        yield question


def _classes_of_masks(folder: CaseTable) -> Iterator[str]:
    """Yield the classes of which all images looked at are pictures of two values."""
    for label, name in enumerate(folder.class_names):
        numbers = np.flatnonzero(folder.labels == label)
        if not len(numbers):  # a part that lacks the class
            continue
        chosen = numbers[np.unique(np.linspace(0, len(numbers) - 1, _LOOKED_AT).round().astype(int))]
        if all(folder.files[number] not in folder.known and _is_mask(folder, int(number)) for number in chosen):
            yield name


def _is_mask(folder: CaseTable, number: int) -> bool:
    path = folder.path(number)
    try:
        status = file_at(path).stat()
        return _shows_a_mask(path, status.st_mtime_ns, status.st_size)
    except OSError:
        return False


@lru_cache(maxsize=1000)  # asked before a run, and again by the audit
def _shows_a_mask(path: Path, changed_ns: int, size_bytes: int) -> bool:
    try:
        return is_two_valued(decode(look_into(path, path.name), path.name))
    except ImageUnreadable:
        return False
