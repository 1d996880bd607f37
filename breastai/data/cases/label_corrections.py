"""Corrections by a person, kept in the description of a data set: images left out, given another class, or as they were."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from breastai.data.sources.case_source import read_description
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.frames import file_of
from breastai.domain.class_words import canonical_class
from breastai.domain.dataset_description import DatasetDescription, LeftOutFile, RelabelledFile
from breastai.domain.errors import CorrectionInvalid, LabelsOfTestImages
from breastai.domain.events import DatasetCorrected, Event
from breastai.domain.jobs import CorrectDataset
from breastai.domain.text import Text
from breastai.storage.datasets import base_of, dataset_file, read_dataset, save_dataset
from breastai.storage.remote_mirror import root_place
from breastai.storage.workspace import Workspace


def correct_dataset(job: CorrectDataset, workspace: Workspace) -> Iterator[Event]:
    """Write corrections into the description of a data set; no image is touched.

    Raises DatasetNotFound, CorrectionInvalid, LabelsOfTestImages without the job's leave for them, and what reading the
    corrected description finds wrong: nothing is written then.
    """
    before = read_dataset(workspace, job.name)
    base = base_of(dataset_file(workspace, job.name))
    # As its source says it: what was left out is among it.
    source = read_description(before.model_copy(update={"left_out": (), "relabelled": ()}), base, [])
    places = {file_of(file): number for number, file in reversed(list(enumerate(source.files)))}
    files = _files_named(job.files, root_place(base, before.root), places, job.name)
    label = _class_named(job, source, before) if job.action == "relabel" else None
    of_test = [file for file in files if _part(source, places[file]) == "test"]
    if of_test and not job.test_images:
        raise LabelsOfTestImages(job.name, len(of_test), of_test[0])
    after = _corrected(before, job, files, label, source, [places[file] for file in files])
    read_description(after, base)
    save_dataset(workspace, after)
    yield DatasetCorrected(
        name=job.name,
        action=job.action,
        files=files,
        label=label,
        of_test=len(of_test),
        left_out=len(after.left_out),
        relabelled=len(after.relabelled),
    )


def _files_named(named: Sequence[str], root: Path, places: dict[str, int], dataset: str) -> list[str]:
    """Return files as the data set names them, each once, of names below its root or paths; raise CorrectionInvalid."""
    found: list[str] = []
    unknown: list[str] = []
    for name in named:
        plain = file_of(name.replace("\\", "/").removeprefix("./"))
        path = Path(name).expanduser().absolute()
        if plain not in places and path.is_relative_to(root.absolute()):
            plain = path.relative_to(root.absolute()).as_posix()
        (found if plain in places else unknown).append(plain)
    if unknown:
        problems = [Text("problem.not_in_dataset", {"file": file}) for file in unknown[:5]]
        raise CorrectionInvalid(dataset, problems)
    return list(dict.fromkeys(found))


def _class_named(job: CorrectDataset, source: CaseTable, described: DatasetDescription) -> str:
    """Return the class that a job gives, in the words of the data set; raise CorrectionInvalid.

    A class that is described may be given though no image of it is there yet, as a step of a scale.
    """
    wanted = canonical_class(job.label or "")
    names = list(dict.fromkeys([*described.class_names, *source.class_names]))
    for name in names:
        if name.casefold() == wanted.casefold():
            return name
    problem = Text("problem.no_class_of_dataset", {"label": job.label or "-", "class_names": names})
    raise CorrectionInvalid(job.name, [problem])


def _part(source: CaseTable, place: int) -> str | None:
    parts = source.column("part")
    return None if parts is None else parts[place]


def _corrected(
    before: DatasetDescription,
    job: CorrectDataset,
    files: Sequence[str],
    label: str | None,
    source: CaseTable,
    places: Sequence[int],
) -> DatasetDescription:
    """Return the description with the corrections of `files`, which take the place of earlier ones."""
    meant = set(files)
    left_out = [item for item in before.left_out if item.file not in meant]
    relabelled = [item for item in before.relabelled if item.file not in meant]
    for file, place in zip(files, places, strict=True):
        was, part = source.label(place), _part(source, place)
        if job.action == "exclude":
            left_out.append(LeftOutFile(file=file, note=job.note, was=was, part=part))
        elif label is not None and label != was:
            relabelled.append(RelabelledFile(file=file, label=label, note=job.note, was=was, part=part))
    return before.model_copy(update={"left_out": tuple(left_out), "relabelled": tuple(relabelled)})
