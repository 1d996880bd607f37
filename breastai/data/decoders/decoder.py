"""A decoder: what is known of one kind of image file, each kind a row of the table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from breastai.data.decoders.bit_depth import BitDepth
from breastai.data.pixels import Pixels

Side = Literal["L", "R", "B"]
# A file by its path, of which only as much is read as is needed, or by its content.
Source = Path | bytes


@dataclass(frozen=True, eq=False)
class Decoded:
    """An image, and what its reader should know of how it was read.

    `pixels`: uint8, (H, W, 1) grey or (H, W, 3) RGB. `own_bits`: the fewest bits that hold its values where its file does
    not say how many they have, else None. `pages`: pages or frames in its file, of which it is one.
    """

    pixels: Pixels
    own_bits: int | None = None
    pages: int = 1


@dataclass(frozen=True)
class Header:
    """`laterality` L, R or B (both), `view` CC, MLO and so on, `modality` US, MG and so on; None where it does not say.

    Known codes and nothing else: it may be kept and shown.
    """

    laterality: Side | None = None
    view: str | None = None
    modality: str | None = None


NO_HEADER = Header()


@dataclass(frozen=True, repr=False)
class FileHeader:
    """All that is read of a file's header. What may name a person stays where it is asked for, and is never shown.

    `patient_id`, `series`: as the file says them. `device`: maker and model. `is_segmentation`: it holds no image but
    regions of one. `says_burned_in`: text or marks are part of the pixels.
    """

    codes: Header = NO_HEADER
    patient_id: str | None = None
    series: str = ""
    device: str | None = None
    is_segmentation: bool = False
    says_burned_in: bool = False


@dataclass(frozen=True)
class Decoder:
    """One kind of image file.

    `recognise(beginning)`: whether a file that begins so is of this kind. `any_ending`: it is one whatever it is called.
    `single_endings`: endings of files that hold one image for certain. `frames(source)`: the numbers, from 1 on, of the
    images in a file. `header(source)`: what its header says; None without one that can be read. `pixels(content, name,
    number, bit_depth)`: its image, or image `number` of several; raises ImageUnreadable. `check_start(path, name,
    beginning)`: raises ImageUnreadable where the beginning shows already that it can't be read. `device(content)`: what
    made the image.
    """

    name: str
    recognise: Callable[[bytes], bool]
    any_ending: bool
    single_endings: tuple[str, ...]
    frames: Callable[[Source], list[int]]
    header: Callable[[Source], FileHeader | None]
    pixels: Callable[[bytes, str, int | None, BitDepth], Decoded]
    check_start: Callable[[Path, str, bytes], None]
    device: Callable[[bytes], str | None]
