"""Devices: which machine made an image, by the maker and model that its header or EXIF names."""

import io

from PIL import Image

from breastai.data.decoders.dicom_file import read_header

_TAGS = ("Manufacturer", "ManufacturerModelName")
_EXIF = (0x010F, 0x0110)
_LONGEST = 40


def device_of(content: bytes) -> str | None:
    """Return maker and model of what made an image, given the bytes of its file; None where they are not said."""
    header = read_header(content, _TAGS)
    if header is not None:
        return _joined([header.get(tag) for tag in _TAGS])
    try:
        with Image.open(io.BytesIO(content)) as image:
            exif = image.getexif()
        return _joined([exif.get(tag) for tag in _EXIF])
    except Exception:  # damaged metadata name no device
        return None


def _joined(parts: list[object]) -> str | None:
    said = [
        " ".join("".join(c if c.isprintable() else " " for c in str(part or "")).split())[:_LONGEST] for part in parts
    ]
    return " ".join(part for part in said if part) or None
