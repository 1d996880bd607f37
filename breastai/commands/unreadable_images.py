"""What `predict` and `explain` make of images that could not be read: the exit status."""

from breastai.commands.output import ForwardedOutput, Output
from breastai.domain.events import Event, ExplanationsComplete, PredictionsComplete

# Bad input, though the other images were answered.
SOME_UNREADABLE = 2


class UnreadableCounted(ForwardedOutput):
    """An output that remembers how many images could not be read."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._failed = 0

    def event(self, event: Event) -> None:
        if isinstance(event, PredictionsComplete | ExplanationsComplete):
            self._failed = event.failed
        super().event(event)

    def exit_status(self, status: int) -> int:
        """Return `status`, or that of bad input where only some images failed."""
        return status or (SOME_UNREADABLE if self._failed else 0)
