"""DICOM as a row of the table of decoders. pydicom takes time to import, and few need it: it comes with the first file."""

from pathlib import Path

from breastai.data.decoders.bit_depth import BitDepth
from breastai.data.decoders.decoder import Decoded, Decoder, FileHeader, Source
from breastai.data.decoders.dicom_file import is_dicom, read_header


def _frames(source: Source) -> list[int]:
    from breastai.data.decoders.dicom import frames_said

    header = read_header(source, ["NumberOfFrames"])
    return [] if header is None else list(range(1, frames_said(header) + 1))


def _header(source: Source) -> FileHeader | None:
    from breastai.data.decoders.dicom_headers import dicom_header

    return dicom_header(source)


def _pixels(content: bytes, name: str, number: int | None, bit_depth: BitDepth) -> Decoded:
    from breastai.data.decoders.dicom import decode_dicom

    return decode_dicom(content, name, number, bit_depth)


def _check_start(path: Path, name: str, beginning: bytes) -> None:
    """Pass every file: only its pixels tell whether it can be read."""


def _device(content: bytes) -> str | None:
    header = _header(content)
    return None if header is None else header.device


DICOM = Decoder(
    name="dicom",
    recognise=is_dicom,
    any_ending=True,
    single_endings=(),
    frames=_frames,
    header=_header,
    pixels=_pixels,
    check_start=_check_start,
    device=_device,
)
