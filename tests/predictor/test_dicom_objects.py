"""DICOM out: objects in the study of their image, with its patient, stamped as research, and read by others."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage, generate_uid

from breastai.data.decoders.decoder_table import read_image
from breastai.domain.errors import ImageUnreadable
from breastai.predictor.dicom_objects import Answered, DicomWriter, Explained, draw_stamp, in_ascii

from .test_watched_folder import SIDE, dicom

PROBABILITIES = {"benign": 0.25, "malignant": 0.75}
COLOUR = (90, 20, 200)
STAMPS = {"en": "RESEARCH, NOT FOR DIAGNOSIS", "fr": "RECHERCHE, NE PAS UTILISER POUR LE DIAGNOSTIC"}


def in_study(path: Path, study: str, **attributes: str) -> Path:
    """Write a small ultrasound image of a study."""
    made = pydicom.dcmread(dicom(path, 1))
    made.StudyInstanceUID, made.SeriesInstanceUID = study, generate_uid()
    for name, value in attributes.items():
        setattr(made, name, value)
    made.save_as(path)
    return path


def explained(source: Path) -> Explained:
    overlay = source.with_suffix(".png")
    Image.fromarray(np.full((SIDE, SIDE, 3), COLOUR, np.uint8)).save(overlay)
    return Explained(source, overlay, "malignant", PROBABILITIES, "20261130-101010/best")


def written(folder: Path, source: Path, language: str = "en") -> tuple[Dataset, Dataset]:
    heat_map, answer = DicomWriter(folder, language).write(explained(source))
    return pydicom.dcmread(heat_map), pydicom.dcmread(answer)


def items(report: Dataset) -> list[Dataset]:
    """All content items, from the root down."""
    return [report, *(each for item in report.get("ContentSequence", []) for each in items(item))]


@pytest.mark.parametrize("language", STAMPS)
def test_both_objects_are_of_the_images_study_and_patient_and_say_that_they_are_for_research(
    tmp_path: Path, language: str
):
    study = generate_uid()
    person = {"PatientName": "Müller^Zoé", "PatientSex": "F", "AccessionNumber": "A7", "StudyDate": "20260102"}
    source = in_study(tmp_path / "a.dcm", study, SpecificCharacterSet="ISO_IR 100", **person)
    heat_map, answer = written(tmp_path / "out", source, language)
    assert heat_map.SOPClassUID == SecondaryCaptureImageStorage and answer.SOPClassUID == ComprehensiveSRStorage
    for made in (heat_map, answer):
        assert {name: str(made[name].value) for name in person} == person
        assert (made.StudyInstanceUID, made.PatientID) == (study, "P001")
        assert made.SeriesInstanceUID != pydicom.dcmread(source).SeriesInstanceUID
        assert made.SeriesDescription == STAMPS[language]
    assert heat_map.SeriesInstanceUID != answer.SeriesInstanceUID
    comments = [item.TextValue for item in items(answer) if item.get("ValueType") == "TEXT"]
    assert STAMPS[language] in comments
    assert (answer.CompletionFlag, answer.VerificationFlag, answer.PreliminaryFlag) == (
        "PARTIAL",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    assert [path.stat().st_mode & 0o077 for path in (tmp_path / "out").iterdir()] == [0, 0]


def test_a_report_holds_the_probabilities_and_names_its_image_and_its_model(tmp_path: Path):
    source = in_study(tmp_path / "a.dcm", generate_uid())
    _, answer = written(tmp_path / "out", source)
    numbers = [item for item in items(answer) if item.get("ValueType") == "NUM"]
    told = {
        item.ConceptNameCodeSequence[0].CodeMeaning: float(item.MeasuredValueSequence[0].NumericValue)
        for item in numbers
    }
    assert told == {"Probability of benign": 0.25, "Probability of malignant": 0.75}
    [image] = [item for item in items(answer) if item.get("ValueType") == "IMAGE"]
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == pydicom.dcmread(source).SOPInstanceUID
    assert any(item.get("TextValue") == "20261130-101010/best" for item in items(answer))


def test_a_capture_is_the_map_above_its_stamp_as_any_reader_sees_it(tmp_path: Path):
    heat_map, _ = written(tmp_path / "out", in_study(tmp_path / "a.dcm", generate_uid()))
    pixels = heat_map.pixel_array
    assert (pixels[:SIDE] == COLOUR).all() and pixels.shape[0] > SIDE
    assert pixels[SIDE:].max() > 200 and heat_map.BurnedInAnnotation == "YES"
    [file] = (tmp_path / "out").glob("*_heat_map.dcm")
    assert read_image(file).shape == pixels.shape
    assert "malignant" in heat_map.DerivationDescription


def test_images_of_a_study_share_their_series_and_are_numbered(tmp_path: Path):
    study, writer = generate_uid(), DicomWriter(tmp_path / "out")
    sources = [in_study(tmp_path / f"{name}.dcm", study) for name in "ab"]
    sources.append(in_study(tmp_path / "c.dcm", generate_uid()))
    maps = [pydicom.dcmread(writer.write(explained(source))[0]) for source in sources]
    assert maps[0].SeriesInstanceUID == maps[1].SeriesInstanceUID != maps[2].SeriesInstanceUID
    assert [made.InstanceNumber for made in maps] == [1, 2, 1]
    assert len({made.SOPInstanceUID for made in maps}) == 3


def answered(source: Path, malignant: float = 0.75, channels: int = 1) -> Answered:
    pixels = np.full((3000, 1500, channels), 200, np.uint8)
    said = {"benign": 1 - malignant, "malignant": malignant}
    return Answered(source, pixels, said, "flagged as malignant; refer: unlike", "m.onnx")


@pytest.mark.parametrize("channels", [1, 3])
def test_an_answer_without_a_map_is_a_report_and_a_picture_above_its_words(tmp_path: Path, channels: int):
    study = generate_uid()
    source = in_study(tmp_path / "a.dcm", study, InstanceNumber="7")
    files = DicomWriter(tmp_path / "out").write_answer(answered(source, channels=channels))
    picture, report = map(pydicom.dcmread, files)
    assert (picture.StudyInstanceUID, report.StudyInstanceUID) == (study, study)
    assert picture.SOPClassUID == SecondaryCaptureImageStorage and report.SOPClassUID == ComprehensiveSRStorage
    assert picture.pixel_array.shape[1:] == (512, 3) and picture.pixel_array.shape[0] > 1024
    assert (picture.pixel_array[:1024] == 200).all()
    texts = [item.TextValue for item in items(report) if item.get("ValueType") == "TEXT"]
    assert {"flagged as malignant; refer: unlike", STAMPS["en"]} <= set(texts)
    assert (picture.InstanceNumber, picture.BurnedInAnnotation) == (7, "YES")


def test_an_answer_written_again_is_the_same_object_and_another_answer_is_another(tmp_path: Path):
    source = in_study(tmp_path / "a.dcm", generate_uid())

    def uids(malignant: float) -> list[tuple[str, str, str]]:
        made = DicomWriter(tmp_path / "out").write_answer(answered(source, malignant))
        return [(file.name, (found := pydicom.dcmread(file)).SOPInstanceUID, found.SeriesInstanceUID) for file in made]

    first, again, other = uids(0.75), uids(0.75), uids(0.5)
    assert first == again
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert {uid for _, uid, _ in first}.isdisjoint(uid for _, uid, _ in other)
    assert [series for _, _, series in first] == [series for _, _, series in other]


@pytest.mark.parametrize("content", [b"", b"no DICOM at all", None], ids=["empty", "text", "without a study"])
def test_what_belongs_to_no_study_is_refused(tmp_path: Path, content: bytes | None):
    source = dicom(tmp_path / "a.dcm", 1)
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(ImageUnreadable):
        DicomWriter(tmp_path / "out").write(explained(source))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("width", [24, 48, 1600])
def test_a_stamp_fits_below_any_width(width: int):
    pixels = np.zeros((10, width, 3), np.uint8)
    for words in STAMPS.values():
        found = draw_stamp(pixels, words)
        assert found.shape[1] == width and found[10:].max() > 200


def test_words_in_a_picture_are_in_letters_that_its_font_has():
    assert in_ascii("signalé\u00a0: 0,8 ≥ seuil «\u202fœdème\u202f» 乳") == 'signale : 0,8 >= seuil " oedeme " ?'


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "odd",
    [{"PatientSex": "unknown"}, {"StudyDate": "2020-13-99"}, {"SOPClassUID": "1.2.3.4.5"}],
    ids=["sex", "date", "class"],
)
def test_a_header_of_which_no_object_can_be_made_is_an_image_without_one(tmp_path: Path, odd: dict[str, str]):
    source = in_study(tmp_path / "a.dcm", generate_uid(), **odd)
    with pytest.raises(ImageUnreadable) as raised:
        DicomWriter(tmp_path / "out").write_answer(answered(source))
    assert getattr(raised.value.reason, "code", None) == "reason.header_unfit"
