"""Which job begins next: what was interrupted goes before what waits. Pure; whoever starts jobs asks here."""

from dataclasses import dataclass
from typing import Literal

Next = Literal["nothing", "interrupted", "waiting"]


@dataclass(frozen=True)
class Line:
    """Who wants the heavy slot.

    `looking`: the server has only begun, and does not know yet what was interrupted. `interrupted`: how many runs and
    studies go on by themselves; `waiting`: how many jobs wait in the queue, which `held` keeps back.
    """

    slot_free: bool
    looking: bool = False
    interrupted: int = 0
    waiting: int = 0
    held: bool = False


def choose_next(line: Line) -> Next:
    """Return what is to begin now.

    Holding the queue holds its jobs alone: what was interrupted had begun before.
    """
    if not line.slot_free or line.looking:
        return "nothing"
    if line.interrupted:
        return "interrupted"
    return "waiting" if line.waiting and not line.held else "nothing"


def must_wait(line: Line) -> bool:
    """Return whether a job that may wait has to: whether it would not begin at once at the end of the line."""
    return not line.slot_free or line.looking or line.interrupted > 0 or line.waiting > 0 or line.held
