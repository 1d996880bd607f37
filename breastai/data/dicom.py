"""DICOM: the pixels of a DICOM file as they are meant to be shown, 8 bits, grey or RGB."""

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import JPEGExtended12Bit

from breastai.data.decode import MAX_PIXELS, Pixels, too_large
from breastai.domain.errors import ImageUnreadable

# pydicom remarks on attributes that do not follow the standard, as warnings and to its log, some with their values; the
# pixels do not depend on them, and no log of ours holds a patient's attribute.
warnings.filterwarnings("ignore", module=r"pydicom\.")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

_ROWS = 256
# A header can claim any number.
_MOST_FRAMES = 10_000

# In this order, so that those of the base install come first: a file shows the same pixels whatever else is installed.
_PLUGINS = ("pydicom", "pillow", "pylibjpeg", "pyjpegls", "gdcm")
# What decodes a transfer syntax when the packages of the base install do not; all come with the extra dicom.
_DECODERS = (
    ("JPEG-LS", "pyjpegls"),
    ("JPEG Extended", "imagecodecs"),
    ("High-Throughput", "pylibjpeg pylibjpeg-openjpeg"),
    ("JPEG 2000", "pylibjpeg pylibjpeg-openjpeg"),
    ("JPEG", "python-gdcm"),
)


def decode_dicom(content: bytes, name: str, number: int | None = None) -> Pixels:
    """Return frame `number` of `content`, from 1 on, by default the middle one: modality LUT, VOI LUT or window, then MONOCHROME1 inverted.

    Grey has shape (H, W), colour (H, W, 3). Grey without a window is stretched over its own range when it has
    more than 8 bits. No reason in ImageUnreadable holds a value of a patient's attribute.
    """
    dataset = _read(content, name)
    rows, columns = (int(dataset.get(key, 0) or 0) for key in ("Rows", "Columns"))
    if rows < 1 or columns < 1 or "PixelData" not in dataset:
        raise ImageUnreadable(name, "the DICOM file holds no image")
    if rows * columns > MAX_PIXELS:
        raise ImageUnreadable(name, too_large(columns, rows))
    values = _frame(dataset, name, number)
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    try:
        if photometric == "PALETTE COLOR":
            return _to_8_bits_of(apply_color_lut(values, dataset))
        if values.ndim == 3:
            return _to_8_bits_of(values, int(dataset.BitsStored))
        return _by_table(values, dataset, inverted=photometric == "MONOCHROME1")
    except Exception as error:  # attributes that contradict each other make pydicom raise whatever they lead to
        raise ImageUnreadable(name, f"its DICOM display attributes can't be used ({type(error).__name__})") from None


def frames_in(path: Path) -> int:
    """Return how many frames a DICOM file says it has; 1 of any other file, and of one that can't be read."""
    try:
        with path.open("rb") as file:
            if file.read(132)[128:] != b"DICM" and path.suffix.lower() not in (".dcm", ".dicom"):
                return 1
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["NumberOfFrames"])
        return max(1, min(int(header.get("NumberOfFrames", 1) or 1), _MOST_FRAMES))
    except Exception:  # a damaged file makes the parser raise whatever its bytes lead to
        return 1


def patient_in_header(path: Path) -> str | None:
    """Return the patient id in a DICOM file's header, None when there is none or the file is no DICOM file."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["PatientID"])
        return str(header.get("PatientID") or "").strip() or None
    except Exception:  # a damaged file makes the parser raise whatever its bytes lead to
        return None


def burned_in_annotation(content: bytes) -> bool:
    """Return whether the header in `content` says that text or marks are part of the pixels."""
    try:
        header = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, specific_tags=["BurnedInAnnotation"])
        return str(header.get("BurnedInAnnotation") or "").strip().upper() == "YES"
    except Exception:  # a damaged file makes the parser raise whatever its bytes lead to
        return False


def _read(content: bytes, name: str) -> Dataset:
    try:
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        _ = dataset.file_meta.TransferSyntaxUID.name
        return dataset
    except Exception as error:  # a damaged file makes the parser raise whatever its bytes lead to
        raise ImageUnreadable(name, f"it is not a readable DICOM file ({type(error).__name__})") from None


def _frame(dataset: Dataset, name: str, number: int | None) -> npt.NDArray[Any]:
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    if frames > 1 and number is not None and number > frames:
        raise ImageUnreadable(name, f"frame {number} was asked for, and the DICOM file has {frames}")
    try:
        return _decoded(dataset, frames // 2 if number is None or frames == 1 else number - 1)
    except Exception as error:  # pydicom's plugins raise whatever the bytes make them
        syntax = dataset.file_meta.TransferSyntaxUID
        if not syntax.is_encapsulated:
            raise ImageUnreadable(name, "its pixel data are cut short or damaged") from None
        package = next((package for start, package in _DECODERS if start in syntax.name), None)
        unsupported = isinstance(error, RuntimeError | NotImplementedError | AttributeError)
        hint = f"; if the file is sound, this decodes it: pip install {package}" if package and unsupported else ""
        raise ImageUnreadable(
            name, f"its transfer syntax {syntax.name} ({syntax}) could not be decoded{hint}"
        ) from None


def _decoded(dataset: Dataset, index: int) -> npt.NDArray[Any]:
    """Return a frame's values, colour as RGB, by the first installed decoder that takes them; raise what the last raises."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return pixel_array(dataset, index=index)
    if syntax == JPEGExtended12Bit and int(dataset.BitsStored) > 8:
        return _twelve_bit_jpeg(dataset, index)
    available = get_decoder(syntax).available_plugins
    fault: Exception = NotImplementedError(f"no decoder for {syntax.name} is installed")
    for plugin in _PLUGINS:
        if plugin in available:
            try:
                return pixel_array(dataset, index=index, decoding_plugin=plugin)
            except Exception as error:  # plugins raise whatever the bytes make them
                fault = error
    raise fault


def _twelve_bit_jpeg(dataset: Dataset, index: int) -> npt.NDArray[Any]:
    """Return a grey frame of 12-bit JPEG, which of pydicom's plugins only one of a licence that is not ours decodes."""
    try:
        import imagecodecs
    except ModuleNotFoundError:
        raise NotImplementedError("imagecodecs is not installed") from None
    coded = get_frame(dataset.PixelData, index, number_of_frames=int(dataset.get("NumberOfFrames", 1) or 1))
    values: npt.NDArray[Any] = imagecodecs.jpeg8_decode(coded)
    if values.shape != (dataset.Rows, dataset.Columns):
        raise ValueError(f"expected {dataset.Rows} x {dataset.Columns} grey values, got {values.shape}")
    return values


def _by_table(values: npt.NDArray[Any], dataset: Dataset, inverted: bool) -> Pixels:
    """Return what `_shown` does, worked out once for each value that may occur: a mammogram has 14 million pixels."""
    low, high = int(values.min()), int(values.max())
    if not np.issubdtype(values.dtype, np.integer) or high - low >= 1 << 16:
        return _shown(values, dataset, inverted)
    table = _shown(np.arange(low, high + 1).astype(values.dtype), dataset, inverted)
    shown: Pixels = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):  # an index takes eight bytes a pixel
        rows = values[start : start + _ROWS]
        np.take(table, np.subtract(rows, low, dtype=np.int64), out=shown[start : start + _ROWS])
    return shown


def _shown(values: npt.NDArray[Any], dataset: Dataset, inverted: bool) -> Pixels:
    """Return grey `values` through the modality LUT and the VOI LUT or window, scaled to 0..255."""
    real = apply_modality_lut(values, dataset)
    shown = np.asarray(apply_voi_lut(real, dataset), dtype=np.float64)
    low, high = _output_range(real, shown, dataset)
    scaled = (shown - low) / (high - low) if high > low else np.zeros_like(shown)
    pixels = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return 255 - pixels if inverted else pixels


def _output_range(real: npt.NDArray[Any], shown: npt.NDArray[np.float64], dataset: Dataset) -> tuple[float, float]:
    """Return the values that stand for black and white in `shown`."""
    if "VOILUTSequence" in dataset:
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return 0.0, float((1 << bits) - 1)
    signed, bits = bool(dataset.PixelRepresentation), int(dataset.BitsStored)
    ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if "ModalityLUTSequence" in dataset:
        ends = (0, (1 << int(dataset.ModalityLUTSequence[0].LUTDescriptor[2])) - 1)
        slope, intercept = 1.0, 0.0
    else:
        slope, intercept = float(dataset.get("RescaleSlope", 1) or 1), float(dataset.get("RescaleIntercept", 0) or 0)
    windowed = "WindowCenter" in dataset and "WindowWidth" in dataset
    if not windowed and bits > 8:
        return float(real.min()), float(real.max())
    low, high = sorted(end * slope + intercept for end in ends)
    return low, high


def _to_8_bits_of(values: npt.NDArray[Any], bits: int | None = None) -> Pixels:
    """Return colour `values` of `bits` bits (those of their type when None), 8 bits each."""
    largest = (1 << (bits or values.dtype.itemsize * 8)) - 1
    if largest == 255:
        return values.astype(np.uint8)
    return np.rint(np.clip(values.astype(np.float64) / largest, 0, 1) * 255).astype(np.uint8)
