"""Arrays in .npz files that lie beside checkpoints and audits: read within bounds, since such a folder can come from anywhere."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_UNPACKED_BYTES = 2**30
_FAULTS = (OSError, ValueError, KeyError, EOFError, MemoryError, OverflowError, zipfile.BadZipFile, zlib.error)


def read_arrays(path: Path, names: Sequence[str]) -> list[npt.NDArray[Any]] | None:
    """Return the arrays called `names` of a file; None without one that can be read, and of one that unpacks to over 1 GiB."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED_BYTES:
                return None
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in names]
    except _FAULTS:
        return None
