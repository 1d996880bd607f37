"""The kinds of files a backup holds: their names, the order they are put back in, and how much of each there may be.

A backup can come from anybody. What it may cost is bounded before and while it is unpacked, by what a run can have
written; nothing larger comes to lie where every page that connects has it read.
"""

import logging
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from breastai.domain.text import Text
from breastai.storage.journal import MOST_JOURNAL_BYTES, MOST_LINE_BYTES

_LOG = logging.getLogger("breastai")

MOST_FILES = 200_000
_MIB = 2**20
_RUN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
# Text of a run shrinks some 5 to 40 times; deflate itself reaches 1,000. Small files are spared the question.
_MOST_RATIO = 200
_RATIO_FROM_BYTES = 16 * _MIB
_STORED_ABOVE_RATIO = 50


@dataclass(frozen=True)
class FileKind:
    """`pattern`: of names relative to the workspace; `most_bytes`: unpacked; `in_lines`: a JSON object a line."""

    pattern: re.Pattern[str]
    most_bytes: int
    in_lines: bool = False


# Nothing else goes in, and nothing else comes out. Weights come before the manifest that vouches for them.
KINDS = tuple(
    FileKind(re.compile(pattern), most_bytes, in_lines)
    for pattern, most_bytes, in_lines in (
        (rf"checkpoints/{_RUN}/best(\.state-[0-9a-f]{{1,16}})?\.safetensors", 16 * 1024 * _MIB, False),
        (rf"checkpoints/{_RUN}/best\.json", 256 * _MIB, False),
        (rf"logs/{_RUN}/events\.jsonl", MOST_JOURNAL_BYTES, True),
        (rf"logs/{_RUN}/split\.json", 512 * _MIB, False),
        (rf"logs/{_RUN}/evaluations/[A-Za-z0-9._-]{{1,80}}\.json", 512 * _MIB, False),
        # The numbers of a report. The pages made of them can hold pictures, and come again from the numbers.
        (rf"logs/{_RUN}/report/report\.[a-z]{{2,3}}\.json", 256 * _MIB, False),
        (rf"logs/{_RUN}/notes\.json", _MIB, False),
        (rf"logs/{_RUN}/study\.json", 64 * _MIB, False),
        (rf"logs/{_RUN}/(comparison|readers)\.json", 64 * _MIB, False),
        (r"logs/test_sets\.jsonl", 64 * _MIB, True),
        (r"config\.json", _MIB, False),
        (rf"configs/{_RUN}\.json", _MIB, False),
        (rf"datasets/{_RUN}\.json", 64 * _MIB, False),
    )
)


def rank_of(name: str) -> int:
    """Return the place of a file's kind among KINDS, in which order files are put back; their number when it is none."""
    return next((rank for rank, kind in enumerate(KINDS) if kind.pattern.fullmatch(name)), len(KINDS))


def goes_in(path: Path, name: str) -> bool:
    """Return whether a file of the workspace belongs in a backup: of a kind, and as one of that kind can be.

    One that could not come back must not keep all others from being backed up: it is left out, and the log names it.
    """
    rank = rank_of(name)
    if rank == len(KINDS):
        return False
    if path.stat().st_size > KINDS[rank].most_bytes or not _has_lines(path, name):
        _LOG.warning("%s is left out of the backup: it is larger, or has a longer line, than a run can write", name)
        return False
    return True


def _has_lines(path: Path, name: str) -> bool:
    if not KINDS[rank_of(name)].in_lines:
        return True
    look_at = check_lines(name, ValueError)
    try:
        with path.open("rb") as file:
            while piece := file.read(_MIB):
                look_at(piece)
    except ValueError:
        return False
    return True


def packing_of(path: Path) -> int:
    """Return how a file is put into the zip: what shrinks beyond what is believed later is stored as it is."""
    if path.suffix == ".safetensors":
        return zipfile.ZIP_STORED
    if path.stat().st_size > _RATIO_FROM_BYTES:
        with path.open("rb") as file:
            beginning = file.read(_MIB)
        if len(beginning) > _STORED_ABOVE_RATIO * len(zlib.compress(beginning)):
            return zipfile.ZIP_STORED
    return zipfile.ZIP_DEFLATED


def reason_against(entry: zipfile.ZipInfo) -> Text | None:
    """Return why an entry is larger than one of its kind can be, by what the zip says of it; None when it may be read."""
    kind = KINDS[rank_of(entry.filename)]
    if entry.file_size > kind.most_bytes:
        return Text("reason.file_too_large", {"file": entry.filename, "most_mib": kind.most_bytes // _MIB})
    packed = entry.compress_type != zipfile.ZIP_STORED
    if packed and entry.filename.endswith(".safetensors"):
        return Text("reason.compressed", {"file": entry.filename})  # a backup of ours never has weights so
    if packed and entry.file_size > _RATIO_FROM_BYTES and entry.file_size > _MOST_RATIO * entry.compress_size:
        return Text("reason.unpacks_more_times_size", {"file": entry.filename, "times": _MOST_RATIO})
    return None


def check_lines(name: str, refuse: Callable[[Text], Exception]) -> Callable[[bytes], None]:
    """Return what is to be given each piece of a file as it is unpacked: it raises once a line is endless."""
    if not KINDS[rank_of(name)].in_lines:
        return lambda piece: None
    length = 0

    def look_at(piece: bytes) -> None:
        nonlocal length
        first = piece.find(b"\n")
        longest = length + (len(piece) if first < 0 else first)
        if longest > MOST_LINE_BYTES:
            raise refuse(Text("reason.line_too_long", {"name": name, "most_mib": MOST_LINE_BYTES // _MIB}))
        length = longest if first < 0 else len(piece) - piece.rfind(b"\n") - 1

    return look_at
