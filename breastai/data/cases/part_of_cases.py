"""A stated part of the cases of a table, COLUMN=VALUE: what is chosen on it is judged on the rest."""

import numpy as np
import numpy.typing as npt

from breastai.data.cases.predictions_table import Predictions
from breastai.domain.errors import PartInvalid
from breastai.domain.text import Text


def find_part(table: Predictions, part: str) -> npt.NDArray[np.bool_]:
    """Return which of N cases are of `part`, (N,); raise PartInvalid where it is none, all, or shares a patient."""
    column, _, value = (each.strip() for each in part.partition("="))
    by_name = {name.lower(): cells for name, cells in table.subgroups.items()}
    cells = by_name.get(column.lower())
    if cells is None or not value:
        raise PartInvalid(part, table.name, Text("reason.part_columns", {"columns": list(table.subgroups)}))
    chosen = np.array([cell.lower() == value.lower() for cell in cells])
    if chosen.all() or not chosen.any():
        raise PartInvalid(part, table.name, Text("reason.part_values", {"values": sorted(set(cells))}))
    if table.patients is not None:
        own = np.asarray(table.patients)
        both = sorted(set(own[chosen]) & set(own[~chosen]))
        if both:
            raise PartInvalid(part, table.name, Text("reason.part_patients", {"count": len(both)}))
    return chosen
