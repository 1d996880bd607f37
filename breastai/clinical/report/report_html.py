"""A report as one HTML file that needs nothing else: no script, no link, images inside."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from breastai.clinical.report.report_blocks import Block, Heading, Quantity, Table, format_quantity


def to_html(blocks: Sequence[Block], language: str) -> str:
    """Return the report. Each number stands in a `data` element with its raw value and its path in report.json."""
    environment = Environment(
        loader=PackageLoader("breastai.clinical", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    filters: dict[str, Callable[[Any], Any]] = {
        "shown": lambda quantity: format_quantity(quantity, language),
        "raw": lambda quantity: json.dumps(quantity.value),
        "place": lambda quantity: json.dumps(quantity.path, ensure_ascii=False),
        "kind": lambda block: type(block).__name__,
        "numeric": _is_numeric,
        "png": lambda content: f"data:image/png;base64,{base64.b64encode(content).decode()}",
    }
    environment.filters |= filters
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    return environment.get_template("report.html.j2").render(blocks=blocks, language=language, title=title)


def _is_numeric(table: Table) -> bool:
    """Whether the second column is made of numbers alone."""
    seconds = [row[1] for row in table.rows if len(row) > 1]
    return bool(seconds) and all(len(cell) == 1 and isinstance(cell[0], Quantity) for cell in seconds)
