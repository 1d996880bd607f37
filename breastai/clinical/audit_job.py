"""The audit as a job and as a gate before training: kept by the fingerprint of the images, so that it is made once."""

import hashlib
import io
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
from pydantic import ValidationError

import breastai
from breastai.clinical import image_audit as auditor
from breastai.clinical import image_facts, shortcut_features
from breastai.clinical.audit_cache import AuditCache, default_audits_root
from breastai.clinical.audit_findings import SEVERITIES, finding_templates
from breastai.clinical.fact_processes import FactProcesses
from breastai.clinical.rule_findings import drop_answered, find_in_rules
from breastai.data.background import with_progress
from breastai.data.cases import split_groups
from breastai.data.cases.run_folders import list_folders
from breastai.data.decoders import decoder_table, raster
from breastai.data.decoders.file_content import file_at
from breastai.data.duplicates import (
    duplicate_candidates,
    duplicate_verification,
    grey_thumbnails,
    image_features,
    near_duplicates,
    patient_candidates,
    static_tiles,
)
from breastai.data.duplicates.grey_thumbnails import as_arrays, read_with_thumbnails
from breastai.data.duplicates.near_duplicates import MOST_COMPARED
from breastai.data.patients.patient_ids import patients_in
from breastai.data.preprocessing.inventory import Inventory
from breastai.data.preprocessing.thumbnails import thumbnail_uri
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.frames import file_of, with_frames
from breastai.data.sources.part_folders import data_root, split_folders
from breastai.data.sources.place_description import is_described
from breastai.domain.config import Config
from breastai.domain.errors import CommandInvalid, DataNotFound, ImageUnreadable
from breastai.domain.events import AuditDone, BatchProgress, Event, LeakQuestion, ProgressUpdate
from breastai.domain.jobs import Audit
from breastai.domain.patient_settings import PatientIdRule
from breastai.domain.records import AuditRecord, Finding, TwinGroup
from breastai.domain.text import Text
from breastai.storage.datasets import find_holding_dataset
from breastai.storage.remote_mirror import as_written
from breastai.storage.workspace import Workspace, atomic_write

SPLITS = ("train", "val", "test")
# What a page and a WebSocket message can take.
_LISTED_FILES = 50
_LISTED_GROUPS = 300
_PICTURE_SIDE = 112
_PICTURES_BYTES = 500_000
_MOST_PICTURES = 4
# The modules whose constants decide what an audit finds; of DICOM, whose module takes long to import, the decoding's version does.
_DECIDING = (
    auditor,
    image_facts,
    shortcut_features,
    near_duplicates,
    grey_thumbnails,
    patient_candidates,
    image_features,
    duplicate_candidates,
    duplicate_verification,
    static_tiles,
    split_groups,
    decoder_table,
    raster,
)


def audit(job: Audit, workspace: Workspace) -> Iterator[Event]:
    """Tell what is wrong with the images of a folder; raise what scanning it raises."""
    if job.data is not None:
        root = workspace.resolve(job.data)
        place = workspace.relative(root)
        folders = {split: with_frames(folder, job.frames) for split, folder in folders_below(root).items()}
    elif job.config is not None:
        place = job.config.data.train_dir
        folders = list_folders(job.config, workspace.root).by_split()
    else:
        raise CommandInvalid(Text("command.audit_images"), "breastai audit --help")
    record = yield from run_audit(folders, job.patient_id, workspace, config=job.config)
    yield audit_event(record, place, folders, workspace, bounded=job.pictures, pictures=job.pictures)


def folders_below(root: Path) -> dict[str, CaseTable]:
    """Return the class folders of the splits of `root`, by whichever of their names, or its own under the name ""."""
    if is_described(root):
        table = read_cases(root)
        return table.by_part() or {"": table}
    if not root.is_dir():
        raise DataNotFound(as_written(root))
    present = split_folders(root) or split_folders(data_root(root))
    return {name: read_cases(path) for name, path in present.items()} if present else {"": read_cases(data_root(root))}


def run_audit(
    folders: Mapping[str, CaseTable],
    rule: PatientIdRule | None,
    workspace: Workspace,
    inventory: Inventory | None = None,
    config: Config | None = None,
) -> Generator[Event, None, AuditRecord]:
    """Return the audit of some folders, made now unless these very images were audited before; tell how far it is.

    `inventory` learns what reading the images told, for who goes on with them. What a `config` says of the classes is asked
    no more.
    """
    steps = with_progress(lambda report: audit_record(folders, rule, workspace, report, inventory))
    try:
        while True:
            done, total = next(steps)
            yield ProgressUpdate(
                stage="auditing",
                text=Text("progress.auditing_of", {"done": round(100 * done / max(1, total))}),
                batch_progress=BatchProgress(batch=done, total_batches=total) if total else None,
            )
    except StopIteration as end:
        record: AuditRecord = end.value
        if config is None:
            return record
        train = folders.get("train") or next(iter(folders.values()))
        return record.model_copy(update={"findings": drop_answered(record.findings, config, train)})
    finally:
        steps.close()


def audit_record(
    folders: Mapping[str, CaseTable],
    rule: PatientIdRule | None,
    workspace: Workspace,
    report: Callable[[int, int], None] = lambda done, total: None,
    inventory: Inventory | None = None,
) -> AuditRecord:
    """Return the audit, from logs/audits/ where it lies already; `report` is told per cent."""
    patients = {split: patients_in(folder, rule, workspace.root) for split, folder in folders.items()}
    inventory, cache = inventory or Inventory(), AuditCache(default_audits_root())
    # Whether these images seem to have been audited before: then their hashes alone are asked for, which prove it.
    listing = workspace.logs_dir / "audits" / f"{_listing(folders)[:32]}.seen"
    asks = not listing.is_file()
    seen = inventory.take(
        folders,
        cache.facts_of if asks else None,
        lambda share: report(round(60 * share), 100),
        FactProcesses(cache, asks),
    )
    facts = [each for each in seen if each is not None]
    key = _fingerprint(folders, patients, rule, inventory)
    path = workspace.logs_dir / "audits" / f"{key[:32]}.json"
    try:
        kept = AuditRecord.model_validate_json(path.read_bytes())
        if kept.fingerprint == key:
            atomic_write(listing, b"")
            return kept
    except (OSError, ValidationError, ValueError):
        pass
    known = {split: names for split, names in patients.items() if names is not None}
    found = auditor.audit(
        folders,
        known if len(known) == len(folders) else None,
        seen=facts if len(facts) == len(seen) and facts else None,
        progress=lambda share: report(round(100 * share), 100),
        cache=cache,
    )
    cache.keep()
    record = AuditRecord(
        breastai=breastai.__version__,
        fingerprint=key,
        images=found.images,
        bit_depth=found.bit_depth,
        findings=_by_severity(
            [
                *find_in_rules(folders, rule, workspace.root),
                *found.findings,
            ]
        ),
        groups=list(found.groups),
    )
    if len(found.thumbnails) <= MOST_COMPARED:  # those of more are kept nowhere
        content = io.BytesIO()
        hashes = np.array(list(found.thumbnails), dtype="S64")
        np.savez_compressed(content, hashes=hashes, **cast(Any, as_arrays(list(found.thumbnails.values()))))
        atomic_write(_thumbnails_file(record, workspace), content.getvalue())
    atomic_write(path, record.model_dump_json(indent=1).encode())
    atomic_write(listing, b"")
    return record


def _listing(folders: Mapping[str, CaseTable]) -> str:
    """Return a hash of the names, sizes and times of some images' files."""
    digest = hashlib.sha256()
    for split, folder in sorted(folders.items()):
        for number, file in enumerate(folder.files):
            try:
                status = file_at(folder.path(number)).stat()
                row = [split, file, status.st_size, status.st_mtime_ns]
            except OSError:
                row = [split, file]
            digest.update((json.dumps(row) + "\n").encode())
    return digest.hexdigest()


def _by_severity(findings: Sequence[Finding]) -> list[Finding]:
    order = ("error", "warning", "info")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def audited_thumbnails(record: AuditRecord, workspace: Workspace) -> dict[str, image_facts.Pixels]:
    """Return the thumbnails an audit made, by the hash of each image's content; none when they are gone."""
    kept = read_with_thumbnails(_thumbnails_file(record, workspace), ("hashes",))
    try:
        if kept is None:
            return {}
        (hashes,), thumbnails = kept
        return dict(zip([digest.decode() for digest in hashes.tolist()], thumbnails, strict=True))
    except (ValueError, AttributeError):
        return {}


def _thumbnails_file(record: AuditRecord, workspace: Workspace) -> Path:
    return workspace.logs_dir / "audit_thumbnails" / f"{record.fingerprint[:32]}.npz"


def audit_event(
    record: AuditRecord,
    data: str,
    folders: Mapping[str, CaseTable],
    workspace: Workspace,
    *,
    bounded: bool,
    pictures: bool = False,
    question: LeakQuestion | None = None,
) -> AuditDone:
    """Return the event that tells of an audit of `folders`; `bounded` to what a message can take.

    `pictures`: with those of twins. Names the data set of the workspace in which the images can be corrected.
    """
    groups = sorted(record.groups, key=lambda group: (not group.contradicts, not group.crosses))
    findings = record.findings
    if bounded:
        groups = groups[:_LISTED_GROUPS]
        findings = [finding.model_copy(update={"files": finding.files[:_LISTED_FILES]}) for finding in record.findings]
    if pictures:
        groups = _pictured(groups, folders)
    dataset, places = _dataset_of(folders, workspace, Path(data).stem)
    if dataset is not None:
        groups = [_named_as_in_dataset(group, places) for group in groups]
    return AuditDone(
        data=data,
        images=record.images,
        findings=findings,
        groups=groups,
        groups_total=len(record.groups),
        groups_contradicting=sum(group.contradicts for group in record.groups),
        groups_crossing=sum(group.crosses for group in record.groups),
        dataset=dataset,
        class_names=list(dict.fromkeys(name for folder in folders.values() for name in folder.class_names)),
        question=question,
    )


def _dataset_of(
    folders: Mapping[str, CaseTable], workspace: Workspace, first: str
) -> tuple[str | None, dict[str, str]]:
    """Return the kept data set of the first folder that is of one, and where it has each of the folders, by split."""
    dataset: str | None = None
    places: dict[str, str] = {}
    for split, folder in folders.items():
        found = find_holding_dataset(workspace, folder.root, dataset or first)
        dataset = dataset or (found and found[0])
        if found is not None and found[0] == dataset:
            places[split] = found[1]
    return dataset, places


def _named_as_in_dataset(group: TwinGroup, places: Mapping[str, str]) -> TwinGroup:
    first = list(zip(group.files, group.splits, strict=True))[:_MOST_PICTURES]
    names = [
        places[split] + file_of(file.removeprefix(f"{split}/")) if split in places else None for file, split in first
    ]
    return group.model_copy(update={"dataset_files": names})


def _pictured(groups: Sequence[TwinGroup], folders: Mapping[str, CaseTable]) -> list[TwinGroup]:
    """Return the groups with pictures of their first files, as many as there is room for."""
    room = _PICTURES_BYTES
    places = {
        (split, file): folder.path(number)
        for split, folder in folders.items()
        for number, file in enumerate(folder.files)
    }
    result: list[TwinGroup] = []
    for group in groups:
        pictures: list[str] = []
        for file, split in list(zip(group.files, group.splits, strict=True))[:_MOST_PICTURES] if room > 0 else ():
            uri = thumbnail_uri(places[split, file.removeprefix(f"{split}/")], _PICTURE_SIDE) or ""
            room -= len(uri)
            pictures.append(uri)
        result.append(group.model_copy(update={"pictures": pictures}))
    return result


def _fingerprint(
    folders: Mapping[str, CaseTable],
    patients: Mapping[str, Sequence[str] | None],
    rule: PatientIdRule | None,
    inventory: Inventory,
) -> str:
    """Return a hash of all that an audit depends on: contents, names, classes, splits, patients, version, constants."""
    faults = [(code, severity, finding_templates(code)) for code, severity in sorted(SEVERITIES.items())]
    constants = [(module.__name__, _constants(module)) for module in _DECIDING]
    digest = hashlib.sha256(f"{breastai.__version__} {faults} {constants} {rule!r}\n".encode())
    for split, folder in sorted(folders.items()):
        names, known = patients[split], inventory.of(folder)
        assert known is not None
        for number, file in enumerate(folder.files):
            found = known.seen[number].digest
            content = str(found.reason) if isinstance(found, ImageUnreadable) else found
            row = [split, file, content, folder.label(number), names[number] if names else None]
            digest.update((json.dumps(row) + "\n").encode())
        digest.update(json.dumps([*folder.masks, *(item.file for item in folder.skipped)]).encode())
    return digest.hexdigest()


def _constants(module: ModuleType) -> list[tuple[str, str]]:
    """Return the names and values of a module's constants: numbers, texts and tuples of them."""
    return sorted(
        (name, repr(value))
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float | str | tuple)
    )
