"""An inspection as lines for people: what a place is read as, what it holds, what is doubtful, what to type next."""

import shlex
from collections.abc import Iterator

from breastai.commands.language import current_language, say, words
from breastai.domain.catalog import proposed_preset
from breastai.domain.dataset_inspection import UNKNOWN_LAYOUT, DatasetInspection
from breastai.domain.text import Text
from breastai.texts.catalogue import find_template

_FEW_FILES = 3


def inspection_lines(inspection: DatasetInspection, place: str) -> list[str]:
    """Return the lines that tell of an inspection of `place`, as the user called it."""
    known = inspection.layout != UNKNOWN_LAYOUT
    layout = say(f"layout.{inspection.layout}")
    lines = [say("cli.data.read_as" if known else "cli.data.unknown", path=place, layout=layout)]
    lines += [f"  {line}" for line in _contents(inspection)]
    lines += [say("cli.data.doubt", doubt=_with_option(doubt)) for doubt in inspection.doubts]
    if inspection.twins is not None:
        lines.append(say("cli.data.twins", twins=inspection.twins))
    description = inspection.description
    if description is not None and description.citation is not None:
        lines.append(say("cli.data.citation", citation=description.citation))
    if description is not None and description.licence is not None:
        lines.append(say("cli.data.licence", licence=description.licence))
    return [*lines, say("cli.next", command=next_command(inspection, place))]


def _with_option(doubt: Text) -> str:
    """Return a doubt, and with which option it is answered where there is one."""
    option = f"{doubt.code}.option"
    known = find_template(option, current_language()) is not None
    return f"{words(doubt)} {say(option, **doubt.params)}" if known else words(doubt)


def next_command(inspection: DatasetInspection, place: str) -> str:
    """Return the one command to type next: a training, or keeping it with what is missing."""
    quoted = shlex.quote(place)
    if inspection.description is None:
        name = "NAME"
        pattern = next((str(doubt.params["pattern"]) for doubt in inspection.doubts if "pattern" in doubt.params), None)
        if pattern is not None:
            return f"breastai data add {name} {quoted} --label {shlex.quote(f'path:{pattern}')}"
        return f"breastai data add {name} {quoted} --table TABLE.csv --file COLUMN --label COLUMN"
    codes = {doubt.code for doubt in inspection.doubts}
    if "doubt.unreadable" in codes or not inspection.images:
        return f"breastai data add {inspection.description.name} {quoted} --help"
    if "doubt.one_class" in codes:
        return (
            f"breastai data add {inspection.description.name} {quoted} --table TABLE.csv --file COLUMN --label COLUMN"
        )
    if any(doubt.code == "doubt.classes_are_numbers" for doubt in inspection.doubts):
        mapped = " ".join(f"--map {value}=CLASS" for value in inspection.classes)
        return f"breastai data add {inspection.description.name} {quoted} {mapped}"
    return f"breastai train --data {quoted} --preset {proposed_preset(inspection.images)}"


def _contents(inspection: DatasetInspection) -> Iterator[str]:
    classes = ", ".join(say("cli.data.class", name=name, count=count) for name, count in inspection.classes.items())
    if classes:
        yield say("cli.data.images", images=inspection.images, classes=classes)
    else:
        yield say("cli.data.no_classes", images=inspection.images)
    if inspection.patients is not None:
        yield say("cli.data.patients", patients=inspection.patients)
    if inspection.breasts is not None:
        yield say("cli.data.breasts", breasts=inspection.breasts)
    if inspection.views:
        yield say("cli.data.views", views=_counted(inspection.views))
    if inspection.splits is not None:
        yield say("cli.data.splits", splits=_counted(inspection.splits))
    if inspection.masks:
        yield say("cli.data.masks", count=inspection.masks)
    for item in inspection.reasons:
        files = ", ".join(item.files[:_FEW_FILES]) + (" ..." if item.count > _FEW_FILES else "")
        yield say("cli.data.left_out", count=item.count, reason=item.reason, files=files)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(say("cli.data.class", name=name, count=count) for name, count in counts.items())
