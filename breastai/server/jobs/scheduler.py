"""Which job begins next in the heavy slot: what was interrupted, then the queue. Pure; whoever starts jobs asks here.

A schedule, should there be one, comes after the queue: a row of `_SOURCES`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from breastai.domain.errors import NotQueued, QueueFull

MOST_WAITING = 50
Source = Literal["interrupted", "queue"]


@dataclass(frozen=True)
class Turn:
    """Whose turn it is: an interrupted run or study by its name, or a waiting job by its entry."""

    source: Source
    name: str


@dataclass
class Scheduler:
    """Who wants the heavy slot, in the order they get it.

    `interrupted`: names of runs and studies that go on by themselves; `queue`: entries of jobs that wait, which
    `is_held` keeps back. `is_looking`: the server has only begun, and does not know yet what was interrupted.
    """

    interrupted: list[str] = field(default_factory=list)
    queue: list[str] = field(default_factory=list)
    is_held: bool = False
    is_looking: bool = False

    def next_turn(self, is_slot_free: bool) -> Turn | None:
        """Return what is to begin now, None for nothing.

        Holding the queue holds its jobs alone: what was interrupted had begun before.
        """
        if not is_slot_free or self.is_looking:
            return None
        turns = (Turn(source, names[0]) for source, line in _SOURCES.items() if (names := line(self)))
        return next(turns, None)

    def take_turn(self, is_slot_free: bool) -> Turn | None:
        """Return what is to begin now, and take it out of its line."""
        turn = self.next_turn(is_slot_free)
        if turn is not None:
            self._line(turn.source).remove(turn.name)
        return turn

    def give_back(self, turn: Turn) -> None:
        """Put back first what could not begin after all."""
        self._line(turn.source).insert(0, turn.name)

    def must_wait(self, is_slot_free: bool) -> bool:
        """Return whether a job that may wait has to: whether it would not begin at once at the end of the queue."""
        return not is_slot_free or self.is_looking or self.is_held or bool(self.interrupted or self.queue)

    def go_on_with(self, names: Iterable[str]) -> None:
        """Have these go on before any job that waits, in this order: the server has looked for them."""
        self.interrupted, self.is_looking = list(names), False

    def forget(self, names: Iterable[str]) -> None:
        """Leave interrupted runs and studies alone: their user has gone on with them, dismissed or deleted them."""
        gone = set(names)
        self.interrupted = [name for name in self.interrupted if name not in gone]

    def add(self, entry: str) -> int:
        """Put a job at the end of the queue and return its place, from 1; raise QueueFull."""
        if len(self.queue) >= MOST_WAITING:
            raise QueueFull(MOST_WAITING)
        self.queue.append(entry)
        return len(self.queue)

    def move(self, entry: str, place: int) -> None:
        """Give a waiting job the place `place`, from 1, or the last; raise NotQueued."""
        self.cancel(entry)
        self.queue.insert(place - 1, entry)

    def cancel(self, entry: str) -> None:
        """Take a job out of the queue; raise NotQueued."""
        if entry not in self.queue:
            raise NotQueued(entry)
        self.queue.remove(entry)

    def _line(self, source: Source) -> list[str]:
        return self.interrupted if source == "interrupted" else self.queue


# Who may begin, of each source; the first source that has somebody gets the slot.
_SOURCES: dict[Source, Callable[[Scheduler], list[str]]] = {
    "interrupted": lambda scheduler: scheduler.interrupted,
    "queue": lambda scheduler: [] if scheduler.is_held else scheduler.queue,
}
