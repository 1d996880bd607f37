"""A tuning whose trials are a script: figures that are easy to know, and a wait for the stop where one is planned."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from breastai.domain.config import overlay, parse_config
from breastai.domain.events import Event, StudyMemberChanged, StudyStarted, StudyStopped, TuningComplete, TuningUpdate
from breastai.domain.jobs import ResumeStudy, Tune
from breastai.domain.search_space import layer
from breastai.domain.study import SettingImportance, Study, StudyMember, TuningState
from breastai.storage.documents import save_named_config
from breastai.storage.studies import save_study
from breastai.storage.workspace import Workspace

AUCS = (0.8, 0.75, 0.7, 0.9, 0.6, 0.65, 0.62, 0.61)
# More trials than this wait for the stop.
PLAYED = len(AUCS)


def values_of(number: int) -> dict[str, Any]:
    return {"training.learning_rate": 0.0003 * (number + 1), "training.use_ema": number % 2 == 1}


def resume(job: ResumeStudy, workspace: Workspace, stop_requested: Callable[[], object]) -> Iterator[Event]:
    """Play the same again: a study of the script's is always one with more trials than are played."""
    config = parse_config({"tuning": {"trials": PLAYED + 1}})
    return tune(Tune(workspace=job.workspace, study_id=job.study_id, config=config), workspace, stop_requested)


def tune(job: Tune, workspace: Workspace, stop_requested: Callable[[], object]) -> Iterator[Event]:
    planned = job.config.tuning.trials
    state = TuningState(trials=planned, max_hours=job.config.tuning.max_hours)
    config = job.config.model_dump(mode="json")
    study = Study(study_id=job.study_id, kind="tuning", created="2026-01-01", config=config, members=[], tuning=state)
    save_study(workspace, study)
    yield StudyStarted(study=study)
    for number in range(min(planned, PLAYED)):
        pruned = number in (2, 4, 5, 6, 7)
        member = StudyMember(
            run_id=f"{job.study_id}-t{number:02d}",
            trial=number,
            epochs=4,
            epoch=1 if pruned else 4,
            values=values_of(number),
            curves={"epoch": [1.0], "val_auc_roc": [AUCS[number]]},
        )
        yield StudyMemberChanged(study_id=job.study_id, member=member.model_copy(update={"state": "running"}))
        ended = {"state": "pruned" if pruned else "complete", "figures": {"auc_roc": AUCS[number]}}
        yield StudyMemberChanged(study_id=job.study_id, member=member.model_copy(update=ended))
        best = AUCS.index(max(AUCS[: number + 1]))
        shares = {"training.learning_rate": 0.75, "training.use_ema": 0.25} if number == PLAYED - 1 else {}
        state = state.model_copy(
            update={
                "done": number + 1,
                "default_auc": AUCS[0],
                "best": f"{job.study_id}-t{best:02d}",
                "best_auc": AUCS[best],
                "val_images": 78,
                "spent_s": 60.0 * (number + 1),
                "epochs_run": state.epochs_run + member.epoch,
                "epochs_saved": state.epochs_saved + 4 - member.epoch,
                "importance": [SettingImportance(setting=name, share=share) for name, share in shares.items()],
            }
        )
        yield TuningUpdate(study_id=job.study_id, tuning=state)
    while planned > PLAYED:
        if stop_requested():
            yield StudyStopped(study_id=job.study_id, kind="tuning", reason="user")
            return
        time.sleep(0.02)
    values = values_of(best)
    if best:
        name = f"tuned-{job.study_id}"
        judged = {"training": {"early_stopping": {"monitor": "val_auc_roc"}}}
        whole = job.config.model_dump(mode="json", exclude={"server", "tuning"})
        save_named_config(workspace, name, overlay(whole, judged, layer(values)))
        state = state.model_copy(update={"config_name": name})
    yield TuningComplete(study_id=job.study_id, tuning=state, values=values, reason="trials")
