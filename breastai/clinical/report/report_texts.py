"""The texts of a report in its language, from the catalogue."""

from breastai.clinical.report.report_blocks import Inline, Quoted
from breastai.domain.records import Finding
from breastai.domain.sentences import in_french
from breastai.domain.text import Text
from breastai.texts.catalogue import ENGLISH, find_template, texts_below
from breastai.texts.number_format import decimal_sign
from breastai.texts.renderer import render


def texts(language: str) -> dict[str, str]:
    """Return every text of a report by its key without "report.", those of metrics, and the sign in charts' numbers."""
    metrics = {f"metric.{name}": text for name, text in texts_below("metric", language).items()}
    return texts_below("report", language) | metrics | {"chart.decimal": decimal_sign(language)}


def finding_text(finding: Finding, language: str) -> Inline:
    """Return what was found, in the language; in English where no words are known."""
    key = f"finding.{finding.code}.message"
    if find_template(key, language) is None:
        return finding.message if language == ENGLISH else Quoted(finding.message)
    return render(Text(key, finding.params), language)


def translate_sentence(text: str, language: str) -> Inline:
    """Return a sentence of a record in the language; in English where no words are known."""
    if language == ENGLISH or not text:
        return text
    words = in_french(text) if language == "fr" else None
    return Quoted(text) if words is None else words
