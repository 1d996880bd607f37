"""A table of predictions is read as it stands, and each fault is named by its cell."""

from pathlib import Path

import numpy as np
import pytest

from breastai.data.cases.predictions_table import match_predictions, read_predictions
from breastai.domain.errors import PathNotFound, PredictionsInvalid
from breastai.domain.text import Text
from breastai.texts.renderer import render

GOOD = """label,p_benign,p_malignant,file,patient_id,device
benign,0.9,0.1,a.png,P1,GE
Malignant,0.25,0.75,b.png,P2,Philips
malignant,0.6,0.4,c.png,P2,
"""


def table(tmp_path: Path, text: str, name: str = "p.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["{:.3f}", "{:.1%}", "{:.1f} %", "{:.1f}\u202f%", "{:.1f}%"])
def test_a_probability_may_be_a_percentage_with_its_sign(tmp_path: Path, form: str) -> None:
    values = [0.25, 0.75] if form in ("{:.3f}", "{:.1%}") else [25, 75]
    cells = [form.format(value).replace(".", ",") for value in values]
    path = tmp_path / "p.csv"
    path.write_text(f"label;p_a;p_b\na;{cells[0]};{cells[1]}\nb;{cells[1]};{cells[0]}\n", encoding="utf-8")
    assert read_predictions(path).probabilities.tolist() == [[0.25, 0.75], [0.75, 0.25]]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("a,25,75", "problem.percentages"),
        ("a,-1.5,2.25", "problem.scores"),
        ("a,0.9,0.9", "problem.scores"),
        ("a,x,0.9", None),
    ],
)
def test_percentages_and_scores_of_a_network_are_called_so(tmp_path: Path, row: str, code: str | None) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"label,p_a,p_b\n{row}\n{row}\n{row}\n")
    with pytest.raises(PredictionsInvalid) as raised:
        read_predictions(path)
    first = raised.value.problems[0]
    assert (isinstance(first, Text) and first.code == code) == (code is not None)


def test_labels_probabilities_patients_and_subgroups_are_read(tmp_path: Path) -> None:
    found = read_predictions(table(tmp_path, "\ufeff" + GOOD))
    assert found.class_names == ("benign", "malignant")
    assert found.labels.tolist() == [0, 1, 1]
    assert found.probabilities[1].tolist() == [0.25, 0.75]
    assert found.patients == ("P1", "P2", "P2")
    assert dict(found.subgroups) == {"device": ("GE", "Philips", "")}


def test_semicolons_and_decimal_commas_are_read_as_a_french_spreadsheet_writes_them(tmp_path: Path) -> None:
    found = read_predictions(table(tmp_path, "label;p_a;p_b\na;0,7;0,3\n\nb;0,2;0,8\n"))
    assert np.allclose(found.probabilities, [[0.7, 0.3], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "row 1: expected the names of the columns, got an empty file"),
        (
            "p_a,p_b\n0.5,0.5\n",
            "row 1: expected a column label with the true class of each row, for predictions alone can't be judged, got p_a, p_b",
        ),
        ("label,p_a\na,1\n", "row 1: expected a column p_CLASS for each of two classes or more, got 1"),
        ("label,p_a,p_b,P_A\na,1,0,1\n", "row 1: expected each column once, got p_a twice"),
        ("label,p_a,p_b\n", "row 2: expected a prediction, got the end of the file"),
        ("label,p_a,p_b\nc,1,0\n", "row 2, column label: expected one of a, b, got 'c'"),
        ("label,p_a,p_b\na,x,0\n", "row 2, column p_a: expected a number from 0 to 1, got 'x'"),
        ("label,p_a,p_b\na,1,0\nb,0,1.5\n", "row 3, column p_b: expected a number from 0 to 1, got '1.5'"),
        ("label,p_a,p_b\na,nan,0\n", "row 2, column p_a: expected a number from 0 to 1, got 'nan'"),
        ("label,p_a,p_b\na,0.5,0.1\n", "row 2: expected probabilities that sum to 1, got 0.6"),
        ("label,p_a,p_b\na,1\n", "row 2: expected 3 cells, got 2"),
        (
            "file,label,p_a,p_b\nx.png,a,1,0\ny.png,a,1,0\n./x.png,a,1,0\n",
            "row 4, column file: expected each file once, got ./x.png as in row 2",
        ),
        (
            "file,label,p_a,p_b\nx.png,a,1,0\nx.png,b,1,0\n",
            "row 3, column file: expected each file once, got x.png as in row 2, with label b here and a there",
        ),
        (
            "file,label,p_a,p_b,patient_id\nx.png,a,1,0,P1\nx.png,a,0,1,P2\n",
            "row 3, column file: expected each file once, got x.png as in row 2, with patient_id P2 here and P1 there",
        ),
        ("file,label,p_a,p_b\n,a,1,0\n", "row 2, column file: expected a file, got nothing"),
        ("label,p_a,p_b,patient_id\na,1,0,\n", "row 2, column patient_id: expected a patient, got nothing"),
    ],
)
def test_a_fault_is_named_by_its_row_and_column(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(PredictionsInvalid) as caught:
        read_predictions(table(tmp_path, text))
    assert list(map(str, caught.value.problems)) == [problem]
    assert caught.value.path == "p.csv"


def test_a_repeated_file_is_said_in_french_too(tmp_path: Path) -> None:
    with pytest.raises(PredictionsInvalid) as caught:
        read_predictions(table(tmp_path, "file,label,p_a,p_b\nx.png,a,1,0\nx.png,b,1,0\n"))
    (fault,) = caught.value.problems
    assert isinstance(fault, Text)
    assert render(fault, "fr").replace("\u00a0", " ") == (
        "ligne 3, colonne file : attendu chaque fichier une seule fois, "
        "reçu x.png comme à la ligne 2, avec label b ici et a là"
    )


def test_a_long_table_tells_how_far_it_is_read_and_can_be_stopped_there(tmp_path: Path) -> None:
    path = table(tmp_path, "label,p_a,p_b\n" + "a,1,0\nb,0,1\n" * 6000)
    seen: list[tuple[int, int]] = []
    assert len(read_predictions(path, lambda done, total: seen.append((done, total)))) == 12_000
    assert seen == [(0, 12_000), (5000, 12_000), (10_000, 12_000)]

    def stop(done: int, total: int) -> None:
        if done:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        read_predictions(path, stop)


def test_of_many_faults_the_first_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(PredictionsInvalid) as caught:
        read_predictions(table(tmp_path, "label,p_a,p_b\n" + "z,1,0\n" * 50))
    assert len(caught.value.problems) == 11 and str(caught.value.problems[-1]) == "and 40 more"


def test_a_missing_file_and_one_that_is_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound):
        read_predictions(tmp_path / "none.csv")
    (tmp_path / "odd.csv").write_bytes(b"label\x81\xfe")
    with pytest.raises(PredictionsInvalid, match="UTF-8"):
        read_predictions(tmp_path / "odd.csv")


def test_two_tables_are_matched_by_file_whatever_their_order(tmp_path: Path) -> None:
    first = read_predictions(table(tmp_path, GOOD))
    text = "file,p_malignant,p_benign,label\nc.png,0.8,0.2,malignant\na.png,0.3,0.7,benign\nb.png,0.5,0.5,malignant\n"
    second = match_predictions(first, read_predictions(table(tmp_path, text, "q.csv")))
    assert np.allclose(second.probabilities, [[0.7, 0.3], [0.5, 0.5], [0.2, 0.8]])
    assert second.patients == first.patients
    elsewhere = text.replace("c.png", "Images\\C.PNG").replace("a.png", "/data/a.png")
    assert match_predictions(first, read_predictions(table(tmp_path, elsewhere, "q.csv"))).probabilities.tolist() == (
        second.probabilities.tolist()
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("label,p_x,p_y\nx,1,0\n", "expected the classes benign, malignant"),
        ("label,p_benign,p_malignant\nbenign,1,0\n", "expected 3 predictions"),
        ("label,p_benign,p_malignant\nbenign,1,0\nbenign,1,0\nmalignant,0,1\n", "case 2, column label"),
        ("label,p_benign,p_malignant,file\nbenign,1,0,a.png\nbenign,1,0,x\nmalignant,0,1,c.png\n", "b.png missing"),
    ],
)
def test_tables_of_other_cases_are_refused(tmp_path: Path, text: str, part: str) -> None:
    first = read_predictions(table(tmp_path, GOOD))
    with pytest.raises(PredictionsInvalid, match=part):
        match_predictions(first, read_predictions(table(tmp_path, text, "q.csv")))


def test_a_table_of_answers_without_the_truth_is_refused_with_what_to_add(tmp_path: Path) -> None:
    header = "file,decision,predicted,p_a,p_b,target_class,threshold,called,refer,refer_reason,plausible,processing"
    answers = f"{header}\n1.png,a,a,0.9,0.1,b,0.3,0,0,,a,8 x 8\n2.png,b,b,0.2,0.8,b,0.3,1,0,,b,8 x 8\n"
    with pytest.raises(PredictionsInvalid, match="a column label with the true class of each row"):
        read_predictions(table(tmp_path, answers))
    rows = answers.splitlines()
    judged = "\n".join([f"{rows[0]},label", f"{rows[1]},b", f"{rows[2]},b"])
    found = read_predictions(table(tmp_path, judged))
    assert (found.labels.tolist(), dict(found.subgroups)) == ([1, 1], {})


def test_a_table_whose_labels_are_the_model_s_own_answers_is_refused(tmp_path: Path) -> None:
    header = "file,label,p_a,p_b,target_class,threshold,called,refer,refer_reason,plausible,processing"
    own = f"{header}\n1.png,a,0.9,0.1,b,0.3,0,0,,a,8 x 8\n2.png,b,0.2,0.8,b,0.3,1,0,,b,8 x 8\n"
    with pytest.raises(PredictionsInvalid, match="the model's own answers"):
        read_predictions(table(tmp_path, own))
    assert len(read_predictions(table(tmp_path, own.replace("1.png,a", "1.png,b")))) == 2


@pytest.mark.parametrize(("faults", "told"), [(10, 10), (11, 11)])
def test_ten_faults_are_named_and_from_the_eleventh_on_counted(tmp_path: Path, faults: int, told: int) -> None:
    with pytest.raises(PredictionsInvalid) as caught:
        read_predictions(table(tmp_path, "label,p_a,p_b\n" + "c,0.5,0.5\n" * faults))
    counted = [text for text in caught.value.problems if isinstance(text, Text) and text.code == "problem.and_more"]
    assert len(caught.value.problems) == told and len(counted) == (faults > 10)
