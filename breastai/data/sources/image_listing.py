"""The files below a folder: which are images, which masks of them, and why others are none; links followed where allowed."""

import os
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from breastai.data.decoders.decoder_table import is_image_by_content
from breastai.data.sources.case_table import Skipped
from breastai.data.sources.masks import is_mask_folder, masks_among
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.class_words import split_of
from breastai.domain.file_names import is_system_name as is_system_name
from breastai.domain.text import Text
from breastai.storage.link_roots import link_roots
from breastai.storage.remote_mirror import mirror_root, not_copied

# How many files of a folder were seen, as far as it was read.
FilesSeen = Callable[[int], None]
_TOLD_EACH = 1000


@dataclass(frozen=True)
class Listed:
    """The images below a folder, in order of name; the masks among them, and what else is no image, each with the reason."""

    files: tuple[Path, ...]
    masks: Mapping[Path, Text]
    others: Mapping[Path, Text | str] = field(default_factory=dict)


def images_below(root: Path) -> Listed:
    """Return the images anywhere below a folder, without its masks and what is hidden; nothing is told of labels."""
    listing = list_images(root)
    return Listed(
        tuple(root / file for file in listing.files),
        {root / file: why for file, why in listing.masks.items()},
        {root / each.file: each.reason for each in listing.skipped},
    )


@dataclass(frozen=True)
class Listing:
    """Names below a folder, with forward slashes: images in order, masks among them, and what is neither, with reasons."""

    files: tuple[str, ...]
    masks: Mapping[str, Text]
    skipped: tuple[Skipped, ...]


def list_images(root: Path, on_progress: FilesSeen | None = None, class_level: int | None = None) -> Listing:
    """Return the names of the images anywhere below a folder, without its masks and what is hidden.

    `on_progress` is told how many files were seen, now and then. `class_level`: which folder is that of the class, 1 the
    first, -1 the last; one called tumor or mass holds no masks of the others then.
    """
    name = root.absolute().name or "images"
    start = len(name) + 1
    files: list[str] = []
    skipped: list[Skipped] = []
    for number, (file, reason) in enumerate(walk(root.absolute().parent, name, inside=root)):
        if on_progress is not None and number % _TOLD_EACH == 0:
            on_progress(number)
        if reason is None:
            files.append(file)
        else:
            skipped.append(Skipped(file[start:], reason))
    masks: dict[str, Text] = {}
    for above, members in _above_classes(files, class_level).items():
        within = masks_among(root.absolute().parent / above, [file.removeprefix(above) for file in members])
        masks |= {f"{above}{file}"[start:]: reason for file, reason in within.items()}
    names = [file[start:] for file in sorted(files, key=sort_key)]
    return Listing(files=tuple(file for file in names if file not in masks), masks=masks, skipped=tuple(skipped))


def _above_classes(files: Sequence[str], class_level: int | None) -> Mapping[str, Sequence[str]]:
    """Return files by the folders above that of their class, "" of those in none, or in one called after masks.

    `files` begin with the name of the folder that is read.
    """
    found: dict[str, list[str]] = {}
    for file in files:
        folders = file.split("/")[:-1]
        place = 0 if class_level is None else class_level if class_level > 0 else len(folders) + class_level
        is_class = 0 < place < len(folders) and not is_mask_folder(folders[place])
        found.setdefault("".join(f"{folder}/" for folder in folders[:place]) if is_class else "", []).append(file)
    return found


def walk(root: Path, folder: str, inside: Path | None = None) -> Iterator[tuple[str, Text | str | None]]:
    """Yield every file below root/folder, relative to `root`, with the reason to skip it or None.

    Links are followed where they end `inside` a folder, by default `root`, or in one of `link_roots`; those to a folder
    that is read already are not.
    """
    real_root = Path(os.path.realpath(inside or root))
    linked: set[Path] = set()
    is_copy = root.is_relative_to(mirror_root())
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(root / current) as entries:
                children = sorted(entries, key=lambda item: item.name)
        except OSError as error:
            yield current, Text("reason.folder_cannot_opened", {"error": str(error.strerror or error)})
            continue
        for entry in children:
            if is_system_name(entry.name):
                continue
            file = f"{current}/{entry.name}"
            if not is_unicode(entry.name):
                yield printable(file), Text("reason.name_not_valid_unicode")
            elif is_link(entry):
                target = Path(os.path.realpath(entry.path))
                reason = reason_against_link(entry, target, real_root, linked)
                if reason is None and entry.is_dir():
                    linked.add(target)
                    pending.append(file)
                else:
                    yield file, reason
            elif entry.is_dir(follow_symlinks=False):
                pending.append(file)
            else:
                yield file, _reason_against_file(entry)
        if is_copy:
            for name, reason in not_copied(root / current).items():
                yield f"{current}/{name}", reason


def reason_against_link(
    entry: os.DirEntry[str], target: Path, real_root: Path, linked: Collection[Path] = ()
) -> Text | str | None:
    """Return why a link is not followed, None where it is; `linked`: folders that are read already by other links.

    `real_root`: the folder that is read. Of one for training or validation its data set may be read, too.
    """
    out = reason_against_target(target, real_root)
    if out is not None:
        return out
    if not entry.is_dir():
        return _reason_against_file(entry)
    read = any(target.is_relative_to(folder) or folder.is_relative_to(target) for folder in (real_root, *linked))
    return Text("reason.link_another_folder_links") if read else None


def reason_against_target(target: Path, real_root: Path) -> Text | None:
    """Return why what lies at a `target`, links followed, is not read for a folder, `real_root`; None where it may be."""
    whole = real_root.parent if split_of(real_root.name) is not None else real_root
    if any(target.is_relative_to(root) for root in (whole, *link_roots())):
        return None
    return Text("reason.link_leads_out_image", {"target": printable(str(target))})


def _reason_against_file(entry: os.DirEntry[str]) -> Text | None:
    if not entry.is_file():
        return reason_against_ending(entry.name) or Text("reason.not_regular_file")
    reason = reason_against_ending(entry.name)
    return None if reason is None or is_image_by_content(Path(entry.path)) else reason


def reason_against_file(path: Path) -> Text | None:
    """Return why a file is no image, by its ending or else its bytes: DICOM files have no certain ending."""
    reason = reason_against_ending(path.name)
    return None if reason is None or is_image_by_content(path) else reason


def reason_against_ending(name: str) -> Text | None:
    """Return why a file of this name is no image, or None where it may be one."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - asked of every file
    if suffix in IMAGE_SUFFIXES:
        return None
    return Text("reason.not_image_suffix", {"suffix": suffix}) if suffix else Text("reason.not_image_no_suffix")


def is_link(entry: os.DirEntry[str]) -> bool:
    # A junction is Windows' other link to a folder; Python can tell from 3.12 on.
    is_junction = getattr(entry, "is_junction", None)
    return entry.is_symlink() or (is_junction is not None and bool(is_junction()))


def is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def sort_key(file: str) -> tuple[str, str]:
    # macOS decomposes accents in names; composed again they sort as they do elsewhere.
    return unicodedata.normalize("NFC", file), file
