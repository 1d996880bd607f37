"""Words agree with the figure before them: 1 image, 2 images; 0 image in French."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from breastai.domain.text import Text
from breastai.texts.catalogue import Template, languages, read_catalogue
from breastai.texts.renderer import render

COUNTED = re.compile(r"\{(\w+)(?::(?:integer|number|fixed|percent)(?:\.\d)?)?\}[ \u00a0]([^\W\d_]+[sx])\b")
FORMS = re.compile(r"\{(\w+)\?[^{}|]*\|[^{}|]*\}")

# Words that end like plurals and are none, and units, which don't agree.
_NO_PLURALS = """as does has is its needs this us was après aux cas dans dessous des deux fois les leurs mais moins pas plus
    processus près puis sans ses sous bits bytes characters pixels octets caractères px s ms"""
# Figures that are never one: sizes, limits, shares, rates, what was asked for, and names.
_NEVER_ONE = """all asked batch_size bits depth epoch epochs error first gflops half_width height hidden hundred image_size
    known least levels limit longest margin millions minimum most needed own parameters pixels planned processes ratio
    referred row run second seconds share side size speed steps target temperature threads threshold timeout_s times
    training unlike width"""
# Said only where there are several.
OF_SEVERAL = (
    *("advice.patients", "cli.bench", "cli.crossval.", "cli.seeds", "crossval.", "data_warning.patients_"),
    *("doubt.column_", "doubt.folds_above", "doubt.headers_sampled", "doubt.label_is_measured", "doubt.many_classes"),
    *("doubt.one_patient", "doubt.patients_above", "doubt.tables_together", "error.data.many_classes"),
    *("error.data.patients_above", "error.patient_id.", "event.crossval_complete", "event.seeds_complete"),
    *("finding.classes.many", "finding.patients.", "finding.twins.doubtful", "finding.twins.same_label"),
    *("log.data.long_search", "log.patients.", "log.preset_chosen", "log.referral.", "model.millions"),
    *("note.held_out_", "note.pages", "plan.pointwise", "reason.archive_files", "reason.tensors_of_other"),
    *("reason.upload_files", "report.finding.patients.offered", "split.search"),
)


def forms_of(template: Template) -> list[str]:
    return [template] if isinstance(template, str) else [form for name, form in template.items() if name != "plural"]


def figures_of(template: Template) -> set[str]:
    """Return the parameters that choose a form of the text, or of words in it."""
    own = {name for form in forms_of(template) for name in FORMS.findall(form)}
    return own if isinstance(template, str) else {template["plural"], *own}


def without_forms(template: Template) -> Iterator[tuple[str, str]]:
    """Yield each figure before a noun in the plural that has no form for one, with the text."""
    for form in forms_of(template):
        for name, word in COUNTED.findall(form):
            if word not in _NO_PLURALS.split() and name not in {*_NEVER_ONE.split(), *figures_of(template)}:
                yield name, form


# What French says a plural after is a count; what only English does may be a name and a verb: {file} lies.
COUNTS = {name for template in read_catalogue("fr").values() for name, _ in without_forms(template)} | {
    name for template in read_catalogue("fr").values() for name in figures_of(template)
}


@pytest.mark.parametrize("language", languages())
def test_a_noun_after_a_figure_has_a_form_for_one(language: str) -> None:
    lacking = [
        (key, name, form)
        for key, template in read_catalogue(language).items()
        if not key.startswith(OF_SEVERAL)
        for name, form in without_forms(template)
        if name in COUNTS
    ]
    assert lacking == []


@pytest.mark.parametrize("language", languages())
def test_words_agree_with_a_figure_that_the_text_tells(language: str) -> None:
    for key, template in read_catalogue(language).items():
        for form in forms_of(template):
            told = set(re.findall(r"\{(\w+)[:}]", form))
            assert set(FORMS.findall(form)) <= told, key
            assert form.count("?") == 0 or len(re.findall(r"\{\w+\?", form)) == len(FORMS.findall(form)), key


def test_the_page_gives_a_figure_that_words_agree_with_as_a_number(project_root: Path) -> None:
    figures = {key: figures_of(template) for key, template in read_catalogue("en").items()}
    written = []
    for script in sorted((project_root / "frontend" / "js").rglob("*.js")):
        lines = script.read_text(encoding="utf-8").splitlines() if script.name != "texts.js" else []
        for line in lines:
            for key, given in re.findall(r'"([a-z_.]+)"(?:, \w+)?, (\{[^}]*\})', line):
                written += [(script.name, key, name) for name in figures.get(key, ()) if f" {name}: format." in given]
    assert written == []


def test_a_plan_of_one_case_is_told_in_the_singular() -> None:
    text = Text("cli.plan.line", {"name": "x", "cases": 1, "images": 1, "patients": 1})
    assert render(text, "en") == "  x: 1 case alone, or 1 image of 1 patient"
    assert render(text, "fr") == "  x\u00a0: 1 cas isolé, ou 1 image de 1 patient"
