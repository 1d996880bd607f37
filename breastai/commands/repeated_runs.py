"""Several runs that differ in their seed alone: the mean of each figure and how far it spreads."""

from collections.abc import Mapping, Sequence
from typing import Any

from breastai.commands.output import ForwardedOutput, Output
from breastai.commands.run_job import run_job
from breastai.domain.config import Config
from breastai.domain.errors import CommandInvalid
from breastai.domain.events import Event, TrainingComplete
from breastai.domain.jobs import Train, TrainSeeds
from breastai.domain.study import Spread
from breastai.domain.text import Text
from breastai.storage.workspace import Workspace

_HELP = "breastai train --help"
_LARGEST_SEED = 2**31 - 1


def parse_seeds(text: str) -> list[int]:
    """Return the seeds in "1,2,3"; raise CommandInvalid unless they are two different ones or more."""
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        raise CommandInvalid(Text("command.seeds_whole", {"got": text}), _HELP) from None
    if len(seeds) < 2 or len(set(seeds)) < len(seeds) or not all(0 <= seed <= _LARGEST_SEED for seed in seeds):
        raise CommandInvalid(Text("command.seeds_two", {"got": text}), _HELP)
    return seeds


class RepeatedRuns(ForwardedOutput):
    """Passes the events of each run on, and remembers the figures of its best epoch."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self.complete: list[TrainingComplete] = []

    def event(self, event: Event) -> None:
        if isinstance(event, TrainingComplete):
            self.complete.append(event)
        super().event(event)

    def tell(self, seeds: Sequence[int]) -> None:
        """Tell the mean and the spread of each figure over the runs that came to their end."""
        from breastai.clinical.run_spread import spread
        from breastai.commands.crossval_text import spread_lines

        runs = [event.final_metrics for event in self.complete]
        found = spread(runs)
        values = {
            "type": "repeats",
            "seeds": list(seeds[: len(self.complete)]),
            "checkpoints": [event.checkpoint for event in self.complete],
            "figures": {name: _with_values(figure, name, runs) for name, figure in found.items()},
        }
        self._output.result(values, "\n".join(spread_lines(len(runs), found)))


def _with_values(figure: Spread, name: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return figure.model_dump(exclude={"n"}) | {"values": [float(run[name]) for run in runs]}


def run_seeds(place: Workspace, settings: Config, seeds: Sequence[int], output: Output) -> int:
    """Train once for each seed, side by side on a cluster where one is asked for; return the exit status."""
    root = str(place.root)
    if settings.system.cluster is not None and settings.system.processes == 1:
        job = TrainSeeds(workspace=root, study_id=place.new_run_id(), seeds=list(seeds), config=settings)
        return run_job(job, output)
    repeats = RepeatedRuns(output)
    for seed in seeds:
        system = settings.system.model_copy(update={"seed": seed})
        config_of_seed = settings.model_copy(update={"system": system})
        status = run_job(Train(workspace=root, run_id=place.new_run_id(), config=config_of_seed), repeats)
        if status != 0:
            return status
    repeats.tell(seeds)
    return 0
