"""What a report tells, part by part, by the codes of its texts; and what more or less it tells of other records."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest

from breastai.clinical.report import report_checklists
from breastai.clinical.report.report_appendix import appendices, checklists
from breastai.clinical.report.report_blocks import (
    Block,
    Charts,
    Inlines,
    Paragraph,
    Picture,
    Pictures,
    Quantity,
    Table,
    plain,
)
from breastai.clinical.report.report_cards import data_sheet, model_card
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_layout import lay_out
from breastai.clinical.report.report_methods import methods
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_results import results
from breastai.clinical.report.report_sources import gather
from breastai.clinical.report.report_subgroups import subgroup_tables
from breastai.clinical.report.report_summary import summary
from breastai.clinical.report.report_texts import texts
from breastai.domain.records import ImageUse
from breastai.storage.workspace import Workspace
from tests.clinical.report_outlines import changed, coded, coded_page, codes, difference, outline
from tests.clinical.test_report import RUN, made_run

PARTS: Mapping[str, Callable[[ReportPage], Iterable[Block]]] = {
    "summary": summary,
    "methods": methods,
    "results": lambda page: results(page, {}),
    "appendices": appendices,
    "model_card": model_card,
    "data_sheet": data_sheet,
}


@pytest.fixture(scope="module", autouse=True)
def no_charts() -> Iterator[None]:
    """Draw no chart: charts have tests of their own."""
    from breastai.clinical.report import report_charts, report_subgroups

    with pytest.MonkeyPatch.context() as patch:
        for name in ("main_charts", "other_charts"):
            patch.setattr(report_charts, name, lambda *given: Charts(()))
        patch.setattr(report_subgroups, "forest", lambda *given: None)
        patch.setattr(report_subgroups, "png", lambda figure: b"")
        yield


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> ReportDocument:
    """Return the document of a run that was judged on its test images."""
    workspace = Workspace.open(tmp_path_factory.mktemp("workspace"))
    made_run(workspace, uses=ImageUse())
    return gather(workspace, RUN, "en")[0]


def lines_of(document: ReportDocument) -> list[str]:
    """Return what a report tells, and what its checklists answer; the cards tell parts of the same."""
    page = coded_page(document)
    parts = ("summary", "methods", "results", "appendices")
    told = [f"{part}: {line}" for part in parts for line in outline(PARTS[part](page))]
    answers = report_checklists._answers(document, coded(texts("en")))
    return [*told, *(f"answer {question}: {' '.join(codes(text))}" for question, text in answers.items())]


# Each part of the report of a run that was judged on its test images, its patients unknown in training.
TOLD = """
[summary]
## summary
plain summary.model
plain summary.data
plain summary.judged_patients part.test
plain summary.opened
table summary.figures 9 x 4
plain plain.missed
plain plain.counted
plain plain.by_patient.largest
plain plain.chosen.before
### limits
- 2 groups of identical or near-identical images carry different labels.
- limits.trained_unknown
caption The model's own split: 20% set aside for validation by whole patients, seed 7.
[methods]
## methods
### trained_on
step flow.found
leaving flow.skipped
leaving flow.left_out reason.twin_in_val
leaving flow.left_out reason.twin_of_another_label
leaving flow.masks
step flow.train
step flow.val
step flow.test flow.patients
### split
plain split.how
warning split.no_patients
plain split.twins.group
### audit
plain audit.counts
table audit.caption 2 x 3
### training
plain training.text watched.val metric.loss
plain training.weights weights.package
table openings 1 x 4
[results]
## results
caption uses.none
### point
table crosstab.caption 2 x 3
plain point.caption
table point.figures 4 x 4
table point.predictive 3 x 4
### referral
plain referral.text referral.kept_at_point
plain referral.unlike_unknown
### calibration
table target.caption 3 x 4
plain calibration.how
table calibration.caption 3 x 3
Charts
plain pooling.largest
### subgroups
plain subgroups.text
Charts
table metric.auc_roc 5 x 5
table metric.sensitivity_at_operating_point 5 x 5
table metric.specificity_at_operating_point 5 x 5
### worst
plain worst.text
Pictures
[appendices]
# appendices
## card
table card 6 x 2
## figures.all
table figures.caption x 4
caption figures.subgroups_in_json
table figures.patients figures.caption_patients x 4
caption figures.undefined
caption figures.argmax
### confusion
table confusion.caption 3 x 4
## curves
Charts
## checklists
plain checklists.text
## settings
table settings x 2
table versions 1 x 2
table fingerprints.caption 4 x 2
[model_card]
# model_card.title
notice Research software, not a medical device: not for diagnosis or treatment.
table card 8 x 2
## results
table summary.figures 9 x 4
plain plain.missed
plain plain.counted
plain plain.by_patient.largest
plain plain.chosen.before
caption uses.none
table metric.auc_roc 5 x 5
table metric.sensitivity_at_operating_point 5 x 5
table metric.specificity_at_operating_point 5 x 5
### limits
- 2 groups of identical or near-identical images carry different labels.
- limits.trained_unknown
### training
plain training.text watched.val metric.loss
plain training.weights weights.package
table openings 1 x 4
[data_sheet]
# data_sheet.title
notice Research software, not a medical device: not for diagnosis or treatment.
### trained_on
step flow.found
leaving flow.skipped
leaving flow.left_out reason.twin_in_val
leaving flow.left_out reason.twin_of_another_label
leaving flow.masks
step flow.train
step flow.val
step flow.test flow.patients
### split
plain split.how
warning split.no_patients
plain split.twins.group
### audit
plain audit.counts
table audit.caption 2 x 3
### checklist.deidentification
plain answer.deidentification
table fingerprints.caption 4 x 2
table data_sheet.open 6 x 2
"""


@pytest.mark.parametrize("part", PARTS)
def test_each_part_tells_what_it_is_for_in_its_order(judged: ReportDocument, part: str) -> None:
    expected = TOLD.partition(f"[{part}]\n")[2].partition("\n[")[0].strip().splitlines()
    assert outline(PARTS[part](coded_page(judged))) == expected


# Of which other records a report tells something no more (-), or besides (+).
CHANGES = """
[no file was left out]
{"flow.skipped": 0, "flow.masks": 0, "flow.left_out": {}}
- methods: leaving flow.left_out reason.twin_in_val
- methods: leaving flow.left_out reason.twin_of_another_label
- methods: leaving flow.masks
- methods: leaving flow.skipped

[images were set aside to calibrate]
{"flow.calibration_total": 12, "flow.calibration": {"benign": 12}, "flow.calibration_patients": 5}
- answer development: answer.development
- answer parts: answer.parts part.train answer.and part.val answer.and part.test
- summary: plain summary.data
+ answer development: answer.development_calibration
+ answer parts: answer.parts part.train answer.and part.val answer.and part.calibration answer.and part.test
+ methods: step flow.calibration flow.patients
+ summary: plain summary.data_calibration

[no test images are the run's own]
{"flow.test_total": null}
- answer parts: answer.parts part.train answer.and part.val answer.and part.test
- methods: step flow.test flow.patients
+ answer parts: answer.parts part.train answer.and part.val

[a test image could not be used]
{"flow.test_skipped": 3}
+ methods: leaving flow.test_skipped

[patients of the parts are known]
{"flow.train_patients": 30, "flow.val_patients": 4}
- methods: step flow.train
- methods: step flow.val
+ methods: step flow.train flow.patients
+ methods: step flow.val flow.patients

[a person left an image out]
{"flow.corrections": {"left_out": 1, "relabelled": 0, "of_test": 0}}
+ methods: plain flow.corrections

[a person gave test images another label]
{"flow.corrections": {"left_out": 0, "relabelled": 2, "of_test": 1}}
+ methods: plain flow.corrections
+ methods: warning flow.corrections_of_test

[patients are known]
{"patients": 40}
- answer disjoint: answer.disjoint unit.twins
- methods: warning split.no_patients
- summary: - limits.trained_unknown
+ answer disjoint: answer.disjoint unit.patients
+ methods: plain split.patients

[patients are in two parts]
{"patients": 40, "split.shared_patients": {"val": 3}, "flow.train_patients": 30}
- answer disjoint: answer.disjoint unit.twins
- methods: step flow.train
- methods: warning split.no_patients
- summary: - limits.trained_unknown
+ answer disjoint: answer.not_disjoint part.val
+ methods: step flow.train flow.patients
+ methods: warning split.patients_shared part.val part.val
+ summary: - limits.shared part.val

[duplicates stayed where they were]
{"split.on_leak": "continue"}
- answer disjoint: answer.disjoint unit.twins
- answer subsets: answer.subsets on_leak.group
- methods: plain split.twins.group
+ answer disjoint: answer.disjoint unit.images
+ answer subsets: answer.subsets on_leak.continue
+ methods: warning split.twins.continue

[there are no duplicates]
{"split.groups": 0}
- answer disjoint: answer.disjoint unit.twins
- methods: plain split.twins.group
+ answer disjoint: answer.disjoint unit.images
+ methods: plain split.twins.none

[duplicates were not looked for]
{"audit": null, "split.groups": 0}
- answer disjoint: answer.disjoint unit.twins
- methods: plain audit.counts
- methods: plain split.twins.group
- methods: table audit.caption 2 x 3
- summary: - 2 groups of identical or near-identical images carry different labels.
+ answer disjoint: answer.disjoint unit.images
+ methods: plain audit.none
+ methods: plain split.twins.unknown
+ summary: - limits.no_audit

[the audit found nothing]
{"audit.findings": []}
- methods: table audit.caption 2 x 3
- summary: - 2 groups of identical or near-identical images carry different labels.
+ methods: plain audit.clean

[duplicates are in two parts]
{"split.shared_groups": {"val": 3, "test": 1}}
- answer disjoint: answer.disjoint unit.twins
+ answer disjoint: answer.groups_shared unit.twins part.val part.test
+ methods: warning split.groups_shared part.test part.test
+ methods: warning split.groups_shared part.val part.val

[the first weights are a person's own]
{"model.weights": {"name": "x", "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "licence": "", "seen": ["busi"]}}
+ methods: plain training.own_weights

[no evaluation was kept]
{"openings": []}
- methods: table openings 1 x 4

[what each part rests on is known]
{"evaluation.used_for": {"weights": "train", "epoch": "val", "figures": "test", "tomorrow": "x"}}
+ methods: table used_for.title 3 x 2

[how often and how it was judged is not known]
{"evaluation.opened": null, "evaluation.notes": []}
- summary: caption The model's own split: 20% set aside for validation by whole patients, seed 7.
- summary: plain summary.opened

[uses of the images are not known]
{"evaluation.uses": null}
- answer optimism: answer.optimism.none
- answer threshold: answer.threshold.before
- results: caption uses.none
- summary: plain plain.chosen.before
+ answer threshold: answer.threshold.unknown
+ summary: plain plain.chosen.unknown

[the images trained the model]
{"evaluation.uses": {"training": 120, "epoch": 120, "temperature": 120, "threshold": 120, "conformal_sets": 120, "novelty": 120}}
- answer optimism: answer.optimism.none
- answer threshold: answer.threshold.before
- results: caption uses.none
- summary: plain plain.chosen.before
+ answer optimism: answer.optimism.some
+ answer threshold: answer.threshold.here
+ appendices: warning uses.some uses.training uses.epoch
+ results: warning uses.some uses.training uses.conformal_sets uses.novelty
+ results: warning uses.some uses.training uses.epoch uses.temperature
+ results: warning uses.some uses.training uses.epoch uses.temperature uses.threshold
+ summary: - uses.some uses.training uses.epoch uses.temperature uses.threshold uses.conformal_sets uses.novelty
+ summary: plain plain.chosen.here
+ summary: warning summary.not_test

[the images chose the epoch and some the threshold]
{"evaluation.uses.epoch": 120, "evaluation.uses.threshold": 7}
- answer optimism: answer.optimism.none
- answer threshold: answer.threshold.before
- results: caption uses.none
- summary: plain plain.chosen.before
+ answer optimism: answer.optimism.some
+ answer threshold: answer.threshold.here
+ appendices: warning uses.some uses.epoch
+ results: caption uses.none_of uses.training uses.conformal_sets uses.novelty
+ results: warning uses.some uses.epoch
+ results: warning uses.some uses.epoch
+ results: warning uses.some uses.threshold
+ summary: - uses.some uses.epoch
+ summary: - uses.some uses.threshold
+ summary: plain plain.chosen.here
+ summary: warning summary.not_test

[validation was judged]
{"evaluation.split": "val"}
- answer internal: answer.internal_patients part.test
- answer optimism: answer.optimism.none
- summary: plain summary.judged_patients part.test
+ answer internal: answer.internal_patients part.val
+ answer optimism: answer.optimism.some
+ summary: plain summary.judged_patients part.val
+ summary: warning summary.not_test

[images from elsewhere were judged]
{"evaluation.used_for": {"figures": "own"}}
- answer internal: answer.internal_patients part.test
- summary: plain summary.judged_patients part.test
+ answer internal: answer.elsewhere
+ methods: table used_for.title 1 x 2
+ summary: - limits.judged_not_audited
+ summary: plain summary.judged_patients

[patients of the judged images are not known]
{"evidence.patients": null, "evidence.by_patient": null}
- answer internal: answer.internal_patients part.test
- results: plain pooling.largest
- summary: - limits.trained_unknown
- summary: plain plain.by_patient.largest
- summary: plain summary.judged_patients part.test
- summary: table summary.figures 9 x 4
+ answer internal: answer.internal part.test
+ summary: - split.no_patients
+ summary: plain summary.judged part.test
+ summary: table summary.figures 6 x 4

[and of those that trained they are]
{"evidence.patients": null, "patients": 40}
- answer disjoint: answer.disjoint unit.twins
- answer internal: answer.internal_patients part.test
- methods: warning split.no_patients
- summary: - limits.trained_unknown
- summary: plain summary.judged_patients part.test
+ answer disjoint: answer.disjoint unit.patients
+ answer internal: answer.internal part.test
+ methods: plain split.patients
+ summary: - limits.judged_unknown
+ summary: plain summary.judged part.test

[patients have no threshold]
{"evidence.by_patient.positives": null}
- summary: plain plain.by_patient.largest

[patients have no class in question]
{"evidence.by_patient.target_class": null}
- results: plain pooling.largest
+ results: plain pooling.no_target

[no class is in question]
{"evidence.target": null}
- results: table target.caption 3 x 4
- summary: table summary.figures 9 x 4
+ summary: table summary.figures 10 x 4

[there is no operating point]
{"evidence.operating_point": null}
- answer crosstab: answer.crosstab
- answer metrics: answer.metrics
- answer output: answer.output
- answer performance: answer.performance
- answer prevalence: answer.prevalence
- answer threshold: answer.threshold.before
- appendices: caption figures.argmax
- results: plain point.caption
- results: plain referral.text referral.kept_at_point
- results: table crosstab.caption 2 x 3
- results: table point.figures 4 x 4
- results: table point.predictive 3 x 4
- summary: plain plain.by_patient.largest
- summary: plain plain.chosen.before
- summary: plain plain.counted
- summary: plain plain.missed
- summary: table summary.figures 9 x 4
+ answer metrics: answer.metrics_plain
+ answer output: answer.output_plain
+ answer performance: answer.performance_plain
+ results: plain point.none
+ results: plain referral.text referral.kept
+ summary: table summary.figures 5 x 4

[the sensitivity asked for is beyond validation]
{"evidence.operating_point.reached": false}
+ summary: warning plain.too_few.image

[the threshold was given]
{"evidence.operating_point.source": "option", "evidence.operating_point.reached": false}
- answer threshold: answer.threshold.before
- summary: plain plain.chosen.before
+ answer threshold: answer.threshold.given
+ summary: plain plain.chosen.given

[the threshold was chosen on a part of the table]
{"evidence.operating_point.source": "part"}
- answer threshold: answer.threshold.before
- summary: plain plain.chosen.before
+ answer threshold: answer.threshold.part
+ summary: plain plain.chosen.part

[shares of a hundred are not known]
{"per_hundred": null}
- summary: plain plain.missed

[nothing is referred]
{"evidence.referral": null}
- answer indeterminate: answer.indeterminate
- results: ### referral
- results: plain referral.text referral.kept_at_point
- results: plain referral.unlike_unknown
+ answer indeterminate: answer.indeterminate_plain

[there are no plausible classes]
{"evidence.referral.error_rate": null}
- results: plain referral.text referral.kept_at_point
+ results: plain referral.no_sets referral.apart referral.kept_at_point

[unlike images are told apart]
{"evidence.referral.unlike": {"value": 0.6, "low": 0.5, "high": 0.7, "n": 120}}
- results: plain referral.unlike_unknown
+ results: plain referral.unlike referral.apart

[nothing was calibrated]
{"decision.n": 0}
- answer output: answer.output
- results: plain calibration.how
- results: table calibration.caption 3 x 3
+ answer output: answer.output_raw
+ results: table calibration.caption 3 x 2
+ results: warning calibration.none

[the rule is of a local sample]
{"decision.fitted_on": "sample"}
- answer threshold: answer.threshold.before
- results: plain calibration.how
- summary: plain plain.chosen.before
+ answer threshold: answer.threshold.sample
+ results: plain calibration.sample_shift
+ summary: plain plain.chosen.sample

[no prior was moved]
{"decision.calibration.prior_shift": []}
- answer imbalance: answer.imbalance_corrected answer.on answer.off
- results: plain calibration.how
+ answer imbalance: answer.imbalance answer.on answer.off
+ results: plain calibration.temperature

[no prior of a local sample was moved]
{"decision.fitted_on": "sample", "decision.calibration.prior_shift": []}
- answer imbalance: answer.imbalance_corrected answer.on answer.off
- answer threshold: answer.threshold.before
- results: plain calibration.how
- summary: plain plain.chosen.before
+ answer imbalance: answer.imbalance answer.on answer.off
+ answer threshold: answer.threshold.sample
+ results: plain calibration.sample
+ summary: plain plain.chosen.sample

[there are no subgroups]
{"evidence.subgroups": []}
- answer subgroups: answer.subgroups
- results: ### subgroups
- results: Charts
- results: plain subgroups.text
- results: table metric.auc_roc 5 x 5
- results: table metric.sensitivity_at_operating_point 5 x 5
- results: table metric.specificity_at_operating_point 5 x 5
+ results: caption subgroups.none

[no answer is wrong]
{"worst": []}
- results: Pictures
- results: plain worst.text
+ results: plain worst.none

[a probe judged twice]
{"settings.training.recipe": "probe", "settings.evaluation.tta": true, "model.parameters": null}
- answer ensembling: answer.ensembling
- answer model: answer.model
- answer selection: answer.selection watched.val metric.loss
- answer training: answer.training answer.on
- methods: plain training.text watched.val metric.loss
- summary: plain summary.data
+ answer ensembling: answer.ensembling_tta
+ answer selection: answer.selection_probe
+ answer training: answer.training_probe
+ methods: plain training.text_probe
+ summary: plain summary.probe

[switches are the other way]
{"settings.preprocessing.clahe": false, "settings.augmentation.enabled": false, "settings.training.weighted_sampler": false, "settings.training.use_class_weights": true}
- answer imbalance: answer.imbalance_corrected answer.on answer.off
- answer preprocessing: answer.preprocessing resize.stretch answer.on
- answer training: answer.training answer.on
+ answer imbalance: answer.imbalance_corrected answer.off answer.on
+ answer preprocessing: answer.preprocessing resize.stretch answer.off
+ answer training: answer.training answer.off
"""
NAMED = dict(re.findall(r"(?m)^\[(.+)\]\n((?:.+\n)+)", CHANGES))


@pytest.fixture(scope="module")
def plain_lines(judged: ReportDocument) -> list[str]:
    return lines_of(judged)


@pytest.mark.parametrize("case", NAMED)
def test_what_a_report_tells_depends_on_its_records(judged: ReportDocument, plain_lines: list[str], case: str) -> None:
    changes, *expected = NAMED[case].splitlines()
    gone, come = difference(plain_lines, lines_of(changed(judged, json.loads(changes))))
    assert [f"- {line}" for line in gone] + [f"+ {line}" for line in come] == expected


def tables(blocks: Iterable[Block]) -> list[Table]:
    return [block for block in blocks if isinstance(block, Table)]


def paths(row: Iterable[Inlines]) -> list[list[tuple[str | int, ...]]]:
    """Return the places of the numbers of each cell."""
    return [[part.path for part in cell if isinstance(part, Quantity)] for cell in row]


def test_each_row_of_figures_holds_the_value_the_bounds_and_the_number_of_the_figure_it_names(
    judged: ReportDocument,
) -> None:
    page = ReportPage(judged)
    names: set[str] = set()
    for table in tables([*summary(page), *results(page, {}), *appendices(page)]):
        if table.head[:3] != page.figure_head[:3]:
            continue
        counted = {page.t[f"counted.{name}"]: name for name in ("images", "patient", "cases")} | {
            page.t["figures.n"]: "images"
        }
        for row in table.rows:
            words, value, bounds, number = paths(row)
            (*own, last), (*_, of) = value[0], value[0][:-1]
            assert last == "value" and words == [] and number == [(*own, "n")]
            assert bounds in ([(*own, "low"), (*own, "high")], [(*own, "low")], [])
            known = {page.figure_name(str(of)), *(page.t.get(f"{kind}.{of}") for kind in ("metric", "target"))}
            told = plain(row[0], "en").partition(", by patient")[0]
            pooled = str(of).endswith("@patient")
            assert told in known | {each.rpartition(", ")[0] for each in known if each}
            assert counted[table.head[3]] in (("patient", "cases") if pooled else ("images", "cases"))
            names.add(str(of))
    assert judged.evidence is not None
    assert names >= {name for name in judged.evidence.figures if "=" not in name}


def test_the_four_at_the_threshold_and_the_confusion_matrix_stand_where_their_names_are(judged: ReportDocument) -> None:
    page = ReportPage(judged)
    four = tables(results(page, {}))[0]
    assert four.head[1:] == ("malignant", "not malignant") and [row[0] for row in four.rows] == [
        ("flagged",),
        ("not flagged",),
    ]
    assert [paths(row)[1:] for row in four.rows] == [
        [[("crosstab", "hits")], [("crosstab", "alarms")]],
        [[("crosstab", "missed")], [("crosstab", "cleared")]],
    ]
    matrix = next(each for each in tables(appendices(page)) if each.caption == page.t["confusion.caption"])
    assert judged.evidence is not None
    assert list(matrix.head[1:]) == judged.evidence.class_names == [plain(row[0], "en") for row in matrix.rows]
    for number, row in enumerate(matrix.rows):
        assert paths(row)[1:] == [[("evidence", "confusion_matrix", number, column)] for column in range(3)]


def test_each_subgroup_has_its_own_figure_and_its_difference_from_the_rest(judged: ReportDocument) -> None:
    assert judged.evidence is not None
    groups = judged.evidence.subgroups
    without = groups[1].model_copy(update={"differences": {}})
    fewer = groups[2].model_copy(update={"figures": {}, "differences": {}})
    evidence = judged.evidence.model_copy(update={"subgroups": [groups[0], without, fewer, *groups[3:]]})
    page = ReportPage(judged.model_copy(update={"evidence": evidence}))
    found = list(subgroup_tables(page))
    assert [table.caption for table in found] == [page.figure_name(name) for name in groups[0].figures]
    for name, table in zip(groups[0].figures, found, strict=True):
        assert [row[0][0] for row in table.rows] == ["device: A", "device: B", "site: x", "site: y"]
        for number, row in zip((0, 1, 3, 4), table.rows, strict=True):
            own = ("evidence", "subgroups", number)
            _, n, figure, difference, p = paths(row)
            assert n == [(*own, "figures", name, "n")] and figure[0] == (*own, "figures", name, "value")
            if number == 1:
                assert row[3:] == (("",), ("",))
            else:
                assert difference[0] == (*own, "differences", name, "difference", "value")
                assert p in ([(*own, "differences", name, "adjusted_p")], [])


def test_referral_is_told_whether_or_not_a_class_is_in_question(judged: ReportDocument) -> None:
    """So do the checklists: it rests on no threshold."""
    document = changed(judged, {"evidence.operating_point": None})
    told = outline(results(coded_page(document), {}))
    assert told.index("### referral") < told.index("### calibration")
    assert "answer indeterminate: answer.indeterminate" in lines_of(document)


@pytest.mark.parametrize("part", [model_card, data_sheet])
def test_the_cards_tell_what_the_report_tells(judged: ReportDocument, part: Any) -> None:
    """All but their own heads and tables, and what both say of privacy."""
    own = {"# model_card.title", "# data_sheet.title", "table card 8 x 2", "table data_sheet.open 6 x 2"}
    own |= {"### checklist.deidentification", "plain answer.deidentification"}
    report = {
        line
        for name in ("summary", "methods", "results", "appendices")
        for line in outline(PARTS[name](coded_page(judged)))
    }
    assert {line for line in outline(part(coded_page(judged))) if not line.startswith("notice")} - own <= report


def test_decisions_by_breast_come_first_and_those_of_images_are_said_to_be_below(
    judged: ReportDocument, plain_lines: list[str]
) -> None:
    found = {"unit": "breast", "pooling": "largest", "images": 240, "several": 60, "mixed": 2}
    by_unit = found | {"evidence": judged.model_dump(mode="json")["evidence"]}
    gone, come = difference(plain_lines, lines_of(changed(judged, {"by_unit": by_unit})))
    assert gone == ["answer output: answer.output", "summary: table summary.figures 9 x 4"]
    assert come == [
        "answer output: answer.output_unit unit.breast",
        "results: ### units.breast",
        "results: plain units.counted units.of.breast",
        "results: plain units.how units.of.breast units.pooling.largest units.of.breast",
        "results: plain units.images_below unit.breast",
        "results: plain units.mixed units.of.breast",
        "results: table units.figures 9 x 4",
        "summary: plain units.counted units.of.breast",
        "summary: plain units.images_below unit.breast",
        "summary: table summary.figures 12 x 4",
    ]
    page = ReportPage(changed(judged, {"by_unit": by_unit}))
    (table,) = tables(summary(page))
    assert [row[0][0] for row in table.rows[:3]] == [
        f"{words}, {page.t['units.by.breast']}"
        for words in (
            page.figure_name("auc_roc.malignant"),
            *(page.t[f"metric.{name}_at_operating_point"] for name in ("sensitivity", "specificity")),
        )
    ]
    assert all(place[0] == "by_unit" for row in table.rows[:3] for cell in paths(row) for place in cell)
    without = changed(judged, {"evidence.by_patient": None, "by_unit": by_unit})
    assert tables(summary(ReportPage(without)))[0].head[-1] == "cases"
    assert tables(summary(ReportPage(changed(judged, {"evidence.by_patient": None}))))[0].head[-1] == "images"


def test_a_run_judged_on_nothing_tells_its_validation_and_predictions_of_elsewhere_no_run(
    judged: ReportDocument,
) -> None:
    none = {"evidence": None, "evaluation": None, "per_hundred": None, "crosstab": None, "worst": []}
    page = coded_page(changed(judged, none))
    assert outline(results(page, {})) == ["## results", "table figures.validation 3 x 2"]
    assert outline(summary(page))[:4] == [
        "## summary",
        "plain summary.model",
        "plain summary.data",
        "warning summary.not_judged",
    ]
    assert outline(model_card(page))[3:6] == [
        "## results",
        "warning summary.not_judged",
        "table figures.validation 3 x 2",
    ]
    assert [paths(row)[1] for row in tables(results(page, {}))[0].rows] == [
        [("validation", name)] for name in ("accuracy", "auc_roc", "loss")
    ]
    probe = changed(judged, {**none, "settings.training.recipe": "probe"})
    assert outline(results(coded_page(probe), {}))[1] == "table figures.validation_alone 3 x 2"
    assert "warning summary.not_judged.probe" in outline(summary(coded_page(probe)))
    apart = coded_page(changed(probe, {"flow.calibration_total": 20}))
    assert "warning summary.not_judged.probe_calibration" in outline(summary(apart))
    elsewhere = coded_page(changed(judged, {"flow": None, "model": {"checkpoint": "a.csv", "class_names": ["x"]}}))
    assert outline(methods(elsewhere)) == ["## methods", "plain methods.elsewhere"]
    told = outline(summary(elsewhere))
    assert told[1] == "plain summary.elsewhere" and "warning summary.not_test" not in told
    assert "- limits.elsewhere" in told and not {"- split.no_patients", "- limits.no_audit"} & set(told)
    unknown = changed(
        judged, {"flow": None, "model": {"checkpoint": "a.csv"} | {"class_names": ["x"]}, "evidence.patients": None}
    )
    assert "- limits.judged_unknown" in outline(summary(coded_page(unknown)))
    heads = [line for line in outline(appendices(elsewhere)) if line.startswith("#")]
    assert heads == ["# appendices", "## figures.all", "### confusion", "## curves", "## checklists"]
    # Errors have no pictures, and that none is at hand is not said of each.
    said = outline(results(elsewhere, {}))
    assert said.count("- worst.case") == len(judged.worst) and "Pictures" not in said
    assert any("worst.absent" in codes(each.caption) for each in pictures_of(coded_page(judged)))
    assert "answer output: answer.output_as_given" in lines_of(elsewhere.document)


def pictures_of(page: ReportPage, uris: Mapping[int, str] | None = None) -> tuple[Picture, ...]:
    (found,) = [block for block in results(page, uris or {}) if isinstance(block, Pictures)]
    return found.pictures


def test_a_worst_error_is_shown_with_its_own_picture_and_numbers(judged: ReportDocument) -> None:
    uris = {case.number: f"data:{case.number}" for case in judged.worst[1:]}
    first, *rest = pictures_of(ReportPage(judged), uris)
    assert first.uri is None and "not at hand" in plain(first.caption, "en")
    for number, (case, picture) in enumerate(zip(judged.worst, (first, *rest), strict=True)):
        assert picture.uri == uris.get(case.number)
        assert paths([picture.caption]) == [[("worst", number, "probability"), ("worst", number, "given_to_truth")]]
        told = plain(picture.caption, "en")
        assert f"[{case.name_sha256[:12]}]" in told and case.label in told and case.predicted in told


def test_a_report_begins_with_its_title_and_notice_and_has_its_parts_in_order(judged: ReportDocument) -> None:
    told = outline(lay_out(judged, {}))
    assert [line for line in told if line.startswith(("# ", "## "))] == [
        "# Report of the run 20260301-100000-abcd",
        *("## Summary", "## Methods", "## Results", "# Appendices", "## Model card", "## All results", "## Curves"),
        *("## Reporting checklists", "## Settings"),
    ]
    assert [number for number, line in enumerate(told) if line == "PageBreak"] == [
        told.index("## Methods") - 1,
        told.index("# Appendices") - 1,
    ]
    assert told[1].startswith("notice ") and "from the run’s own records" in told[2]
    levels = [line.count("#") for line in told if line.startswith("#")]
    assert all(below <= above + 1 for above, below in pairwise(levels)) and max(levels) == 3
    elsewhere = changed(judged, {"flow": None, "model": {"checkpoint": "a.csv", "class_names": ["x"]}})
    told = outline(lay_out(elsewhere, {}))
    assert "a.csv" in told[0] and "from the run’s own records" not in told[2]


def test_each_evaluation_that_was_made_and_each_setting_and_hash_has_its_row(judged: ReportDocument) -> None:
    opening = {"data": "x/val", "split": "val", "created": "2026-03-02T11:00:00+00:00", "n": 9, "opened": 3}
    elsewhere = opening | {"data": "hospital", "split": "test"}
    page = ReportPage(changed(judged, {"openings": [opening, elsewhere, opening | {"split": None}]}))
    (table,) = [each for each in tables(methods(page)) if each.caption == page.t["openings"]]
    assert [row[0][0] for row in table.rows] == ["x/val", "hospital (test)", "x/val"]
    assert [paths(row)[2:] for row in table.rows] == [
        [[("openings", number, "n")], [("openings", number, "opened")]] for number in range(3)
    ]
    found = {each.caption: each for each in tables(appendices(page))}
    settings = {str(row[0][0]): str(row[1][0]) for row in found[page.t["settings"]].rows}
    assert settings["system.seed"] == "7" and settings["data.test_dir"] == "images/test"
    assert not any(name.startswith(("tuning.", "crossval.", "storage.", "tracking.")) for name in settings)
    hashes = {str(row[0][0]): str(row[1][0]) for row in found[page.t["fingerprints.caption"]].rows}
    assert list(hashes.values()) == list(judged.fingerprints.values())
    audit = next(each for each in tables(methods(page)) if each.caption == page.t["audit.caption"])
    assert [paths(row)[2] for row in audit.rows] == [[("audit", "findings", number, "count")] for number in range(2)]
    uncounted = changed(
        judged, {"audit.findings": [{**judged.model_dump(mode="json")["audit"]["findings"][0], "count": 0}]}
    )
    assert tables(methods(ReportPage(uncounted)))[0].rows[0][2] == ("",)


def test_each_item_of_a_checklist_that_is_answered_has_its_number_its_question_and_the_answer(
    judged: ReportDocument,
) -> None:
    items = [
        {"item": "1", "text": "a", "question": "goal", "answer": "The aim."},
        {"item": "2", "text": "b", "question": "of_tomorrow", "answer": "So."},
        {"item": "3", "text": "c", "question": None, "answer": None},
        {"item": "2", "text": "d", "question": "x", "answer": None},
        {"item": "3", "text": "e", "question": None, "answer": None},
    ]
    page = ReportPage(changed(judged, {"checklists": {"A LIST": items}}))
    blocks = list(checklists(page))
    (table,) = tables(blocks)
    assert table.caption == "A LIST" and [[plain(cell, "en") for cell in row] for row in table.rows] == [
        ["1", page.t["checklist.goal"], "The aim."],
        ["2", "of_tomorrow", "So."],
    ]
    left = blocks[-1]
    assert isinstance(left, Paragraph) and left.role == "caption"
    assert plain(left.text, "en") == page.t["checklists.left"].format(items="3, 2")
