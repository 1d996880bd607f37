"""The texts of a report in its language, from the catalogue."""

from collections.abc import Mapping
from typing import Any

from breastai.clinical.report.report_blocks import Inline, Quoted
from breastai.domain.records import Finding
from breastai.domain.text import Text, read_param
from breastai.texts.catalogue import ENGLISH, find_template, texts_below
from breastai.texts.number_format import decimal_sign
from breastai.texts.renderer import fill_template, render


def texts(language: str) -> dict[str, str]:
    """Return every text of a report by its key without "report.", those of metrics and readers, the sign in charts' numbers, the language."""
    metrics = {f"metric.{name}": text for name, text in texts_below("metric", language).items()}
    uses = {f"used_for.{name}": text for name, text in texts_below("used_for", language).items()}
    studies = {f"readers.{name}": text for name, text in texts_below("readers", language).items()}
    own = {"chart.decimal": decimal_sign(language), "language": language}
    return metrics | uses | studies | texts_below("report", language) | own


def initial_weights(pretrained: str, words: Mapping[str, str]) -> str:
    """Return where the first weights come from, in words; `pretrained` as a manifest keeps it: KIND: DETAIL, in English."""
    kind, _, detail = pretrained.partition(":")
    known = words.get(f"weights.{kind}")
    return pretrained if known is None else known.format(name=detail.strip())


def monitor_name(monitor: str, words: Mapping[str, str]) -> str:
    """Return the figure that chose the best epoch in words: val_auc_roc is the AUC on validation."""
    part, _, name = monitor.partition("_")
    found = words.get(f"metric.{name}", words.get(f"chart.{name}"))
    return monitor if found is None else words[f"watched.{part}"].format(figure=found)


def finding_text(finding: Finding, language: str) -> Inline:
    """Return what was found, in the language; in English where no words are known."""
    template = find_template(f"finding.{finding.code}.message", language)
    if template is None:
        return finding.message if language == ENGLISH else Quoted(finding.message)
    return fill_template(template, {name: read_param(value) for name, value in finding.params.items()}, language)


def translate_sentence(text: Text | dict[str, Any] | str, language: str) -> Inline:
    """Return a text of a record in the language; what an older record kept in English words stays so."""
    if isinstance(text, str):
        return text if language == ENGLISH or not text else Quoted(text)
    return render(text if isinstance(text, Text) else Text(**text), language)
