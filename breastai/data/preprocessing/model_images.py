"""Reading: images as a model sees them, decoded by its settings and refused without content, and what to tell of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from breastai.data.decoders.bit_depth import disagrees
from breastai.data.decoders.decoder import Decoded
from breastai.data.decoders.decoder_table import decode_image
from breastai.data.decoders.file_content import frame_of, read_content
from breastai.data.preprocessing.content import check_content
from breastai.domain.config import PreprocessingSettings
from breastai.domain.events import Log
from breastai.domain.text import Text


def read_for(path: Path, settings: PreprocessingSettings) -> Decoded:
    """Return the image at `path` as `decode_for` does."""
    name = path.as_posix()
    return decode_for(read_content(path, name), name, settings)


def decode_for(content: bytes, name: str, settings: PreprocessingSettings) -> Decoded:
    """Return an image as `settings` have it decoded; raise ImageUnreadable, also where it shows nothing."""
    decoded = decode_image(content, name, settings.bit_depth)
    check_content(decoded.pixels, name)
    return decoded


def reading_notes(decoded: Decoded, name: str, settings: PreprocessingSettings) -> list[Text]:
    """Return what who asks about one image must know of how it was read."""
    notes: list[Text] = []
    pages, own, depth = decoded.pages, decoded.own_bits, settings.bit_depth
    if pages > 1 and frame_of(name)[1] is None:
        notes.append(Text("note.pages", {"pages": pages}))
    how = disagrees(own, depth)
    if how == "brighter":
        notes.append(Text("note.brighter", {"own": own, "depth": depth}))
    elif how == "darker":
        notes.append(Text("note.darker", {"own": own, "depth": depth}))
    elif own is not None and not isinstance(depth, int):
        notes.append(Text("note.depth_unknown", {"own": own}))
    return notes


def reading_logs(
    files: Sequence[str], own_bits: Sequence[int | None], pages: Sequence[int], settings: PreprocessingSettings
) -> Iterator[Log]:
    """Yield what must be told of how a set of images was read, given for each what `Decoded` says."""
    several = [
        (file, count) for file, count in zip(files, pages, strict=True) if count > 1 and frame_of(file)[1] is None
    ]
    if several:
        file, count = several[0]
        yield Log(
            level="warning",
            code="data.pages",
            message=f"{len(several)} files have several pages or frames, the first: {file} ({count}). Of each one was "
            "read: the largest page, of DICOM the middle frame. preprocessing.frames=each takes all.",
            params={"count": len(several), "file": file, "pages": count},
        )
    depth = settings.bit_depth
    other = [(file, own) for file, own in zip(files, own_bits, strict=True) if disagrees(own, depth)]
    if other:
        file, own = other[0]
        yield Log(
            level="warning",
            code="data.bit_depth",
            message=f"{len(other)} images are of another bit depth than {depth}, by which all are read, the first: {file} "
            f"({own} bits). They come out too dark, or white where they are brighter.",
            params={"count": len(other), "depth": depth, "file": file, "bits": own},
        )
    deep = [file for file, own in zip(files, own_bits, strict=True) if own is not None]
    if deep and not isinstance(depth, int):
        yield Log(
            level="warning",
            code="data.bit_depth_unknown",
            message=f"{len(deep)} files of 16 bits do not say how many of them count, nor does the model, the first: "
            f"{deep[0]}. Each is read by its own brightest pixel.",
            params={"count": len(deep), "file": deep[0]},
        )
