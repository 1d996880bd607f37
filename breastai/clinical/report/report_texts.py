"""The texts of a report in its language, from the catalogue."""

from collections.abc import Mapping, Sequence
from typing import Any

from breastai.clinical.report.report_blocks import Inline, Quoted
from breastai.domain.records import Finding
from breastai.domain.text import Text, read_param
from breastai.texts.catalogue import ENGLISH, find_template, texts_below
from breastai.texts.number_format import decimal_sign
from breastai.texts.renderer import fill_template, render


def texts(language: str) -> dict[str, str]:
    """Return every text of a report by its key without "report.", those of metrics, adapted models, readers and classes, the sign in charts' numbers, the language."""
    metrics = {f"metric.{name}": text for name, text in texts_below("metric", language).items()}
    uses = {f"used_for.{name}": text for name, text in texts_below("used_for", language).items()}
    adapted = {f"adapted.{name}": text for name, text in texts_below("adapted", language).items()}
    studies = {f"readers.{name}": text for name, text in texts_below("readers", language).items()}
    classes = {f"class.{name}": text for name, text in texts_below("class", language).items()}
    own = {"chart.decimal": decimal_sign(language), "language": language}
    return metrics | uses | adapted | studies | classes | texts_below("report", language) | own


def class_label(name: str, words: Mapping[str, str]) -> str:
    """Return a class's name in the language: malignant is malin; what has no word there, or is English, stays as it is."""
    return name if words["language"] == ENGLISH else words.get(f"class.{name.strip().lower()}", name)


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
    own = find_template(f"report.finding.{finding.code}", language)  # whoever reads a report sets no settings
    template = own or find_template(f"finding.{finding.code}.message", language)
    if template is None:
        return finding.message if language == ENGLISH else Quoted(finding.message)
    words = texts(language)
    params = finding.params | _worded(finding.params, words)
    if isinstance(cases := params.get("cases"), list):
        params = params | {"listed": _listed(cases, words)}
    return fill_template(template, {name: read_param(value) for name, value in params.items()}, language)


def _worded(params: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, str]:
    """Return the classes and the parts that a finding names in the language, by the parameters that hold them."""
    said = {key: value for key, value in params.items() if isinstance(value, str)}
    found: dict[str, str] = {
        key: class_label(said[key], words) for key in ("class_name", "largest", "smallest") if key in said
    }
    found |= {key: words.get(f"part.{said[key]}", said[key]) for key in ("split", "other") if key in said}
    if "by_class" in said:  # benign 3, malignant 1
        each = (part.rpartition(" ") for part in said["by_class"].split(", "))
        found["by_class"] = ", ".join(f"{class_label(name, words)} {count}" for name, _, count in each)
    return found


def _listed(cases: Sequence[Any], words: Mapping[str, str]) -> str:
    """Return how many cases of each class each part has: validation: malignant 12, benign 20; test: ..."""
    parts: dict[str, list[str]] = {}
    for case in cases:
        parts.setdefault(case["split"], []).append(f"{class_label(case['class_name'], words)} {case['n']}")
    said = (
        f"{words.get(f'part.{part}', part)}{words['finding.colon']}{', '.join(each)}" for part, each in parts.items()
    )
    return words["answer.and"].join(said)


def translate_sentence(text: Text | dict[str, Any] | str, language: str) -> Inline:
    """Return a text of a record in the language; what an older record kept in English words stays so."""
    if isinstance(text, str):
        return text if language == ENGLISH or not text else Quoted(text)
    return render(text if isinstance(text, Text) else Text(**text), language)
