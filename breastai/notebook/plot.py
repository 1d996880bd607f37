"""A chart that a notebook shows and a script saves; its matplotlib figure can be drawn on further."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from breastai.commands.language import current_language, follow_system_language
from breastai.commands.run_job import require_packages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Texts = Mapping[str, str]


class Plot:
    """A chart. `figure`: the matplotlib figure."""

    def __init__(self, figure: "Figure") -> None:
        self.figure = figure

    def save(self, path: str | Path) -> Path:
        """Write the chart to a file whose ending says the format; return its path."""
        self.figure.savefig(path)
        return Path(path)

    def _repr_png_(self) -> bytes:
        from breastai.clinical.report.report_charts import png

        return png(self.figure)


def draw_plot(draw: "Callable[[Texts], Figure]") -> Plot:
    """Return the chart that `draw` makes with the texts of the user's language; raise MissingExtra without matplotlib."""
    require_packages(("matplotlib",), "notebook")
    from breastai.clinical.report.report_texts import texts

    follow_system_language()
    return Plot(draw(texts(current_language())))
