"""Classes in the names of files: words, letters, categories, legends; and names that say none, or several."""

from pathlib import Path

import pytest

from breastai.commands.inspection_text import inspection_lines, next_command
from breastai.data.cases.inspection import inspect_place
from breastai.data.cases.run_folders import list_folders
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.recognition.named_classes import NAMED_CLASSES
from breastai.data.sources.recognition.survey import survey
from breastai.domain.config import parse_config
from breastai.domain.dataset_inspection import DatasetInspection, ReadingChanges
from tests.data.published_layouts import picture


def draw(root: Path, *names: str, count: int = 6) -> Path:
    """Draw images by templates of their names, {n} a running number."""
    for number in range(count):
        for place, name in enumerate(names):
            picture(root / name.format(n=number + 100 * place), place == len(names) - 1)
    return root


def codes(found: DatasetInspection) -> list[str]:
    return [doubt.code.removeprefix("doubt.") for doubt in found.doubts]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("benign_{n}.png", "malignant_{n}.png"), {"benign", "malignant"}),
        (("benign ({n}).jpg", "malignant ({n}).jpg"), {"benign", "malignant"}),
        (("IMG_{n:04}_bénin.png", "IMG_{n:04}_malin.png"), {"bénin", "malin"}),
        (("P{n}_left_normal_1.png", "P{n}_left_cancer_2.png"), {"normal", "cancer"}),
        (("{n:03}BENIGN.PNG", "{n:03}MALIGNANT.PNG"), {"benign", "malignant"}),
        (("x{n}_no_cancer.png", "x{n}_cancer.png"), {"no_cancer", "cancer"}),
        (("x{n}_normal.png", "x{n}_tumor.png"), {"normal", "tumor"}),
        (("B-{n}.png", "M-{n}.png"), {"benign", "malignant"}),
        (("{n}b.png", "{n}m.png"), {"benign", "malignant"}),
        (("SOB_B_A-14-{n}.png", "SOB_M_DC-14-{n}.png"), {"benign", "malignant"}),
        (("n{n:03}.tif", "b{n:03}.tif", "is{n:03}.tif", "iv{n:03}.tif"), {"normal", "benign", "in situ", "invasive"}),
        (("p{n}_birads2.png", "p{n}_BIRADS_IVa.png"), {"benign", "malignant"}),
        (("img{n}_label0.png", "img{n}_label1.png"), {"0", "1"}),
    ],
)
def test_a_class_in_every_name_is_read(tmp_path: Path, names: tuple[str, ...], classes: set[str]) -> None:
    found = inspect_place(draw(tmp_path, *names))
    assert (found.layout, found.left_out, found.patients) == ("named_classes", 0, None)
    assert found.classes == dict.fromkeys(sorted(classes), 6)
    assert codes(found)[0] == "classes_in_names" and "patients_unknown" in codes(found)
    config = parse_config({"data": {"train_dir": str(tmp_path)}, "model": {}})
    assert set(list_folders(config, tmp_path.parent).class_names) == classes


def test_what_denies_a_word_belongs_to_it(tmp_path: Path) -> None:
    cases = read_cases(draw(tmp_path, "x{n}_no_cancer_1.png", "a/x{n}_cancer_1.png", "x{n}_non-cancer_7.png"))
    for number, file in enumerate(cases.files):
        assert (cases.label(number) == "cancer") == file.startswith("a/")


def test_two_spellings_are_one_class(tmp_path: Path) -> None:
    found = inspect_place(draw(tmp_path, "{n}_benin.png", "{n}_bénin.png", "{n}_malin.png"))
    assert found.classes in ({"benin": 12, "malin": 6}, {"bénin": 12, "malin": 6})


def test_a_legend_says_what_letters_mean(tmp_path: Path) -> None:
    draw(tmp_path, "A-{n}.png", "C-{n}.png")
    assert inspect_place(tmp_path).layout == "unknown"
    (tmp_path / "legend.txt").write_text("A = adenosis\nC: carcinoma\n")
    found = inspect_place(tmp_path)
    assert found.classes == {"adenosis": 6, "carcinoma": 6} and "codes_by_legend" in codes(found)


def test_parts_and_hospitals_above_such_files_are_read(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for town in ("lyon", "paris"):
            draw(tmp_path / part / town, "benign_{n}.png", "malignant_{n}.png", count=2)
    found = inspect_place(tmp_path)
    assert (found.classes, found.splits) == ({"benign": 8, "malignant": 8}, {"train": 8, "test": 8})
    assert set(read_cases(tmp_path).column("site") or ()) == {"lyon", "paris"}


def test_where_some_names_say_no_class_the_line_to_type_is_told_and_works(tmp_path: Path) -> None:
    draw(tmp_path, "benign_{n}.png", "malignant_{n}.png", "scan{n}.png")
    found = inspect_place(tmp_path)
    assert (found.layout, codes(found)) == ("unknown", ["some_names_say_class"])
    pattern = str(found.doubts[0].params["pattern"])
    assert next_command(found, "x") == f"breastai data add NAME x --label 'path:{pattern}'"
    assert any(f"--label 'path:{pattern}'" in line for line in inspection_lines(found, "x"))
    told = inspect_place(tmp_path, ReadingChanges.model_validate({"fields": {"label": {"path": pattern}}}))
    assert (told.classes, told.left_out) == ({"benign": 6, "malignant": 6}, 6)


def test_names_with_several_words_for_classes_are_not_guessed(tmp_path: Path) -> None:
    draw(tmp_path, "benign_vs_malignant_{n}_benign.png", "benign_vs_malignant_{n}_malignant.png")
    found = inspect_place(tmp_path)
    assert (found.layout, codes(found)) == ("unknown", ["names_say_several_classes"])
    rule = {"path": str(found.doubts[0].params["pattern"])}
    told = inspect_place(tmp_path, ReadingChanges.model_validate({"fields": {"label": rule}}))
    assert told.classes == {"benign": 6, "malignant": 6}


def test_a_few_names_with_two_words_are_left_out_and_counted(tmp_path: Path) -> None:
    draw(tmp_path, "benign_{n}.png", "malignant_{n}.png", count=20)
    picture(tmp_path / "malignant_or_benign_7.png")
    found = inspect_place(tmp_path)
    assert (found.classes, found.left_out) == ({"benign": 20, "malignant": 20}, 1)


@pytest.mark.parametrize(
    "names",
    [
        ("left_{n}.png", "right_{n}.png"),
        ("a_{n}.png", "b_{n}.png"),
        ("mass_{n}.png", "calc_{n}.png"),
        ("{n}.png", "{n}.png"),
    ],
)
def test_names_that_say_something_else_are_no_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert inspect_place(draw(tmp_path, *names)).layout == "unknown"


def test_folders_of_classes_count_more_than_names(tmp_path: Path) -> None:
    for name in ("benign", "malignant"):
        for number in range(6):
            picture(tmp_path / name / f"cancer_{number}.png")
            picture(tmp_path / name / f"normal_{number}.png")
    assert inspect_place(tmp_path).classes == {"benign": 12, "malignant": 12}


@pytest.mark.parametrize(("count", "layout"), [(1, "unknown"), (2, "named_classes")])
def test_four_images_are_the_least_that_names_are_believed_of(tmp_path: Path, count: int, layout: str) -> None:
    assert inspect_place(draw(tmp_path, "benign_{n}.png", "malignant_{n}.png", count=count)).layout == layout


@pytest.mark.parametrize(("others", "layout"), [(2, "named_classes"), (3, "unknown")])
def test_nine_in_ten_names_must_say_a_class(tmp_path: Path, others: int, layout: str) -> None:
    draw(tmp_path, "benign_{n}.png", "malignant_{n}.png", count=9)
    for number in range(others):
        picture(tmp_path / f"scan{number}.png")
    assert inspect_place(tmp_path).layout == layout


@pytest.mark.parametrize(("others", "told"), [(12, ["some_names_say_class"]), (13, [])])
def test_that_some_names_say_a_class_is_told_from_half_of_them_on(tmp_path: Path, others: int, told: list[str]) -> None:
    draw(tmp_path, "benign_{n}.png", "malignant_{n}.png")
    for number in range(others):
        picture(tmp_path / f"scan{number}.png")
    assert [code for code in codes(inspect_place(tmp_path)) if code == "some_names_say_class"] == told


def test_masks_beside_the_images_are_no_images_of_a_class(tmp_path: Path) -> None:
    draw(tmp_path, "benign_{n}.png", "malignant_{n}.png")
    for number in range(6):
        picture(tmp_path / "masks" / f"scan{number}.png", mask=True)
    seen = survey(tmp_path)
    assert len(seen.images) == 18
    found = NAMED_CLASSES.recognise(seen)
    assert found is not None and found.score == pytest.approx(0.6)


def test_the_surer_the_more_names_say_a_class(tmp_path: Path) -> None:
    draw(tmp_path, "benign_{n}.png", "malignant_{n}.png", count=10)
    picture(tmp_path / "scan.png")
    found = NAMED_CLASSES.recognise(survey(tmp_path))
    assert found is not None and found.score == pytest.approx(0.6 * 20 / 21)


@pytest.mark.parametrize(
    ("legend", "read"),
    [("A = adenosis\nC = carcinoma", True), ("A = lesion\nC = lesion", False), ("A = adenosis", False)],
)
def test_a_legend_must_tell_all_codes_and_tell_them_apart(tmp_path: Path, legend: str, read: bool) -> None:
    draw(tmp_path, "A-{n}.png", "C-{n}.png")
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "deep" / "down" / "read_me.txt").write_text("A = adenosis\nC = carcinoma")  # of something else
    (tmp_path / "large.txt").write_text("A = adenosis\nC = carcinoma\n" + " " * 20_000)
    assert inspect_place(tmp_path).layout == "unknown"
    (tmp_path / "notes.md").write_text(legend)
    assert (inspect_place(tmp_path).layout == "named_classes") == read


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (("b_{n}.png", "n_{n}.png"), "unknown"),
        (("b_{n}.png", "m_{n}.png", "n_{n}.png"), "named_classes"),
        (("b_{n}.png", "m_{n}.png", "x_{n}.png"), "unknown"),
        (("is{n}.png", "iv{n}.png"), "named_classes"),
        (("is{n}.png", "n{n}.png"), "unknown"),
        (("p_q_b_{n}.png", "p_r_m_{n}.png"), "named_classes"),
    ],
)
def test_single_letters_are_classes_where_they_are_those_of_a_set(
    tmp_path: Path, names: tuple[str, ...], layout: str
) -> None:
    assert inspect_place(draw(tmp_path, *names)).layout == layout


@pytest.mark.parametrize(("numbers", "layout"), [(1, "unknown"), (2, "named_classes"), (10, "named_classes")])
def test_numbered_classes_are_two_to_ten(tmp_path: Path, numbers: int, layout: str) -> None:
    found = inspect_place(draw(tmp_path, *(f"s{{n}}_class{number}.png" for number in range(numbers)), count=4))
    assert found.layout == layout and ("classes_are_numbers" in codes(found)) == (layout != "unknown")


def test_categories_of_benign_images_alone_are_no_classes(tmp_path: Path) -> None:
    assert inspect_place(draw(tmp_path, "p{n}_birads2.png", "p{n}_birads3.png")).layout == "unknown"
    found = inspect_place(draw(tmp_path / "x", "p{n}_birads2.png", "p{n}_birads5.png"))
    assert found.classes == {"benign": 6, "malignant": 6} and "birads_as_classes" in codes(found)


def test_words_must_stand_at_the_same_place_of_the_names(tmp_path: Path) -> None:
    draw(tmp_path, "benign_{n}_a_b_c.png", "x_y_malignant_{n}_d.png", count=4)
    assert inspect_place(tmp_path).layout == "unknown"
