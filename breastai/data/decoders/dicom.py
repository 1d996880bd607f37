"""DICOM: the pixels of a DICOM file as they are meant to be shown, 8 bits, grey or RGB."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import JPEGExtended12Bit

from breastai.data.decoders.bit_depth import DEEP_BITS, BitDepth, bits_needed
from breastai.data.decoders.decoder import Decoded
from breastai.data.decoders.dicom_display import Display, Rescale, Table, Window, display_of, value_of, whole
from breastai.data.decoders.dicom_file import Inflated, read_dataset, stream_size
from breastai.data.pixels import MAX_PIXELS, Pixels, in_rows, room_for, too_large
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

_ROWS = 256
# A header can claim any number.
_MOST_FRAMES = 10_000
_GREY = ("MONOCHROME1", "MONOCHROME2")

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


def decode_dicom(content: bytes, name: str, number: int | None = None, bit_depth: BitDepth = None) -> Decoded:
    """Return frame `number` of `content`, from 1 on, by default the middle one: modality LUT, VOI LUT or window, then MONOCHROME1 inverted.

    Grey has shape (H, W), colour (H, W, 3). Padding is black and takes part in nothing. Grey without a window is scaled
    by its BitsStored; where that is all of BitsAllocated it says no more than the size of the container, and `bit_depth`
    or else the fewest bits that hold the frame's values count; "image" stretches more than 8 bits over the frame's own
    range. No reason in ImageUnreadable holds a value of a patient's attribute.
    """
    try:
        dataset = read_dataset(content)
    except Inflated as error:
        raise ImageUnreadable(name, error.reason) from None
    except Exception as error:  # a damaged file makes the parser raise whatever its bytes lead to
        raise ImageUnreadable(name, Text("reason.not_readable_dicom_file", {"error": type(error).__name__})) from None
    rows, columns = (whole(dataset, key) or 0 for key in ("Rows", "Columns"))
    if rows < 1 or columns < 1 or value_of(dataset, "PixelData") is None:
        raise ImageUnreadable(name, Text("reason.dicom_file_holds_no"))
    if rows * columns > MAX_PIXELS:
        raise ImageUnreadable(name, too_large(columns, rows))
    frames = _complete(dataset)
    with room_for(_frame_bytes(dataset), name):
        return _decoded_frame(dataset, name, number, bit_depth, frames)


def _frame_bytes(dataset: Dataset) -> int:
    """Return what a frame takes once it is decoded and its table of colours applied, by its attributes."""
    samples = 3 if dataset.PhotometricInterpretation == "PALETTE COLOR" else int(dataset.SamplesPerPixel)
    return int(dataset.Rows) * int(dataset.Columns) * samples * max(1, int(dataset.BitsAllocated) // 8)


def _decoded_frame(dataset: Dataset, name: str, number: int | None, bit_depth: BitDepth, frames: int) -> Decoded:
    index = frames // 2 if number is None or frames == 1 else number - 1
    values = _frame(dataset, name, index, frames)
    photometric = str(dataset.PhotometricInterpretation)
    try:
        if photometric == "PALETTE COLOR":
            return Decoded(_to_8_bits_of(apply_color_lut(values, dataset)), pages=frames)
        if values.ndim == 3:
            return Decoded(_to_8_bits_of(values, int(dataset.BitsStored)), pages=frames)
        display = display_of(dataset, index)
        pixels, own_bits = _shown(values, dataset, display, photometric == "MONOCHROME1", bit_depth)
        return Decoded(pixels, own_bits, frames)
    except Exception as error:  # attributes that contradict each other make pydicom raise whatever they lead to
        raise ImageUnreadable(
            name, Text("reason.dicom_display_attributes_cannot", {"error": type(error).__name__})
        ) from None


def frames_said(header: Dataset) -> int:
    """Return how many frames a header says there are."""
    return max(1, min(whole(header, "NumberOfFrames") or 1, _MOST_FRAMES))


def _complete(dataset: Dataset) -> int:
    """Put in what the attributes of the pixels leave unsaid; return the number of frames.

    Where HighBit lies above the stored bits, those below them are read as stored, to be shifted out.
    """
    frames = whole(dataset, "NumberOfFrames") or 1
    samples = whole(dataset, "SamplesPerPixel") or 1
    allocated = whole(dataset, "BitsAllocated")
    if not allocated:
        pixels = int(dataset.Rows) * int(dataset.Columns) * samples * frames
        allocated = max(8, len(dataset.PixelData) // pixels * 8)
    stored = whole(dataset, "BitsStored")
    if not stored or stored > allocated:
        stored = allocated
    dataset.NumberOfFrames, dataset.SamplesPerPixel, dataset.BitsAllocated = frames, samples, allocated
    dataset.BitsStored = stored
    high_bit = whole(dataset, "HighBit")
    dataset.HighBit = high_bit if high_bit is not None and stored - 1 <= high_bit < allocated else stored - 1
    dataset.PixelRepresentation = 1 if whole(dataset, "PixelRepresentation") == 1 else 0
    said = str(value_of(dataset, "PhotometricInterpretation") or "").strip().upper()
    if samples == 1:
        dataset.PhotometricInterpretation = said if said in (*_GREY, "PALETTE COLOR") else "MONOCHROME2"
    else:
        # Baseline JPEG of colour is YCbCr where nothing says otherwise (PS3.5 8.2.1).
        is_jpeg = str(dataset.file_meta.TransferSyntaxUID) in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
        dataset.PhotometricInterpretation = said if said and said not in _GREY else "YBR_FULL" if is_jpeg else "RGB"
        dataset.PlanarConfiguration = whole(dataset, "PlanarConfiguration") or 0
    return frames


def _frame(dataset: Dataset, name: str, index: int, frames: int) -> npt.NDArray[Any]:
    if index >= frames:
        raise ImageUnreadable(name, Text("reason.frame_asked_dicom_file", {"frame": index + 1, "frames": frames}))
    below = int(dataset.HighBit) + 1 - int(dataset.BitsStored)
    stored = int(dataset.BitsStored)
    try:
        dataset.BitsStored = stored + below
        values = _decoded(dataset, index)
        return values >> below if below and np.issubdtype(values.dtype, np.integer) else values
    except Exception as error:  # pydicom's plugins raise whatever the bytes make them
        syntax = dataset.file_meta.TransferSyntaxUID
        if not syntax.is_encapsulated:
            raise ImageUnreadable(name, Text("reason.pixel_data_cut_short")) from None
        package = next((package for start, package in _DECODERS if start in syntax.name), None)
        unsupported = isinstance(error, RuntimeError | NotImplementedError | AttributeError)
        code = "reason.transfer_syntax_package" if package and unsupported else "reason.transfer_syntax"
        params = {"name": syntax.name, "syntax": str(syntax), "package": package}
        raise ImageUnreadable(name, Text(code, params)) from None
    finally:
        dataset.BitsStored = stored


def _decoded(dataset: Dataset, index: int) -> npt.NDArray[Any]:
    """Return a frame's values, colour as RGB, by the first installed decoder that takes them; raise what the last raises."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return pixel_array(dataset, index=index)
    _check_stream(get_frame(dataset.PixelData, index, number_of_frames=int(dataset.NumberOfFrames)), dataset)
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


def _check_stream(stream: bytes, dataset: Dataset) -> None:
    """Raise ValueError for a stream that says it is larger than its header does: a decoder goes by the stream."""
    size = stream_size(stream)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if size is not None and size[0] * size[1] > max(4 * rows * columns, 1 << 20):
        raise ValueError(f"the stream has {size[0]} x {size[1]} pixels, its header {columns} x {rows}")


def _twelve_bit_jpeg(dataset: Dataset, index: int) -> npt.NDArray[Any]:
    """Return a grey frame of 12-bit JPEG, which of pydicom's plugins only one of a licence that is not ours decodes."""
    try:
        import imagecodecs
    except ModuleNotFoundError:
        raise NotImplementedError("imagecodecs is not installed") from None
    coded = get_frame(dataset.PixelData, index, number_of_frames=int(dataset.NumberOfFrames))
    values: npt.NDArray[Any] = imagecodecs.jpeg8_decode(coded)
    if values.shape != (dataset.Rows, dataset.Columns):
        raise ValueError(f"expected {dataset.Rows} x {dataset.Columns} grey values, got {values.shape}")
    return values


def _shown(
    values: npt.NDArray[Any], dataset: Dataset, display: Display, inverted: bool, bit_depth: BitDepth
) -> tuple[Pixels, int | None]:
    """Return grey `values` as they are shown, and the fewest bits that hold them where no attribute says their depth."""
    image = values if display.padding is None else _without(values, display.padding)
    if image.size == 0:  # padding throughout
        return np.zeros(values.shape, np.uint8), None
    low, high = int(image.min()), int(image.max())
    own_bits = None
    ends = (0.0, 1.0)
    if not isinstance(display.voi, Window):
        ends, own_bits = _ends(display, dataset, low, high, bit_depth)

    def grey(some: npt.NDArray[Any]) -> Pixels:
        pixels = _through(some, display, ends)
        pixels = 255 - pixels if inverted else pixels
        if display.padding is not None:
            pixels[(some >= display.padding[0]) & (some <= display.padding[1])] = 0
        return pixels

    return _by_table(values, grey), own_bits


def _without(values: npt.NDArray[Any], padding: tuple[int, int]) -> npt.NDArray[Any]:
    return values[(values < padding[0]) | (values > padding[1])]


def _by_table(values: npt.NDArray[Any], shown: Callable[[npt.NDArray[Any]], Pixels]) -> Pixels:
    """Return shown(values), worked out once for each value that may occur: a mammogram has 14 million pixels."""
    low, high = int(values.min()), int(values.max())
    if not np.issubdtype(values.dtype, np.integer) or high - low >= 1 << 16:
        return in_rows(values, shown)
    table = shown(np.arange(low, high + 1, dtype=np.int64))
    pixels: Pixels = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):  # an index takes eight bytes a pixel
        rows = values[start : start + _ROWS]
        np.take(table, np.subtract(rows, low, dtype=np.int64), out=pixels[start : start + _ROWS])
    return pixels


def _through(values: npt.NDArray[Any], display: Display, ends: tuple[float, float]) -> Pixels:
    """Return stored `values` through the modality and the VOI transformation, scaled to 0..255 between `ends`."""
    real = display.modality(values)
    shown = real if display.voi is None else display.voi(real)
    low, high = ends
    scaled = (shown - low) / (high - low) if high > low else np.zeros_like(shown)
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def _ends(
    display: Display, dataset: Dataset, low: int, high: int, bit_depth: BitDepth
) -> tuple[tuple[float, float], int | None]:
    """Return what stands for black and white where no window says it, and the frame's own bits if its depth is unsaid.

    `low` and `high`: the frame's stored values, padding left out.
    """
    if isinstance(display.voi, Table):
        return (0.0, display.voi.largest), None
    stored, signed = int(dataset.BitsStored), bool(dataset.PixelRepresentation)
    if bit_depth == "image" and stored > 8:
        if isinstance(display.modality, Table):
            real = display.modality(np.arange(low, high + 1))
            return (float(real.min()), float(real.max())), None
        return _sorted(display.modality, low, high), None
    if isinstance(display.modality, Table):
        return (0.0, display.modality.largest), None
    bits, own_bits = stored, None
    if stored > 8 and stored == int(dataset.BitsAllocated):
        own_bits = _bits_of(low, high, signed)
        bits = min(stored, bit_depth if isinstance(bit_depth, int) else own_bits)
    ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return _sorted(display.modality, *ends), own_bits


def _sorted(modality: Rescale, low: int, high: int) -> tuple[float, float]:
    first, second = (end * modality.slope + modality.intercept for end in (low, high))
    return min(first, second), max(first, second)


def _bits_of(low: int, high: int, signed: bool) -> int:
    """Return the fewest of DEEP_BITS that hold values from `low` to `high`."""
    if not signed:
        return bits_needed(high)
    return next((bits for bits in DEEP_BITS if max(-low - 1, high) < 1 << (bits - 1)), DEEP_BITS[-1])


def _to_8_bits_of(values: npt.NDArray[Any], bits: int | None = None) -> Pixels:
    """Return colour `values` of `bits` bits (those of their type when None), 8 bits each."""
    largest = (1 << (bits or values.dtype.itemsize * 8)) - 1
    if largest == 255:
        return values.astype(np.uint8)

    def scaled(rows: npt.NDArray[Any]) -> Pixels:
        return np.rint(np.clip(rows.astype(np.float64) / largest, 0, 1) * 255).astype(np.uint8)

    return in_rows(values, scaled)


def decoded_frames(dataset: Dataset, name: str) -> Iterator[npt.NDArray[Any]]:
    """Yield the stored values of every frame, (H, W) or RGB (H, W, 3), before any table or window; raise ImageUnreadable.

    What the attributes of the pixels leave unsaid is put in.
    """
    frames = _complete(dataset)
    for index in range(frames):
        with room_for(_frame_bytes(dataset), name):
            values = _frame(dataset, name, index, frames)
        yield values
