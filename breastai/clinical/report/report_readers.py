"""The readers of a report: each study in which they read the cases of the run's model, with what it shows of both."""

from collections.abc import Iterator, Sequence

from breastai.clinical.report.report_blocks import Block, Heading, Inlines, Paragraph, Table
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_texts import translate_sentence
from breastai.domain.reader_records import ONE_TEST, Agreement, AnalysisKind, MeritAnalysis

# Of these the results show the first that a study allows: it speaks of the most.
_KINDS: tuple[AnalysisKind, ...] = ("readers_and_cases", "cases", "readers")
_EFFECTS = ("means", "differences", "against_model")
_P_VALUES = ("p_value", "adjusted_p")


def readers(page: ReportPage) -> Iterator[Block]:
    """Yield each reader's figures beside the model's, what they come to together, and how far readers agree."""
    if not page.document.readers:
        return
    t = page.t
    yield Heading(t["readers"])
    for number, study in enumerate(page.document.readers):
        place = ("readers", number)
        counts = {name: page.count(*place, name) for name in ("cases", "positives")}
        names = {"readers": ", ".join(study.readers), "tests": ", ".join(_test(page, each) for each in study.tests)}
        key = "readers.of" if len(study.tests) > 1 else "readers.of_one"
        yield page.say(key, table=study.table, name=page.class_label(study.target_class), **names, **counts)
        if study.model_threshold is not None:
            yield page.say("readers.threshold", model=study.model, threshold=page.at(*place, "model_threshold"))
        if study.call_from is not None:
            yield page.say("readers.call_from", score=page.at(*place, "call_from", kind="plain"))
        for at, analysis in enumerate(study.analyses):
            own = (*place, "analyses", at)
            yield _figures(page, analysis, study.model, *own)
            kind = _first_kind(analysis)
            yield from _effects(page, analysis, [kind], _merit(page, "readers.effects", analysis), *own)
        yield page.say(f"readers.how.{study.covariance}")
        yield from _agreement(page, number, "fleiss", t["readers.agreement"])
        for note in study.notes:
            yield Paragraph((translate_sentence(note, page.language),), "caption")


def reader_details(page: ReportPage) -> Iterator[Block]:
    """Yield for the appendices the other analyses, the differences of each reader, and the agreement of each two."""
    if not page.document.readers:
        return
    yield Heading(page.t["readers.details"])
    for number, study in enumerate(page.document.readers):
        for at, analysis in enumerate(study.analyses):
            own = ("readers", number, "analyses", at)
            rest = [kind for kind in _KINDS if kind != _first_kind(analysis)]
            yield from _effects(page, analysis, rest, _merit(page, "readers.other_effects", analysis), *own)
            if analysis.by_reader:
                yield _by_reader(page, analysis, *own)
        yield from _agreement(page, number, "cohen", page.t["readers.pairs"])


def _test(page: ReportPage, name: str) -> str:
    """Return the name of a test; of a table that names none its only one is called a reading, in the language."""
    return page.t["readers.one_test"] if name == ONE_TEST else name


def _merit(page: ReportPage, key: str, analysis: MeritAnalysis) -> str:
    return page.t[key].format(merit=page.t[f"readers.merit.{analysis.merit}"])


def _first_kind(analysis: MeritAnalysis) -> AnalysisKind:
    there = {each.analysis for part in _EFFECTS for each in getattr(analysis, part)}
    return next((kind for kind in _KINDS if kind in there), _KINDS[0])


def _figures(page: ReportPage, analysis: MeritAnalysis, model: str | None, *path: str | int) -> Table:
    t = page.t
    rows: list[tuple[Inlines, ...]] = []
    for place, each in enumerate(analysis.figures):
        own = (*path, "figures", place, "figure")
        value, n = page.at(*own, "value"), page.count(*own, "n")
        rows.append(((each.reader,), (_test(page, each.test),), (value,), page.interval(*own), (n,)))
    if analysis.model is not None:
        own = (*path, "model")
        value, n = page.at(*own, "value"), page.count(*own, "n")
        rows.append(((model or "",), (t["readers.model"],), (value,), page.interval(*own), (n,)))
    head = (t["readers.reader"], t["readers.test"], t["figures.value"], t["figures.interval"], t["readers.cases"])
    return Table(head, tuple(rows), _merit(page, "readers.each", analysis), widths=(0.34, 0.2, 0.12, 0.22, 0.12))


def _effects(
    page: ReportPage, analysis: MeritAnalysis, kinds: Sequence[AnalysisKind], caption: str, *path: str | int
) -> Iterator[Table]:
    """Yield means, differences of tests and differences from the model, of these kinds of analysis, where there are any."""
    t = page.t
    said: dict[str, list[Inlines]] = {
        "means": [page.fill("readers.mean", test=_test(page, each.test)) for each in analysis.means],
        "differences": [
            page.fill("readers.difference", first=_test(page, each.first), second=_test(page, each.second))
            for each in analysis.differences
        ],
        "against_model": [page.fill("readers.against", test=_test(page, each.test)) for each in analysis.against_model],
    }
    rows: list[tuple[Inlines, ...]] = []
    for kind in kinds:
        for part, words in said.items():
            for place, each in enumerate(getattr(analysis, part)):
                if each.analysis == kind:
                    own = (*path, part, place)
                    rows.append((words[place], (t[f"readers.random.{kind}"],), *_tested(page, *own)))
    head = (t["readers.what"], t["readers.analysis"], t["figures.value"], t["readers.degrees"], t["p"], t["p.adjusted"])
    if rows:
        yield Table(head, tuple(rows), caption, widths=(0.3, 0.16, 0.26, 0.1, 0.09, 0.09))


def _by_reader(page: ReportPage, analysis: MeritAnalysis, *path: str | int) -> Table:
    t = page.t
    rows: list[tuple[Inlines, ...]] = []
    for place, each in enumerate(analysis.by_reader):
        what = page.fill("readers.difference", first=_test(page, each.first), second=_test(page, each.second))
        rows.append(((each.reader or "",), what, *_tested(page, *path, "by_reader", place)))
    head = (t["readers.reader"], t["readers.what"], t["figures.value"], t["readers.degrees"], t["p"], t["p.adjusted"])
    caption = _merit(page, "readers.by_reader", analysis)
    return Table(head, tuple(rows), caption, widths=(0.2, 0.26, 0.26, 0.1, 0.09, 0.09))


def _tested(page: ReportPage, *path: str | int) -> tuple[Inlines, ...]:
    """Return an effect with its interval, its degrees of freedom and its p-values."""
    degrees = page.at(*path, "degrees", kind="tenth")
    freedom: Inlines = ("∞",) if degrees.value is None else (degrees,)
    ps = [page.p_value(*path, name) if page.at(*path, name).value is not None else ("",) for name in _P_VALUES]
    return (page.with_interval(*path, "figure"), freedom, *ps)


def _agreement(page: ReportPage, number: int, measure: str, caption: str) -> Iterator[Table]:
    """Yield the kappas of a kind: of all readers Fleiss', of each two Cohen's; nothing where there are none."""
    t = page.t
    found: list[tuple[int, Agreement]] = [
        (place, each)
        for place, each in enumerate(page.document.readers[number].agreement)
        if each.measure.startswith(measure)
    ]
    if not found:
        return
    rows: list[tuple[Inlines, ...]] = []
    for place, each in found:
        own = ("readers", number, "agreement", place, "figure")
        words = f"{t[f'readers.measure.{each.measure}']}, {t[f'readers.of.{each.of}']}"
        rows.append(((words,), (_test(page, each.test),), (", ".join(each.readers),), page.with_interval(*own)))
    head = (t["readers.measure"], t["readers.test"], t["readers.readers"], t["figures.value"])
    yield Table(head, tuple(rows), caption, widths=(0.28, 0.16, 0.3, 0.26))
