"""The image folders of a run: listed, not read; what would keep a run from beginning that can be told by looking at few images."""

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from breastai.data.patients.patient_ids import patients_in
from breastai.data.patients.patient_rules import doubts
from breastai.data.sources.case_source import read_cases, read_description
from breastai.data.sources.case_table import CaseTable, pool_tables
from breastai.data.sources.class_questions import check_classes, open_questions
from breastai.data.sources.frames import file_of
from breastai.data.sources.layout import missing_folder, resolved_config
from breastai.data.sources.place_description import describe_place, is_described
from breastai.domain.catalog import IMAGE_SUFFIXES, architecture_of, check_image_size
from breastai.domain.config import Config
from breastai.domain.data_locations import is_remote
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.decision_rule import target_class
from breastai.domain.errors import (
    ClassNotTrained,
    ConfigInvalid,
    InputError,
    NoImages,
    NumClassesMismatch,
    SamePatient,
)
from breastai.domain.faults import describe_fault
from breastai.domain.records import SplitFile
from breastai.domain.text import Text
from breastai.storage.checkpoints import SplitRecord
from breastai.storage.remote_mirror import as_written, local_place
from breastai.storage.split_records import read_split


@dataclass(frozen=True)
class Folders:
    """The image folders of a run, listed but not read. `val` is None when a part of train is set aside.

    `test` is there for the audit alone: training never reads it.
    """

    train: CaseTable
    val: CaseTable | None
    test: CaseTable | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.train.class_names

    def by_split(self) -> dict[str, CaseTable]:
        """Return the folders there are, by the name of their split."""
        named = {"train": self.train, "val": self.val, "test": self.test}
        return {name: folder for name, folder in named.items() if folder is not None}


def list_folders(
    config: Config, base: Path, known: Collection[str] = (), described: DatasetDescription | None = None
) -> Folders:
    """Return the folders `config` names, relative to `base`; raise what `scan` raises, ClassNotTrained and NumClassesMismatch.

    A split's folder may go by another of its names, validation/ for val/. `known`: images of a run that began before,
    which are no masks whatever they look like; `described`: by what it read them. Parts that a description gives are those
    of the run. Fast: no image is read, but for what may be a mask, so that a wrong folder
    is told at once. A test folder that can't be used is None.
    """
    config = resolved_config(config, base)
    known = known or _named_by_split(config, base)
    frames, masks = config.preprocessing.frames, config.data.masks
    train_known, val_known, test_known = (_without_part(known, part) for part in ("train", "val", "test"))
    order = _expected_classes(config, base, described)
    if described is not None:
        train = read_description(described, base, order, masks, train_known, frames)
    else:
        train_root = local_place(base, config.data.train_dir)
        if not train_root.exists() and not is_remote(config.data.train_dir):
            raise missing_folder(train_root)
        train = read_cases(train_root, order, masks, train_known, frames)
    given = train.by_part()
    train = given.get("train", train if not given else train.subset([]))
    if not len(train):
        raise NoImages(as_written(train.root), list(IMAGE_SUFFIXES), (Text("reason.no_training_part"),))
    if lacking := [name for name, count in train.counts().items() if not count]:
        raise ClassNotTrained(as_written(train.root), lacking)
    wished = config.model.num_classes
    if wished is not None and wished != len(train.class_names):
        raise NumClassesMismatch(wished, len(train.class_names), list(train.class_names))
    val = given.get("val")
    if val is None:
        val = _scan_optional(config.data.val_dir, base, train.class_names, config, val_known)
    if val is not None and config.data.pool_val:
        train, val = pool_tables({"train": train, "val": val}), None
    if config.data.split_only:
        train, val = _named_in_split(config, base, train, val)
    if "test" in given:
        return Folders(train, val, given["test"])
    test = None
    with contextlib.suppress(InputError):  # whoever evaluates on it is told
        test = _scan_optional(config.data.test_dir, base, train.class_names, config, test_known)
    return Folders(train, val, test)


def _expected_classes(config: Config, base: Path, described: DatasetDescription | None) -> list[str] | None:
    """Return the classes in the order that a configuration asks for; None where the description orders those it finds.

    Raises ConfigInvalid where the description reads them as other classes.
    """
    order = config.evaluation.ordered_classes
    place = local_place(base, config.data.train_dir)
    if described is None and is_described(place):
        described = describe_place(place)
    meant = {name for name in described.class_map.values() if name} if described is not None else set()
    if order is not None and meant and meant.isdisjoint(order):
        params = {"classes": sorted(meant), "place": as_written(place), "ordered": ",".join(order)}
        raise ConfigInvalid([describe_fault("evaluation.ordered_classes", Text("fault.ordered_otherwise", params))])
    is_its_own = described is not None and described.is_scale and order == list(described.class_names)
    return None if is_its_own else order


def usable_folders(config: Config, base: Path) -> Folders:
    """Return the folders as `list_folders` does; raise also ImageTooSmall and what `check_classes` does.

    What would keep a run from beginning, of all that can be told by looking at few images.
    """
    config = resolved_config(config, base)
    check_image_size(architecture_of(config.model.architecture), config.data.image_size)
    folders = list_folders(config, base)
    check_classes(config, folders.train)
    check_patients(config, folders, base)
    return folders


def check_patients(config: Config, folders: Folders, base: Path) -> None:
    """Raise SamePatient where the rule gives all training images one patient, of whom none could be set aside."""
    rule = config.evaluation.patient_id
    if rule is None or folders.val is not None:
        return
    for doubt in doubts([folders.train], rule, base):
        if doubt.code == "patients.all_one":
            raise SamePatient(len(folders.train), doubt.setting or "-")


def known_folders(config: Config, base: Path, split: SplitRecord, saved: SplitFile | None = None) -> Folders:
    """Return the folders of a run that began before: what it took as images and as classes stays so."""
    left_out = () if saved is None else (case.file for case in saved.cases)
    return list_folders(config, base, {*split.train, *split.val, *left_out}, split.dataset)


def with_answers(config: Config, base: Path) -> Config:
    """Return the configuration of what began before it was asked about its classes, with the answers it went by then."""
    # The classes are those of train: what never opens test images does not list them for this either.
    untested = config.model_copy(update={"data": config.data.model_copy(update={"test_dir": None})})
    folder = list_folders(untested, base).train
    if next(open_questions(config, folder), None) is None:
        return config
    target = target_class(config, folder.class_names)
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"accept_classes": True}),
            "evaluation": config.evaluation.model_copy(update={"target_class": target}),
        }
    )


def _named_by_split(config: Config, base: Path) -> set[str]:
    """Return the images that data.split_file names; none where it can't be read, which is told where it is needed."""
    name = config.data.split_file
    with contextlib.suppress(InputError):
        return set() if name is None else {case.file for case in read_split(base / Path(name).expanduser(), name).cases}
    return set()


def _without_part(files: Collection[str], part: str) -> frozenset[str]:
    """Return the files of some names, which of pooled folders begin with a part, relative to a part's folder."""
    return frozenset(file_of(file) for name in files for file in (name, name.removeprefix(f"{part}/")))


def _named_in_split(
    config: Config, base: Path, train: CaseTable, val: CaseTable | None
) -> tuple[CaseTable, CaseTable | None]:
    """Return the folders with the images that data.split_file names and no other."""
    name = config.data.split_file
    if name is None:
        raise ConfigInvalid(
            [Text("problem.expected_alone", {"name": "data.split_only", "expected": Text("expected.split_file")})]
        )
    named = {(case.folder, case.file) for case in read_split(base / Path(name).expanduser(), name).cases}

    def only(part: str, folder: CaseTable) -> CaseTable:
        return folder.subset([number for number, file in enumerate(folder.files) if (part, file) in named])

    return only("train", train), None if val is None else only("val", val)


def patients_elsewhere(config: Config, folders: Folders, base: Path) -> dict[str, set[str]]:
    """Return the patients of the given val and test folders, by split; of none where no rule names them."""
    given = {"val": folders.val, "test": folders.test}
    rule = config.evaluation.patient_id
    return {split: set(patients_in(folder, rule, base) or ()) for split, folder in given.items() if folder is not None}


def _scan_optional(
    name: str | None, base: Path, class_names: Sequence[str], config: Config, known: Collection[str]
) -> CaseTable | None:
    path = local_place(base, name) if name else None
    if path is None or not path.exists():
        return None
    return read_cases(path, class_names, config.data.masks, known, config.preprocessing.frames)
