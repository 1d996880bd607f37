"""Reviewing: a model's answers about images, a person's judgement of each, and both as a table of predictions."""

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from breastai.apps.review_texts import share, texts
from breastai.data.decoders.decoder_table import header_of
from breastai.data.preprocessing.model_images import read_for
from breastai.data.preprocessing.thumbnails import thumbnail_uri as small_picture
from breastai.domain.errors import BreastAIError, ImageUnreadable
from breastai.domain.events import Prediction
from breastai.domain.text import Text
from breastai.predictor.predictions import Answering, prediction, unreadable
from breastai.texts.renderer import render
from breastai.texts.shown_name import show_name

MOST_IMAGES = 200
_PICTURE_SIDE = 900
# What a spreadsheet would take for a formula.


@dataclass(frozen=True)
class ReviewedAnswer:
    """One image: where it lies for now, the model's answer, and the class a person gave it; None when none yet.

    `path` is None of what was not sent to the page: it is neither read nor shown.
    """

    path: Path | None
    answer: Prediction
    judged: str | None = None


def ask(model: Answering, path: Path, folder: Path) -> ReviewedAnswer:
    """Return the model's answer about an image file that was sent to `folder`, or why there is none.

    A request can name any file of this machine in place of one it sent: those outside are not opened.
    """
    name = path.name
    if not was_sent(path, folder):
        return ReviewedAnswer(None, unreadable(ImageUnreadable(name, Text("reason.not_sent_page")), name))
    try:
        return ReviewedAnswer(path, prediction(model, read_for(path, model.preprocessing), name, header_of(path)))
    except BreastAIError as error:
        return ReviewedAnswer(path, unreadable(error, name))


def was_sent(path: Path, folder: Path) -> bool:
    """Return whether a path leads, its links followed, to a file in the folder of what was sent."""
    try:
        return path.is_file() and path.resolve(strict=True).is_relative_to(folder.resolve(strict=True))
    except (OSError, ValueError, RuntimeError):  # a loop of links, a null byte
        return False


def with_judgement(
    images: Sequence[ReviewedAnswer], number: int, judged: str | None, classes: Sequence[str]
) -> list[ReviewedAnswer]:
    """Return the images with the class a person gave one of them; anything that is no class takes it back."""
    changed = list(images)
    if 0 <= number < len(changed) and changed[number].answer.probabilities is not None:
        changed[number] = replace(changed[number], judged=judged if judged in classes else None)
    return changed


def picture(path: Path | None, language: str) -> str:
    """Return an image as HTML that holds it whole, so that no copy of it comes to lie anywhere; empty when unreadable."""
    uri = None if path is None else small_picture(path, _PICTURE_SIDE)
    if uri is None:
        return ""
    alt = html.escape(texts(language)["picture"], quote=True)
    return f'<img src="{uri}" alt="{alt}" style="max-width:100%">'


def rows(images: Sequence[ReviewedAnswer], language: str) -> list[list[str]]:
    """Return a line of the table for each image: its name, the answer, its probability, and how far that holds."""
    said = texts(language)
    found = []
    for image in images:
        answer = image.answer
        if answer.label is None or answer.probabilities is None:
            found.append([answer.file, "", "", said["failed"]])
            continue
        state = said["refer"] if answer.refer else said["ok"]
        decision = answer.decision or answer.label
        found.append([answer.file, decision, share(answer.probabilities[decision], language), state])
    return found


def explain_answer(answer: Prediction, language: str) -> str:
    """Return in sentences what the model says of an image."""
    said = texts(language)
    if answer.label is None or answer.probabilities is None:
        reason = answer.error_text or answer.error or ""
        return said["unread"].format(reason=render(reason, language) if isinstance(reason, Text) else reason)
    decision = answer.decision or answer.label
    lines = [said["says"].format(label=decision, probability=share(answer.probabilities[decision], language))]
    plausible = ", ".join(answer.plausible)
    if answer.called is not None and answer.threshold is not None and answer.target_class is not None:
        key = "called" if answer.called else "not_called"
        target_probability = share(answer.probabilities[answer.target_class], language)
        threshold = share(answer.threshold, language)
        values = {"target_class": answer.target_class, "target_probability": target_probability, "threshold": threshold}
        lines.append(said[key].format(**values))
    why = said[f"refer_{answer.refer_reason}"] if answer.refer and answer.refer_reason is not None else ""
    if plausible and "{plausible}" not in why:
        lines.append(said["plausible"].format(plausible=plausible))
    if why:
        known = ", ".join(answer.known_modalities)
        lines.append(why.format(plausible=plausible, modality=answer.modality, known=known))
    return "\n".join(lines)


def table(images: Sequence[ReviewedAnswer], classes: Sequence[str]) -> str | None:
    """Return the judged images as a CSV that `evaluate --predictions` reads; None when there is none.

    A name that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    judged = [image for image in images if image.judged is not None]
    if not judged:
        return None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "label", *(show_name(f"p_{name}", "csv") for name in classes)])
    for image in judged:
        probabilities = image.answer.probabilities or {}
        writer.writerow(
            [
                show_name(image.answer.file, "csv"),
                show_name(image.judged or "", "csv"),
                *(f"{probabilities[each]:.9g}" for each in classes),
            ]
        )
    return text.getvalue()
