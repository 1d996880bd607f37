"""The images of an evaluation as a table: what each was answered, sorted, filtered, a page at a time; and one, large."""

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from breastai.clinical.apply_decision_rule import decide
from breastai.clinical.judged_pictures import pictures_of
from breastai.data.patients.patient_ids import judged_patients
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.class_folders import MaskRule
from breastai.data.sources.frames import Frames, file_of
from breastai.data.sources.image_listing import walk
from breastai.data.sources.place_description import is_case_list
from breastai.domain.dataset_description import DatasetDescription, LeftOutFile, RelabelledFile
from breastai.domain.errors import BreastAIError, EvaluationNotFound, InputError
from breastai.domain.events import Event, JudgedList, JudgedShown
from breastai.domain.jobs import ListJudged, ShowJudged
from breastai.domain.judged_cases import JudgedFilter, JudgedImage, JudgedOrder
from breastai.domain.records import EvaluationRecord
from breastai.storage.checkpoints import CheckpointFiles, Manifest, find_checkpoint, read_manifest
from breastai.storage.datasets import find_holding_dataset, read_dataset
from breastai.storage.evaluations import find_evaluation, find_judged, judged_roots, numbers_by_hash
from breastai.storage.workspace import Workspace

Stamp = tuple[int, int]


class JudgedRow(NamedTuple):
    """An image of an evaluation, as light as fifty thousand of them must be; only those of a page become JudgedImage."""

    number: int
    label: str
    predicted: str
    probability: float
    given_to_truth: float
    file: str | None
    patient: str | None
    dataset_file: str | None
    probability_of_target: float | None
    refer: bool | None
    refer_reason: str | None
    novelty: float | None
    subgroups: dict[str, str]
    correction: Literal["exclude", "relabel"] | None = None
    correction_label: str | None = None
    correction_note: str = ""

    def to_message(self) -> JudgedImage:
        return JudgedImage(**self._asdict())


@dataclass(frozen=True, eq=False)
class JudgedTable:
    """All images of an evaluation, in the order of its record. `folder`: where they lie, None where they are gone."""

    name: str
    record: EvaluationRecord
    rows: tuple[JudgedRow, ...]
    folder: CaseTable | None
    places: Mapping[int, int]
    dataset: str | None

    def path(self, number: int) -> Path | None:
        """Return where image `number` lies; None of one that is gone."""
        place = self.places.get(number)
        return None if self.folder is None or place is None else self.folder.path(place)


def list_judged(job: ListJudged, workspace: Workspace) -> Iterator[Event]:
    """Give a page of the images of an evaluation; raise RunNotFound, EvaluationNotFound."""
    with _collector_held():
        page = _page(job, workspace)
    yield page


def _page(job: ListJudged, workspace: Workspace) -> JudgedList:
    found = _table(job.run_id, job.name, workspace)
    rows = [row for row in _with_corrections(found, workspace) if _is_meant(row, job.only)]
    rows.sort(key=_order(job.sort, job.descending), reverse=job.descending)
    record = found.record
    return JudgedList(
        judged_of=job.run_id,
        name=found.name,
        data=record.data,
        checkpoint=record.checkpoint,
        split=record.split,
        dataset=found.dataset,
        class_names=record.evidence.class_names,
        target_class=_target(record),
        subgroups=_subgroups(found.rows),
        patients=any(row.patient is not None for row in found.rows),
        cases=len(found.rows),
        total=len(rows),
        first=job.first,
        sort=job.sort,
        descending=job.descending,
        only=job.only,
        images=[row.to_message() for row in rows[job.first : job.first + job.limit]],
    )


def show_judged(job: ShowJudged, workspace: Workspace) -> Iterator[Event]:
    """Give one image of an evaluation with its pictures; raise RunNotFound, EvaluationNotFound."""
    found = _table(job.run_id, job.name, workspace)
    if not 0 <= job.number < len(found.rows):
        raise EvaluationNotFound(job.run_id, f"{found.name}/{job.number}")
    (row,) = _with_corrections(found, workspace, only=job.number)
    place = found.places.get(job.number)
    yield JudgedShown(
        judged_of=job.run_id,
        name=found.name,
        image=row.to_message(),
        pictures=pictures_of(found.folder, place, workspace, job.heat_map),
    )


@contextmanager
def _collector_held() -> Iterator[None]:
    """Hold the garbage collector: fifty thousand cases that all stay cost it as much again as it takes to read them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _table(run_id: str, name: str | None, workspace: Workspace) -> JudgedTable:
    head = find_judged(workspace, run_id, name)
    manifest = _manifest(workspace, head.checkpoint)
    judged, *others = judged_roots(head, None if manifest is None else manifest.config.data, workspace)
    if manifest is not None:
        others.append(find_checkpoint(workspace, head.checkpoint).manifest)
    stamps = [*_stamps_below(judged), *_stamps_below(workspace.datasets_dir), *map(_stamp, [head.path, *others])]
    return _table_of(workspace.root, run_id, head.path.stem, tuple(stamps))


@lru_cache(maxsize=2)  # a reader pages, sorts and filters the same one
def _table_of(root: Path, run_id: str, name: str, stamps: tuple[Stamp, ...]) -> JudgedTable:
    """Return the images of an evaluation; `stamps`: of all that is read for it, so that none of it is told as it was."""
    workspace = Workspace.open(root)
    _, record = find_evaluation(workspace, run_id, name)
    manifest = _manifest(workspace, record.checkpoint)
    folder, places = _images(record, manifest, workspace)
    patients = _patients(folder, manifest, workspace)
    used = "" if manifest is None else Path(manifest.config.data.train_dir).stem
    dataset = None if folder is None else find_holding_dataset(workspace, folder.root, used)
    who = [_Known() for _ in record.cases]
    for number, place in places.items():
        if folder is not None:
            file = folder.files[place]
            patient = None if patients is None else patients[place]
            who[number] = _Known(file, patient, None if dataset is None else dataset[1] + file_of(file))
    rows = _rows(record, manifest, who)
    return JudgedTable(name, record, tuple(rows), folder, places, None if dataset is None else dataset[0])


def _stamp(place: Path) -> Stamp:
    """Return what changes when a file does, or when something comes to a folder or leaves it; of what is gone, zeros."""
    try:
        found = place.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _stamps_below(place: Path) -> Iterator[Stamp]:
    """Yield the stamps of a place and of all folders below it."""
    yield _stamp(place)
    for folder, below, _ in os.walk(place):
        yield from (_stamp(Path(folder, name)) for name in sorted(below))


class _Known(NamedTuple):
    file: str | None = None
    patient: str | None = None
    dataset_file: str | None = None


def _manifest(workspace: Workspace, checkpoint: str) -> Manifest | None:
    try:
        files = find_checkpoint(workspace, checkpoint)
        return _manifest_at(files, _stamp(files.manifest))
    except (BreastAIError, OSError):  # the figures are still there when the model is not
        return None


@lru_cache(maxsize=2)  # it names every image that trained, and is asked for at each page of a table
def _manifest_at(files: CheckpointFiles, stamp: Stamp) -> Manifest:
    return read_manifest(files)


def _rows(record: EvaluationRecord, manifest: Manifest | None, who: Sequence[_Known]) -> list[JudgedRow]:
    names, cases = record.evidence.class_names, record.cases
    probabilities = np.array([case.probabilities for case in cases], dtype=np.float64).reshape(len(cases), len(names))
    best = probabilities.argmax(axis=1)
    target = _target(record)
    column = None if target is None else names.index(target)
    decisions = None
    if manifest is not None and manifest.class_names == names and cases:
        novelty = [case.novelty for case in cases]
        known = None if None in novelty else np.array(novelty, dtype=np.float64)
        decisions = decide(manifest.decision, probabilities, names, known)
    return [
        JudgedRow(
            number=number,
            file=who[number].file,
            patient=who[number].patient,
            dataset_file=who[number].dataset_file,
            label=case.label,
            predicted=names[best[number]],
            probability=case.probabilities[best[number]],
            given_to_truth=case.probabilities[names.index(case.label)],
            probability_of_target=None if column is None else case.probabilities[column],
            refer=None if decisions is None else decisions[number].refer,
            refer_reason=None if decisions is None else decisions[number].reason,
            novelty=case.novelty,
            subgroups=case.subgroups,
        )
        for number, case in enumerate(cases)
    ]


def _target(record: EvaluationRecord) -> str | None:
    point = record.evidence.operating_point
    return None if point is None else point.class_name


def _images(
    record: EvaluationRecord, manifest: Manifest | None, workspace: Workspace
) -> tuple[CaseTable | None, dict[int, int]]:
    """Return the folder that has most of the images, and the place in it of each, by its number in the record."""
    roots = judged_roots(record, None if manifest is None else manifest.config.data, workspace)
    wanted = [case.name_sha256 for case in record.cases]
    best: tuple[CaseTable | None, dict[int, int]] = None, {}
    # What describes images knows more of them than their names; where nothing does, names are enough, and soon listed.
    described = [root for root in roots if is_case_list(root)]
    for folder in chain(
        (_read(root, manifest) for root in described),
        (_named(root) for root in roots if root not in described),
        (_read(root, manifest) for root in roots if root not in described),
    ):
        if folder is None:
            continue
        found = numbers_by_hash(workspace, folder.files)
        places = {number: found[name] for number, name in enumerate(wanted) if name in found}
        if len(places) > len(best[1]):
            best = folder, places
        if len(places) == len(wanted):
            break
    return best


def _named(root: Path) -> CaseTable | None:
    """Return the images below a folder by their names alone."""
    if not root.is_dir():
        return None
    files = tuple(
        file for file, reason in walk(root.absolute().parent, root.absolute().name, inside=root) if not reason
    )
    names = tuple(file.partition("/")[2] for file in files)
    return CaseTable(root=root, files=names, labels=np.zeros(len(names), dtype=np.int64), class_names=("-",))


def _read(root: Path, manifest: Manifest | None) -> CaseTable | None:
    if manifest is None:
        masks: MaskRule = "leave_out"
        frames: Frames = "middle"
    else:
        masks, frames = manifest.config.data.masks, manifest.config.preprocessing.frames
    try:
        return read_cases(root, [], masks, frames=frames)
    except InputError:
        return None


def _patients(folder: CaseTable | None, manifest: Manifest | None, workspace: Workspace) -> list[str] | None:
    if folder is None or manifest is None:
        return None
    try:
        return judged_patients(folder, manifest.config.evaluation.patient_id, workspace.root)
    except InputError:
        return None


def _with_corrections(found: JudgedTable, workspace: Workspace, only: int | None = None) -> list[JudgedRow]:
    """Return the rows with what a person has made of them since, in the description as it is now."""
    rows = list(found.rows) if only is None else [found.rows[only]]
    description = _description(found.dataset, workspace)
    if description is None:
        return rows
    corrections: list[LeftOutFile | RelabelledFile] = [*description.left_out, *description.relabelled]
    made = {item.file: item for item in corrections}
    return [_corrected(row, made[row.dataset_file]) if row.dataset_file in made else row for row in rows]


def _description(name: str | None, workspace: Workspace) -> DatasetDescription | None:
    try:
        return None if name is None else read_dataset(workspace, name)
    except BreastAIError:
        return None


def _corrected(row: JudgedRow, made: LeftOutFile | RelabelledFile) -> JudgedRow:
    relabelled = isinstance(made, RelabelledFile)
    return row._replace(
        correction="relabel" if relabelled else "exclude",
        correction_label=made.label if isinstance(made, RelabelledFile) else None,
        correction_note=made.note,
    )


def _is_meant(row: JudgedRow, only: JudgedFilter) -> bool:
    return (
        (only.label is None or row.label == only.label)
        and (only.predicted is None or row.predicted == only.predicted)
        and (only.right is None or (row.label == row.predicted) == only.right)
        and (only.refer is None or row.refer == only.refer)
        and (only.corrected is None or (row.correction is not None) == only.corrected)
        and (only.subgroup is None or row.subgroups.get(only.subgroup, "") == (only.subgroup_value or ""))
        and (only.numbers is None or row.number in only.numbers)
        and (only.search == "" or _has_words(row, only.search))
    )


def _has_words(row: JudgedRow, search: str) -> bool:
    text = f"{row.file or ''} {row.patient or ''}".casefold()
    return all(word in text for word in search.casefold().split())


def _order(sort: JudgedOrder, descending: bool) -> Callable[[JudgedRow], tuple[bool, float | str, int]]:
    """Return by what rows are sorted: those without a value last, either way; of equals, the order of the record."""

    def key(row: JudgedRow) -> tuple[bool, float | str, int]:
        value = getattr(row, sort)
        known = value is not None
        plain = value.casefold() if isinstance(value, str) else float(value or 0.0)
        return (known if descending else not known, plain if known else 0.0, -row.number if descending else row.number)

    return key


def _subgroups(rows: tuple[JudgedRow, ...]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.subgroups.items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(values)[:200] for name, values in sorted(found.items())}
