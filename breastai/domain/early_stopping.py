"""Which epoch is the best, and when to stop waiting for a better one."""

from dataclasses import asdict, dataclass
from typing import Any

from breastai.domain.config import EarlyStoppingSettings
from breastai.domain.metric_catalog import MONITORS


@dataclass
class EarlyStopping:
    """Watches one figure, higher or lower being better as the catalog says. An undefined figure never improves."""

    monitor: str
    patience: int
    min_delta: float
    enabled: bool = True
    best: float | None = None
    best_epoch: int = 0
    waited: int = 0

    @classmethod
    def from_settings(cls, settings: EarlyStoppingSettings) -> "EarlyStopping":
        return cls(settings.monitor, settings.patience, settings.min_delta, settings.enabled)

    def update(self, epoch: int, value: float | None) -> bool:
        """Take the figure of `epoch`; return whether it is the best so far.

        The best epoch is the best by any margin; only a margin above min_delta resets the patience.
        """
        sign = 1.0 if MONITORS[self.monitor] == "higher" else -1.0
        if value is None:
            self.waited += 1
            if self.best_epoch == 0:  # the first epoch is the best until a figure says otherwise
                self.best_epoch = epoch
                return True
            return False
        gain = float("inf") if self.best is None else sign * (value - self.best)
        self.waited = 0 if gain > self.min_delta else self.waited + 1
        if gain > 0:
            self.best, self.best_epoch = value, epoch
            return True
        return False

    @property
    def should_stop(self) -> bool:
        return self.enabled and self.waited >= self.patience

    def state(self) -> dict[str, Any]:
        """Return what a resume needs, as plain values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "EarlyStopping":
        return cls(**state)
