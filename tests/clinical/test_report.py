"""The report: every number is the JSON's, both languages are whole, and nobody can be told from it."""

import html
import json
import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import breastai
from breastai.clinical.audit_findings import SEVERITIES
from breastai.clinical.evaluate_predictions import evaluate_predictions
from breastai.clinical.evidence import gather_evidence
from breastai.clinical.fit_decision_rule import fit_decision_rule
from breastai.clinical.model_comparison import ComparedModels, DecisionPoints, make_comparison
from breastai.clinical.readers.readers_job import compare_readers
from breastai.clinical.report.report_blocks import Quantity, format_quantity
from breastai.clinical.report.report_job import report
from breastai.clinical.report.report_texts import finding_text, texts, translate_sentence
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.config import parse_config
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.errors import EvaluationNotFound, NoEvaluation, RunNotFound
from breastai.domain.events import AuditDone, DataLoaded, ModelLoaded, ReadersCompared, ReportCreated, TrainingStarted
from breastai.domain.jobs import CompareReaders, EvaluatePredictions, Report
from breastai.domain.records import EvaluationRecord, Finding, ImageUse, JudgedCase, TwinGroup
from breastai.domain.text import Text
from breastai.storage.atomic_checkpoint import save_checkpoint
from breastai.storage.checkpoints import Manifest, SplitRecord, checkpoint_files
from breastai.storage.evaluations import PREDICTIONS, read_evaluations, save_evaluation, sha256_of
from breastai.storage.journal import Journal
from breastai.storage.reports import report_at
from breastai.storage.workspace import Workspace
from breastai.texts.renderer import render

NAMES = ["benign", "malignant", "normal"]
RUN = "20260301-100000-abcd"
PATIENT = "P-0042-Dupont"
Written = Callable[..., tuple[str, dict[str, Any]]]


def made_run(
    workspace: Workspace, evaluated: bool = True, uses: ImageUse | None = None, test_dir: str = "images/test"
) -> None:
    """Write the records of a run, as a training and an evaluation leave them."""
    config = parse_config({"data": {"test_dir": test_dir}, "system": {"seed": 7}})
    labels, raw = draw(120, seed=1)
    rule = fit_decision_rule(*draw(150, seed=2), NAMES, config)
    journal = Journal(workspace.journal_file(RUN), RUN, "default")
    journal.stamp(TrainingStarted(architecture="resnet50", epochs=3, class_names=NAMES, config={}))
    findings = [
        Finding(code="twins.contradicting", severity="error", message="2 groups of identical or near-identical images carry different labels.", why="", advice="", files=[f"train/benign/{PATIENT}.png"], count=4, params={"count": 2}),
        Finding(code="of.tomorrow", severity="info", message="Something new.", why="", advice="", count=1),
    ]  # fmt: skip
    group = TwinGroup(
        files=["train/benign/a.png", "val/normal/b.png"], classes=["benign", "normal"], splits=["train", "val"]
    )
    journal.stamp(AuditDone(data="x", images=420, findings=findings, groups=[group], groups_total=31))
    journal.stamp(
        DataLoaded(
            train={"benign": 200, "malignant": 90, "normal": 61},
            val={"benign": 30, "malignant": 19, "normal": 11},
            split="by patient",
            patients=None,
            skipped=3,
            masks=17,
            on_leak="group",
            groups=31,
            excluded={"twin_in_val": 5, "twin_of_another_label": 4},
        )
    )
    journal.stamp(ModelLoaded(architecture="resnet50", weights="package", weights_detail="x", parameters=23_512_130, device="cpu", dtype="float32", threads=2))  # fmt: skip
    journal.close()
    manifest = Manifest(
        run_id=RUN,
        kind="best",
        created="2026-03-01T10:00:00+00:00",
        config=config,
        architecture="resnet50",
        class_names=NAMES,
        image_size=224,
        mean=[0.5] * 3,
        std=[0.5] * 3,
        epoch=2,
        metrics={"accuracy": 0.8125, "auc_roc": 0.91, "loss": 0.5},
        split=SplitRecord(train=[f"{PATIENT}.png"], val=["b.png"], train_sha256=["a"], val_sha256=["b"], description="20% set aside for validation by whole patients, seed 7"),
        pretrained="package: resnet50.a1_in1k",
        versions={"torch": "2.14.1"},
        decision=rule if evaluated else DecisionRule(),
    )  # fmt: skip
    save_checkpoint(checkpoint_files(workspace, RUN, "best"), manifest, lambda path: path.write_bytes(b"weights"))
    if not evaluated:
        return
    columns = {"device": ["A", "B", "C"] * 40, "site": ["x", "y"] * 60}
    found = gather_evidence(
        labels, raw, NAMES, [f"{PATIENT}{n // 2}" for n in range(120)], rule=rule, subgroups=columns, repetitions=60
    )
    cases = [
        JudgedCase(
            name_sha256=sha256_of(f"{NAMES[labels[n]]}/{PATIENT}_{n}.png"),
            patient_sha256=sha256_of(f"{PATIENT}{n // 2}"),
            label=NAMES[labels[n]],
            probabilities=raw[n].tolist(),
        )
        for n in range(120)
    ]
    for number in range(120):
        folder = workspace.root / "images" / "test" / NAMES[labels[number]]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{PATIENT}_{number}.png"), np.full((40, 60), number, np.uint8))
    save_evaluation(
        workspace,
        EvaluationRecord(
            notice=RESEARCH_USE,
            created="2026-03-01T11:00:00+00:00",
            breastai=breastai.__version__,
            run_id=RUN,
            checkpoint=f"{RUN}/best",
            data="images/test",
            split="test",
            fingerprint="f" * 64,
            opened=2,
            uses=uses,
            notes=["The model's own split: 20% set aside for validation by whole patients, seed 7."],
            evidence=found,
            cases=cases,
        ),
    )


@pytest.fixture
def workspace(tmp_path: Path, blank_charts: None) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


def make_report(place: Workspace, **options: Any) -> list[Path]:
    """Return the files of a report."""
    told = list(report(Report.model_validate({"workspace": str(place.root), "run_id": RUN, **options}), place))[-1]
    assert isinstance(told, ReportCreated)
    return [place.root / name for name in told.files if not name.endswith(".md")]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, blank_charts: None) -> Written:
    """Return the HTML and the JSON of a run's report; each is made once."""
    places: dict[bool, Workspace] = {}

    @cache
    def write(language: str = "en", evaluated: bool = True) -> tuple[str, dict[str, Any]]:
        if evaluated not in places:
            places[evaluated] = Workspace.open(tmp_path_factory.mktemp("workspace"))
            made_run(places[evaluated], evaluated)
        page, beside = make_report(places[evaluated], language=language)
        return page.read_text(encoding="utf-8"), json.loads(beside.read_text(encoding="utf-8"))

    return write


def draw(n: int, seed: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, n)
    odds = np.exp(generator.normal(size=(n, 3)) + 1.2 * np.eye(3)[labels])
    return labels, odds / odds.sum(axis=1, keepdims=True)


class Reader(HTMLParser):
    """Takes the numbers out of a report, and the words that are left."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[tuple[list[Any], Any, str]] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open.append(tag)
        values = dict(attributes)
        if tag == "data":
            self.numbers.append((json.loads(values["data-path"] or ""), json.loads(values["value"] or ""), ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, text: str) -> None:
        if "style" in self._open:
            return
        if "data" in self._open:
            path, value, shown_before = self.numbers[-1]
            self.numbers[-1] = (path, value, shown_before + text)
        else:
            self.words.append(text)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def strings_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (str(key), *strings_in(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings_in(item)]
    return [str(value)]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_number_is_that_of_the_json_beside(written: Written, language: str) -> None:
    page, document = written(language)
    reader = read(page)
    assert len(reader.numbers) > 150
    for path, value, text in reader.numbers:
        found: Any = document
        for key in path:
            found = found[key]
        assert found == value, path
        kinds = ("integer", "figure", "percent", "plain")
        assert text in {format_quantity(Quantity(tuple(path), value, kind), language) for kind in kinds}, path  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_number_stands_in_the_text_that_is_not_in_the_json_or_in_the_fixed_words(
    written: Written, language: str
) -> None:
    page, document = written(language)
    known = " ".join([*strings_in(document), *texts(language).values()])
    for words in read(page).words:
        for number in re.findall(r"\d+(?:[.,]\d+)?", words):
            assert number in known or number.replace(",", ".") in known, words


@pytest.mark.parametrize("language", ["en", "fr"])
def test_nobody_can_be_told_from_a_report_and_no_path_leads_outside(
    written: Written, tmp_path_factory: pytest.TempPathFactory, language: str
) -> None:
    page, document = written(language)
    for text in (page, json.dumps(document)):
        assert PATIENT not in text
        assert str(tmp_path_factory.getbasetemp()) not in text and str(Path.home()) not in text


def test_a_report_needs_nothing_else_and_runs_nothing(written: Written) -> None:
    page, _ = written()
    tags = set(read(page).tags)
    assert tags.isdisjoint({"script", "link", "iframe", "object", "form", "a"})
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert re.search(r"\bon\w+=", re.sub(r'"[^"]*"', '""', page)) is None
    assert "url(" not in page and "@import" not in page


def test_the_operating_point_is_told_in_plain_words(written: Written) -> None:
    page, document = written()
    words = html.unescape(re.sub(r"<[^>]+>", "", page))
    point, hundred = document["evidence"]["operating_point"], document["per_hundred"]
    sensitivity = point["figures"]["sensitivity"]["value"]
    assert hundred["missed"] == round(100 * (1 - sensitivity))
    assert f"Per 100 malignant images: missed, {hundred['missed']} (interval {hundred['missed_low']} to" in words
    assert f"of {point['positives']} malignant images, {point['missed']} below the threshold" in words


def test_classes_and_parts_have_their_french_names_in_a_french_report(written: Written) -> None:
    page, document = written("fr")
    words = "".join(read(page).words)
    assert not re.search("malignant|benign", words)
    assert "malin" in words and "bénin" in words and "malignant" in document["evidence"]["class_names"]
    assert "malignant" in "".join(read(written("en")[0]).words)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_findings_are_told_to_readers_and_not_to_whoever_sets_a_configuration(language: str) -> None:
    cases = [{"split": "val", "class_name": "malignant", "n": 12}, {"split": "test", "class_name": "benign", "n": 9}]
    few = Finding(code="cases.too_few", severity="warning", message="x", why="", advice="", params={"listed": "val: malignant 12", "cases": cases, "n": 9, "claimed": 0.9, "half_width": 0.2, "needed": 37, "wished": 0.1})  # fmt: skip
    offered = Finding(code="patients.offered", severity="warning", message="x", why="", advice="", params={"images": 36, "patients": 13, "setting": '{"pattern": "x"}'})  # fmt: skip
    rare = Finding(code="classes.imbalanced", severity="info", message="x", why="", advice="", params={"largest": "benign", "smallest": "malignant", "ratio": 3.0})  # fmt: skip
    told = [finding_text(each, language) for each in (few, offered, rare)]
    assert {"en": "benign has", "fr": "bénin a"}[language] in str(told[2])
    listed = {"en": "validation: malignant 12; test: benign 9", "fr": "validation : malin 12 ; test : bénin 9"}[
        language
    ]
    assert listed in str(told[0]).replace("\N{NO-BREAK SPACE}", " ")
    assert "13 patients" in str(told[1]).replace("\N{NO-BREAK SPACE}", " ") and "pattern" not in str(told[1])


@pytest.mark.parametrize(
    ("uses", "said", "not_said"),
    [
        (ImageUse(), "before the images reported here were judged", "optimistic"),
        (
            ImageUse(epoch=120, temperature=120, threshold=120),
            "of the 120 images, 120 also served for",
            "before the images",
        ),
        (
            None,
            "whether the images reported here were among them is not recorded",
            "before the images reported here were judged",
        ),
        (
            ImageUse(epoch=120),
            "None of these images served for training, choosing which",
            "None of these images took",
        ),
    ],
)
def test_what_the_judged_images_were_used_for_is_said_beside_the_figures(
    workspace: Workspace, uses: ImageUse | None, said: str, not_said: str
) -> None:
    made_run(workspace, uses=uses)
    page, _ = make_report(workspace, pictures=False)
    words = html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))
    assert said in words and not_said not in words


def test_patients_are_pooled_by_a_rule_that_is_told(written: Written) -> None:
    page, document = written()
    words = html.unescape(re.sub(r"<[^>]+>", "", page))
    pooled = document["evidence"]["by_patient"]
    assert pooled["mixed"] > 0 and pooled["patients"] == 60
    assert f"Patients with images of several classes: {pooled['mixed']} of 60" in words
    assert f"of {pooled['positives']} patients with malignant, {pooled['missed']} below the threshold" in words


def test_cases_in_and_out_add_up(written: Written) -> None:
    _, document = written()
    flow = document["flow"]
    parts = flow["train_total"] + flow["val_total"] + flow["skipped"] + sum(flow["left_out"].values())
    assert flow["found"] == parts == 351 + 60 + 3 + 9
    assert flow["test_total"] == document["evidence"]["n"] == 120


def test_the_worst_errors_come_first_and_are_wrong(written: Written) -> None:
    page, document = written()
    worst = document["worst"]
    assert worst and all(case["label"] != case["predicted"] for case in worst)
    assert [case["given_to_truth"] for case in worst] == sorted(case["given_to_truth"] for case in worst)
    assert page.count("data:image/jpeg;base64,") == len(worst)


def test_without_pictures_the_report_says_so_and_a_pdf_is_written_when_asked_for(workspace: Workspace) -> None:
    made_run(workspace)
    page, beside, pdf = make_report(workspace, pictures=False, pdf=True, language="fr")
    text = page.read_text(encoding="utf-8")
    assert "data:image/jpeg" not in text
    assert text.count("image non disponible") == len(json.loads(beside.read_text(encoding="utf-8"))["worst"])
    assert pdf.read_bytes().startswith(b"%PDF-") and pdf.stat().st_size > 50_000


def test_pictures_of_worst_errors_are_in_the_pdf_too(workspace: Workspace) -> None:
    made_run(workspace)
    *_, with_pictures = make_report(workspace, pdf=True)
    before = with_pictures.stat().st_size
    *_, without = make_report(workspace, pdf=True, pictures=False)
    assert without.stat().st_size < before


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_report_says_where_validation_had_too_few_images_for_plausible_classes(
    workspace: Workspace, language: str
) -> None:
    made_run(workspace)
    ((path, record),) = read_evaluations(workspace, RUN)
    referral = record.evidence.referral
    assert referral is not None
    told = referral.model_copy(update={"error_rate": None, "outside": None, "unlike": referral.referred})
    evidence = record.evidence.model_copy(update={"referral": told})
    path.write_text(record.model_copy(update={"evidence": evidence}).model_dump_json(), encoding="utf-8")
    page = make_report(workspace, language=language)[0].read_text(encoding="utf-8")
    begins = texts(language)["referral.no_sets"].partition("{")[0].partition(":")[0].rstrip("\u00a0")
    assert html.escape(begins, quote=False) in html.unescape(page)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_run_that_was_never_judged_is_reported_with_a_warning(written: Written, language: str) -> None:
    page, document = written(language, evaluated=False)
    assert document["evidence"] is None
    assert html.escape(texts(language)["summary.not_judged"], quote=True).replace("&#x27;", "&#39;") in page
    assert "0.812" in page or "0,812" in page


def test_each_checklist_item_is_answered_or_named_for_the_authors(written: Written) -> None:
    page, document = written()
    words = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert len(document["checklists"]["CLAIM 2024"]) == 44
    stard = document["checklists"]["STARD-AI"]
    assert {int(re.sub(r"\D", "", item["item"])) for item in stard} == set(range(1, 41)) and len(stard) == 48
    for items in document["checklists"].values():
        left = list(dict.fromkeys(item["item"] for item in items if item["answer"] is None))
        assert len(items) > len(left) > 3
        assert f"not answered by the records or only in part: {', '.join(left)}." in words


def test_the_first_page_holds_what_how_well_and_what_limits_it(written: Written) -> None:
    page, document = written()
    first = html.unescape(re.sub(r"<[^>]+>", " ", page.partition('<div class="page">')[0].partition("<body>")[2]))
    for words in ("Main results for malignant", "Calibration slope", "by patient", "carry different labels"):
        assert words in first, words
    four = document["crosstab"]
    point = document["evidence"]["operating_point"]
    assert (
        four["hits"] + four["missed"] == point["positives"] and four["alarms"] + four["cleared"] == point["negatives"]
    )


def test_the_supplement_says_what_the_page_says(workspace: Workspace) -> None:
    made_run(workspace)
    page, beside = make_report(workspace, pictures=False, language="fr")
    supplement = beside.with_name("report.fr.md").read_text(encoding="utf-8")
    document = json.loads(beside.read_text(encoding="utf-8"))
    slope = document["evidence"]["target"]["calibration"]["slope"]["value"]
    assert format_quantity(Quantity((), slope), "fr") in supplement
    rows = [line for line in supplement.splitlines() if line.startswith("|")]
    assert len(rows) == page.read_text(encoding="utf-8").count("<tr") + page.read_text(encoding="utf-8").count("<table")


def test_the_notice_is_that_of_the_language(written: Written) -> None:
    assert RESEARCH_USE in html.unescape(written("en")[0])
    assert render(Text("page.research_use"), "fr") in html.unescape(written("fr")[0])


def test_a_report_has_a_chart_for_each_part_of_the_results(written: Written) -> None:
    assert written()[0].count("data:image/png;base64,") == 13  # this run kept no epochs to draw


def test_a_run_without_a_checkpoint_has_no_report(workspace: Workspace) -> None:
    job = Report(workspace=str(workspace.root), run_id=RUN)
    with pytest.raises(RunNotFound):
        list(report(job, workspace))
    Journal(workspace.journal_file(RUN), RUN, "default").close()
    with pytest.raises(NoEvaluation):
        list(report(job, workspace))


def test_every_finding_of_the_audit_has_french_words() -> None:
    numbers = [
        "count",
        "images",
        "n",
        "needed",
        "pixels",
        "auc",
        "low",
        "high",
        "ratio",
        "claimed",
        "half_width",
        "wished",
        "depth",
        "file_count",
    ]
    words = ["split", "other", "feature", "class_name", "by_class", "largest", "smallest", "listed", "by_device"]
    params = dict.fromkeys(numbers, 1) | dict.fromkeys(words, "x")
    for code in SEVERITIES:
        finding = Finding(code=code, severity="info", message="x", why="", advice="", params=params)
        assert isinstance(finding_text(finding, "fr"), str), code


def test_what_a_record_says_of_itself_is_put_into_french() -> None:
    split = Text("split.set_aside", {"share": 0.2, "unit": Text("split.patients"), "seed": 7})
    note = Text("note.own_split", {"split": split})
    text = translate_sentence(note, "fr")
    assert isinstance(text, str) and "patients entiers, graine 7" in text
    assert translate_sentence(note.model_dump(), "fr") == text
    assert (
        translate_sentence("Words of tomorrow.", "fr")
        == translate_sentence("Words of tomorrow.", "fr")
        != "Words of tomorrow."
    )


def read_cases(place: Path, readers: str = "ABC", tests: tuple[str, ...] = ("alone", "aided")) -> Path:
    """Write readings of the cases that `made_run` judged, as a table of scores."""
    generator, (labels, _) = np.random.default_rng(9), draw(120, seed=1)
    rows = ["reader,test,file,label,score"]
    for number, label in enumerate(labels):
        truth = "malignant" if NAMES[label] == "malignant" else "benign"
        for reader in readers:
            for test in tests:
                score = np.clip(generator.normal(3.6 if truth == "malignant" else 2.6), 1, 5)
                rows.append(f"{reader},{test},{NAMES[label]}/{PATIENT}_{number}.png,{truth},{score:.0f}")
    place.write_text("\n".join(rows), encoding="utf-8")
    return place


@pytest.mark.parametrize("language", ["en", "fr"])
def test_readers_beside_the_run_are_in_its_report_with_the_numbers_of_their_study(
    workspace: Workspace, tmp_path: Path, language: str
) -> None:
    made_run(workspace)
    table = read_cases(tmp_path / "readers.csv")
    job = CompareReaders(
        workspace=str(workspace.root), table=str(table), target_class="malignant", model_run=RUN, call_from=4
    )
    (told,) = (event for event in compare_readers(job, workspace) if isinstance(event, ReadersCompared))
    page, beside = make_report(workspace, pictures=False, language=language)
    document = json.loads(beside.read_text(encoding="utf-8"))
    assert document["readers"] == [told.study.model_dump(mode="json")]
    reader = read(page.read_text(encoding="utf-8"))
    shown = {tuple(path): value for path, value, _ in reader.numbers if path[0] == "readers"}
    for path, value in shown.items():
        found: Any = document
        for key in path:
            found = found[key]
        assert found == value, path
    # Every figure with its interval and every effect of the study is somewhere in the report.
    for at, analysis in enumerate(told.study.analyses):
        wanted = [("figures", place, "figure") for place in range(len(analysis.figures))] + [("model",)]
        for part in ("means", "differences", "by_reader", "against_model"):
            wanted += [(part, place, "figure") for place in range(len(getattr(analysis, part)))]
        assert all(("readers", 0, "analyses", at, *each, "value") in shown for each in wanted)
    assert all(
        ("readers", 0, "agreement", place, "figure", "value") in shown for place in range(len(told.study.agreement))
    )
    words = "".join(reader.words)
    assert texts(language)["readers.how.delong"] in words and texts(language)["readers.details"] in words


@pytest.mark.parametrize("tests", [("alone",), ("alone", "aided")])
def test_one_reader_alone_is_shown_by_the_analysis_there_is(
    workspace: Workspace, tmp_path: Path, tests: tuple[str, ...]
) -> None:
    made_run(workspace)
    table = read_cases(tmp_path / "readers.csv", "A", tests)
    job = CompareReaders(workspace=str(workspace.root), table=str(table), target_class="malignant", model_run=RUN)
    list(compare_readers(job, workspace))
    _, beside = make_report(workspace, pictures=False)
    section = (
        beside.with_name("report.en.md").read_text(encoding="utf-8").partition("## Readers\n")[2].partition("\n# ")[0]
    )
    assert "nothing can be said of other readers" in section and "AUC of each reader" in section
    assert "None" not in section and "readers minus model, alone | cases |" in section


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_predictions_of_another_model_have_a_report_whose_numbers_are_the_json_s(
    workspace: Workspace, tmp_path: Path, language: str
) -> None:
    labels, probabilities = draw(120, seed=5)
    rows = [
        f"{PATIENT}{n}.png,{PATIENT}{n // 2},{NAMES[label]},{','.join(f'{each:.4f}' for each in probabilities[n])},{'AB'[n % 2]}"
        for n, label in enumerate(labels)
    ]
    table = tmp_path / "other.csv"
    table.write_text("\n".join(["file,patient_id,label,p_benign,p_malignant,p_normal,device", *rows]), encoding="utf-8")
    job = EvaluatePredictions(workspace=str(workspace.root), predictions=str(table), threshold=0.3)
    list(evaluate_predictions(job, workspace))
    page, beside, pdf = make_report(workspace, run_id=PREDICTIONS, language=language, pdf=True)
    document = json.loads(beside.read_text(encoding="utf-8"))
    reader = read(page.read_text(encoding="utf-8"))
    assert len(reader.numbers) > 150 and page.parent.name == "other.csv-1" and pdf.read_bytes().startswith(b"%PDF-")
    for path, value, _ in reader.numbers:
        found: Any = document
        for key in path:
            found = found[key]
        assert found == value, path
    words, t = "".join(reader.words), texts(language)
    assert document["flow"] is None and document["training"] is None and document["settings"] == {}
    for key in ("methods.elsewhere", "limits.elsewhere", "calibration.as_given"):
        assert t[key] in words
    for key in ("training", "trained_on", "settings", "fingerprints", "audit"):
        assert f"<h3>{t[key]}" not in page.read_text(encoding="utf-8")
    assert PATIENT not in words and not (beside.parent / f"model_card.{language}.md").exists()
    url = f"/reports/predictions/other.csv-1/report.{language}.html"
    assert report_at(workspace, url) == page and report_at(workspace, url.replace("other.csv-1", "..")) is None


def test_predictions_that_were_never_judged_have_no_report(workspace: Workspace) -> None:
    for name in (None, "other.csv-1"):
        with pytest.raises(EvaluationNotFound):
            list(report(Report(workspace=str(workspace.root), run_id=PREDICTIONS, evaluation=name), workspace))


def test_a_report_rests_on_the_evaluation_that_is_named(workspace: Workspace) -> None:
    made_run(workspace)
    ((path, record),) = read_evaluations(workspace, RUN)
    path.with_name("val-2.json").write_text(record.model_copy(update={"split": "val"}).model_dump_json())
    page, beside = make_report(workspace, pictures=False, evaluation="val-2")
    assert json.loads(beside.read_text(encoding="utf-8"))["evaluation"]["split"] == "val"
    assert page.parent.name == "val-2" and report_at(workspace, f"/reports/{RUN}/val-2/report.en.html") == page


def with_told(workspace: Workspace, **told: Any) -> None:
    """Say in a run's journal what else was told when its images were read."""
    journal = workspace.journal_file(RUN)
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    lines = [line | told if line["type"] == "data_loaded" else line for line in lines]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def item(document: dict[str, Any], number: str) -> str:
    (found,) = [row["answer"] for row in document["checklists"]["CLAIM 2024"] if row["item"] == number]
    return str(found)


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ({"patients": 40, "shared_patients": {}}, "Level: patient."),
        ({"patients": 40, "shared_patients": {"val": 3}}, "Not disjoint: 3 patients have images in training and in validation."),
        ({"patients": 40, "shared_patients": {"test": 2}}, "Not disjoint: 2 patients have images in training and in test."),
        ({"patients": 40, "shared_patients": {}, "shared_groups": {"val": 5}, "on_leak": "continue"}, "Level: patient. Groups of near-duplicates with images in training and in validation: 5."),
        ({"on_leak": "continue", "shared_groups": {"val": 5}}, "Level: image; patients unknown. Groups of near-duplicates with images in training and in validation: 5."),
    ],
)  # fmt: skip
def test_the_level_at_which_partitions_are_disjoint_is_what_the_run_did(
    workspace: Workspace, told: dict[str, Any], answer: str
) -> None:
    made_run(workspace)
    with_told(workspace, **told)
    page, beside = make_report(workspace)
    assert item(json.loads(beside.read_text(encoding="utf-8")), "20") == answer
    warned = "look better than they are" in page.read_text(encoding="utf-8")
    assert warned == bool(told.get("shared_patients") or told.get("shared_groups"))


@pytest.mark.parametrize("tta", [False, True])
def test_the_item_on_ensembling_tells_of_test_time_augmentation(workspace: Workspace, tta: bool) -> None:
    made_run(workspace)
    path = checkpoint_files(workspace, RUN, "best").manifest
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["config"]["evaluation"]["tta"] = tta
    path.write_text(json.dumps(manifest), encoding="utf-8")
    document = json.loads(make_report(workspace)[1].read_text(encoding="utf-8"))
    assert ("mirror image" in item(document, "27")) == tta


def test_a_probe_is_told_as_the_regression_it_is(workspace: Workspace) -> None:
    made_run(workspace)
    path = checkpoint_files(workspace, RUN, "best").manifest
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["config"]["training"]["recipe"] = "probe"
    manifest["config"]["model"] |= {"use_cbam": False, "attention_pooling": False}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    told = item(json.loads(make_report(workspace)[1].read_text(encoding="utf-8")), "25")
    assert "logistic regression" in told and "learning rate" not in told


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_cards_say_research_only_and_what_the_report_says(workspace: Workspace, language: str) -> None:
    made_run(workspace)
    _, beside = make_report(workspace, pictures=False, language=language)
    document = json.loads(beside.read_text(encoding="utf-8"))
    card, sheet = (
        beside.with_name(f"{name}.{language}.md").read_text(encoding="utf-8") for name in ("model_card", "data_sheet")
    )
    for text in (card, sheet):
        assert texts(language)["model_card.title"].partition("(")[2].rstrip(")") in text.splitlines()[0]
        assert document["notice"] in text and PATIENT not in text
    area = document["evidence"]["figures"]["auc_roc.malignant"]["value"]
    assert format_quantity(Quantity((), area), language) in card and document["model"]["sha256"] in card
    assert str(document["flow"]["train_total"]) in sheet and document["fingerprints"]["train"] in sheet


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_comparison_of_the_run_is_in_its_report_with_the_numbers_of_its_record(
    workspace: Workspace, language: str
) -> None:
    made_run(workspace)
    labels, first = draw(120, seed=3)
    second = np.full_like(first, 1 / 3)
    models = ComparedModels(
        first_name=f"{RUN}/best",
        second_name="other/best",
        data="images/test",
        labels=labels,
        first=first,
        second=second,
        class_names=NAMES,
        points=DecisionPoints("malignant", 0.3, 0.2, "option"),
    )
    record = make_comparison(workspace, models, {"auc_roc.malignant": 0.05}, [])
    page, beside = make_report(workspace, pictures=False, language=language)
    document = json.loads(beside.read_text(encoding="utf-8"))
    assert [each["comparison_id"] for each in document["comparisons"]] == [record.comparison_id]
    reader = read(page.read_text(encoding="utf-8"))
    shown = [number for number in reader.numbers if number[0][:1] == ["comparisons"]]
    assert len(shown) > 20
    for path, value, _ in shown:
        found: Any = document
        for key in path:
            found = found[key]
        assert found == value, path
    assert texts(language)["comparisons"] in "".join(reader.words)
