"""How far a job is, told while a script or a notebook waits for it."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from breastai.commands.data_note import read_as
from breastai.commands.display import Display
from breastai.commands.language import follow_system_language
from breastai.domain.events import Event
from breastai.domain.jobs import AnyJob
from breastai.notebook.worker_thread import Listener, follow_job


def in_notebook() -> bool:
    """Return whether this is a notebook's kernel."""
    return "ipykernel" in sys.modules


def run_shown(
    job: AnyJob, progress: bool, listener: Listener = lambda event: None, first: Sequence[Event] = ()
) -> Event:
    """Run a job, print how far it is unless `progress` is off, and return its last event, which is not printed.

    `first`: what is told before it begins.
    """
    follow_system_language()
    # A script's own results stay alone on stdout; a notebook shows stderr as if something were wrong.
    console = Console(
        file=sys.stdout if in_notebook() else sys.stderr,
        force_jupyter=False,
        # A kernel calls itself a terminal; a bar that moves would be a line for each of its steps.
        force_terminal=False if in_notebook() else None,
        highlight=False,
        soft_wrap=True,
        markup=False,
        emoji=False,
    )
    with Display(console, console) as display:
        display.work_in(Path(job.workspace))

        def tell(event: Event) -> None:
            listener(event)
            if progress and not event.ends_a_job:
                display.event(event)

        for line in (*first, *read_as(job)):
            tell(line)
        return follow_job(job, tell)
