"""What a user should know of the images before a run begins: the class in question, the folders taken, doubtful patients."""

from collections.abc import Iterator
from pathlib import Path

from breastai.data.cases.run_folders import Folders
from breastai.data.patients.patient_rules import Doubt, doubts
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.part_folders import unused_folders
from breastai.data.sources.place_description import ASKED_BY_A_RUN, doubts_of_place
from breastai.domain.class_words import meaning_of, split_of
from breastai.domain.config import Config
from breastai.domain.decision_rule import target_class
from breastai.domain.events import Log
from breastai.domain.text import Text
from breastai.storage.remote_mirror import as_written
from breastai.storage.workspace import Workspace

# Of fewer images nothing is learnt that would hold for others.
_FEW_CASES = 10
DOUBT_MESSAGES = {
    "patients.all_one": "evaluation.patient_id gives all {images} images the same patient. Suggested rule: {setting}",
    "patients.views": "evaluation.patient_id seems to take breasts and views for patients: {patients} ids where about "
    "{fewer} patients are likely. Suggested rule: {setting}",
    "patients.prefixes": "Some patient ids are another id with a letter behind it, as 13412A and 13412: {patients} ids "
    "where about {fewer} patients are likely. Suggested rule: {setting}",
    "patients.one_each": "evaluation.patient_id gives each of the {images} images a patient of its own. If patients have "
    "several images, the rule takes too much of the name. Suggested rule: {setting}",
    "patients.offered": "evaluation.patient_id is empty, but the images seem to name their patients, about {patients}. "
    "To keep each patient's images together: --set 'evaluation.patient_id={setting}'",
}


def told_before(config: Config, folders: Folders, base: Path) -> Iterator[Log]:
    """Yield what is told when a run begins, as lines for people."""
    place = Workspace(base).resolve(config.data.train_dir)
    yield from (Log.of("warning", doubt) for doubt in doubts_of_place(place) if doubt.code not in ASKED_BY_A_RUN)
    target = target_class(config, folders.class_names)
    yield Log(
        level="info",
        code="data.target_class",
        message=f"Class in question: {target}.",
        params={"class_name": target, "class_names": list(folders.class_names)},
    )
    others = [name for name in folders.class_names if name != target and meaning_of(name) == "disease"]
    if others and meaning_of(target) == "disease":
        yield Log(
            level="warning",
            code="data.other_diseases",
            message=f"By their names also a disease, but counted as negative: {', '.join(others)}. "
            f"To count them with {target}, put the images of both into one class folder.",
            params={"class_name": target, "others": others},
        )
    few = {name: count for name, count in folders.train.counts().items() if count < _FEW_CASES}
    if few:
        counts = [f"{name} ({count})" for name, count in few.items()]
        yield Log.of("warning", Text("log.data.few_cases", {"counts": counts, "least": _FEW_CASES}))
    places = {split: folder.root for split, folder in folders.by_split().items()}
    if any(root.name != split for split, root in places.items()):
        taken = ", ".join(f"{as_written(root)} ({split})" for split, root in places.items())
        yield Log(
            level="info", code="data.folders", message=f"Images are taken from {taken}.", params={"folders": taken}
        )
    left = unused_beside(folders)
    if left:
        yield Log(
            level="warning",
            code="data.folders_unused",
            message=f"Folders with images that take no part: {', '.join(left)}.",
            params={"folders": left},
        )
    for doubt in patient_doubts(config, list(folders.by_split().values()), base):
        yield Log(
            level="info" if doubt.code == "patients.one_each" else "warning",
            code=doubt.code,
            message=DOUBT_MESSAGES[doubt.code].format(**params_of(doubt)),
            params=params_of(doubt),
        )


def unused_beside(folders: Folders) -> list[str]:
    """Return the folders with images beside those of the splits that take no part in a run."""
    used = [folder.root for folder in folders.by_split().values()]
    used += [root for folder in folders.by_split().values() for root in folder.roots.values()]
    root = folders.train.root
    return [] if split_of(root.name) is None else unused_folders(root.parent, used)


def patient_doubts(config: Config, folders: list[CaseTable], base: Path) -> list[Doubt]:
    """Return what is doubtful of the patients of some folders, or the rule they offer."""
    return doubts(folders, config.evaluation.patient_id, base)


def params_of(doubt: Doubt) -> dict[str, str | int]:
    """Return the parameters of a doubt's message, in which a dash stands for a rule that nobody can suggest."""
    return {**doubt.params, "setting": doubt.setting or "-"}
