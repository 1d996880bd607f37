"""Twenty layouts, each drawn small from its published description: made-up pixels, made-up ids, the names as published."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pydicom
from PIL import Image

SIDE = 32


@dataclass(frozen=True)
class Drawing:
    """A layout: `draw(folder)` draws it and returns the place to inspect; `counts`: what an inspection must say of it."""

    layout: str
    draw: Callable[[Path], Path]
    counts: Mapping[str, Any]


def counts(
    classes: Mapping[str, int],
    patients: int | None = None,
    breasts: int | None = None,
    splits: Mapping[str, int] | None = None,
    masks: int = 0,
    left_out: int = 0,
) -> dict[str, Any]:
    """Return what an inspection says besides the layout and its doubts."""
    return {
        "images": sum(classes.values()),
        "classes": dict(classes),
        "patients": patients,
        "breasts": breasts,
        "splits": None if splits is None else dict(splits),
        "masks": masks,
        "left_out": left_out,
    }


def tissue(seed: int, bright: bool = False) -> np.ndarray:
    """Return made-up tissue, uint8 (SIDE, SIDE); lesions are brighter in the middle."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(20, 120, (SIDE, SIDE))
    if bright:
        pixels[10:22, 10:22] += 100
    return pixels.astype(np.uint8)


def outline(seed: int) -> np.ndarray:
    """Return a mask: two values, uint8 (SIDE, SIDE)."""
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[8 + seed % 4 : 22, 9:23] = 255
    return pixels


_drawn = iter(range(10**9))


def picture(path: Path, bright: bool = False, mask: bool = False) -> Path:
    """Draw an image, or the mask of one, in the format its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = next(_drawn)
    pixels = outline(number) if mask else tissue(number, bright)
    image = Image.fromarray(pixels)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        image.save(path, quality=92)
    else:
        image.save(path)
    return path


def dicom(path: Path, bright: bool = False, **header: Any) -> Path:
    """Write a small DICOM image with a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    dataset.SOPInstanceUID = pydicom.uid.generate_uid()
    dataset.Modality = "MG"
    pixels = tissue(next(_drawn), bright)
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = pixels.tobytes()
    for name, value in header.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def table(path: Path, rows: Iterable[Sequence[object]], separator: str = ",", beginning: str = "") -> Path:
    """Write rows as a CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="\r\n").writerows(rows)
    path.write_text(beginning + text.getvalue(), encoding="utf-8")
    return path


def workbook(
    path: Path,
    rows: Iterable[Sequence[object]],
    further: Mapping[str, Any] | None = None,
    merged: Sequence[str] = (),
) -> Path:
    """Write rows as the first sheet of an .xlsx, as small as the format allows; `further` sheets by name.

    `merged`: ranges of cells that are one, such as A2:A3, in each sheet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    sheets = dict(enumerate({"Sheet1": rows, **(further or {})}.items(), 1))
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{kind}.worksheet+xml"/>'
        for number in sheets
    )
    names = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>' for number, (name, _) in sheets.items()
    )
    targets = "".join(
        f'<Relationship Id="r{number}" Type="{office}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in sheets
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>{overrides}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{targets}</Relationships>',
    }
    ranges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    cells_merged = f"<mergeCells>{ranges}</mergeCells>" if merged else ""
    for number, (_, cells) in sheets.items():
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>{_sheet_rows(cells)}</sheetData>{cells_merged}</worksheet>'
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{content}')
    return path


def _sheet_rows(rows: Iterable[Sequence[object]]) -> str:
    lines = []
    for row in rows:
        cells = []
        for value in row:
            if isinstance(value, int | float):
                cells.append(f"<c><v>{value}</v></c>")
            elif value in ("", None):
                cells.append("<c/>")
            else:
                cells.append(f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>')
        lines.append(f"<row>{''.join(cells)}</row>")
    return "".join(lines)


def draw_named_classes(folder: Path) -> Path:
    for number in range(12):
        name = ("benign", "malignant")[number % 2]
        picture(folder / f"{name} ({number}).png", name == "malignant")
        picture(folder / f"{name} ({number})_mask.png", mask=True)
    return folder


def draw_class_folders(folder: Path) -> Path:
    for name in ("benign", "malignant"):
        for number in range(6):
            picture(folder / name / f"{name[0]}{number:02d}.png", name == "malignant")
    return folder


def draw_busi(folder: Path) -> Path:
    root = folder / "Dataset_BUSI_with_GT"
    for name, number in (("benign", 6), ("malignant", 5), ("normal", 4)):
        for image in range(1, number + 1):
            picture(root / name / f"{name} ({image}).png", name == "malignant")
            picture(root / name / f"{name} ({image})_mask.png", mask=True)
    picture(root / "benign" / "benign (1)_mask_1.png", mask=True)
    return folder


def draw_idc(folder: Path) -> Path:
    for patient in (8863, 8864, 8865, 9036, 10253, 12241):
        for label in (0, 1):
            for x in (1, 51):
                name = f"{patient}_idx5_x{x}_y{50 * label + 1}_class{label}.png"
                picture(folder / "IDC_regular_ps50_idx5" / str(patient) / str(label) / name, label == 1)
    return folder


def draw_breakhis(folder: Path) -> Path:
    slides = {
        "benign/SOB/adenosis/SOB_B_A_14-22549AB": "SOB_B_A-14-22549AB",
        "benign/SOB/fibroadenoma/SOB_B_F_14-9133": "SOB_B_F-14-9133",
        "benign/SOB/tubular_adenoma/SOB_B_TA_14-3411F": "SOB_B_TA-14-3411F",
        "malignant/SOB/ductal_carcinoma/SOB_M_DC_14-2523": "SOB_M_DC-14-2523",
        "malignant/SOB/lobular_carcinoma/SOB_M_LC_14-12204": "SOB_M_LC-14-12204",
        "malignant/SOB/papillary_carcinoma/SOB_M_PC_15-190EF": "SOB_M_PC-15-190EF",
    }
    for slide, name in slides.items():
        for magnification in (40, 100, 200, 400):
            file = f"{name}-{magnification}-001.png"
            picture(folder / "BreaKHis_v1/histology_slides/breast" / slide / f"{magnification}X" / file, "_M_" in name)
    (folder / "BreaKHis_v1" / "README.txt").write_text("The slides of 6 patients.\n")
    return folder


def draw_mini_mias(folder: Path) -> Path:
    findings = ["G CIRC B 535 425 197", "G CIRC M 522 280 69", "D NORM", "F SPIC M 300 200 40", "G MISC B 338 314 56"]
    lines = []
    for film in range(1, 13):
        picture(folder / f"mdb{film:03d}.pgm", findings[(film - 1) % 5].find(" M ") > 0)
        lines.append(f"mdb{film:03d} {findings[(film - 1) % 5]}")
    lines.insert(2, "mdb002 G CIRC B 100 120 30")  # a second finding of a film
    intro = "INFORMATION: this is a list of the films.\n\n1st column: MIAS database reference number.\n\n"
    (folder / "Info.txt").write_text(intro + "\n".join(lines) + "\n")
    return folder


def draw_finding_list(folder: Path) -> Path:
    kinds = ["MLOLT G NORM", "CCRT F CIRC B 520 310 40", "CCLT D SPIC M 612 220 31"]
    lines = [f"IMG{film:03d} {kinds[film % 3]}" for film in range(1, 13)]
    lines.insert(1, "IMG001 CCRT F CALC M 90 80 12")  # a second finding, of another class
    (folder / "lists").mkdir(parents=True)
    (folder / "lists/Info.txt").write_text("\n".join(lines) + "\n")
    for film in range(1, 13):
        picture(folder / f"lists/TIFF Images/IMG{film:03d}.tif", film % 3 == 2)
        if film % 3:
            picture(folder / f"lists/ROI Masks/IMG{film:03d}.tif", mask=True)
    return folder


_CBIS_COLUMNS = (
    *("patient_id", "breast_density", "left or right breast", "image view", "abnormality id", "abnormality type"),
    *("mass shape", "mass margins", "assessment", "pathology", "subtlety", "image file path"),
    *("cropped image file path", "ROI mask file path"),
)
_CBIS_UID = "1.3.6.1.4.1.9590.100.1.2"


def _cbis_rows() -> list[tuple[str, str, str, str, str, int]]:
    """Return set, patient, side, view, pathology and number of abnormalities of each film."""
    pathologies = ["BENIGN", "MALIGNANT", "BENIGN_WITHOUT_CALLBACK"]
    rows = []
    for number in range(8):
        part = "Test" if number >= 6 else "Training"
        for view in ("CC", "MLO"):
            side = "LEFT" if number % 2 else "RIGHT"
            pathology = "MALIGNANT" if number == 6 else pathologies[number % 3]
            rows.append((part, f"P_{number + 1:05d}", side, view, pathology, 2 if number == 0 else 1))
    return rows


def draw_cbis_ddsm(folder: Path) -> Path:
    tables: dict[str, list[Sequence[object]]] = {"Training": [], "Test": []}
    for number, (part, patient, side, view, pathology, lesions) in enumerate(_cbis_rows()):
        case = f"Mass-{part}_{patient}_{side}_{view}"
        full = f"{case}/{_CBIS_UID}.{number}1/{_CBIS_UID}.{number}2/000000.dcm"
        root = folder / "CBIS-DDSM"
        dicom(
            root / case / "07-20-2016-DDSM-30288" / "1.000000-full mammogram images-24515" / "1-1.dcm",
            pathology == "MALIGNANT",
            PatientID=case,
            SeriesDescription="full mammogram images",
        )
        for lesion in range(1, lesions + 1):
            series = root / f"{case}_{lesion}" / "07-21-2016-DDSM-98260" / "1.000000-ROI mask images-18515"
            dicom(series / "1-1.dcm", PatientID=f"{case}_{lesion}", SeriesDescription="cropped images")
            dicom(series / "1-2.dcm", PatientID=f"{case}_{lesion}", SeriesDescription="ROI mask images")
            crop = f"{case}_{lesion}/{_CBIS_UID}.{number}3/{_CBIS_UID}.{number}4/000000.dcm"
            found = pathology if lesion == 1 else "MALIGNANT"
            tables[part].append(
                (patient, 3, side, view, lesion, "mass", "OVAL", "SPICULATED", 4, found, 3, full, crop, crop)
            )
    table(folder / "mass_case_description_train_set.csv", [_CBIS_COLUMNS, *tables["Training"]])
    table(folder / "mass_case_description_test_set.csv", [_CBIS_COLUMNS, *tables["Test"]])
    return folder


def draw_cbis_ddsm_jpeg(folder: Path) -> Path:
    tables: dict[str, list[Sequence[object]]] = {"Training": [], "Test": []}
    files: list[Sequence[object]] = [("file_path", "image_path", "PatientID", "SeriesDescription", "Laterality")]
    for number, (part, patient, side, view, pathology, _) in enumerate(_cbis_rows()):
        case = f"Mass-{part}_{patient}_{side}_{view}"
        series = [f"{_CBIS_UID}.{10_000 + number}", f"{_CBIS_UID}.{20_000 + number}"]
        full = picture(folder / "jpeg" / series[0] / "1-249.jpg", pathology == "MALIGNANT")
        crop = picture(folder / "jpeg" / series[1] / "1-250.jpg")
        mask = picture(folder / "jpeg" / series[1] / "2-251.jpg", mask=True)
        for path, what, name in (
            (full, "full mammogram images", case),
            (crop, "cropped images", f"{case}_1"),
            (mask, "ROI mask images", f"{case}_1"),
        ):
            place = f"CBIS-DDSM/{path.relative_to(folder).as_posix()}"
            files.append((place.replace("jpeg", "dicom"), place, name, what, side[0]))
        paths = [f"{case}/{_CBIS_UID}.{number}1/{series[0]}/000000.dcm"]
        paths += [f"{case}_1/{_CBIS_UID}.{number}3/{series[1]}/00000{last}.dcm" for last in (0, 1)]
        tables[part].append((patient, 3, side, view, 1, "mass", "OVAL", "SPICULATED", 4, pathology, 3, *paths))
    table(folder / "csv" / "dicom_info.csv", files)
    table(folder / "csv" / "mass_case_description_train_set.csv", [_CBIS_COLUMNS, *tables["Training"]])
    table(folder / "csv" / "mass_case_description_test_set.csv", [_CBIS_COLUMNS, *tables["Test"]])
    return folder


def draw_inbreast(folder: Path) -> Path:
    root = folder / "INbreast Release 1.0"
    columns = ("Patient ID", "Patient age", "Laterality", "View", "Acquisition date", "File Name", "ACR", "Bi-Rads")
    rows: list[Sequence[object]] = [columns]
    birads = ["1", "2", "3", "4a", "5", "6", "4c", "2"]
    for number in range(8):
        patient = f"6c613a14b80a859{number}"
        for view in ("CC", "ML"):
            side = "RL"[number % 2]
            name = 20586908 + 26 * number + (view == "ML")
            dicom(root / "AllDICOMs" / f"{name}_{patient}_MG_{side}_{view}_ANON.dcm", birads[number][0] > "3")
            rows.append(("removed", "removed", side, view.replace("ML", "MLO"), "201001", name, 2, birads[number]))
    table(root / "INbreast.csv", rows, ";")
    (root / "AllXML").mkdir()
    (root / "AllXML" / "20586908.xml").write_text("<plist/>")
    return folder


def draw_cmmd(folder: Path) -> Path:
    rows: list[Sequence[object]] = [("ID1", "LeftRight", "Age", "number", "abnormality", "classification", "subtype")]
    for number in range(1, 9):
        patient = f"D1-{number:04d}" if number < 7 else f"D2-{number:04d}"
        malignant = number % 2 == 0
        rows.append((patient, "L", 40 + number, 2, "mass", "Malignant" if malignant else "Benign", ""))
        if number == 1:
            rows.append((patient, "R", 41, 2, "calcification", "Malignant", "Luminal A"))
        for place, (side, view) in enumerate((side, view) for side in "LR" for view in ("CC", "MLO")):
            if side == "R" and number > 2:
                continue
            series = folder / "CMMD" / patient / "07-18-2010-NA-NA-79377" / f"1.000000-NA-{70244 + number}"
            dicom(series / f"1-{place + 1}.dcm", malignant, PatientID=patient, ImageLaterality=side, ViewPosition=view)
    workbook(folder / "CMMD_clinicaldata_revision.xlsx", rows)
    return folder


_RSNA_COLUMNS = (
    *("site_id", "patient_id", "image_id", "laterality", "view", "age", "cancer", "biopsy", "invasive", "BIRADS"),
    *("implant", "density", "machine_id", "difficult_negative_case"),
)


def _rsna_rows() -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for number in range(8):
        for place, (side, view) in enumerate((("L", "CC"), ("L", "MLO"), ("R", "CC"))):
            cancer = int(number % 2 == 1 and side == "L")
            image = 462822612 + 10 * number + place
            rows.append(
                (number % 2 + 1, 10006 + number, image, side, view, 61.0, cancer, cancer, 0, "", 0, "", 29, False)
            )
    return rows


def draw_rsna(folder: Path) -> Path:
    rows = _rsna_rows()
    for row in rows:
        dicom(folder / "train_images" / str(row[1]) / f"{row[2]}.dcm", row[6] == 1)
    table(folder / "train.csv", [_RSNA_COLUMNS, *rows])
    table(folder / "test.csv", [("site_id", "patient_id", "image_id", "laterality", "view", "age")])
    return folder


def draw_rsna_png(folder: Path) -> Path:
    rows = _rsna_rows()
    for row in rows:
        picture(folder / "train_images_512" / f"{row[1]}_{row[2]}.png", row[6] == 1)
    table(folder / "train.csv", [_RSNA_COLUMNS, *rows])
    return folder


def draw_vindr_mammo(folder: Path) -> Path:
    columns = ("study_id", "series_id", "image_id", "laterality", "view_position", "height", "width")
    columns = (*columns, "breast_birads", "breast_density", "split")
    rows: list[Sequence[object]] = [columns]
    birads = [1, 2, 3, 4, 5, 0, 4, 1, 5, 2]
    for number in range(10):
        study = f"{number:02d}48a9b3a7e8cdd4e1a4ff45a1f3a5c9"
        for side in "LR":
            for view in ("CC", "MLO"):
                image = f"{number:02d}{side}{view}d8bb07da9fd8d1b2a8".lower()
                category = birads[number] if side == "L" else 1
                part = "test" if number >= 8 else "training"
                rows.append(
                    (study, "s" + study, image, side, view, 3518, 2800, f"BI-RADS {category}", "DENSITY C", part)
                )
                dicom(folder / "images" / study / f"{image}.dicom", category > 3)
    table(folder / "breast-level_annotations.csv", rows)
    findings = [(*row[:7], *row[7:9], "['Mass']", row[9]) for row in rows[1:9]]
    table(folder / "finding_annotations.csv", [(*columns[:9], "finding_categories", "split"), *findings])
    return folder


def draw_kau_bcmd(folder: Path) -> Path:
    for category, below in (("BIRAD1", "b1"), ("Birad3", "b3"), ("Birad4", "b4"), ("Birad5", "Birad5")):
        for number in range(3):
            for side in "LR":
                for view in ("CC", "MLO"):
                    name = f"20{13 + number}_BC00{category[-1]}{number}26_ {view}_{side}.jpg"
                    picture(folder / category / below / name, category[-1] > "3")
    return folder


def draw_bus_bra(folder: Path) -> Path:
    rows: list[Sequence[object]] = [
        ("ID", "Case", "Histology", "Pathology", "BIRADS", "Device", "Width", "Height", "Side", "BBOX")
    ]
    folds: list[Sequence[object]] = [("ID", "Case", "Pathology", "kFold")]
    for case in range(1, 9):
        pathology = "malignant" if case % 3 == 0 else "benign"
        for side in ("l", "r") if case < 5 else ("l",):
            name = f"bus_{case:04d}-{side}"
            picture(folder / "BUSBRA" / "Images" / f"{name}.png", case % 3 == 0)
            picture(folder / "BUSBRA" / "Masks" / f"mask_{case:04d}-{side}.png", mask=True)
            where = {"l": "left", "r": "right"}[side]
            rows.append((name, case, "fibroadenoma", pathology, 3, "GE Logiq 5", 32, 32, where, "[1 2 3 4]"))
            folds.append((name, case, pathology, case % 5 + 1))
    table(folder / "BUSBRA" / "bus_data.csv", rows)
    table(folder / "BUSBRA" / "5-fold-cv.csv", folds)
    return folder


def draw_breast(folder: Path) -> Path:
    rows: list[Sequence[object]] = [
        (
            "CaseID",
            "Image_filename",
            "Mask_tumor_filename",
            "Mask_other_filename",
            "Pixel_size",
            "Age",
            "BIRADS",
            "Verification",
            "Diagnosis",
            "Classification",
        )
    ]
    classes = ["benign", "malignant", "normal", "benign", "malignant", "benign", "malignant", "normal", "benign"]
    root = folder / "BrEaST-Lesions_USG-images_and_masks"
    for case, name in enumerate(classes, 1):
        file = f"case{case:03d}"
        picture(root / f"{file}.png", name == "malignant")
        mask, other = "", ""
        if name != "normal":
            mask = picture(root / f"{file}_tumor.png", mask=True).name
        if case == 1:
            other = "&".join(picture(root / f"{file}_other{number}.png", mask=True).name for number in (1, 2))
        rows.append((case, f"{file}.png", mask, other, 0.007, 57, "4a", "confirmed", "x", name))
    workbook(folder / "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx", rows)
    return folder


def draw_bus_uclm(folder: Path) -> Path:
    rows: list[Sequence[object]] = [("Image", "Doppler", "Marks", "Label")]
    for patient in ("ALWI", "ANFO", "ANAT", "LORO", "MAMA"):
        for number, label in enumerate(("Normal", "Benign", "Malignant")):
            name = f"{patient}_{number:03d}.png"
            picture(folder / "BUS-UCLM" / "images" / name, label == "Malignant")
            picture(folder / "BUS-UCLM" / "masks" / name, mask=True)
            rows.append((name, "No", "Yes" if number else "No", label))
    table(folder / "BUS-UCLM" / "INFO.csv", rows, ";", "\ufeff")
    return folder


def draw_udiat(folder: Path) -> Path:
    rows: list[Sequence[object]] = [("Image", "Type")]
    for number in range(1, 13):
        picture(folder / "BUS" / "original" / f"{number:06d}.png", number % 3 == 0)
        picture(folder / "BUS" / "GT" / f"{number:06d}.png", mask=True)
        rows.append((number, "Malignant" if number % 3 == 0 else "Benign"))
    workbook(folder / "BUS" / "DatasetB.xlsx", rows)
    return folder


def draw_medmnist(folder: Path) -> Path:
    arrays: dict[str, np.ndarray] = {}
    for part, count in (("train", 12), ("val", 4), ("test", 6)):
        labels = np.arange(count, dtype=np.uint8)[:, None] % 2
        arrays[f"{part}_images"] = np.stack([tissue(next(_drawn), label == 0)[:28, :28] for label in labels[:, 0]])
        arrays[f"{part}_labels"] = labels
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "breastmnist.npz", **arrays)
    return folder / "breastmnist.npz"


def draw_dicom_export(folder: Path) -> Path:
    (folder / "DICOM").mkdir(parents=True)
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    for patient in range(3):
        for number, (side, view) in enumerate((("L", "CC"), ("R", "CC"))):
            place = folder / "DICOM" / f"PA{patient:06d}" / "ST000000" / f"SE{number:06d}" / f"MG{number:06d}"
            dicom(place, PatientID=f"X{patient}", ImageLaterality=side, ViewPosition=view)
    return folder


def draw_image_folder(folder: Path) -> Path:
    for part, number in (("train", 6), ("val", 3), ("test", 2)):
        for name in ("benign", "malignant"):
            for image in range(number):
                picture(folder / part / name / f"{part}_{name}_{image}.jpeg", name == "malignant")
    return folder


def draw_hugging_face(folder: Path) -> Path:
    for part, number in (("train", 8), ("test", 4)):
        rows: list[Sequence[object]] = [("file_name", "label", "patient_id")]
        for image in range(number):
            name = "malignant" if image % 2 else "benign"
            picture(folder / part / f"{image:04d}.png", image % 2 == 1)
            rows.append((f"{image:04d}.png", name, f"{part}{image // 2}"))
        table(folder / part / "metadata.csv", rows)
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    return folder


def draw_hugging_face_lines(folder: Path) -> Path:
    lines = []
    for image in range(12):
        picture(folder / "images" / f"{image:04d}.png", image % 2 == 1)
        name = "malignant" if image % 2 else "benign"
        lines.append(json.dumps({"file_name": f"images/{image:04d}.png", "diagnosis": name, "age": 40 + image}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def draw_labels_table(folder: Path) -> Path:
    rows: list[Sequence[object]] = [("Fichier", "Diagnostic", "Patiente", "Côté", "Âge")]
    for number in range(12):
        picture(folder / "Images" / f"é{number:02d}.png", number % 2 == 1)
        rows.append(
            (f"é{number:02d}", "malin" if number % 2 else "bénin", f"P{number // 3}", "GD"[number % 2], 50 + number)
        )
    table(folder / "liste.csv", rows, ";")
    return folder


DRAWINGS = {
    "class_folders": Drawing("class_folders", draw_class_folders, counts({"benign": 6, "malignant": 6})),
    "named_classes": Drawing("named_classes", draw_named_classes, counts({"benign": 6, "malignant": 6}, masks=12)),
    "busi": Drawing("busi", draw_busi, counts({"benign": 6, "malignant": 5, "normal": 4}, masks=16)),
    "idc": Drawing("idc", draw_idc, counts({"benign": 12, "malignant": 12}, patients=6)),
    "breakhis": Drawing("breakhis", draw_breakhis, counts({"benign": 12, "malignant": 12}, patients=6)),
    "mini_mias": Drawing(
        "mini_mias", draw_mini_mias, counts({"normal": 2, "benign": 5, "malignant": 5}, patients=6, breasts=12)
    ),
    "finding_list": Drawing(
        "finding_list", draw_finding_list, counts({"normal": 4, "benign": 3, "malignant": 5}, masks=8)
    ),
    "cbis_ddsm": Drawing(
        "cbis_ddsm",
        draw_cbis_ddsm,
        counts({"benign": 6, "malignant": 10}, 8, 8, {"train": 12, "test": 4}, masks=36),
    ),
    "cbis_ddsm_jpeg": Drawing(
        "cbis_ddsm",
        draw_cbis_ddsm_jpeg,
        counts({"benign": 8, "malignant": 8}, 8, 8, {"train": 12, "test": 4}, masks=32),
    ),
    "inbreast": Drawing("inbreast", draw_inbreast, counts({"benign": 8, "malignant": 8}, 8, 8)),
    "cmmd": Drawing("cmmd", draw_cmmd, counts({"benign": 8, "malignant": 10}, 8, 9, left_out=2)),
    "rsna": Drawing("rsna", draw_rsna, counts({"benign": 16, "malignant": 8}, 8, 16)),
    "rsna_png": Drawing("rsna", draw_rsna_png, counts({"benign": 16, "malignant": 8}, 8, 16)),
    "vindr_mammo": Drawing(
        "vindr_mammo",
        draw_vindr_mammo,
        counts({"benign": 30, "malignant": 8}, 10, 19, {"train": 30, "test": 8}, left_out=2),
    ),
    "kau_bcmd": Drawing("kau_bcmd", draw_kau_bcmd, counts({"benign": 24, "malignant": 24}, 12, 24)),
    "bus_bra": Drawing("bus_bra", draw_bus_bra, counts({"benign": 9, "malignant": 3}, 8, 12, masks=12)),
    "breast": Drawing("breast", draw_breast, counts({"normal": 2, "benign": 4, "malignant": 3}, 9, masks=9)),
    "bus_uclm": Drawing("bus_uclm", draw_bus_uclm, counts({"normal": 5, "benign": 5, "malignant": 5}, 5, masks=15)),
    "udiat": Drawing("udiat", draw_udiat, counts({"benign": 8, "malignant": 4}, masks=12)),
    "medmnist": Drawing(
        "medmnist",
        draw_medmnist,
        counts({"malignant": 11, "normal, benign": 11}, splits={"train": 12, "val": 4, "test": 6}),
    ),
    "dicom_export": Drawing("dicom_export", draw_dicom_export, counts({}, 3, 6) | {"images": 6}),
    "image_folder": Drawing(
        "image_folder",
        draw_image_folder,
        counts({"benign": 11, "malignant": 11}, splits={"train": 12, "val": 6, "test": 4}),
    ),
    "hugging_face": Drawing(
        "hugging_face",
        draw_hugging_face,
        counts({"benign": 6, "malignant": 6}, 6, splits={"train": 8, "test": 4}),
    ),
    "hugging_face_lines": Drawing("hugging_face", draw_hugging_face_lines, counts({"benign": 6, "malignant": 6})),
    "labels_table": Drawing("labels_table", draw_labels_table, counts({"bénin": 6, "malin": 6}, 4, 8)),
}


def wrapped(folder: Path) -> Path:
    """Put everything into two more folders, as archives do."""
    inside = folder / "archive (1)" / "My set v2"
    inside.mkdir(parents=True)
    for item in list(folder.iterdir()):
        if item.name != "archive (1)":
            item.rename(inside / item.name)
    return folder


def upper_endings(folder: Path) -> Path:
    """Write all endings of images in capitals, as cameras and Windows do."""
    for path in [path for path in folder.rglob("*") if path.suffix in (".png", ".jpg", ".dcm", ".pgm")]:
        path.rename(path.with_suffix(path.suffix.upper()))
    return folder


def with_extras(folder: Path) -> Path:
    """Lay beside it what lies beside most sets: a readme, a licence, what macOS leaves."""
    for path in (folder, *[path for path in folder.iterdir() if path.is_dir()][:1]):
        (path / "README.md").write_text("# About\n\nA data set.\n")
        (path / "LICENSE.txt").write_text("Creative Commons Attribution 4.0 International\n")
        (path / ".DS_Store").write_bytes(b"\0")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._1.png").write_bytes(b"\0")
    return folder


VARIATIONS: Mapping[str, Callable[[Path], Path]] = {
    "as published": lambda folder: folder,
    "in more folders": wrapped,
    "endings in capitals": upper_endings,
    "with extra files": with_extras,
}
