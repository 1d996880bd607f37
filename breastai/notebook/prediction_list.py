"""Predictions as a list of records, a table, an array, or what a notebook shows of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import util
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from breastai.commands.format_text import decision, number
from breastai.commands.language import follow_system_language, say, words
from breastai.data.preprocessing.thumbnails import thumbnail_uri
from breastai.data.sources.frames import file_of
from breastai.domain.errors import MissingExtra
from breastai.domain.events import Prediction, UnitPrediction
from breastai.domain.text import Text
from breastai.notebook.shown_result import html_table
from breastai.texts.shown_name import show_name

# Beyond so many a notebook would grow by megabytes.
_MOST_SHOWN = 50
_SIDE = 96


class Predictions(Sequence[Prediction]):
    """An answer for each image, in order; `error` says why there is none. In a notebook a table with small pictures.

    A notebook that is saved keeps these pictures: `pictures=False` of `Model.predict` leaves them out.
    """

    def __init__(
        self,
        answers: Sequence[Prediction],
        class_names: Sequence[str],
        paths: Sequence[Path],
        pictures: bool,
        left_out: Mapping[Path, Text | str] | None = None,
        units: Iterable[UnitPrediction] = (),
    ) -> None:
        self._answers, self._paths, self._pictures = list(answers), list(paths), pictures
        # What the folders hold that was not asked about, masks and what is no image, each with the reason.
        self.left_out = dict(left_out or {})
        self.class_names = list(class_names)
        # Of a model that decides by breast, exam or patient: what it says of each, from all its images.
        self.units = list(units)

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> "Predictions": ...
    def __getitem__(self, place: int | slice) -> "Prediction | Predictions":
        if isinstance(place, int):
            return self._answers[place]
        return Predictions(self._answers[place], self.class_names, self._paths[place], self._pictures)

    def __len__(self) -> int:
        return len(self._answers)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self._answers)

    @property
    def failed(self) -> list[Prediction]:
        """Those without an answer."""
        return [each for each in self._answers if each.error is not None]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return a record for each image: what was decided, on what, whether it is referred, and by which unit.

        `unit`: what the answer is about, an image, or a frame of a file of several. What a model says of a breast, an
        exam or a patient stands in `units`. `p_CLASS`: the probability of a class, None where there is no answer.
        """
        return [self._record(each) for each in self._answers]

    def to_numpy(self) -> npt.NDArray[np.float64]:
        """Return the probabilities, (N, C), in the order of `class_names`; NaN where there is no answer."""
        rows = [[(each.probabilities or {}).get(name, np.nan) for name in self.class_names] for each in self._answers]
        return np.array(rows, dtype=np.float64).reshape(len(self), len(self.class_names))

    def to_pandas(self) -> Any:
        """Return the records as a pandas DataFrame; raise MissingExtra without pandas."""
        return import_pandas().DataFrame(self.to_dict())

    def __repr__(self) -> str:
        follow_system_language()
        lines = [f"{show_name(each.file, 'terminal')}: {_answer(each)}" for each in self._answers[:_MOST_SHOWN]]
        return "\n".join([*lines, *self._more(), say("page.research_use")])

    def _repr_html_(self) -> str:
        follow_system_language()
        before, after = ("image", "file", "decision"), ("refer", "unit")
        headings = [say(f"notebook.{name}") for name in before]
        headings += [*self.class_names, *(say(f"notebook.{name}") for name in after)]
        shown = zip(self._answers[:_MOST_SHOWN], self._paths[:_MOST_SHOWN], strict=True)
        table = html_table(headings, [self._row(answer, path) for answer, path in shown])
        return table + "".join(f"<div>{escape(line)}</div>" for line in (*self._more(), say("page.research_use")))

    def _more(self) -> list[str]:
        rest = len(self) - _MOST_SHOWN
        more = [say("cli.audit.more", count=rest)] if rest > 0 else []
        for file, reason in list(self.left_out.items())[:1]:
            more.append(say("notebook.left_out", count=len(self.left_out), file=file.name, reason=reason))
        return more

    def _row(self, answer: Prediction, path: Path) -> list[str]:
        chances = [number((answer.probabilities or {}).get(name)) for name in self.class_names]
        refer = {True: "notebook.yes", False: "notebook.no", None: "cli.undefined"}[answer.refer]
        cells = [show_name(answer.file, "terminal"), _answer(answer), *chances, say(refer), _unit_text(answer)]
        picture = thumbnail_uri(path, _SIDE) if self._pictures else None
        return [f'<img src="{picture}" alt="">' if picture else "", *map(escape, cells)]

    def _record(self, answer: Prediction) -> dict[str, Any]:
        probabilities = answer.probabilities or {}
        return {
            "file": answer.file,
            "unit": unit_of(answer),
            "decision": answer.decision or answer.label,
            "predicted": answer.label,
            **{f"p_{name}": probabilities.get(name) for name in self.class_names},
            "target_class": answer.target_class,
            "threshold": answer.threshold,
            "called": answer.called,
            "refer": answer.refer,
            "refer_reason": answer.refer_reason,
            "plausible": list(answer.plausible),
            "error": answer.error,
        }


def unit_of(answer: Prediction) -> str:
    """Return what an answer is about: image, or frame of a file of several."""
    return "image" if file_of(answer.file) == answer.file else "frame"


def import_pandas() -> Any:
    """Return pandas; raise MissingExtra where it is not installed."""
    if util.find_spec("pandas") is None:
        raise MissingExtra("pandas", "notebook")
    import pandas

    return pandas


def _answer(answer: Prediction) -> str:
    if answer.probabilities is None:
        return words(answer.error_text or answer.error or "")
    return decision(answer)


def _unit_text(answer: Prediction) -> str:
    return say(f"notebook.unit.{unit_of(answer)}")
