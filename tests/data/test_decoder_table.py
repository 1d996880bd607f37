"""The table of decoders: a kind of image file is one row, and nothing else has to know of it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastai.clinical.image_facts import look_at
from breastai.data.decoders import decoder_table
from breastai.data.decoders.decoder import Decoded, Decoder, FileHeader, Header, Source
from breastai.data.decoders.decoder_table import (
    DECODERS,
    content_hash,
    decode_image,
    decoder_of,
    device_of,
    header_of,
    readable_start,
)
from breastai.data.decoders.file_content import count_reads, read_content
from breastai.data.patients.patient_ids import patients_in
from breastai.data.privacy.deidentification import deidentify
from breastai.data.sources.class_folders import scan
from breastai.data.sources.frames import with_frames
from breastai.domain.errors import ImageUnreadable
from breastai.domain.patient_settings import DicomHeader

MAGIC = b"TOY\x00"


def toy(frames: int = 1, patient: str = "P1", seed: int = 0) -> bytes:
    """Return a file of our own kind: magic, frames, the patient in eight bytes, then frames of 32 x 32 grey values."""
    values = np.random.default_rng(seed).integers(0, 256, (frames, 32, 32), dtype=np.uint8)
    return MAGIC + bytes([frames]) + patient.encode().ljust(8, b"\x00") + values.tobytes()


def content_of(source: Source) -> bytes:
    return source.read_bytes() if isinstance(source, Path) else source


def pixels(content: bytes, name: str, number: int | None, bit_depth: object) -> Decoded:
    frames = content[4]
    if len(content) != 13 + frames * 1024:
        raise ImageUnreadable(name, "the file is cut short (truncated); copy it again from its source")
    values = np.frombuffer(content[13:], np.uint8).reshape(frames, 32, 32)
    return Decoded(values[(number or 1) - 1], pages=frames)


def header(source: Source) -> FileHeader:
    patient = content_of(source)[5:13].rstrip(b"\x00").decode()
    return FileHeader(codes=Header("L", "CC", "US"), patient_id=patient, says_burned_in=True, device="Toy 1")


TOY = Decoder(
    name="toy",
    recognise=lambda beginning: beginning.startswith(MAGIC),
    any_ending=True,
    single_endings=(),
    frames=lambda source: list(range(1, content_of(source)[4] + 1)),
    header=header,
    pixels=pixels,
    check_start=lambda path, name, beginning: None,
    device=lambda content: "Toy 1",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(decoder_table, "DECODERS", (TOY, *DECODERS))
    for number, label in enumerate(("benign", "malignant")):
        (tmp_path / "in" / label).mkdir(parents=True)
        for image in range(2):
            content = toy(1 + image, f"P{image}", 10 * number + image)
            (tmp_path / "in" / label / f"{image}.toy").write_bytes(content)
    return tmp_path / "in"


def test_without_its_row_a_file_of_another_kind_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.toy").write_bytes(toy())
    with pytest.raises(ImageUnreadable):
        readable_start(tmp_path / "a.toy", "a.toy")
    assert decoder_of(tmp_path / "a.toy").name == "raster"


def test_with_its_row_it_is_listed_split_into_frames_and_decoded(folder: Path) -> None:
    found = with_frames(scan(folder), "each")
    assert found.files == (
        *("benign/0.toy", "benign/1.toy#1", "benign/1.toy#2"),
        *("malignant/0.toy", "malignant/1.toy#1", "malignant/1.toy#2"),
    )
    one, other = (decode_image(read_content(found.path(number), "x"), found.files[number]) for number in (1, 2))
    assert one.pages == other.pages == 2
    assert one.pixels.shape == (32, 32, 1)
    assert not np.array_equal(one.pixels, other.pixels)
    content = read_content(found.path(1), "x")
    assert content_hash(content, "1.toy#1") != content_hash(content, "1.toy#2")
    readable_start(found.path(1), found.files[1])


def test_its_header_says_side_view_patient_and_marks(folder: Path, tmp_path: Path) -> None:
    found = scan(folder)
    assert found.headers() == [Header("L", "CC", "US")] * 4
    patients = patients_in(found, DicomHeader(dicom="patient_id"), tmp_path)
    assert patients is not None
    assert patients[0] == patients[2] != patients[1]
    content = read_content(found.path(0), "x")
    assert look_at(content, "0.toy").says_burned_in
    assert device_of(content) == "Toy 1"
    assert header_of(folder / "benign/gone.toy") == Header()


def test_what_has_no_way_of_its_own_to_be_shared_is_written_as_pixels(folder: Path, tmp_path: Path) -> None:
    shared = list(deidentify(folder, tmp_path / "out", b"salt"))
    assert [each.reason for each in shared] == [None] * 4
    written = [each.written or "" for each in shared]
    assert all(name.endswith(".png") for name in written)
    with Image.open(tmp_path / "out" / written[0]) as image:
        assert np.array_equal(np.asarray(image), decode_image(toy(1, "P0", 0), "0.toy").pixels[:, :, 0])


@pytest.mark.parametrize("row", DECODERS, ids=lambda row: row.name)
def test_no_row_raises_anything_unforeseen_of_damaged_content(row: Decoder, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for beginning in (b"", bytes(128) + b"DICM", b"\x89PNG\r\n\x1a\n", b"II*\x00", MAGIC):
        content = beginning + rng.bytes(300)
        (tmp_path / "file").write_bytes(content)
        for source in (content, tmp_path / "file"):
            assert isinstance(row.frames(source), list)
            assert isinstance(row.header(source), FileHeader | None)
        row.device(content)
        with pytest.raises(ImageUnreadable):
            row.pixels(content, "file", None, None)


def test_a_header_never_shows_whose_it_is() -> None:
    assert "Meyer" not in repr(FileHeader(patient_id="Meyer", series="Meyer"))


def test_each_reading_of_a_files_content_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with count_reads() as outer:
        read_content(tmp_path / "a.png", "a")
        with count_reads() as inner:
            read_content(tmp_path / "a.png#1", "a")
    read_content(tmp_path / "a.png", "a")
    assert (outer[tmp_path / "a.png"], inner[tmp_path / "a.png"]) == (2, 1)
