"""Cases: an image each, with its label and all else that is known of it; and tables of them, by column."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from breastai.data.decoders.decoder import Header
from breastai.data.decoders.decoder_table import header_of
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.text import Text

Column = tuple[str | None, ...]


@dataclass(frozen=True)
class Skipped:
    """A file that is not used, and why."""

    file: str
    reason: Text | str

    @property
    def is_by_hand(self) -> bool:
        """Whether a person left it out, in the description of the data set: nothing is wrong with the file."""
        return isinstance(self.reason, Text) and self.reason.code == BY_HAND


BY_HAND = "reason.left_out_by_hand"
_LISTED = 5
_PARTS = {"train": 0, "val": 1, "test": 2}


def first_reasons(skipped: Sequence[Skipped]) -> list[Text | str]:
    """Return the first files of some that were left out, each with its reason, and how many more there are."""
    told: list[Text | str] = [Text("reason.of_file", {"file": each.file, "error": each.reason}) for each in skipped]
    more = len(told) - _LISTED
    return told[:_LISTED] + ([Text("problem.and_more", {"count": more})] if more > 0 else [])


@dataclass(frozen=True)
class Case:
    """One image: its `file` as names have it, the class it is of, where it lies, and what else is known.

    `breast`: L, R or B. `group`: a name that all images of its patient and all its near-duplicates share. `part`: train,
    val, test or left_out; `fold` one given for a cross-validation. `sha256`: of its content, `reason` why it is left out.
    `exam`, `site`, `device`, `age`, `density`, `birads`: as its source says them. `box`: "x y width height" of a lesion in
    pixels of the image as stored. `mask`: the file that outlines one, named as images are.
    """

    file: str
    label: str
    path: Path
    patient: str | None = None
    breast: str | None = None
    view: str | None = None
    modality: str | None = None
    group: str | None = None
    part: str | None = None
    sha256: str | None = None
    reason: str | None = None
    exam: str | None = None
    site: str | None = None
    device: str | None = None
    age: str | None = None
    density: str | None = None
    birads: str | None = None
    fold: str | None = None
    box: str | None = None
    mask: str | None = None


# What a table may hold of each case besides its file and its label.
COLUMNS = tuple(each.name for each in fields(Case) if each.name not in ("file", "label", "path"))


@dataclass(frozen=True, eq=False)
class CaseTable:
    """Images and their labels: `files[i]`, with forward slashes, is of class `class_names[labels[i]]`.

    Names are relative to `root`; what a name says besides is nothing that a reader may rely on: the label stands in
    `labels`. `labels` has shape (N,) and can't be written to. `columns`: what is known of each case besides, by one of
    COLUMNS. `masks` are outlines, regions and crops beside images, each with the reason in `mask_reasons`; they are no
    cases. `roots`: of several tables taken as one, the folder in which the images lie whose names begin with such a part.
    `known`: images whatever their pixels look like, all of them when `masks_kept`. `subgroups`: columns by which an
    evaluation tells parts of the cases apart. `description`: of the data set they were read by, if by any.
    """

    root: Path
    files: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    class_names: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    masks: tuple[str, ...] = ()
    roots: Mapping[str, Path] = field(default_factory=dict)
    mask_reasons: Mapping[str, Text] = field(default_factory=dict)
    masks_kept: bool = False
    known: frozenset[str] = frozenset()
    columns: Mapping[str, Column] = field(default_factory=dict)
    subgroups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    description: DatasetDescription | None = None

    def __post_init__(self) -> None:
        self.labels.flags.writeable = False
        for name, column in self.columns.items():
            if name not in COLUMNS or len(column) != len(self.files):
                raise ValueError(f"column {name} of {len(column)} values, {len(self.files)} cases")
        if any(len(column) != len(self.files) for column in self.subgroups.values()):
            raise ValueError(f"subgroups of other than {len(self.files)} cases")

    def __len__(self) -> int:
        return len(self.files)

    def path(self, index: int) -> Path:
        """Return where image `index` lies."""
        return self.path_of(self.files[index])

    def path_of(self, file: str) -> Path:
        """Return where an image of this name lies, or would."""
        part, _, rest = file.partition("/")
        return self.roots[part] / rest if part in self.roots else self.root / file

    def label(self, index: int) -> str:
        """Return the class of image `index`."""
        return self.class_names[int(self.labels[index])]

    def case(self, index: int) -> Case:
        """Return all that is known of image `index`."""
        known = {name: column[index] for name, column in self.columns.items()}
        return Case(self.files[index], self.label(index), self.path(index), **known)

    def cases(self) -> Iterator[Case]:
        """Yield the cases in their order."""
        return (self.case(index) for index in range(len(self)))

    def column(self, name: str) -> Column | None:
        """Return what is known of each case by the name of a column; None where nothing is."""
        return self.columns.get(name)

    def with_columns(self, **columns: Sequence[str | None] | None) -> "CaseTable":
        """Return the table with these columns; one that is None is left out."""
        known = {name: tuple(values) for name, values in columns.items() if values is not None}
        rest = {name: values for name, values in self.columns.items() if name not in columns}
        return replace(self, columns=rest | known)

    def with_headers(self, headers: Sequence[Header]) -> "CaseTable":
        """Return the table with what the header of each image says of breast, view and modality, where nothing else does."""
        said: dict[str, Sequence[str | None]] = {
            "breast": [header.laterality for header in headers],
            "view": [header.view for header in headers],
            "modality": [header.modality for header in headers],
        }
        before = {name: self.columns.get(name, (None,) * len(self)) for name in said}
        return self.with_columns(
            **{name: [own or other for own, other in zip(before[name], said[name], strict=True)] for name in said}
        )

    def headers(self) -> list[Header]:
        """Return what the header of each image says, read now."""
        return [header_of(self.path(index)) for index in range(len(self))]

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class, classes without one included."""
        totals = np.bincount(self.labels, minlength=len(self.class_names))
        return {name: int(total) for name, total in zip(self.class_names, totals, strict=True)}

    def subset(self, indices: Sequence[int] | npt.NDArray[np.integer]) -> "CaseTable":
        """Return the table with only the images at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        files = tuple(self.files[index] for index in chosen)
        columns = {name: tuple(values[index] for index in chosen) for name, values in self.columns.items()}
        groups = {name: tuple(values[index] for index in chosen) for name, values in self.subgroups.items()}
        return replace(self, files=files, labels=self.labels[chosen], columns=columns, subgroups=groups)

    def by_part(self) -> dict[str, "CaseTable"]:
        """Return the cases of each part, by its name, train first; of none where no part is known.

        What lies beside the images, masks and files left out, is of no part: the first has it, so that it counts once.
        """
        parts = np.array(self.columns.get("part", ()), dtype=object)
        names = sorted({str(part) for part in parts if part}, key=lambda name: (_PARTS.get(name, len(_PARTS)), name))
        alone = replace(self, skipped=(), masks=(), mask_reasons={})
        return {
            name: (alone if number else self).subset(np.flatnonzero(parts == name)) for number, name in enumerate(names)
        }

    def with_files(self, files: Sequence[str]) -> "CaseTable":
        """Return the same table with other names for its images."""
        return replace(self, files=tuple(files))

    def without(self, files: Iterable[str]) -> "CaseTable":
        """Return the same table without the images named."""
        left_out = frozenset(files)
        return self.subset([index for index, file in enumerate(self.files) if file not in left_out])


def pool_tables(tables: Mapping[str, CaseTable]) -> CaseTable:
    """Return several tables of the same classes as one; the names of its files begin with that of their table."""
    first = next(iter(tables.values()))
    columns = [name for name in first.columns if all(name in table.columns for table in tables.values())]
    groups = [name for name in first.subgroups if all(name in table.subgroups for table in tables.values())]
    return CaseTable(
        root=first.root,
        files=tuple(f"{part}/{file}" for part, table in tables.items() for file in table.files),
        labels=np.concatenate([table.labels for table in tables.values()]),
        class_names=first.class_names,
        skipped=tuple(
            Skipped(f"{part}/{item.file}", item.reason) for part, table in tables.items() for item in table.skipped
        ),
        masks=tuple(f"{part}/{file}" for part, table in tables.items() for file in table.masks),
        roots={part: table.root for part, table in tables.items()},
        mask_reasons={
            f"{part}/{file}": reason for part, table in tables.items() for file, reason in table.mask_reasons.items()
        },
        masks_kept=first.masks_kept,
        known=frozenset(f"{part}/{file}" for part, table in tables.items() for file in table.known),
        columns={name: tuple(v for table in tables.values() for v in table.columns[name]) for name in columns},
        subgroups={name: tuple(v for table in tables.values() for v in table.subgroups[name]) for name in groups},
        description=first.description,
    )
