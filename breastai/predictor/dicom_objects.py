"""DICOM out: a heat map as secondary capture and an answer as structured report, in the study of the image they are about.

Patient and study are copied from the source as they stand there. Both kinds say in their pixels or content, and in the
name of their series, that they are for research and not for diagnosis; a report is partial, preliminary and unverified.
References: DICOM PS3.3 A.8.1 (secondary capture), A.35.3 (comprehensive SR), PS3.16 TID 1500 (measurement report).
"""

import contextlib
import io
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from breastai import __version__
from breastai.data.decoders.dicom_file import read_dataset
from breastai.data.decoders.file_content import file_at, frame_of, read_content
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text
from breastai.storage.workspace import atomic_write
from breastai.texts.renderer import render

if TYPE_CHECKING:  # pydicom and highdicom take time to import, and few need them
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

Kind = Literal["heat_map", "answer", "picture"]
# Far from the numbers that devices give.
_SERIES_NUMBERS: Mapping[Kind, int] = {"heat_map": 9901, "answer": 9902, "picture": 9903}
_CODES = "99BREASTAI"
_MAKER = "BreastAI"
# An object has no place without them; the rest may be empty (type 2).
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_LONGEST_MEANING = 64
_LONGEST_TEXT = 1024
_WITHOUT_FORM = str.maketrans({"≥": ">=", "≤": "<=", "’": "'", "«": '"', "»": '"', "–": "-", "·": "-", "œ": "oe"})
# An answer's picture is there to be recognised; the image itself is in its study.
_PICTURE_PX = 1024


@dataclass(frozen=True)
class Explained:
    """What a model said of a DICOM image. `overlay`: the image with its heat map; `probabilities`: calibrated, by class."""

    source: Path
    overlay: Path
    explained_class: str
    probabilities: Mapping[str, float]
    model: str


@dataclass(frozen=True)
class Answered:
    """What a model said of a DICOM image, without a heat map.

    `pixels`: uint8, (H, W, 1) grey or (H, W, 3) RGB, the image as it was read; `words`: the decision in a line.
    """

    source: Path
    pixels: npt.NDArray[np.uint8]
    probabilities: Mapping[str, float]
    words: str
    model: str


@contextlib.contextmanager
def _built_for(source: Path) -> Iterator[None]:
    """Raise ImageUnreadable for what a header holds that no object can be made with, whatever that leads to."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = Text("reason.header_unfit", {"error": f"{type(error).__name__}: {error}"[:200]})
        raise ImageUnreadable(source.name, reason) from None


@dataclass
class DicomWriter:
    """Writes objects into a folder, those of a study and a kind into one series. `language`: of what they say."""

    folder: Path
    language: str = "en"
    _series: "dict[tuple[str, Kind], tuple[UID, int]]" = field(default_factory=dict)

    def write(self, explained: Explained) -> list[Path]:
        """Write the heat map and the answer; return their files.

        Raises ImageUnreadable for a source that is no DICOM file, or names no study to belong to.
        """
        source = read_source(explained.source)
        with Image.open(explained.overlay) as image:
            pixels = np.asarray(image.convert("RGB"))
        about = self._say("dicom.heat_map", name=explained.explained_class, model=explained.model)
        with _built_for(explained.source):
            capture = _capture(source, self._stamped(pixels), about, self._place(source, "heat_map"))
            report = self._report(source, explained, [], self._place(source, "answer"))
        return self._save(explained.source, str(explained.source), {"heat_map": capture, "answer": report})

    def write_answer(self, answered: Answered) -> list[Path]:
        """Write the answer and the image above its words; return their files. Raises as `write` does.

        The same answer for the same image makes objects of the same UIDs in the same files: whoever is ended in the
        midst and writes it again makes nothing twice.
        """
        source = read_source(answered.source)
        pixels = _shrunk(answered.pixels)
        about = f"{answered.model}: {answered.words}"
        answer = [str(source.SOPInstanceUID), answered.source.name, about, str(dict(answered.probabilities))]
        with _built_for(answered.source):
            picture = _capture(
                source, self._stamped(pixels, about), about, self._fixed_place(source, "picture", answer)
            )
            report = self._report(source, answered, [answered.words], self._fixed_place(source, "answer", answer))
        return self._save(answered.source, "\n".join(answer), {"picture": picture, "answer": report})

    def _save(self, source: Path, key: str, objects: "Mapping[Kind, Dataset]") -> list[Path]:
        """Write the objects into files named by their source and a hash of `key`; return the files."""
        stem = f"{file_at(source).stem[:60]}_{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        written = []
        for kind, made in objects.items():
            in_unicode(made)
            content = io.BytesIO()
            made.save_as(content, enforce_file_format=True)
            path = self.folder / f"{stem}_{kind}.dcm"
            atomic_write(path, content.getvalue())
            written.append(path)
        return written

    def _stamped(self, pixels: npt.NDArray[np.uint8], *lines: str) -> npt.NDArray[np.uint8]:
        for words in (*lines, self._say("dicom.research_stamp")):
            pixels = draw_stamp(pixels, words)
        return pixels

    def _report(
        self, source: "Dataset", said: "Explained | Answered", comments: list[str], place: dict[str, Any]
    ) -> "Dataset":
        from highdicom import sr
        from pydicom.sr.codedict import codes
        from pydicom.uid import generate_uid

        _, frame = frame_of(said.source.name)
        device = sr.DeviceObserverIdentifyingAttributes(generate_uid(), _MAKER, _MAKER, said.model)
        measurements = [
            sr.Measurement(
                self._concept(f"P{number}", "dicom.probability", name=name), round(value, 6), codes.UCUM.NoUnits
            )
            for number, (name, value) in enumerate(said.probabilities.items())
        ]
        image = sr.SourceImageForMeasurementGroup(
            source.SOPClassUID, source.SOPInstanceUID, None if frame is None else [frame]
        )
        group = sr.MeasurementsAndQualitativeEvaluations(
            sr.TrackingIdentifier(generate_uid(), said.model), measurements=measurements, source_images=[image]
        )
        report = sr.MeasurementReport(
            sr.ObservationContext(observer_device_context=sr.ObserverContext(codes.DCM.Device, device)),
            self._concept("RESEARCH", "dicom.procedure"),
            imaging_measurements=[group],
        )
        for words in (*comments, self._say("dicom.research_stamp")):
            report[0].ContentSequence.append(sr.TextContentItem(codes.DCM.Comment, words, "CONTAINS"))
        made: Dataset = sr.ComprehensiveSR([source], report[0], **place)
        return made

    def _place(self, source: "Dataset", kind: Kind) -> dict[str, Any]:
        """Return an object's series, its number there, and who made it."""
        from pydicom.uid import generate_uid

        key = (str(source.StudyInstanceUID), kind)
        series, number = self._series.get(key, (generate_uid(), 0))
        self._series[key] = (series, number + 1)
        return self._series_of(kind, series, generate_uid(), number + 1)

    def _fixed_place(self, source: "Dataset", kind: Kind, answer: list[str]) -> dict[str, Any]:
        """Return the same, made from what the object says and nothing else."""
        from pydicom.uid import generate_uid

        series = generate_uid(entropy_srcs=[str(source.StudyInstanceUID), kind, self.language])
        own = generate_uid(entropy_srcs=[*answer, kind, self.language])
        return self._series_of(kind, series, own, int(source.get("InstanceNumber") or 1))

    def _series_of(self, kind: Kind, series: "UID", own: "UID", number: int) -> dict[str, Any]:
        return {
            "series_instance_uid": series,
            "series_number": _SERIES_NUMBERS[kind],
            "sop_instance_uid": own,
            "instance_number": number,
            "manufacturer": _MAKER,
            "manufacturer_model_name": _MAKER,
            "software_versions": __version__,
            "series_description": self._say("dicom.research_stamp")[:_LONGEST_MEANING],
        }

    def _concept(self, code: str, key: str, **params: str) -> Any:
        from highdicom.sr import CodedConcept

        return CodedConcept(code, _CODES, self._say(key, **params)[:_LONGEST_MEANING])

    def _say(self, key: str, **params: str) -> str:
        return render(Text(key, params), self.language)


def _shrunk(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return an image (H, W, 1 or 3) as RGB (H, W, 3) that has at most _PICTURE_PX pixels a side."""
    image = Image.fromarray(pixels.squeeze(axis=2) if pixels.shape[2] == 1 else pixels).convert("RGB")
    image.thumbnail((_PICTURE_PX, _PICTURE_PX))
    return np.asarray(image)


def _capture(source: "Dataset", pixels: npt.NDArray[np.uint8], about: str, place: dict[str, Any]) -> "Dataset":
    """Return RGB pixels (H, W, 3) as a secondary capture in the source's study."""
    from highdicom.sc import SCImage

    made: Dataset = SCImage.from_ref_dataset(
        source,
        pixels,
        "RGB",
        8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # asked for; what the source says is put in its place
        **place,
    )
    made.PatientOrientation = source.get("PatientOrientation")
    made.BurnedInAnnotation = "YES"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.DerivationDescription = about[:_LONGEST_TEXT]
    return made


def read_source(path: Path) -> "Dataset":
    """Return the data set of a DICOM file, what may be empty put in; raise ImageUnreadable."""
    content = read_content(path, path.name)
    try:
        source = read_dataset(content)
    except Exception as error:  # a damaged file makes the parser raise whatever its bytes lead to
        reason = Text("reason.not_readable_dicom_file", {"error": type(error).__name__})
        raise ImageUnreadable(path.name, reason) from None
    if not all(source.get(name) for name in _NEEDED):
        raise ImageUnreadable(path.name, Text("reason.dicom_without_study"))
    for name in _MAY_BE_EMPTY:
        if name not in source:
            setattr(source, name, None)
    return source


def in_unicode(made: "Dataset") -> None:
    """Have an object write its texts in UTF-8, whatever the source's character set: ours would not all fit into it."""
    for name in ("PatientName", "ReferringPhysicianName"):
        if made.get(name):
            setattr(made, name, str(made[name].value))
    made.SpecificCharacterSet = "ISO_IR 192"


def draw_stamp(pixels: npt.NDArray[np.uint8], words: str) -> npt.NDArray[np.uint8]:
    """Return RGB pixels (H, W, 3) above a black bar with white words, a line of them as large as the width admits.

    The font that Pillow brings has no accents: letters lose theirs here, and keep them in the object's own texts.
    """
    width, words = pixels.shape[1], in_ascii(words)
    size = max(8, min(14, width // 36), min(24, round(1.8 * width / max(1, len(words)))))
    font = ImageFont.load_default(size)
    lines = _wrapped(words, width, font)
    bar = Image.new("RGB", (width, (size + 4) * len(lines) + 4))
    ImageDraw.Draw(bar).multiline_text((2, 2), "\n".join(lines), fill="white", font=font)
    return np.concatenate([pixels, np.asarray(bar)])


def in_ascii(words: str) -> str:
    """Return words with letters without accents; what has no such form is a question mark."""
    plain = unicodedata.normalize("NFKD", words.translate(_WITHOUT_FORM))
    return "".join(sign for sign in plain if not unicodedata.combining(sign)).encode("ascii", "replace").decode()


def _wrapped(words: str, width: int, font: Any) -> list[str]:
    """Return the words in lines that are no wider than `width` pixels, where a word alone is not."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width - 4:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
