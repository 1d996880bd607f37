"""The gate before a run: what the audit found, and whether a person must answer before anything is trained."""

from collections.abc import Generator, Iterator, Sequence
from typing import Literal

from breastai.clinical.audit_job import audit_event, run_audit
from breastai.data.cases.run_folders import Folders, patients_elsewhere
from breastai.data.cases.split_groups import MOST_LEFT_OUT, exclusions, patients_on_both_sides
from breastai.data.duplicates import near_duplicates
from breastai.data.patients.patient_ids import names_patients, patients_in
from breastai.data.preprocessing.inventory import Inventory
from breastai.domain.config import Config
from breastai.domain.errors import LeaksDoubtful, TwinsFound
from breastai.domain.events import Event, LeakQuestion, Log, ProgressUpdate
from breastai.domain.records import AuditRecord, TwinGroup
from breastai.domain.text import Text
from breastai.storage.workspace import Workspace

_NAMED_PAIRS = 5
# So many milliseconds of a processor an image takes: see docs/performance.md.
_SEARCH_MS = 7
Asker = Literal["train", "crossval", "tune", "train_seeds"]


def pass_gate(
    config: Config,
    folders: Folders,
    workspace: Workspace,
    *,
    asker: tuple[Asker, Config] | None,
    inventory: Inventory | None = None,
) -> Generator[Event, None, AuditRecord]:
    """Return the audit of a run's images, made now unless it was before; tell how far it is.

    Where what was found is doubtful or would take many training images, or data.on_leak says ask and there is anything at
    all, tells of the audit with pictures and raises LeaksDoubtful or TwinsFound. `asker`: the job
    that would begin, and what it was asked with; None where nothing is to be asked, since it was before. `inventory` learns what reading the images told.
    """
    yield ProgressUpdate(stage="auditing", text=Text("progress.auditing"))
    yield from _long_search(config, folders)
    record = yield from run_audit(folders.by_split(), config.evaluation.patient_id, workspace, inventory, config)
    if asker is None or config.data.split_file is not None or config.data.on_leak not in ("auto", "ask"):
        return record
    patients = patients_in(folders.train, config.evaluation.patient_id, workspace.root)
    elsewhere = patients_elsewhere(config, folders, workspace.root)
    files = folders.train.files
    found = record.finding("twins.doubtful")
    question: LeaksDoubtful | TwinsFound
    try:
        lost = exclusions(files, record.groups, "auto", patients, elsewhere)
        if found is None and len(lost) <= MOST_LEFT_OUT * len(files):
            if config.data.on_leak == "ask":
                exclusions(files, record.groups, "ask", patients, elsewhere)
            return record
        question = LeaksDoubtful(
            images=record.images,
            alike=len({file for group in record.groups for file in group.files}),
            groups=len(record.groups),
            largest=max((len(group.files) for group in record.groups), default=0),
            patients=len(patients_on_both_sides(patients, elsewhere)),
            lost=len(lost),
            train=len(files),
            pairs=_some_pairs(record.groups),
        )
    except TwinsFound as asked:
        question = asked
    job, asked_with = asker
    yield audit_event(
        record,
        config.data.train_dir,
        folders.by_split(),
        workspace,
        bounded=True,
        pictures=True,
        question=LeakQuestion(
            job=job,
            config=asked_with.model_dump(mode="json", exclude={"server"}),
            code=question.code,
            params=question.params,
        ),
    )
    raise question


def _some_pairs(groups: Sequence[TwinGroup]) -> str:
    """Return two files of each of some groups, the largest first; a dash without one."""
    shown = sorted(groups, key=lambda group: -len(group.files))[:_NAMED_PAIRS]
    return "; ".join(f"{group.files[0]}, {group.files[1]}" for group in shown) or "-"


def _long_search(config: Config, folders: Folders) -> Iterator[Log]:
    """Tell that near-duplicates are sought among very many images, since nothing says whose they are."""
    tables = list(folders.by_split().values())
    count = sum(map(len, tables))
    known = config.evaluation.patient_id is not None or all(map(names_patients, tables))
    if count > near_duplicates.MOST_COMPARED and not known:
        minutes = max(1, round(count * _SEARCH_MS / 60_000))
        yield Log.of("info", Text("log.data.long_search", {"count": count, "minutes": minutes}))
