"""The image files a user asks about: names, patterns and folders become a list of files."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from breastai.data.decode import file_at
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.errors import ImageUnreadable, NoImages

_MASK = re.compile(r".+_mask(_\d+)?", re.IGNORECASE)


def image_files(wanted: Sequence[str], folder: Path) -> list[Path]:
    """Return the files `wanted` means, each once, in its order; relative names are relative to `folder`.

    A folder gives the image files below it in order of name, hidden ones and masks left out; a pattern is one that no
    shell has expanded. A file named outright is taken whatever its ending, and so is a frame of one, clip.dcm#3. Raises ImageUnreadable for a name without
    a file, and NoImages for a folder or pattern without images.
    """
    found: dict[Path, None] = {}
    for text in wanted:
        path = folder / Path(text).expanduser()
        if path.is_dir():
            files = list(_images_below(path))
        elif file_at(path).exists():
            files = [path]
        elif glob.has_magic(text):
            matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 - a Path's glob takes no absolute pattern
            files = [file for file in matches if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES]
        else:
            raise ImageUnreadable(text, "there is no such file or folder")
        if not files:
            raise NoImages(text, list(IMAGE_SUFFIXES))
        found |= dict.fromkeys(files)
    return list(found)


def _images_below(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            hidden_or_mask = name.startswith(".") or _MASK.fullmatch(path.stem)
            if path.suffix.lower() in IMAGE_SUFFIXES and not hidden_or_mask:
                yield path
