"""What a run's model was most wrong about: the cases of an evaluation that gave the truth least, with their pictures."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from breastai.data.preprocessing.thumbnails import thumbnail_uri
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.frames import Frames
from breastai.domain.config import DataSettings
from breastai.domain.errors import EvaluationNotFound, InputError
from breastai.domain.events import ErrorsShown, Event
from breastai.domain.jobs import ShowErrors
from breastai.domain.list_entries import WrongCase
from breastai.domain.records import EvaluationRecord
from breastai.storage.checkpoints import find_checkpoint, read_manifest
from breastai.storage.evaluations import find_evaluation, find_judged, judged_roots, numbers_by_hash
from breastai.storage.workspace import Workspace

_SHOWN = 24
_PICTURE_SIDE = 224


def wrong_answers(record: EvaluationRecord) -> list[tuple[int, WrongCase]]:
    """Return the cases whose most probable class is not the true one, with their place in the record.

    Those that gave the truth the least probability come first.
    """
    names = record.evidence.class_names
    found = []
    for number, case in enumerate(record.cases):
        highest = max(range(len(names)), key=lambda place: case.probabilities[place])
        if names[highest] != case.label:
            wrong = WrongCase(
                label=case.label,
                predicted=names[highest],
                probability=case.probabilities[highest],
                given_to_truth=case.probabilities[names.index(case.label)],
            )
            found.append((number, wrong))
    return sorted(found, key=lambda item: item[1].given_to_truth)


def files_of(
    record: EvaluationRecord, wanted: Iterable[str], workspace: Workspace, data: DataSettings, frames: Frames = "middle"
) -> Mapping[str, tuple[Path, str]]:
    """Return path and name of the images with the `wanted` hashes of names, from the first folder that has them all."""
    hashes = set(wanted)
    for root in judged_roots(record, data, workspace):
        try:
            folder = read_cases(root, masks_are=data.masks, frames=frames)
        except InputError:
            continue
        found = numbers_by_hash(workspace, folder.files)
        if hashes <= found.keys():
            return {name: (folder.path(found[name]), folder.files[found[name]]) for name in hashes}
    return {}


def show_errors(job: ShowErrors, workspace: Workspace) -> Iterator[Event]:
    """Show the worst errors of a run's latest evaluation; an evaluation there must be, or `data` is null."""
    try:
        name = find_judged(workspace, job.run_id, None).path.stem
    except EvaluationNotFound:
        yield ErrorsShown(errors_of=job.run_id, data=None)
        return
    _, record = find_evaluation(workspace, job.run_id, name)
    wrong = wrong_answers(record)
    shown = wrong[:_SHOWN]
    manifest = read_manifest(find_checkpoint(workspace, record.checkpoint))
    hashes = [record.cases[number].name_sha256 for number, _ in shown]
    files = files_of(record, hashes, workspace, manifest.config.data, manifest.config.preprocessing.frames)
    worst = []
    for name, (_, case) in zip(hashes, shown, strict=True):
        if name in files:
            path, file = files[name]
            case = case.model_copy(update={"file": file, "picture": thumbnail_uri(path, _PICTURE_SIDE)})
        worst.append(case)
    yield ErrorsShown(
        errors_of=job.run_id,
        data=record.data,
        split=record.split,
        cases=len(record.cases),
        wrong=len(wrong),
        worst=worst,
    )
