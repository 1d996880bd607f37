"""How far a run is only grows, and what it still needs is told once two like epochs have told."""

from collections.abc import Callable

from breastai.domain.config import Config
from breastai.domain.events import ProgressUpdate, TrainingUpdate
from breastai.domain.jobs import Train
from breastai.storage.workspace import Workspace
from breastai.worker import perform


def shares(config: Config, workspace: Workspace) -> tuple[list[float], list[TrainingUpdate], list[ProgressUpdate]]:
    events = list(perform(Train(workspace=str(workspace.root), run_id="run", config=config)))
    told = [event for event in events if isinstance(event, ProgressUpdate) and event.progress is not None]
    return [event.progress or 0.0 for event in told], [e for e in events if isinstance(e, TrainingUpdate)], told


def test_progress_never_falls_though_an_epoch_over_features_comes_first(
    small_config: Callable[..., Config], workspace: Workspace, monkeypatch
) -> None:
    monkeypatch.setattr("breastai.storage.run_recorder.Pace.passes", lambda pace, event: True)
    settings = {"training": {"epochs": 4, "recipe": "fine_tune"}, "data": {"calibration_split": 0.3}}
    done, updates, told = shares(small_config(settings), workspace)
    assert done == sorted(done)
    assert 0 < done[0] < 0.2 and done[-1] == 1.0
    # The epoch over features takes less than its fourth of the work.
    assert max(event.progress or 0 for event in told if event.epoch == 1 and event.stage == "training") < 0.2
    assert [update.eta_s is None for update in updates] == [True, True, False, False]
    assert updates[-1].eta_s == 0.0
