"""A survey: the names in a place, the beginnings of its tables, a few headers; bounded, whatever lies there."""

import os
import re
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from breastai.data.decoders.decoder import FileHeader
from breastai.data.decoders.decoder_table import file_header, is_image_by_content
from breastai.data.sources.image_listing import is_link, is_system_name, reason_against_target
from breastai.data.sources.recognition.surveyed_table import SurveyedTable, read_surveyed
from breastai.data.user_tables import plain_name
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.data_locations import TABLE_ENDINGS

# So many folders are looked into; of more beside one another, and of more files in one, an even choice. Once many files
# are known a few of each further folder do.
_MOST_FOLDERS, _MOST_AT_THE_TOP, _MOST_BESIDE = 3_000, 1_000, 60
_MOST_FILES_OF_ONE, _MANY_FILES, _FEW_FILES_OF_ONE = 400, 20_000, 10
_DEEPEST = 12
_TELL_EVERY_S = 0.5
_MOST_TABLES, _MOST_HEADERS = 40, 12
_NO_IMAGES = frozenset(
    {".csv", ".tsv", ".txt", ".xlsx", ".xls", ".json", ".jsonl", ".xml", ".pdf", ".md", ".roi", ".npz", ".zip"}
)


@dataclass(frozen=True, eq=False)
class Survey:
    """What was seen at `place`, a folder: `files` and `folders` by their paths below it, with forward slashes.

    `complete`: nothing was passed over. `files_seen`: also those whose names were not kept.
    """

    place: Path
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    files_seen: int = 0
    complete: bool = True

    @cached_property
    def images(self) -> tuple[str, ...]:
        """Files that may be images, by their ending, or else by their bytes."""
        return tuple(file for file in self.files if self._may_be_image(file))

    @cached_property
    def tables(self) -> Mapping[str, SurveyedTable]:
        """The tables, the highest first; those that can't be read are left out."""
        named = [file for file in self.files if PurePosixPath(file).suffix.lower() in TABLE_ENDINGS]
        named.sort(key=lambda file: (file.count("/"), file))
        tables = ((file, read_surveyed(self.place / file)) for file in named[:_MOST_TABLES])
        return {file: table for file, table in tables if table is not None}

    @cached_property
    def headers(self) -> tuple[FileHeader, ...]:
        """Headers of a few images, evenly from all of them; of files without one nothing is said."""
        dicom = [file for file in self.images if is_dicom_name(file)]
        step = max(1, len(dicom) // _MOST_HEADERS)
        return tuple(file_header(self.place / file) for file in dicom[::step][:_MOST_HEADERS])

    @cached_property
    def folder_names(self) -> Counter[str]:
        """How often a folder is called so, in lower case."""
        return Counter(PurePosixPath(folder).name.lower() for folder in self.folders)

    def share(self, pattern: re.Pattern[str]) -> float:
        """Return the share of the images whose path a pattern finds."""
        found = sum(pattern.search(file) is not None for file in self.images)
        return found / len(self.images) if self.images else 0.0

    def tables_with(self, *columns: str) -> Iterator[tuple[str, SurveyedTable]]:
        """Yield the tables that have all these columns, compared in letters and digits alone."""
        wanted = {plain_name(column) for column in columns}
        return ((file, table) for file, table in self.tables.items() if wanted <= table.plain_columns)

    def _may_be_image(self, file: str) -> bool:
        suffix = PurePosixPath(file).suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            return True
        return suffix not in _NO_IMAGES and is_image_by_content(self.place / file)


def survey(place: Path) -> Survey:
    """Return what lies at a place; of a file, the folder it lies in with that file alone."""
    steps = survey_steps(place)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Survey = end.value
            return found


def survey_steps(place: Path) -> Generator[int, None, Survey]:
    """Yield how many files were seen so far, a few times a second; return the survey."""
    if place.is_file():
        return Survey(place.parent, (place.name,), (), 1)
    told, real_place = time.monotonic(), Path(os.path.realpath(place))
    files: list[str] = []
    folders: list[str] = []
    seen, complete = 0, True
    pending = deque([("", 0)])
    while pending:
        current, depth = pending.popleft()
        names, below = _listed(place / current if current else place, real_place)
        seen += len(names)
        prefix = f"{current}/" if current else ""
        kept = _evenly(names, _MOST_FILES_OF_ONE if len(files) < _MANY_FILES else _FEW_FILES_OF_ONE)
        # A table is looked at whatever lies around it.
        kept += [
            name for name in names if name not in set(kept) and PurePosixPath(name).suffix.lower() in TABLE_ENDINGS
        ]
        files += [prefix + name for name in kept]
        chosen = _evenly(below, _MOST_BESIDE if depth else _MOST_AT_THE_TOP)
        if depth >= _DEEPEST or len(folders) >= _MOST_FOLDERS:
            chosen = []
        complete = complete and len(kept) == len(names) and len(chosen) == len(below)
        folders += [prefix + name for name in chosen]
        pending.extend((prefix + name, depth + 1) for name in chosen)
        if time.monotonic() - told > _TELL_EVERY_S:
            told = time.monotonic()
            yield seen
    return Survey(place, tuple(files), tuple(folders), seen, complete)


def is_dicom_name(file: str) -> bool:
    """Return whether a file may be DICOM by its name: it ends so, or in no way that another kind does."""
    suffix = PurePosixPath(file).suffix.lower()
    return suffix in (".dcm", ".dicom") or suffix not in IMAGE_SUFFIXES


def _listed(folder: Path, real_place: Path) -> tuple[list[str], list[str]]:
    """Return the names of the files and the folders in a folder, in order; none where it can't be opened.

    Links are left out that lead where the images of `real_place` may not lie either.
    """
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_system_name(entry.name) and not (is_link(entry) and _leads_out(entry, real_place)):
                    (folders if entry.is_dir() else files).append(entry.name)
    except OSError:
        return [], []
    return sorted(files), sorted(folders)


def _leads_out(entry: os.DirEntry[str], real_place: Path) -> bool:
    return reason_against_target(Path(os.path.realpath(entry.path)), real_place) is not None


def _evenly(names: list[str], most: int) -> list[str]:
    if len(names) <= most:
        return names
    return [names[number * len(names) // most] for number in range(most)]
