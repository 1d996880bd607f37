"""One reader for every layout: labels, patients, sides, views and parts come out as a description says, and nothing is guessed."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from breastai.data.cases.cases import gather_cases
from breastai.data.cases.run_folders import known_folders, list_folders
from breastai.data.patients.patient_ids import names_patients, patients_in
from breastai.data.patients.patient_rules import doubts
from breastai.data.preprocessing import cache_store
from breastai.data.sources.case_source import read_cases, read_description
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.layout import resolved_config
from breastai.data.sources.recognition.survey import survey
from breastai.domain.config import parse_config
from breastai.domain.dataset_description import DatasetDescription, parse_description
from breastai.domain.errors import ClassesDiffer, DatasetInvalid, LabelsInvalid, NoImages
from breastai.storage import link_roots
from breastai.storage.checkpoints import SplitRecord
from breastai.storage.datasets import delete_dataset, save_dataset
from breastai.storage.workspace import Workspace


def draw(root: Path, *files: str) -> None:
    """Draw an image of noise for each file."""
    rng = np.random.default_rng(len(files))
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (24, 24), dtype=np.uint8)).save(root / file)


def described(root: Path, **values: Any) -> DatasetDescription:
    return parse_description({"name": "set", "root": str(root), **values})


def table_of(root: Path, **values: Any) -> CaseTable:
    return read_description(described(root, **values), root)


def rows_of(table: CaseTable, *columns: str) -> list[tuple[str | None, ...]]:
    return [(case.file, case.label, *(getattr(case, name) for name in columns)) for case in table.cases()]


def reasons(table: CaseTable) -> dict[str, str]:
    return {item.file: str(item.reason) for item in table.skipped}


def by_file(**values: Any) -> dict[str, Any]:
    return {"tables": [{"file": "t.csv", "join": [{"column": "id"}], **values}]}


def test_everything_known_of_an_image_comes_from_its_row(tmp_path: Path) -> None:
    draw(tmp_path, "images/s0/a.png", "images/s1/b.png", "images/s2/c.png")
    (tmp_path / "t.csv").write_text(
        "id,study,side,position,birads,years,split\n"
        "a,s0,left,mlo,BI-RADS 2,49,training\nb,s1,RIGHT,CC,BI-RADS 5,64.0,test\nc,s2,,CC,BI-RADS 0,70,training\n"
    )
    found = table_of(
        tmp_path,
        **by_file(),
        fields={
            "label": {"column": "birads", "pattern": r"(\d)"},
            "patient": "study",
            "breast": "side",
            "view": "position",
            "birads": "birads",
            "split": "split",
        },
        class_map={"1-3": "benign", "4-6": "malignant", "0": None},
        subgroups=[{"name": "age", "rule": {"column": "years"}, "bands": [50, 65]}],
    )
    assert rows_of(found, "patient", "breast", "view", "birads", "part") == [
        ("images/s0/a.png", "benign", "s0", "L", "MLO", "BI-RADS 2", "train"),
        ("images/s1/b.png", "malignant", "s1", "R", "CC", "BI-RADS 5", "test"),
    ]
    assert found.subgroups == {"age": ("< 50", "50 – < 65")}
    assert reasons(found) == {"images/s2/c.png": "the class map leaves out 0"}


def test_what_has_no_row_no_image_or_no_class_is_listed_with_its_reason(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png", "c.png", "d.png", "e.png", "f.png", "g.png")
    (tmp_path / "t.csv").write_text("id,label,kind\na,1,x\nb,0,x\nc,7,x\nd,,x\ne,1,old\ngone,1,x\ng,1,x\n")
    found = table_of(
        tmp_path,
        **by_file(filters=[{"column": "kind", "none_of": ["OLD"]}]),
        fields={"label": "label"},
        class_map={"1": "malignant", "0": "benign"},
        left_out=[{"file": "g.png", "note": "blurred"}],
    )
    assert rows_of(found) == [("b.png", "benign"), ("a.png", "malignant")]
    assert reasons(found) == {
        "c.png": "the class map does not say which class 7 is",
        "d.png": "its row in the table has no label",
        "e.png": "its row is left out by a filter",
        "f.png": "no row of the table names it",
        "g.png": "left out by hand: blurred",
        "gone": "no image lies where the table says",
    }


def test_an_image_is_relabelled_in_the_description_alone(tmp_path: Path) -> None:
    draw(tmp_path, "a/1.png", "b/2.png", "b/3.png")
    found = table_of(tmp_path, fields={"label": {"folder": 1}}, relabelled=[{"file": "b/2.png", "label": "a"}])
    assert rows_of(found) == [("a/1.png", "a"), ("b/2.png", "a"), ("b/3.png", "b")]
    assert (tmp_path / "b/2.png").is_file()


def test_rows_by_patient_and_breast_speak_of_all_their_images(tmp_path: Path) -> None:
    draw(tmp_path, "D1/L_CC.png", "D1/L_MLO.png", "D1/R_CC.png", "D2/R_CC.png")
    (tmp_path / "t.csv").write_text("ID1,LeftRight,class\nD1,L,Benign\nD1,R,Malignant\nD2,R,Benign\nD2,R,Malignant\n")
    join = [{"role": "patient", "column": "ID1"}, {"role": "breast", "column": "LeftRight"}]
    fields = {"label": "class", "patient": {"folder": 1}, "breast": {"path": "([LR])_"}, "view": {"path": "_([A-Z]+)"}}
    table = {"file": "t.csv", "join": join, "several_rows": True}
    found = table_of(tmp_path, tables=[table], fields=fields, class_names=["benign", "malignant"])
    assert rows_of(found, "breast", "view") == [
        ("D1/L_CC.png", "benign", "L", "CC"),
        ("D1/L_MLO.png", "benign", "L", "MLO"),
        ("D1/R_CC.png", "malignant", "R", "CC"),
        ("D2/R_CC.png", "malignant", "R", "CC"),
    ]
    without_order = table_of(tmp_path, tables=[table], fields=fields)
    assert "its rows say several classes" in reasons(without_order)["D2/R_CC.png"]
    with pytest.raises(LabelsInvalid, match="row 5 says otherwise of D2 R than row 4"):
        table_of(tmp_path, tables=[{**table, "several_rows": False}], fields=fields)


def test_a_column_may_stand_in_for_another_and_masks_and_boxes_are_kept(tmp_path: Path) -> None:
    draw(tmp_path, "Images/mdb1.png", "Images/mdb2.png", "Images/mdb3.png", "Masks/mask_1.png")
    (tmp_path / "Info.txt").write_text("mdb1 G CIRC B 535 425 97\nmdb2 F NORM\nmdb3 D CIRC M 100 100 50\n")
    columns = ["id", "tissue", "finding", "severity", "x", "y", "radius"]
    found = table_of(
        tmp_path,
        tables=[{"file": "Info.txt", "columns": columns, "join": [{"column": "id"}]}],
        images={"include": ["Images/**"]},
        fields={
            "label": {"column": "severity", "otherwise": "finding"},
            "density": "tissue",
            "box": {"columns": ["x", "y", "radius"], "form": "circle_from_bottom", "height": 1024},
            "mask": {"path": r"^Images/mdb(\d)", "expand": r"Masks/mask_\1.png"},
        },
        class_map={"B": "benign", "M": "malignant", "NORM": "normal"},
    )
    assert rows_of(found, "density", "box", "mask") == [
        ("Images/mdb1.png", "benign", "G", "438 502 194 194", "Masks/mask_1.png"),
        ("Images/mdb3.png", "malignant", "D", "50 874 100 100", "Masks/mask_3.png"),
        ("Images/mdb2.png", "normal", "F", None, "Masks/mask_2.png"),
    ]
    assert found.masks == ("Masks/mask_1.png",)


def test_a_mask_never_leads_outside_the_root(tmp_path: Path) -> None:
    draw(tmp_path, "a/1.png", "b/2.png")
    mask = {"path": "^(.*)$", "expand": r"../../\1"}
    assert table_of(tmp_path, fields={"label": {"folder": 1}, "mask": mask}).column("mask") is None


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"fields": {"label": "pathology"}}, "no column pathology; its columns are id, label"),
        ({"fields": {"label": "label"}, "tables": [{"file": "t.csv", "join": [{"column": "x"}]}]}, "no column x"),
    ],
)
def test_a_column_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, values: dict[str, Any], told: str
) -> None:
    draw(tmp_path, "a.png")
    (tmp_path / "t.csv").write_text("id,label\na,1\n")
    with pytest.raises(LabelsInvalid, match=told):
        table_of(tmp_path, **{**by_file(), **values})


def test_where_nothing_is_left_the_first_reasons_are_told(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")
    (tmp_path / "t.csv").write_text("id,label\nx,1\n")
    with pytest.raises(NoImages, match=r"a\.png: no row of the table names it, b\.png: no row of the table names it"):
        table_of(tmp_path, **by_file(), fields={"label": "label"})


def test_classes_keep_their_order_and_must_be_those_expected(tmp_path: Path) -> None:
    draw(tmp_path, "low/1.png", "high/2.png")
    scale = described(tmp_path, fields={"label": {"folder": 1}}, class_names=["low", "high"], ordered=True)
    assert read_description(scale, tmp_path).class_names == ("low", "high")
    assert read_description(scale, tmp_path, ("high", "low")).labels.tolist() == [0, 1]
    with pytest.raises(ClassesDiffer):
        read_description(scale, tmp_path, ("high", "other"))


def test_cases_come_in_the_order_of_class_folders_with_the_same_names(tmp_path: Path) -> None:
    names = ["P2_a.png", "P1_b.png", "P10_c.png", "P1_a.png"]
    draw(tmp_path, *(f"folders/{label}/{label[0]}{name}" for label in ("benign", "malignant") for name in names))
    draw(tmp_path, *(f"other/{n.split('_')[0]}/{i}/{'bm'[i]}{n}" for i in (0, 1) for n in names))
    expected = read_cases(tmp_path / "folders")
    found = table_of(tmp_path / "other", fields={"label": {"folder": 2}}, class_map={"0": "benign", "1": "malignant"})
    assert [file.rpartition("/")[2] for file in found.files] == [file.rpartition("/")[2] for file in expected.files]
    assert found.labels.tolist() == expected.labels.tolist()


def test_a_description_of_class_folders_reads_as_they_do(tmp_path: Path) -> None:
    draw(tmp_path, "Benign/P1/a.png", "Benign/b.png", "malignant/a.png", "malignant/a_mask.png", "benign/c.png")
    expected, found = read_cases(tmp_path), table_of(tmp_path, fields={"label": {"folder": 1}})
    assert (found.files, found.masks) == (expected.files, expected.masks)
    assert found.labels.tolist() == expected.labels.tolist()


def test_parts_that_a_description_gives_are_those_of_a_run(tmp_path: Path) -> None:
    draw(tmp_path, *(f"data/{part}/{c}/{n}.png" for part in ("training", "val", "test") for c in "ab" for n in "12"))
    values = {"root": "data", "fields": {"label": {"folder": 2}, "split": {"folder": 1}}}
    save_dataset(Workspace.open(tmp_path), parse_description({"name": "mine", **values}))
    config = parse_config({"data": {"train_dir": "mine", "val_dir": None, "test_dir": None}})
    folders = list_folders(config, tmp_path)
    assert {name: len(folder) for name, folder in folders.by_split().items()} == {"train": 4, "val": 4, "test": 4}
    assert folders.train.description is not None and folders.train.description.root == "data"
    assert folders.train.files[0] == "training/a/1.png"
    # What lies beside the images is of no part, and counts once.
    (tmp_path / "data/notes.docx").write_text("x")
    again = list_folders(config, tmp_path)
    assert [len(folder.skipped) for folder in again.by_split().values()] == [1, 0, 0]


def test_a_run_goes_by_the_description_it_began_with(tmp_path: Path) -> None:
    draw(tmp_path, *(f"data/{folder}/{number}.png" for folder in "ab" for number in "12"))
    values = {"name": "mine", "root": "data", "fields": {"label": {"folder": 1}}}
    workspace = Workspace.open(tmp_path)
    save_dataset(workspace, parse_description(values))
    config = parse_config({"data": {"train_dir": "mine", "val_dir": None, "test_dir": None}})
    began = list_folders(config, tmp_path).train
    save_dataset(workspace, parse_description({**values, "class_map": {"a": "b", "b": "a"}}))
    assert list_folders(config, tmp_path).train.labels.tolist() == [1, 1, 0, 0]
    kept = SplitRecord(train=[], val=[], train_sha256=[], val_sha256=[], dataset=began.description)
    kept = SplitRecord.model_validate_json(kept.model_dump_json())
    for change in (lambda: None, lambda: delete_dataset(workspace, "mine")):
        change()
        again = known_folders(config, tmp_path, kept).train
        assert (again.files, again.labels.tolist()) == (began.files, began.labels.tolist())


def test_a_scale_of_classes_gives_a_run_its_order_and_its_loss(tmp_path: Path) -> None:
    draw(tmp_path, *(f"data/{folder}/{number}.png" for folder in ("high", "low", "mid") for number in "12"))
    scale = {"class_names": ["none", "low", "mid", "high"], "ordered": True}
    values = {"name": "mine", "root": "data", "fields": {"label": {"folder": 1}}, **scale}
    save_dataset(Workspace.open(tmp_path), parse_description(values))
    folders = {"train_dir": "mine", "val_dir": None, "test_dir": None}
    config = resolved_config(parse_config({"data": folders}), tmp_path)
    assert config.evaluation.ordered_classes == ["none", "low", "mid", "high"]
    assert config.training.loss == "ordinal"
    assert list_folders(config, tmp_path).class_names == ("low", "mid", "high")
    plain = {"data": folders, "training": {"loss": "cross_entropy"}}
    assert resolved_config(parse_config(plain), tmp_path).training.loss == "cross_entropy"
    own = {"data": folders, "evaluation": {"ordered_classes": ["high", "mid", "low"]}}
    asked = resolved_config(parse_config(own), tmp_path)
    assert asked.training.loss == "auto"
    assert list_folders(asked, tmp_path).class_names == ("high", "mid", "low")


def test_patients_of_a_table_and_of_headers_are_found_without_another_rule(tmp_path: Path) -> None:
    draw(tmp_path, "a.png", "b.png")
    (tmp_path / "t.csv").write_text("id,label,p\na,1,P1\nb,0,P2\n")
    found = table_of(tmp_path, **by_file(), fields={"label": "label", "patient": "p"})
    assert patients_in(found, None, tmp_path) == ["P2", "P1"]
    assert names_patients(found) and doubts([found], None, tmp_path) == []
    assert rows_of(found, "patient") == [("b.png", "0", "P2"), ("a.png", "1", "P1")]


def test_arrays_are_read_as_their_parts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        arrays[f"{part}_images"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.arange(count, dtype=np.uint8)[:, None] % 2
    np.savez_compressed(tmp_path / "mini.npz", **arrays)
    found = read_cases(tmp_path / "mini.npz")
    assert found.class_names == ("0", "1")
    assert {name: len(part) for name, part in found.by_part().items()} == {"train": 4, "val": 2, "test": 2}
    from breastai.data.decoders.decoder_table import read_image

    assert np.array_equal(read_image(found.path(1))[:, :, 0], arrays["train_images"][1])
    with pytest.raises(LabelsInvalid, match="expected arrays such as train_images and train_labels, got weights"):
        np.savez(tmp_path / "other.npz", weights=np.zeros(3))
        read_cases(tmp_path / "other.npz")


@pytest.mark.parametrize("name", ["idc", "mias"])
def test_real_images_in_another_layout_train_as_from_class_folders(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Cases, prepared images and split are equal in the same order, which is all that a run computes from."""
    monkeypatch.setattr(cache_store, "default_cache_root", lambda: tmp_path / "cache")
    source = shared_data / name / "train"
    chosen = [file for folder in sorted(source.iterdir()) for file in sorted(folder.iterdir())[::9]]
    rows = ["film,class,who"]
    for file in chosen:
        patient, label = file.name.split("_")[0], file.parent.name
        other = f"{patient}/{label}" if name == "idc" else "."
        rows.append(f"{file.stem},{label.upper()},{patient}")
        for target in (tmp_path / "folders" / label, tmp_path / "other" / other):
            target.mkdir(parents=True, exist_ok=True)
            (target / file.name).write_bytes(file.read_bytes())
    values: dict[str, Any] = {"fields": {"label": {"folder": 2}, "patient": {"folder": 1}}}
    if name == "mias":
        (tmp_path / "other/films.csv").write_text("\n".join(rows))
        values = {
            "tables": [{"file": "films.csv", "join": [{"column": "film"}]}],
            "fields": {"label": "class", "patient": "who"},
        }
    save_dataset(Workspace.open(tmp_path), parse_description({"name": "other", "root": "other", **values}))
    found = []
    for place, rule in (("folders", "^([^_]+)_"), ("other", None)):
        data = {"train_dir": place, "val_dir": None, "test_dir": None, "image_size": 64, "num_workers": 0}
        config = parse_config({"data": data, "evaluation": {"patient_id": rule}})
        found.append(gather_cases(config, list_folders(config, tmp_path), tmp_path))
    first, second = found
    for one, two in ((first.train, second.train), (first.val, second.val)):
        assert (one.hashes, one.labels.tolist()) == (two.hashes, two.labels.tolist())
        assert all(np.array_equal(one.image(place), two.image(place)) for place in range(0, len(one), 7))
    assert first.train_patients == second.train_patients


def test_globs_and_patterns_of_a_description_end(tmp_path: Path) -> None:
    draw(tmp_path, f"x/{'a' * 200}b.png", "x/b.png", "y/sub/c.png", "y/[1].png")
    label = {"label": {"folder": 1}}
    found = table_of(
        tmp_path, fields=label, images={"include": ["X/*", "**/[?].png", "y/**/c*"], "exclude": ["**/aa*"]}
    )
    assert found.files == ("x/b.png", "y/[1].png", "y/sub/c.png")
    endless = {"include": ["**" + "*a" * 20 + "*b?png?", "**"]}
    assert len(table_of(tmp_path, fields=label, images=endless).files) == 4
    for pattern in ("(a+)+$", "(", "a" * 501):
        with pytest.raises(DatasetInvalid):
            described(
                tmp_path, fields=label, tables=[{"file": "t.csv", "join": [{"column": "id", "pattern": pattern}]}]
            )
    with pytest.raises(DatasetInvalid):
        described(tmp_path, fields=label, images={"include": ["*"] * 1001})


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_a_table_that_is_a_link_to_elsewhere_is_neither_read_nor_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in it would be quoted: a folder from elsewhere can have a link to any file of this machine."""
    monkeypatch.setattr(link_roots, "_roots", [])
    draw(tmp_path / "set", "a.png", "b.png", "c.png", "d.png")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/t.csv").write_text("id,label\na,benign\nb,benign\nc,malignant\nd,malignant\n")
    (tmp_path / "set/t.csv").symlink_to(tmp_path / "kept/t.csv")
    (tmp_path / "set/more").symlink_to(tmp_path / "kept", target_is_directory=True)
    seen = survey(tmp_path / "set")
    assert not seen.tables and not seen.folders
    with pytest.raises(LabelsInvalid, match=r"server\.data_roots"):
        table_of(tmp_path / "set", **by_file(), fields={"label": "label"})
    link_roots.follow_links_into([tmp_path / "kept"])
    assert survey(tmp_path / "set").tables.keys() == {"t.csv", "more/t.csv"}
    assert table_of(tmp_path / "set", **by_file(), fields={"label": "label"}).counts() == {"benign": 2, "malignant": 2}
