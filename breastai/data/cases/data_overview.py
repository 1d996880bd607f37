"""What a configuration would train on, told before a run: counts by class and split, what is left out, warnings.

Twins are looked for by the audit, which reads every image; here only the beginnings of files are read.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from breastai.data.cases.data_split import split
from breastai.data.cases.run_folders import Folders, check_patients, list_folders
from breastai.data.cases.run_warnings import params_of, patient_doubts, unused_beside
from breastai.data.cases.split_groups import split_groups
from breastai.data.decoders.decoder_table import readable_start
from breastai.data.patients.patient_ids import patients_in
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.class_questions import open_questions
from breastai.data.sources.layout import resolved_config
from breastai.data.sources.masks import BY_NAME
from breastai.domain.config import Config
from breastai.domain.data_locations import is_remote
from breastai.domain.decision_rule import target_class
from breastai.domain.errors import ImageUnreadable, InputError
from breastai.domain.events import DataDescribed
from breastai.domain.list_entries import DataQuestion, DataWarning, PatientExample, SkippedFile
from breastai.domain.text import Text
from breastai.storage.remote_mirror import as_written

_MOST_SKIPPED = 200
# Beginnings of files are looked at for this long; on a slow disk not all of them.
_LOOK_S = 5.0
# Below these many images in a class, its validation figures say little.
_FEW_IN_TRAINING, _FEW_IN_VALIDATION = 20, 10
_LOPSIDED = 5.0
_EXAMPLES = 3


def describe(config: Config, base: Path) -> DataDescribed:
    """Return what a run of `config` would train on; raise what `list_folders` raises, and TooFewPatients."""
    config = resolved_config(config, base)
    folders = list_folders(config, base)
    check_patients(config, folders, base)
    looked, broken = _beginnings(folders)
    usable = {name: folder.without(broken[name]) for name, folder in folders.by_split().items()}
    train = usable["train"]
    patients = patients_in(train, config.evaluation.patient_id, base)
    counts = {name: folder.counts() for name, folder in usable.items()}
    if folders.val is None:
        rest, held_out = split(
            train.labels,
            split_groups(train.files, patients, (), "train"),
            config.data.val_split,
            config.system.seed,
            train.class_names,
        )
        counts["train"], counts["val"] = train.subset(rest).counts(), train.subset(held_out).counts()
    skipped = [
        SkippedFile(split=name, file=item.file, reason=item.reason)
        for name, folder in folders.by_split().items()
        for item in folder.skipped
    ]
    skipped += [
        SkippedFile(split=name, file=file, reason=folder.mask_reasons.get(file, BY_NAME))
        for name, folder in folders.by_split().items()
        for file in folder.masks
    ]
    skipped += [
        SkippedFile(split=name, file=file, reason=reason)
        for name, files in broken.items()
        for file, reason in files.items()
    ]
    questions = list(open_questions(config, folders.train))
    target = None if questions else target_class(config, folders.class_names)
    total = sum(len(folder) for folder in folders.by_split().values())
    return DataDescribed(
        folders={name: _place(folder) for name, folder in folders.by_split().items()},
        class_names=list(folders.class_names),
        counts={name: counts[name] for name in ("train", "val", "test") if name in counts},
        set_aside=config.data.val_split if folders.val is None else None,
        patients=len(set(patients)) if patients is not None else None,
        patient_examples=_examples(train, patients or []),
        masks=sum(len(folder.masks) for folder in folders.by_split().values()),
        skipped=skipped[:_MOST_SKIPPED],
        skipped_total=len(skipped),
        looked_at=looked,
        images=total,
        warnings=[*_warnings(counts, patients is not None, folders), *_forewarnings(config, folders, base)],
        target_class=target,
        questions=[_question(question) for question in questions],
    )


def _examples(folder: CaseTable, patients: Sequence[str]) -> list[PatientExample]:
    """Return the first image of each of the first few patients."""
    first: dict[str, str] = {}
    for file, patient in zip(folder.files, patients, strict=False):
        first.setdefault(patient, file)
        if len(first) == _EXAMPLES:
            break
    return [PatientExample(file=file, patient=patient) for patient, file in first.items()]


def _question(error: InputError) -> DataQuestion:
    return DataQuestion(code=error.code, message=str(error), params=error.params)


def _forewarnings(config: Config, folders: Folders, base: Path) -> Iterator[DataWarning]:
    left = unused_beside(folders)
    if left:
        yield DataWarning(code="folders_unused", params={"folders": ", ".join(left)})
    for doubt in patient_doubts(config, list(folders.by_split().values()), base):
        code: Any = doubt.code.replace(".", "_")
        yield DataWarning(code=code, params=params_of(doubt))


def _place(folder: CaseTable) -> str:
    written = as_written(folder.root)
    return written if is_remote(written) else folder.root.as_posix()


def _beginnings(folders: Folders) -> tuple[int, dict[str, dict[str, Text | str]]]:
    """Return how many files were looked at, and of each split those that are no image, with the reason."""
    until = time.monotonic() + _LOOK_S
    looked = 0
    broken: dict[str, dict[str, Text | str]] = {name: {} for name in folders.by_split()}
    for name, folder in folders.by_split().items():
        for number, file in enumerate(folder.files):
            if time.monotonic() > until:
                return looked, broken
            looked += 1
            try:
                readable_start(folder.path(number), file)
            except ImageUnreadable as error:
                broken[name][file] = error.reason
    return looked, broken


def _warnings(counts: dict[str, dict[str, int]], patients_known: bool, folders: Folders) -> Iterator[DataWarning]:
    if not patients_known:
        yield DataWarning(code="patients_unknown")
    if folders.test is None:
        yield DataWarning(code="no_test")
    for part, enough, warning in (
        ("train", _FEW_IN_TRAINING, "few_in_training"),
        ("val", _FEW_IN_VALIDATION, "few_in_validation"),
    ):
        few = [f"{name} ({count})" for name, count in counts[part].items() if count < enough]
        if few:
            yield DataWarning(code=warning, params={"classes": few})
    numbers = Counter(counts["train"])
    most, least = numbers.most_common()[0], numbers.most_common()[-1]
    if least[1] and most[1] / least[1] > _LOPSIDED:
        ratio = float(np.round(most[1] / least[1], 1))
        yield DataWarning(code="lopsided", params={"most": most[0], "least": least[0], "ratio": ratio})
