"""How a DICOM frame is meant to be shown: rescale or modality LUT, VOI LUT or window, padding, as its header says.

The one place that asks whether a display attribute says anything. One that is absent, empty or unusable (no number, a
slope of 0, a table without entries, a window without width) says nothing, and the next place is asked: the root of the
data set, then the shared functional groups, then those of the frame (PS3.3 C.7.6.16).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

Floats = npt.NDArray[np.float64]
Found = TypeVar("Found")

_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True)
class Rescale:
    """The modality transformation `slope` * value + `intercept`."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, values: npt.NDArray[Any]) -> Floats:
        return values.astype(np.float64) * self.slope + self.intercept


@dataclass(frozen=True, eq=False)
class Table:
    """A modality or VOI LUT: `entries` of `bits` bits, the first for the value `first` and all below."""

    first: int
    entries: npt.NDArray[np.int64]
    bits: int

    def __call__(self, values: npt.NDArray[Any]) -> Floats:
        places = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1).astype(np.int64)
        entries: Floats = self.entries[places].astype(np.float64)
        return entries

    @property
    def largest(self) -> float:
        return float((1 << self.bits) - 1)


@dataclass(frozen=True)
class Window:
    """A window of PS3.3 C.11.2.1.2 and C.11.2.1.3: `function` of values around `centre`, over `width`."""

    centre: float
    width: float
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"] = "LINEAR"

    def __call__(self, values: Floats) -> Floats:
        """Return `values` through the window, from 0 for black to 1 for white."""
        if self.function == "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (values - self.centre) / self.width, -700, 700)))
        if self.function == "LINEAR_EXACT" or self.width < 1:  # LINEAR is not defined below 1
            return (values - self.centre) / self.width + 0.5
        if self.width == 1:
            return (values > self.centre - 0.5).astype(np.float64)
        return (values - (self.centre - 0.5)) / (self.width - 1) + 0.5


@dataclass(frozen=True)
class Display:
    """What a header says of one frame; `padding`: the lowest and the highest stored value that is no part of the image."""

    modality: Rescale | Table
    voi: Window | Table | None
    padding: tuple[int, int] | None


def display_of(dataset: Dataset, frame: int) -> Display:
    """Return how frame number `frame`, from 0 on, is shown."""
    signed = whole(dataset, "PixelRepresentation") == 1
    modality: list[Rescale | Table | None] = [
        _modality(place, signed) for place in _places(dataset, frame, "PixelValueTransformationSequence")
    ]
    voi: list[Window | Table | None] = [_voi(place, signed) for place in _places(dataset, frame, "FrameVOILUTSequence")]
    said = next((each for each in voi if each is not None), None)
    return Display(_first(modality) or Rescale(), said, _padding(dataset, signed))


def value_of(dataset: Dataset, keyword: str) -> Any:
    """Return the value of an attribute; None where it is absent, empty, or not what its VR allows."""
    try:
        value = dataset.get(keyword)
        return None if value is None or (hasattr(value, "__len__") and len(value) == 0) else value
    except Exception:  # pydicom converts on access, and raises whatever the text leads to
        return None


def numbers(dataset: Dataset, keyword: str) -> list[float | None]:
    """Return the values of an attribute of any multiplicity, None for each that is no finite number."""
    value = value_of(dataset, keyword)
    several = value if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    return [_number(each) for each in several]


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value of an attribute, None when that is no finite number."""
    return numbers(dataset, keyword)[0]


def whole(dataset: Dataset, keyword: str) -> int | None:
    """Return the first value of an attribute as a whole number, None when it says none."""
    value = number(dataset, keyword)
    return None if value is None else int(value)


def items(dataset: Dataset, keyword: str) -> Iterator[Dataset]:
    """Yield the items of a sequence; none where it is absent, empty, or no sequence."""
    value = value_of(dataset, keyword)
    if value is not None and not isinstance(value, str | bytes):
        yield from (item for item in value if isinstance(item, Dataset))


def functional_groups(dataset: Dataset, frame: int) -> Iterator[Dataset]:
    """Yield the functional groups that speak of a frame: the shared ones, then its own."""
    yield from items(dataset, "SharedFunctionalGroupsSequence")
    own = list(items(dataset, "PerFrameFunctionalGroupsSequence"))
    if frame < len(own):
        yield own[frame]


def _places(dataset: Dataset, frame: int, macro: str) -> Iterator[Dataset]:
    yield dataset
    for group in functional_groups(dataset, frame):
        yield from items(group, macro)


def _first(found: Iterable[Found | None]) -> Found | None:
    return next((each for each in found if each is not None), None)


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _modality(place: Dataset, signed: bool) -> Rescale | Table | None:
    table = _first(_table(item, signed) for item in items(place, "ModalityLUTSequence"))
    if table is not None:
        return table
    slope, intercept = number(place, "RescaleSlope") or None, number(place, "RescaleIntercept")  # 0 would say nothing
    if slope is None and intercept is None:
        return None
    return Rescale(1.0 if slope is None else slope, intercept or 0.0)


def _voi(place: Dataset, signed: bool) -> Window | Table | None:
    table = _first(_table(item, signed) for item in items(place, "VOILUTSequence"))
    if table is not None:
        return table
    said = str(value_of(place, "VOILUTFunction") or "").strip().upper()
    function = next((name for name in _FUNCTIONS if name == said), "LINEAR")
    pairs = zip(numbers(place, "WindowCenter"), numbers(place, "WindowWidth"), strict=False)
    return _first(
        Window(centre, width, function)  # type: ignore[arg-type]
        for centre, width in pairs
        if centre is not None and width is not None and width > 0
    )


def _table(item: Dataset, signed: bool) -> Table | None:
    """Return the table of a LUT sequence's item; None without a descriptor, or without entries that differ."""
    descriptor = numbers(item, "LUTDescriptor")
    data = value_of(item, "LUTData")
    if len(descriptor) != 3 or descriptor[1] is None or data is None:
        return None
    count, first, bits = int(descriptor[0] or 0) or 1 << 16, int(descriptor[1]), int(descriptor[2] or 16)
    try:
        if isinstance(data, bytes | bytearray):
            kind = np.dtype("u1") if len(data) < 2 * count else np.dtype("<u2")
            listed = np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind)
        else:
            listed = np.atleast_1d(np.asarray(data, dtype=np.int64))
    except (TypeError, ValueError, OverflowError):
        return None
    entries = listed[:count].astype(np.int64)
    if len(entries) < 2 or entries.min() == entries.max() or entries.min() < 0:
        return None
    if signed and first >= 1 << 15:
        first -= 1 << 16
    return Table(first, entries, max(bits, int(entries.max()).bit_length()))


def _padding(dataset: Dataset, signed: bool) -> tuple[int, int] | None:
    value, limit = whole(dataset, "PixelPaddingValue"), whole(dataset, "PixelPaddingRangeLimit")
    if value is None:
        return None
    # The VR of both follows PixelRepresentation, and is often written as the other one.
    bits = whole(dataset, "BitsAllocated") or 16
    ends = [_as_stored(end, bits, signed) for end in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def _as_stored(value: int, bits: int, signed: bool) -> int:
    value %= 1 << bits
    return value - (1 << bits) if signed and value >= 1 << (bits - 1) else value
