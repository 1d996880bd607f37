"""De-identification: nothing of the patient is left, the pixels are the same, and patients stay together."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import pydicom
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from breastai.cli import run
from breastai.data.decoders.decoder_table import read_image
from breastai.data.patients.patient_ids import patient_ids
from breastai.data.privacy.deidentification import TABLE, _class_name, _placed, deidentify
from breastai.data.privacy.dicom_copy import strip_metadata
from breastai.domain.patient_settings import PatientTable
from breastai.storage.salt import salted_hash

from .test_dicom import RAMP, content, dataset, with_voi_lut

SECRETS = ("Secret", "SECRET-ID", "19610203", "Dr^Who", "Hidden", "ACC-77")


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """Two DICOM images of one patient, one with burned-in text, one with a window, and a PNG with a comment."""
    folder = tmp_path / "hospital"
    (folder / "benign" / "Secret Name").mkdir(parents=True)
    for number, burned_in in enumerate(("NO", "NO", "YES")):
        made = with_voi_lut(dataset(RAMP, BitsStored=12, BurnedInAnnotation=burned_in))
        made.VOILUTSequence[0].LUTExplanation = "Hidden"
        made.PatientBirthDate, made.ReferringPhysicianName, made.AccessionNumber = "19610203", "Dr^Who", "ACC-77"
        made.ImageLaterality, made.ViewPosition = "L", "MLO"
        made.add_new(0x00091001, "LO", "Hidden")
        nested = Dataset()
        nested.PatientID = "SECRET-ID"
        made.OtherPatientIDsSequence = [nested]
        (folder / "benign" / "Secret Name" / f"Secret{number}.dcm").write_bytes(content(made))
    picture = Image.fromarray((RAMP >> 4).astype(np.uint8))
    picture.save(folder / "benign" / "Secret Name" / "Hidden.jpg", comment=b"Hidden", quality=95)
    return folder


def test_nothing_of_the_patient_is_left_and_the_pixels_are_the_same(
    hospital: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["deidentify", str(hospital), str(out), "--json", "--workspace", str(tmp_path / "w")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["written"] == 3
    assert told["left_out"] == {"it says that there is text burned into its pixels": 1}
    files = [path for path in out.rglob("*") if path.is_file()]
    for path in files:
        assert not any(word.encode() in path.read_bytes() for word in SECRETS), path
        assert not any(word.lower() in path.as_posix()[len(out.as_posix()) :].lower() for word in SECRETS)
    expected = read_image(hospital / "benign/Secret Name/Secret0.dcm")
    shared = [path for path in files if path.suffix == ".dcm"]
    assert len(shared) == 2
    assert all(np.array_equal(read_image(path), expected) for path in shared)
    assert pydicom.dcmread(shared[0]).PatientIdentityRemoved == "YES"
    # The same salt, so the same hashes; another project's are others.
    assert run(["deidentify", str(hospital), str(tmp_path / "again"), "--workspace", str(tmp_path / "w")]) == 0
    assert run(["deidentify", str(hospital), str(tmp_path / "other"), "--workspace", str(tmp_path / "v")]) == 0
    tables = [(tmp_path / name / TABLE).read_text() for name in ("out", "again", "other")]
    assert tables[0] == tables[1] != tables[2]
    assert (tmp_path / "w/.salt").stat().st_mode & 0o077 == 0


NAME = "Dupont-Marie"


def _planted_pictures(folder: Path) -> None:
    """Write a picture of each format with the name in every place that its metadata have."""
    grey = Image.fromarray((RAMP >> 4).astype(np.uint8))
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x9C9D] = NAME, NAME, NAME.encode("utf-16-le")
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{NAME}</x:xmpmeta>".encode()
    text = PngInfo()
    text.add_text("Comment", NAME)
    text.add_text("Patient", NAME, zip=True)
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    grey.save(folder / f"{NAME}.png", pnginfo=text, exif=exif)
    grey.save(folder / f"{NAME}.jpg", comment=NAME.encode(), exif=exif, xmp=xmp, quality=95)
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x20" + NAME.encode().ljust(32)
    jpeg = (folder / f"{NAME}.jpg").read_bytes()
    segment = b"\xff\xed" + (len(iptc) + 2).to_bytes(2, "big") + iptc
    (folder / f"{NAME}.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:] + NAME.encode())
    grey.save(folder / f"{NAME}.tif", tiffinfo={270: NAME, 315: NAME, 700: xmp, 33723: NAME.encode(), 65000: NAME})
    grey.convert("RGB").save(folder / f"{NAME}.webp", exif=exif, xmp=xmp)
    grey.save(folder / f"{NAME}.bmp")
    (folder / f"{NAME}.bmp").write_bytes((folder / f"{NAME}.bmp").read_bytes() + NAME.encode())
    width, height = grey.size
    (folder / f"{NAME}.pgm").write_bytes(f"P5\n# {NAME}\n{width} {height}\n255\n".encode() + grey.tobytes())
    grey.save(folder / f"{NAME}.gif", comment=NAME.encode())
    (folder / f"key of {NAME}.csv").write_text(f"file,name\nx.png,{NAME}\n")
    (folder / f"x.{NAME}").write_text(NAME)


def _planted_dicoms(folder: Path) -> None:
    """Write DICOM files with the name in headers, sequences, overlays, unused bits, frames and behind them."""
    for number, view in enumerate(("MLO", NAME)):
        made = with_voi_lut(dataset(RAMP, BitsStored=12, WindowCenter=2000, WindowWidth=4000))
        made.VOILUTSequence[0].LUTExplanation = NAME
        for keyword in ("PatientID", "PatientName", "ReferringPhysicianName", "ImageComments", "InstitutionName"):
            setattr(made, keyword, NAME)
        for keyword in ("ViewPosition", "ImageLaterality", "Modality", "RescaleType", "PixelIntensityRelationship"):
            setattr(made, keyword, view.upper().replace("-", "_"))
        made.WindowCenterWidthExplanation = NAME
        made.add_new(0x00091001, "LO", NAME)
        made.add_new(0x60000010, "US", 8)
        made.add_new(0x60000011, "US", 8)
        made.add_new(0x60003000, "OW", NAME.encode())
        made.add_new(0x60001500, "LO", NAME)
        made.add_new(0xFFFCFFFC, "OB", NAME.encode())
        group, lut = Dataset(), Dataset()
        lut.WindowCenter, lut.WindowWidth, lut.WindowCenterWidthExplanation = 2000, 4000, NAME
        group.FrameVOILUTSequence, group.FrameComments = [lut], NAME
        made.SharedFunctionalGroupsSequence = [group]
        pixels = np.frombuffer(made.PixelData, "<u2").copy()
        letters = np.unpackbits(np.frombuffer(NAME.encode(), np.uint8))[: pixels.size].astype(np.uint16)
        pixels[: letters.size] |= letters << 15  # an overlay of old, in the bits above BitsStored
        made.PixelData = pixels.tobytes() + NAME.encode()
        made.file_meta.SourceApplicationEntityTitle = NAME
        made.file_meta.PrivateInformationCreatorUID, made.file_meta.PrivateInformation = "1.2.3", NAME.encode()
        written = content(made)
        (folder / f"{NAME}{number}.dcm").write_bytes(NAME.encode().ljust(128) + written[128:])
    (folder / NAME).write_bytes(written)  # no ending
    coded = io.BytesIO()
    grey = Image.fromarray((RAMP >> 4).astype(np.uint8))
    grey.save(coded, "JPEG", comment=NAME.encode(), quality=95)
    made = dataset((RAMP >> 4).astype(np.uint8), PatientName=NAME, PatientID=NAME, BurnedInAnnotation="NO")
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.PixelData = encapsulate([coded.getvalue() + NAME.encode()])
    made["PixelData"].VR = "OB"
    (folder / f"{NAME}-jpeg.dcm").write_bytes(content(made))


def _strings(dataset: Dataset) -> Iterator[str]:
    for element in dataset.iterall():
        value = element.value
        yield f"{element.keyword} {value.decode('latin-1') if isinstance(value, bytes) else value}"


@pytest.mark.filterwarnings("ignore:The pixel data")
def test_a_name_planted_in_every_place_is_in_no_byte_of_the_copy(tmp_path: Path) -> None:
    source = tmp_path / "hospital"
    for place in (NAME, f"benign/{NAME}", f"{NAME}/malignant", f"train/{NAME}/2020", f"benign {NAME}"):
        (source / place).mkdir(parents=True)
        _planted_pictures(source / place)
        _planted_dicoms(source / place)
    out = tmp_path / "out"
    assert run(["deidentify", str(source), str(out), "--workspace", str(tmp_path / "w")]) == 0
    wanted = [NAME.lower().encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
    wanted += [word.encode() for word in ("dupont", "marie")]
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) == 5 * 11 + 1
    for path in files:
        content_of = path.read_bytes().lower()
        assert not any(word in content_of for word in wanted), path
        assert not any(word in path.relative_to(out).as_posix().lower() for word in ("dupont", "marie")), path
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert picture.info == {}
        if path.suffix == ".dcm":
            shared = pydicom.dcmread(path)
            assert not any("dupont" in text.lower() for text in _strings(shared))
            if shared.BitsAllocated == 16:
                assert int(np.frombuffer(shared.PixelData, "<u2").max()) < 1 << 12
                assert len(shared.PixelData) == RAMP.nbytes
    tops = {path.relative_to(out).parts[0] for path in files}
    assert {"benign", "malignant", "train", TABLE} < tops and len(tops) == 6


def test_only_known_and_given_classes_keep_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("Bénin", "BI-RADS 4a", "Kyste simple", "Anne Martin", "0", "13412")
    for name in names:
        (tmp_path / "in" / name / "case").mkdir(parents=True)
        Image.new("L", (8, 8), 90).save(tmp_path / "in" / name / "case" / "x.png")
    command = ["deidentify", str(tmp_path / "in"), str(tmp_path / "out"), "--workspace", str(tmp_path / "w")]
    assert run([*command, "--classes", "Kyste simple", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hashed_classes"] == 2
    kept = {path.name for path in (tmp_path / "out").iterdir()} - {TABLE}
    assert {"benin", "bi_rads_4a", "Kyste simple", "0"} < kept
    assert len(kept) == 6 and not kept & {"Anne Martin", "13412"}


def test_a_file_without_a_preamble_that_declares_burned_in_text_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    whole = content(dataset(RAMP, BitsStored=12, BurnedInAnnotation="YES"))
    (tmp_path / "in/without.dcm").write_bytes(whole[132:])
    (tmp_path / "in/scan").write_bytes(whole[132:])
    (tmp_path / "in/named.png").write_bytes(whole)
    (tmp_path / "in/named_bare.jpg").write_bytes(whole[132:])
    assert run(["deidentify", str(tmp_path / "in"), str(tmp_path / "out"), "--workspace", str(tmp_path)]) == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == [TABLE]


def test_the_table_is_not_in_the_order_of_the_names(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / "in" / f"patient {number:02}").mkdir(parents=True)
        Image.new("L", (8 + number, 8)).save(tmp_path / "in" / f"patient {number:02}" / "x.png")
    assert run(["deidentify", str(tmp_path / "in"), str(tmp_path / "out"), "--workspace", str(tmp_path)]) == 0
    with (tmp_path / "out" / TABLE).open(encoding="utf-8") as file:
        columns = [int(row["columns"]) for row in csv.DictReader(file)]
    assert sorted(columns) == list(range(8, 38)) != columns


def test_a_window_of_the_functional_groups_is_kept(tmp_path: Path) -> None:
    made = dataset(RAMP, BitsStored=12)
    group, window = Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = 1000, 500
    group.FrameVOILUTSequence = [window]
    made.SharedFunctionalGroupsSequence = [group]
    copy = strip_metadata(made, "x")
    assert copy.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence[0].WindowCenter == 1000


def test_the_table_keeps_a_patients_images_together(hospital: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(["deidentify", str(hospital), str(out), "--workspace", str(tmp_path)]) == 0
    with (out / TABLE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    dicoms = [row for row in rows if row["file"].endswith(".dcm")]
    assert [(row["laterality"], row["view"], row["burned_in"]) for row in dicoms] == [("L", "MLO", "NO")] * 2
    names = [row["file"] for row in rows]
    found = patient_ids(names, PatientTable(csv=TABLE), out)
    assert found is not None
    assert len({patient for name, patient in zip(names, found, strict=True) if name.endswith(".dcm")}) == 1


def test_a_folder_with_something_in_it_is_not_written_to(hospital: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    assert run(["deidentify", str(hospital), str(tmp_path / "out"), "--workspace", str(tmp_path)]) == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_hash_needs_the_salt() -> None:
    assert salted_hash(b"a", "SECRET-ID") != salted_hash(b"b", "SECRET-ID")
    assert salted_hash(b"a", "SECRET-ID") == salted_hash(b"a", "SECRET-ID")


def test_the_real_files_are_shown_alike_after_stripping(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "dicom/US1_RLE.dcm"
    strip_metadata(pydicom.dcmread(path), "x").save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert np.array_equal(read_image(tmp_path / "a.dcm"), read_image(path))


def test_a_described_set_keeps_its_classes_patients_and_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in/images").mkdir(parents=True)
    rows = ["image;findings;patient;side;set"]
    for number in range(8):
        Image.new("L", (8, 8), 90 + number).save(tmp_path / f"in/images/Anne{number}.png")
        label, part = ("Carcinoma" if number % 2 else "Bauer"), ("test" if number > 5 else "train")
        rows.append(f"Anne{number}.png;{label};P{number // 2};L;{part}")
    (tmp_path / "in/labels.csv").write_text("\n".join(rows))
    place = ["--workspace", str(tmp_path)]
    assert run(["data", "add", "mine", str(tmp_path / "in"), "--label", "findings", *place]) == 0
    capsys.readouterr()
    assert run(["deidentify", "mine", str(tmp_path / "out"), *place, "--json"]) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (done["written"], done["patients"], done["hashed_classes"]) == (8, 4, 4)
    assert len(list((tmp_path / "out/test/carcinoma").iterdir())) == 1
    with (tmp_path / "out" / TABLE).open(encoding="utf-8") as file:
        told = list(csv.DictReader(file))
    assert {row["laterality"] for row in told} == {"L"}
    assert not any("Anne" in str(value) or "auer" in str(value) for row in told for value in row.values())


SALT = b"a project's own"


@pytest.mark.parametrize(
    ("file", "kept", "stand_in", "hashed"),
    [
        ("x.png", (), "x.png", False),
        ("malignant/x.png", ("malignant",), "malignant/x.png", False),
        ("Malignant/P1/x.png", ("malignant",), "P1", False),
        ("malignant/P1/deep/x.png", ("malignant",), "P1", False),
        ("P1/malignant/x.png", ("malignant",), "P1", False),
        ("town/P1/malignant/x.png", ("malignant",), "P1", False),
        ("train/malignant/P1/x.png", ("train", "malignant"), "P1", False),
        ("Validation/malignant/x.png", ("val", "malignant"), "Validation/malignant/x.png", False),
        ("test/P1/x.png", ("test", "#P1"), "P1", True),
        ("train/x.png", ("train",), "train/x.png", False),
        ("Dupont/P1/x.png", ("#Dupont",), "Dupont", True),
        ("My Class/P1/x.png", ("mine",), "P1", False),
    ],
)
def test_a_copy_lies_below_its_part_and_class_and_hashes_stand_for_all_other_names(
    file: str, kept: tuple[str, ...], stand_in: str, hashed: bool
) -> None:
    found = _placed(PurePosixPath(file), SALT, {"myclass": "mine"})  # type: ignore[arg-type]
    folders = [salted_hash(SALT, name[1:]) if name.startswith("#") else name for name in kept]
    assert found.stem == "/".join((*folders, salted_hash(SALT, file)))
    assert (found.stand_in, found.hashed_class) == (stand_in, hashed)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Bénin", "benin"),
        ("MALIGNANT", "malignant"),
        ("in situ", "in_situ"),
        ("Dupont", None),
        ("", None),
        ("my class!", "as given"),
        ("My_Class", "as given"),
    ],
)
def test_a_folder_keeps_its_name_where_it_is_a_word_of_the_field_or_given(folder: str, name: str | None) -> None:
    assert _class_name(folder, {"myclass": "as given"}) == name


def test_where_nothing_can_be_copied_there_is_a_table_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "in" / "notes").mkdir(parents=True)
    (tmp_path / "in" / "notes" / "a.txt").write_text("x")
    (shared,) = deidentify(tmp_path / "in", tmp_path / "not" / "yet" / "there", SALT)
    assert shared.written is None and shared.reason is not None
    (line,) = (tmp_path / "not" / "yet" / "there" / TABLE).read_text(encoding="utf-8").splitlines()
    assert line.startswith("file,")
