"""What a report states: of which images, counted in what, and never against another statement of the same report."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest

from breastai.clinical.evaluation_record import chosen_on
from breastai.clinical.report.report_appendix import appendices
from breastai.clinical.report.report_blocks import (
    Block,
    Bullets,
    Flow,
    Heading,
    Paragraph,
    Quantity,
    Table,
    format_quantity,
    plain,
)
from breastai.clinical.report.report_cards import model_card
from breastai.clinical.report.report_caveats import judged_images
from breastai.clinical.report.report_checklists import fill_checklists
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_methods import methods
from breastai.clinical.report.report_page import ReportPage, flat
from breastai.clinical.report.report_results import results
from breastai.clinical.report.report_sources import gather, without_folders
from breastai.clinical.report.report_summary import limits, main_figures, plain_words, summary
from breastai.clinical.report.report_texts import finding_text, texts
from breastai.data.sources.case_table import BY_HAND, Skipped
from breastai.domain.case_fields import FolderRule
from breastai.domain.config import parse_config
from breastai.domain.dataset_description import DatasetDescription, LeftOutFile
from breastai.domain.records import Finding, ImageUse
from breastai.domain.text import Text
from breastai.engine.inference.evaluation_job import own_part
from breastai.storage.checkpoints import find_checkpoint
from breastai.storage.evaluations import read_evaluations
from breastai.storage.workspace import Workspace
from tests.clinical.test_report import RUN, made_run

Language = Literal["en", "fr"]
PROBE = {"training": {"recipe": "probe"}, "model": {"use_cbam": False, "attention_pooling": False}}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> ReportDocument:
    """Return the document of a run that was judged on its test images."""
    workspace = Workspace.open(tmp_path_factory.mktemp("workspace"))
    made_run(workspace, uses=ImageUse())
    return gather(workspace, RUN, "en")[0]


@pytest.fixture(scope="module")
def not_judged(tmp_path_factory: pytest.TempPathFactory) -> ReportDocument:
    workspace = Workspace.open(tmp_path_factory.mktemp("workspace"))
    made_run(workspace, evaluated=False)
    return gather(workspace, RUN, "en")[0]


def changed(document: ReportDocument, **evaluation: Any) -> ReportDocument:
    """Return the document with other fields of its evaluation."""
    return document.model_copy(update={"evaluation": {**(document.evaluation or {}), **evaluation}})


def words_of(blocks: Iterable[Block], language: Language = "en") -> str:
    """Return the words of blocks, one a line, without those of tables."""
    found: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            found.append(block.text)
        elif isinstance(block, Paragraph):
            found.append(plain(block.text, language))
        elif isinstance(block, Bullets):
            found += [plain(each, language) for each in block.items]
        elif isinstance(block, Flow):
            found += [plain(each, language) for step in block.steps for each in (step.text, *step.leaving)]
        elif isinstance(block, Table):
            found += [plain(cell, language) for row in block.rows for cell in row]
    return "\n".join(found)


def answer(document: ReportDocument, question: str, language: Language = "en") -> str | None:
    """Return what the checklists answer to a question."""
    rows = [row for each in fill_checklists(document, texts(language)).values() for row in each]
    return next((row["answer"] for row in rows if row["question"] == question), None)


def test_a_report_without_an_evaluation_tells_its_limits_and_says_nothing_of_images_judged(
    not_judged: ReportDocument,
) -> None:
    page = ReportPage(not_judged)
    said = words_of(summary(page))
    assert page.t["limits"] in said and "carry different labels" in said
    for part in (appendices(page), model_card(page)):
        told = words_of(part)
        assert "No evaluation beyond validation is kept." in told and "Judged on these images only" not in told
    assert page.t["figures.all"] not in words_of(appendices(page))


def test_a_table_of_images_and_patients_counts_cases_and_names_the_operating_point(judged: ReportDocument) -> None:
    page = ReportPage(judged)
    table = main_figures(page)
    numbers = {row[-1][0].value for row in table.rows if isinstance(row[-1][0], Quantity)}
    assert numbers >= {120, 60} and table.head[-1] == "cases"
    names = [str(row[0][0]) for row in table.rows]
    assert "Sensitivity at the operating point" in names and "Sensitivity" not in names
    assert any(name.endswith(", by patient, most suspicious image") for name in names)


@pytest.mark.parametrize("uses", [ImageUse(training=120), ImageUse(epoch=7)])
def test_what_judged_images_were_used_for_is_among_the_limits(judged: ReportDocument, uses: ImageUse) -> None:
    clean = judged.model_copy(update={"audit": None, "patients": 60})
    assert "found nothing" not in words_of(limits(ReportPage(clean)))  # there was no audit
    said = words_of(limits(ReportPage(changed(clean, uses=uses.model_dump()))))
    assert "These results are optimistic: of the 120 images" in said
    assert words_of(summary(ReportPage(changed(judged, uses=uses.model_dump())))).count("no test set kept apart") == 1


@pytest.mark.parametrize("split", ["val", "test", None])
def test_images_from_elsewhere_are_named_by_their_place_whatever_their_part_is_called(
    judged: ReportDocument, split: str | None
) -> None:
    used = {"weights": "train", "epoch": "val", "figures": "own"}
    document = changed(judged, split=split, data="other_site/val", used_for=used)
    assert judged_images(document, texts("en")) == "other_site/val"
    said = words_of(summary(ReportPage(document)))
    assert "(other_site/val)" in said and "(validation)" not in said and "no test set kept apart" not in said
    assert "from elsewhere" in str(answer(document, "internal"))


def test_test_images_of_elsewhere_are_not_in_the_flow_of_the_run(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    made_run(workspace, uses=ImageUse())
    ((path, record),) = read_evaluations(workspace, RUN)
    for figures, total in (("test", 120), ("own", None)):
        own = {"weights": "train", "epoch": "val", "figures": figures}
        path.write_text(record.model_validate({**record.model_dump(), "used_for": own}).model_dump_json())
        flow = gather(workspace, RUN, "en")[0].flow
        assert flow is not None and flow.test_total == total


@pytest.mark.parametrize(
    ("hashes", "split", "root", "part"),
    [
        (["t1", "c1"], None, "elsewhere", "train"),
        (["v1"], None, "elsewhere", "val"),
        (["t1", "v1"], "train", "data/train", "train_and_val"),
        (["t1", "new"], "train", "data/train", "train"),
        (["new"], "val", "other/val", None),
        (["new"], "test", "data/test", "test"),
        (["new"], "test", "kept/test", "test"),
        (["new"], "test", "described", "test"),
        (["new"], "val", "described", None),
        (["new"], "test", "other/test", None),
        (["new"], None, "other", None),
    ],
)
def test_a_part_is_the_run_s_own_by_its_images_or_its_place_and_never_by_its_name(
    tmp_path: Path, hashes: list[str], split: str | None, root: str, part: str | None
) -> None:
    dataset = SimpleNamespace(root="described")
    known = SimpleNamespace(train_sha256=["t1", "t2"], calibration_sha256=["c1"], val_sha256=["v1"], dataset=dataset)
    data = SimpleNamespace(train_dir="data/train", test_dir="kept/test")
    manifest = SimpleNamespace(split=known, config=SimpleNamespace(data=data))
    asked = SimpleNamespace(
        loaded=SimpleNamespace(manifest=manifest), images=SimpleNamespace(hashes=hashes), root=tmp_path / root
    )
    assert own_part(cast(Any, asked), Workspace.open(tmp_path), split) == part


@pytest.mark.parametrize("language", ["en", "fr"])
def test_patients_scored_by_their_mean_are_not_said_to_be_missed_on_every_image(
    judged: ReportDocument, language: Language
) -> None:
    evidence = judged.evidence
    assert evidence is not None and evidence.by_patient is not None
    by_mean = evidence.by_patient.model_copy(update={"score": "mean"})
    document = judged.model_copy(update={"language": language})
    every = {"en": "on every image", "fr": "sur toutes "}[language]
    assert every in words_of(plain_words(ReportPage(document)), language)
    document = document.model_copy(update={"evidence": evidence.model_copy(update={"by_patient": by_mean})})
    assert every not in words_of(plain_words(ReportPage(document)), language)


def test_where_all_images_are_referred_no_share_of_the_rest_is_told(judged: ReportDocument) -> None:
    evidence = judged.evidence
    assert evidence is not None and evidence.referral is not None
    said = words_of(results(ReportPage(judged), {}))
    assert "Of the answers to the images kept" in said and "None is kept" not in said
    rest = evidence.referral.error_among_kept.model_copy(update={"value": None, "low": None, "high": None})
    referral = evidence.referral.model_copy(update={"error_among_kept": rest})
    document = judged.model_copy(update={"evidence": evidence.model_copy(update={"referral": referral})})
    said = words_of(results(ReportPage(document), {}))
    assert "Of the answers to the images kept" not in said and "None is kept" in said


def test_a_prior_is_said_to_be_corrected_only_where_it_was(judged: ReportDocument) -> None:
    assert judged.decision["calibration"]["prior_shift"] and "put right" in str(answer(judged, "imbalance"))
    calibration = {**judged.decision["calibration"], "prior_shift": []}
    document = judged.model_copy(update={"decision": {**judged.decision, "calibration": calibration}})
    assert "put right" not in str(answer(document, "imbalance"))
    assert "shift of the prior" not in words_of(results(ReportPage(document), {}))
    raw = judged.model_copy(update={"decision": {**judged.decision, "n": 0}})
    assert "A calibrated probability" in str(answer(judged, "output")) and "not calibrated" in str(
        answer(raw, "output")
    )


def test_the_rule_of_an_adapted_model_is_said_to_rest_on_the_local_sample(judged: ReportDocument) -> None:
    document = judged.model_copy(update={"decision": {**judged.decision, "fitted_on": "sample"}})
    said = words_of(summary(ReportPage(document))) + words_of(results(ReportPage(document), {}))
    assert "on the local sample of the site" in said and "images of the local sample" in said
    assert "on images set aside from training, before" not in said
    assert "local sample" in str(answer(document, "threshold"))


def test_groups_are_counted_in_all_of_them_and_not_in_those_listed(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    made_run(workspace, evaluated=False)
    journal, counts = workspace.journal_file(RUN), {"groups_total": 8, "groups_contradicting": 5, "groups_crossing": 3}
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    lines = [line | counts if line["type"] == "audit" else line for line in lines]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    audit = gather(workspace, RUN, "en")[0].audit
    assert audit is not None and (audit.groups, audit.contradicting, audit.across) == (8, 5, 3)


def test_one_of_a_kind_is_told_without_a_plural_verb(judged: ReportDocument) -> None:
    evidence = judged.evidence
    assert evidence is not None and evidence.operating_point is not None and judged.flow is not None
    point = evidence.operating_point.model_copy(update={"missed": 1, "called": 1})
    flow = judged.flow.model_copy(update={"skipped": 1, "test_total": 1, "masks": 1})
    one = judged.model_copy(update={"evidence": evidence.model_copy(update={"operating_point": point}), "flow": flow})
    for language in ("en", "fr"):
        page = ReportPage(one.model_copy(update={"language": language}))
        said = words_of([*plain_words(page), *methods(page)], language)
        assert not any(
            wrong in said for wrong in ("1 of ", "1 images", "1 mask", "1 fichiers", "1 inutilisables", "1 des ")
        )


def test_an_item_that_is_answered_in_part_is_not_listed_as_unanswered_twice(judged: ReportDocument) -> None:
    page = ReportPage(judged.model_copy(update={"checklists": fill_checklists(judged, texts("en"))}))
    left = [
        line for line in words_of(appendices(page)).splitlines() if line.startswith("For the authors, not answered")
    ]
    assert len(left) == 4 and all("or only in part: " in line for line in left)
    for line in left:
        items = line.partition(": ")[2].rstrip(".").split(", ")
        assert len(items) == len(set(items))


def test_settings_name_no_folder_outside_the_workspace(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    inside, outside = str(workspace.root / "data" / "train"), "/home/dupont/patients/train"
    found = without_folders({"data": {"train_dir": inside, "val_dir": outside, "n": 3}, "name": "a/b"}, workspace)
    assert found == {"data": {"train_dir": "data/train", "val_dir": "train", "n": 3}, "name": "a/b"}


def test_a_setting_of_several_values_is_listed_as_people_list_them() -> None:
    assert dict(flat({"evaluation": {"ordered_classes": ["a", "b"], "tta": False}})) == {
        "evaluation.ordered_classes": "a, b",
        "evaluation.tta": "False",
    }


def test_a_number_that_rounds_to_nothing_has_no_sign() -> None:
    assert format_quantity(Quantity((), -0.0001), "en") == "0.000"
    assert format_quantity(Quantity((), -0.001), "fr") == "\N{MINUS SIGN}0,001"


def test_patients_who_train_are_counted_without_those_of_other_parts(judged: ReportDocument) -> None:
    assert judged.flow is not None
    flow = judged.flow.model_copy(update={"train_patients": 35, "val_patients": 12})
    split = {**judged.split, "shared_patients": {"val": 3}}
    document = judged.model_copy(update={"flow": flow, "patients": 47, "split": split})
    assert "Images of 35 patients train the model. 3 of them" in words_of(methods(ReportPage(document)))
    document = document.model_copy(update={"split": {**split, "shared_patients": {}}})
    assert "Patients are known" in words_of(methods(ReportPage(document)))


def test_duplicates_are_said_to_be_absent_only_where_they_were_looked_for(not_judged: ReportDocument) -> None:
    none = not_judged.model_copy(update={"split": {**not_judged.split, "groups": 0}})
    assert "No identical or near-identical images were found" in words_of(methods(ReportPage(none)))
    unknown = none.model_copy(update={"audit": None})
    said = words_of(methods(ReportPage(unknown)))
    assert "No identical" not in said and "were not looked for" in said


def test_a_part_named_like_its_place_is_said_once(judged: ReportDocument) -> None:
    opening = {"data": "test", "split": "test", "created": "2026-03-01T11:00:00+00:00", "n": 3, "opened": 1}
    said = words_of(methods(ReportPage(judged.model_copy(update={"openings": [opening]}))))
    assert "test (test)" not in said and "test" in said.splitlines()
    of_fold = opening | {"data": "held_out", "split": "held_out"}
    said = words_of(methods(ReportPage(judged.model_copy(update={"openings": [of_fold]}))))
    assert "the held-out part of the fold" in said.splitlines()


def test_french_has_its_space_before_each_semicolon(judged: ReportDocument, not_judged: ReportDocument) -> None:
    for document in (judged, not_judged):
        page = ReportPage(document.model_copy(update={"language": "fr"}))
        told = words_of(
            [*summary(page), *methods(page), *results(page, {}), *appendices(page), *model_card(page)], "fr"
        )
        assert re.findall(r"[^\u00a0\u202f]; ", told) == []


def test_a_probe_is_said_to_have_chosen_no_epoch(judged: ReportDocument) -> None:
    probe = {**judged.settings, "training": {**judged.settings["training"], "recipe": "probe"}}
    for language in ("en", "fr"):
        page = ReportPage(judged.model_copy(update={"settings": probe, "language": language}))
        said = words_of([*summary(page), *methods(page)], language)
        assert not any(wrong in said for wrong in ("best epoch chosen", "the best is", "meilleure est la n°"))
        assert {"en": "features of the frozen network", "fr": "réseau figé"}[language] in said
    assert "no epoch to choose" in str(answer(judged.model_copy(update={"settings": probe}), "selection"))
    assert chosen_on(parse_config(PROBE)) is None and chosen_on(parse_config({})) == "val"


def test_judged_images_that_look_like_those_of_the_model_are_counted_beside_what_they_were_not_used_for(
    judged: ReportDocument,
) -> None:
    seen = {"train": {"near_duplicates": 0, "of_patients": None}, "val": {"near_duplicates": 13, "of_patients": None}}
    alike = changed(judged, overlap={**seen, "unchecked": []})
    for document, told in ((judged, False), (alike, True)):
        said = words_of(results(ReportPage(document), {}))
        assert said.count("None of these images took part") == 1
        assert ("of validation images: 13." in said) == told
        assert ("of validation images: 13." in str(answer(document, "optimism"))) == told


@pytest.mark.parametrize("left_out", [{}, {"twin_in_val": 5}])
def test_a_limit_says_whether_the_images_it_is_of_were_left_out(
    judged: ReportDocument, left_out: dict[str, int]
) -> None:
    across = {"split": "val", "other": "train", "count": 26}
    finding = Finding(code="twins.across_splits", severity="error", message="", why="", advice="", params=across)
    assert judged.audit is not None and judged.flow is not None
    audit = judged.audit.model_copy(update={"findings": [finding]})
    flow = judged.flow.model_copy(update={"left_out": left_out})
    page = ReportPage(judged.model_copy(update={"audit": audit, "flow": flow, "language": "fr"}))
    said = words_of(limits(page), "fr")
    assert "validation" in said and "val " not in said and "train" not in said.replace("entraînement", "")
    assert ("ont été écartées" in said) == bool(left_out)


def test_classes_that_a_finding_counts_have_their_names_in_the_language() -> None:
    finding = Finding(
        code="marks.colour", severity="info", message="", why="", advice="", count=3,
        params={"count": 3, "by_class": "benign 2, malignant 1"},
    )  # fmt: skip
    assert "bénin 2, malin 1" in str(finding_text(finding, "fr")) and "benign 2" in str(finding_text(finding, "en"))


def test_referral_by_a_sample_is_not_said_to_rest_on_images_set_aside(judged: ReportDocument) -> None:
    document = judged.model_copy(update={"decision": {**judged.decision, "fitted_on": "sample"}})
    assert "images of the local sample" in words_of(results(ReportPage(document), {}))
    assert "unlike the images set aside" not in words_of(results(ReportPage(document), {}))


def test_test_images_are_counted_by_class_and_unusable_ones_of_the_test_too(judged: ReportDocument) -> None:
    assert judged.flow is not None
    document = judged.model_copy(update={"flow": judged.flow.model_copy(update={"test_skipped": 4})})
    assert re.search(r"Images for testing: 120 \(benign \d+, malignant", words_of(methods(ReportPage(document))))
    assert "counted: 7." in str(answer(document, "missing"))


def test_images_left_out_by_hand_are_none_that_could_not_be_used(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    made_run(workspace, evaluated=False)  # three files of its folders were passed over
    files = find_checkpoint(workspace, f"{RUN}/best")
    manifest = json.loads(files.manifest.read_text(encoding="utf-8"))
    left_out = tuple(LeftOutFile(file=f"{part}/a.png", part=part) for part in ("train", "test"))
    described = DatasetDescription(
        name="mine", root="images", fields={"label": FolderRule(folder=1)}, left_out=left_out
    )
    manifest["split"]["dataset"] = described.model_dump(mode="json")
    files.manifest.write_text(json.dumps(manifest), encoding="utf-8")
    document = gather(workspace, RUN, "en")[0]
    flow = document.flow
    assert flow is not None and (flow.skipped, flow.left_out["by_hand"]) == (1, 1)
    assert flow.found == flow.train_total + flow.val_total + flow.skipped + sum(flow.left_out.values())
    assert "Left out (by hand, in the description of the data set): 1" in words_of(methods(ReportPage(document)))
    assert Skipped("a.png", Text(BY_HAND, {"note": ""})).is_by_hand and not Skipped("a.png", "broken").is_by_hand
