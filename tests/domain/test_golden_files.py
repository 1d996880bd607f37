"""Every stored document of every released version opens, and whatever a later version adds is kept.

tests/golden holds a folder for each version, written by that version's own runs and never edited; README.md there says
how a new one is made. The documents are opened through their models, imported by name: some need torch.
"""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from breastai.domain.event_messages import decode_event, event_values
from breastai.domain.events import Event
from breastai.domain.settings import Settings
from breastai.domain.stored import Stored, StoredDocument, unknown_keys
from breastai.domain.text import Text

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
# By the beginning of a document's file name.
MODELS = {
    "audit": "breastai.domain.records:AuditRecord",
    "backup": "breastai.storage.backup_archive:BackupContents",
    "evaluation": "breastai.domain.records:EvaluationRecord",
    "folds": "breastai.scale.fold_assignment:Folds",
    "manifest": "breastai.storage.checkpoints:Manifest",
    "metadata": "breastai.predictor.onnx_model:ModelMetadata",
    "notes": "breastai.storage.runs:RunNotes",
    "plan": "breastai.engine.acceleration.tuning_plan:Plan",
    "queue": "breastai.server.jobs.queue_file:QueueFile",
    "report": "breastai.clinical.report.report_document:ReportDocument",
    "split": "breastai.domain.records:SplitFile",
    "study": "breastai.domain.study:Study",
}
DOCUMENTS = sorted(GOLDEN.glob("*/*.json"))
JOURNALS = sorted(GOLDEN.glob("*/journal.jsonl"))
# Settings that a person types as one value: unknown keys within them stay refused.
TYPED_BY_PEOPLE = {"FilenamePattern", "FolderLevel", "PatientTable", "DicomHeader", "Choice", "Interval"}
# Keys that were renamed since, each still read.
RENAMED = {"f1.macro": "f1_macro", "auc_roc.macro": "auc_roc"}
# Fields that a model makes itself of what older documents hold in their place.
MADE_OF_OLDER = {"TrainingUpdate": {"metrics"}}
LATER = "of_a_later_version"


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def model_of(path: Path) -> type[BaseModel]:
    module, _, name = MODELS[path.stem.partition("-")[0]].partition(":")
    found: type[BaseModel] = getattr(import_module(module), name)
    return found


def in_todays_names(raw: Any) -> Any:
    if isinstance(raw, dict):
        return {RENAMED.get(key, key): in_todays_names(value) for key, value in raw.items()}
    return [in_todays_names(value) for value in raw] if isinstance(raw, list) else raw


def lost(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Yield where a value that was read is not what is written again; what is written may hold more."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key not in after:
                yield f"{place}/{key}"
            else:
                yield from lost(value, after[key], f"{place}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (value, written) in enumerate(zip(before, after, strict=True)):
            yield from lost(value, written, f"{place}/{number}")
    elif before != after:
        yield f"{place}: {before!r} became {after!r}"


def parts_of(value: Any, raw: Any) -> Iterator[tuple[BaseModel, dict[str, Any]]]:
    """Yield each model within a value that was read, with the plain values it was read from."""
    if isinstance(value, BaseModel):
        yield value, raw
        for name, field in type(value).model_fields.items():
            key = field.alias or name
            if key in raw:
                yield from parts_of(getattr(value, name), raw[key])
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from parts_of(part, raw[key])
    elif isinstance(value, list | tuple):
        for part, values in zip(value, raw, strict=True):
            yield from parts_of(part, values)


def with_later_keys(value: BaseModel, raw: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the plain values with an unknown key at every level, and how many levels there are."""
    raw = json.loads(json.dumps(raw))
    count = 0
    for part, values in list(parts_of(value, raw)):
        if isinstance(part, Stored | Settings):
            values[LATER] = {"deep": [1, {"deeper": "x"}]}
            count += 1
        else:
            assert type(part).__name__ in TYPED_BY_PEOPLE, f"{type(part).__name__} would refuse a later version's key"
    return raw, count


def test_there_are_golden_files_of_every_kind_and_of_more_than_one_version() -> None:
    assert {path.stem.partition("-")[0] for path in DOCUMENTS} == set(MODELS)
    assert len({path.parent for path in JOURNALS}) >= 3


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_a_document_of_a_released_version_opens_and_loses_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    opened = model_of(path).model_validate_json(text)
    assert list(lost(in_todays_names(json.loads(text)), opened.model_dump(mode="json", by_alias=True))) == []


@pytest.mark.parametrize("path", JOURNALS, ids=named)
def test_every_line_of_a_released_journal_is_read_and_loses_nothing(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 5
    for line in lines:
        assert list(lost(in_todays_names(json.loads(line)), event_values(decode_event(line)))) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_an_unknown_key_at_every_level_of_a_document_is_kept(path: Path) -> None:
    model, raw = model_of(path), in_todays_names(json.loads(path.read_text(encoding="utf-8")))
    later, count = with_later_keys(model.model_validate(raw), raw)
    opened = model.model_validate_json(json.dumps(later))
    assert count > 0
    assert sum(key.endswith(LATER) for key in unknown_keys(opened)) == count
    changed = opened.model_copy(update={})
    assert list(lost(later, changed.model_dump(mode="json", by_alias=True))) == []


@pytest.mark.parametrize("path", JOURNALS, ids=named)
def test_an_unknown_key_at_every_level_of_an_event_is_kept(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        raw = in_todays_names(json.loads(line))
        later, count = with_later_keys(decode_event(line), raw)
        opened = decode_event(json.dumps(later))
        assert sum(key.endswith(LATER) for key in unknown_keys(opened)) == count
        assert list(lost(later, event_values(opened))) == []


def test_a_text_keeps_what_a_later_version_adds_to_it() -> None:
    line = '{"code": "a.key", "params": {"inner": {"code": "b", "params": {}, "gender": "f"}}, "tone": {"deep": [1]}}'
    assert Text.model_validate_json(line).model_dump(mode="json") == json.loads(line)


def stored_models(base: type[BaseModel] = Stored) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        if model.__module__.startswith("breastai."):
            yield model
        yield from stored_models(model)


def test_a_field_added_later_has_a_default() -> None:
    """required.json holds the fields a model could not do without at first. Add new models; never a field to an old one."""
    for name in MODELS.values():
        import_module(name.partition(":")[0])
    first = json.loads((GOLDEN / "required.json").read_text(encoding="utf-8"))
    now = {
        model.__name__: [name for name, field in model.model_fields.items() if field.is_required()]
        for model in stored_models()
    }
    added = {
        name: sorted(set(fields) - set(first[name]) - MADE_OF_OLDER.get(name, set()))
        for name, fields in now.items()
        if name in first
    }
    assert {name: fields for name, fields in added.items() if fields} == {}


def test_every_document_has_a_version_and_refuses_work_by_a_later_one() -> None:
    for name in {path.stem.partition("-")[0]: path for path in DOCUMENTS}.values():
        model = model_of(name)
        assert "format" in model.model_fields
        if not issubclass(model, StoredDocument):
            assert "metadata_format" in model.model_fields, f"{model.__name__} says no version"


def test_a_key_of_a_later_version_may_not_be_an_infinite_number() -> None:
    with pytest.raises(ValidationError, match="finite"):
        Event.model_validate_json('{"type": "new", "later": {"deep": [NaN]}}')
