"""The store folds the events of a run into the state of the page, whatever order and however often they come."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from breastai.domain.event_messages import encode_event
from breastai.domain.events import (
    EVENTS,
    ConnectionEstablished,
    DataLoaded,
    Error,
    Event,
    History,
    Log,
    ProgressUpdate,
    Snapshot,
    Status,
    StudiesList,
    StudyMemberChanged,
    StudyShown,
    StudyStarted,
    StudyStopped,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TrainingUpdate,
    TuningComplete,
    TuningUpdate,
)
from breastai.domain.list_entries import StudyEntry
from breastai.domain.metric_catalog import MONITORS
from breastai.domain.study import Study, StudyMember, TuningState
from breastai.domain.text import Text

RunJs = Callable[..., Any]
RUN = "20260301-100000"

FOLD = """
  const { reduce, initial, missingEpochs } = BreastAI.store;
  const fold = (events) => events.reduce(reduce, initial());
  const epochs = (state) => state.run.epochs.map((row) => row.epoch);
"""


def wire(*events: Event) -> list[dict[str, Any]]:
    """The events as the page gets them."""
    return [json.loads(encode_event(event)) for event in events]


def update(epoch: int, seq: int, loss: float | None = 0.5, run_id: str = RUN) -> TrainingUpdate:
    figures = {"sensitivity": None, "specificity": 0.5, "precision": 0.5, "f1": 0.5, "auc_roc": None, "support": 3}
    numbers: dict[str, Any] = dict.fromkeys(MONITORS, loss)
    numbers |= {"val_confusion_matrix": [[1, 2], [0, 3]], "val_per_class": {"benign": figures}}
    return TrainingUpdate(
        **numbers, epoch=epoch, epochs=9, learning_rate=0.1, images_per_second=10.0, epoch_s=1.0, eta_s=None,
        is_best=True, run_id=run_id, seq=seq,
    )  # fmt: skip


def recorded(last_epoch: int, run_id: str = RUN) -> list[Event]:
    """A run as its journal has it, epoch n being event n + 2."""
    started = TrainingStarted(architecture="resnet50", epochs=9, class_names=["benign", "malignant"], config={})
    events: list[Event] = [
        started.model_copy(update={"run_id": run_id, "seq": 1}),
        DataLoaded(train={"benign": 8}, val={"benign": 2}, split="by image", run_id=run_id, seq=2),
    ]
    return events + [update(epoch, epoch + 2, run_id=run_id) for epoch in range(1, last_epoch + 1)]


def welcome(snapshot: Snapshot) -> ConnectionEstablished:
    return ConnectionEstablished(
        version="4", research_use="", catalog={}, config={}, config_schema={}, snapshot=snapshot
    )


def snapshot(state: str = "running", **values: Any) -> Snapshot:
    return Snapshot.model_validate({"session_id": "default", "state": state, **values})


def complete(seq: int) -> TrainingComplete:
    return TrainingComplete(
        final_metrics={}, history={"epoch": [1]}, checkpoint=f"{RUN}/best", best_epoch=2, epochs_run=3,
        stopped_early=False, duration_s=3.0, run_id=RUN, seq=seq,
    )  # fmt: skip


def test_every_row_is_of_an_event_and_says_something(run_js: RunJs) -> None:
    rows = run_js(
        "output(Object.fromEntries(Object.entries(BreastAI.store.rows).map(([k, v]) => [k, Object.keys(v)])));"
    )
    assert set(rows) < set(EVENTS)
    assert all(set(parts) <= {"state", "line", "notice"} for parts in rows.values())
    assert all("line" in parts for parts in rows.values() if "notice" in parts), "a notice tells a line"


def test_an_event_without_a_row_changes_nothing_but_ends_the_wait_for_an_answer(run_js: RunJs) -> None:
    code = """
      const { reduce, initial, isPending } = BreastAI.store;
      const asked = reduce(initial(), { type: "@sent", request: "get_disk_usage", request_id: "1" });
      const other = reduce(asked, { type: "of_a_later_version", share: 0.5 });
      const answered = reduce(asked, { type: "of_a_later_version", request_id: "1" });
      output([other === asked, isPending(asked, "get_disk_usage"), isPending(answered, "get_disk_usage"), answered.log.length]);
    """
    assert run_js(code) == [True, True, False, 0]


def test_pages_of_studies_follow_each_other_and_a_first_page_begins_anew(run_js: RunJs) -> None:
    def page(first: int, *names: str, unreadable: list[str] | None = None) -> StudiesList:
        entries = [
            StudyEntry(study_id=name, kind="tuning", state="complete", created="", done=1, planned=1) for name in names
        ]
        return StudiesList(studies=entries, unreadable=unreadable or [], total=5, first=first)

    code = (
        FOLD
        + "const { studyList: list } = fold(input); output([list.studies.map(({ study_id }) => study_id), list.unreadable]);"
    )
    pages = wire(page(0, "s5", "s4"), page(2, "s4", "s3", unreadable=["s2"]), page(4, "s1"))
    assert run_js(code, pages) == [["s5", "s4", "s3", "s1"], ["s2"]]
    assert run_js(code, [*pages, *wire(page(0, "s6"))]) == [["s6"], []]


def test_an_event_of_a_newer_server_changes_nothing(run_js: RunJs) -> None:
    assert run_js(FOLD + "const s = initial(); output(reduce(s, { type: 'of_tomorrow' }) === s);") is True


def test_a_run_is_drawn_from_its_events(run_js: RunJs) -> None:
    state = run_js(FOLD + "output(fold(input));", wire(*recorded(3)))
    assert state["session"]["state"] == "running"
    assert state["run"]["started"]["class_names"] == ["benign", "malignant"]
    assert state["run"]["data"]["train"] == {"benign": 8}
    assert [row["epoch"] for row in state["run"]["epochs"]] == [1, 2, 3]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_replayed_run_has_each_epoch_and_each_line_once(run_js: RunJs, times: int) -> None:
    once, state = run_js(FOLD + "output(input.map(fold));", [wire(*recorded(4)), wire(*recorded(4)) * times])
    assert state["run"] == once["run"]
    assert state["log"] == once["log"]


def test_the_order_of_a_replay_does_not_matter_to_epochs_and_lines(run_js: RunJs) -> None:
    events = recorded(5)
    shuffled = [events[0], *reversed(events[1:])]
    straight, state = run_js(FOLD + "output(input.map(fold));", [wire(*events), wire(*shuffled)])
    assert state["run"]["epochs"] == straight["run"]["epochs"]
    assert [line["seq"] for line in state["log"]] == [line["seq"] for line in straight["log"]]


def test_an_old_end_seen_again_does_not_end_the_resumed_run(run_js: RunJs) -> None:
    stopped = TrainingStopped(reason="user", epoch=3, checkpoint=f"{RUN}/last", run_id=RUN, seq=6)
    resumed = TrainingStarted(
        architecture="resnet50", epochs=9, start_epoch=4, class_names=[], config={}, run_id=RUN, seq=7
    )
    events = [*recorded(3), stopped, resumed, update(4, 8), stopped]
    state = run_js(FOLD + "output(fold(input));", wire(*events))
    assert state["session"]["state"] == "running"
    assert state["run"]["outcome"] is None
    assert [row["epoch"] for row in state["run"]["epochs"]] == [1, 2, 3, 4]


def test_an_epoch_done_again_after_a_resume_is_drawn_as_it_was_the_last_time(run_js: RunJs) -> None:
    resumed = TrainingStarted(
        architecture="resnet50", epochs=9, start_epoch=3, class_names=[], config={}, run_id=RUN, seq=20
    )
    state = run_js(FOLD + "output(fold(input));", wire(*recorded(4), resumed, update(3, 21, loss=0.25)))
    assert [(row["epoch"], row["metrics"]["val_loss"]) for row in state["run"]["epochs"]] == [
        (1, 0.5),
        (2, 0.5),
        (3, 0.25),
    ]


def test_a_new_run_leaves_nothing_of_the_old_one(run_js: RunJs) -> None:
    state = run_js(FOLD + "output(fold(input));", wire(*recorded(4), *recorded(1, "second")))
    assert state["run"]["id"] == "second"
    assert [row["epoch"] for row in state["run"]["epochs"]] == [1]


def test_a_page_opened_in_mid_run_asks_for_the_epochs_it_lacks_and_then_no_more(run_js: RunJs) -> None:
    began = recorded(450)
    shot = snapshot(run_id=RUN, seq=452, started=wire(began[0])[0], update=wire(began[-1])[0])
    pages = [
        History(epochs=[wire(event)[0] for event in began[2 + first - 1 : 2 + last]], first=first, last=last, total=450)
        for first, last in ((1, 200), (201, 400), (401, 449))
    ]
    code = """
      const asked = [];
      let state = reduce(initial(), input.welcome);
      for (const page of input.pages) {
        asked.push(missingEpochs(state));
        state = reduce(state, page);
      }
      output({ asked, left: missingEpochs(state), epochs: epochs(state) });
    """
    given = {"welcome": wire(welcome(shot))[0], "pages": wire(*pages)}
    found = run_js(FOLD + code, given)
    assert found["asked"] == [{"from": 1, "to": 200}, {"from": 201, "to": 400}, {"from": 401, "to": 450}]
    assert found["left"] is None
    assert found["epochs"] == list(range(1, 451))


def test_an_epoch_the_server_does_not_have_is_asked_for_once(run_js: RunJs) -> None:
    shot = snapshot(run_id=RUN, seq=9, update=wire(update(3, 9))[0])
    gone = History(epochs=[], first=None, last=None, total=0, run_id=RUN)
    code = "output(missingEpochs(fold(input)));"
    assert run_js(FOLD + code, wire(welcome(shot))) == {"from": 1, "to": 3}
    assert run_js(FOLD + code, wire(welcome(shot), gone)) is None


def test_the_history_of_another_run_is_not_mixed_in(run_js: RunJs) -> None:
    other = History(epochs=wire(update(7, 9, run_id="other")), first=7, last=7, total=7)
    state = run_js(FOLD + "output(fold(input));", wire(*recorded(2), other))
    assert [row["epoch"] for row in state["run"]["epochs"]] == [1, 2]


def test_events_missed_while_away_are_taken_in_after_the_snapshot(run_js: RunJs) -> None:
    """The snapshot is newer than the missed events, which must count all the same."""
    events = recorded(5)
    back = welcome(snapshot(run_id=RUN, seq=7, started=wire(events[0])[0], update=wire(events[-1])[0]))
    code = "const state = fold(input); output({ epochs: epochs(state), seqs: state.log.map((line) => line.seq) });"
    found = run_js(FOLD + code, wire(*events[:3], back, *events[3:]))
    assert found == {"epochs": [1, 2, 3, 4, 5], "seqs": [1, 2, 3, 4, 5, 6, 7]}


def test_a_server_that_forgot_the_run_does_not_make_it_complete(run_js: RunJs) -> None:
    """The server was restarted: the page keeps what it saw, and the session is idle."""
    state = run_js(FOLD + "output(fold(input));", wire(*recorded(2), welcome(snapshot("idle"))))
    assert state["session"]["state"] == "idle"
    assert state["progress"] is None
    assert [row["epoch"] for row in state["run"]["epochs"]] == [1, 2]
    assert state["run"]["outcome"] is None


def test_a_complete_run_is_idle_and_its_best_checkpoint_is_the_current_model(run_js: RunJs) -> None:
    state = run_js(FOLD + "output(fold(input));", wire(*recorded(3), complete(6)))
    idle = {"state": "idle", "job": None, "run": None, "about": None}
    assert state["session"] == idle | {"currentModel": f"{RUN}/best", "clients": None}
    assert state["run"]["outcome"]["history"] == {}
    assert state["notices"][-1]["level"] == "success"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", [
            "Training stopped at your request before its first epoch was complete. To resume: c/last.",
            "Training stopped at your request after 1 epoch. To resume: c/last.",
            "Training stopped because the server ended, after 2 epochs. To resume: c/last.",
            "Training stopped by an error before its first checkpoint. Resuming begins it again.",
        ]),
        ("fr", [
            "Entraînement arrêté à votre demande, avant la fin de la première époque. Pour reprendre\xa0: c/last.",
            "Entraînement arrêté à votre demande, après 1 époque. Pour reprendre\xa0: c/last.",
            "Entraînement arrêté parce que le serveur s’est arrêté, après 2 époques. Pour reprendre\xa0: c/last.",
            "Entraînement interrompu par une erreur, avant son premier point de contrôle."
            " Le reprendre, c’est le recommencer.",
        ]),
    ],
)  # fmt: skip
def test_a_run_that_stopped_says_how_far_it_was(run_js: RunJs, language: str, words: list[str]) -> None:
    stops = [
        TrainingStopped(reason="user", checkpoint="c/last"),
        TrainingStopped(reason="user", epoch=1, checkpoint="c/last"),
        TrainingStopped(reason="server_gone", epoch=2, checkpoint="c/last"),
        TrainingStopped(reason="error"),
    ]
    code = """
      BreastAI.i18n.set(input.language);
      const line = (event) => BreastAI.store.rows.training_stopped.line(event);
      output(input.stops.map((event) => [BreastAI.i18n.t(line(event).key, line(event).params), BreastAI.i18n.say(BreastAI.store.stoppedText(event))]));
    """
    told = run_js(code, {"language": language, "stops": wire(*stops)})
    assert told == [[each, each] for each in words]


def test_that_a_run_failed_is_said_by_its_error_alone(run_js: RunJs) -> None:
    stopped = TrainingStopped(reason="error", epoch=1, checkpoint="c/last", run_id=RUN, seq=5)
    error = Error(code="worker.killed", message="", run_id=RUN, seq=4)
    code = FOLD + "output(fold(input).notices.map(({ level, code }) => [level, code]));"
    assert run_js(code, wire(*recorded(1), error, stopped)) == [["error", "worker.killed"]]
    assert [level for level, _ in run_js(code, wire(*recorded(1), stopped))] == ["error"]


def test_how_an_earlier_run_ended_is_not_told_after_a_study_and_what_the_page_asked_is_no_message(
    run_js: RunJs,
) -> None:
    study = Study(study_id="s", kind="crossval", created="", config={}, members=[])
    code = (
        FOLD
        + "const { dismissed, log, notices } = fold(input); output([dismissed, log.at(-1)?.level, notices.length]);"
    )
    assert run_js(code, wire(*recorded(1), StudyStarted(study=study)))[0] == RUN
    asks = {"type": "@sent", "request": "pre_flight", "request_id": "1", "quiet": True}
    assert run_js(code, [asks, *wire(Error(code="data.not_found", message="", request_id="1"))])[1:] == ["debug", 0]


def test_a_stop_asked_for_shows_until_the_run_has_stopped(run_js: RunJs) -> None:
    ask = {"type": "@sent", "request": "stop_training", "request_id": "a"}
    stopped = TrainingStopped(reason="user", epoch=2, checkpoint=None, run_id=RUN, seq=9)
    progress = ProgressUpdate(stage="training", message="", run_id=RUN, seq=8)
    code = "const states = []; let s = initial(); for (const e of input) { s = reduce(s, e); states.push(s.session.state); } output(states.slice(-3));"
    events = [*wire(*recorded(2)), ask, *wire(progress, stopped)]
    assert run_js(FOLD + code, events) == ["stopping", "stopping", "idle"]


def test_what_is_done_stays_done_whatever_a_stage_tells(run_js: RunJs) -> None:
    def at(stage: str, **fields: Any) -> ProgressUpdate:
        return ProgressUpdate(stage=stage, run_id=RUN, **fields)  # type: ignore[arg-type]

    told = [
        at("training", progress=0.3), at("tuning"), at("training", progress=0.1, epoch=2, epochs=9), at("training", progress=0.4),
    ]  # fmt: skip
    code = "const seen = []; let s = initial(); for (const e of input) { s = reduce(s, e); seen.push([s.done, s.step]); } output(seen.slice(-4));"
    assert run_js(FOLD + code, wire(*recorded(1), *told)) == [[0.3, 2], [0.3, 2], [0.3, 2], [0.4, 2]]


def test_a_finished_run_does_not_run_while_another_job_does(run_js: RunJs) -> None:
    busy = Status(snapshot=snapshot("running", job="bench", run_id=RUN), connected_clients=1)
    code = "const s = fold(input); output([BreastAI.pageState.isRunning(s, s.run), s.session.job, s.run.outcome.type]);"
    assert run_js(FOLD + code, wire(*recorded(2), complete(5), busy)) == [False, "bench", "training_complete"]


def test_an_answer_ends_the_waiting_of_its_request_alone(run_js: RunJs) -> None:
    asks = [{"type": "@sent", "request": name, "request_id": name} for name in ("ping", "create_backup")]
    refused = Error(code="disk.full", message="", request_id="create_backup")
    state = run_js(FOLD + "output(fold(input));", [*asks, *wire(refused)])
    assert state["pending"] == {"ping": "ping"}
    lost = {"type": "@connection", "connection": {"phase": "waiting"}}
    assert run_js(FOLD + "output(fold(input));", [*asks, lost])["pending"] == {}


@pytest.mark.parametrize("begun", [False, True])
def test_what_refuses_the_form_stands_at_its_setting_until_something_is_changed(run_js: RunJs, begun: bool) -> None:
    code = FOLD + "const { refused, notices } = fold(input); output([refused?.setting, notices.length]);"
    asks = {"type": "@sent", "request": "start_training", "request_id": "1", "form": True}
    began = TrainingStarted(architecture="a", epochs=9, class_names=["b"], config={}, run_id=RUN, request_id="1", seq=1)
    error = Error(
        code="model.weights_invalid", message="no", params={}, setting="model.weights_file", run_id=RUN, seq=2
    )
    stopped = TrainingStopped(reason="error", run_id=RUN, seq=3)
    answers = wire(began, error, stopped) if begun else wire(error.model_copy(update={"request_id": "1"}), stopped)
    assert run_js(code, [asks, *answers]) == ["model.weights_file", 0]
    assert run_js(code, [asks, *answers, {"type": "@form", "form": {}}]) == [None, 0]
    assert run_js(code, [asks, *answers, {**asks, "request_id": "2"}]) == [None, 0]
    # Whoever did not press is told in a notice; so is what no setting mends, and what comes later.
    assert run_js(code, answers)[1] == 1
    assert run_js(code, [asks, *wire(*recorded(1)[:1], update(1, 2), error.model_copy(update={"seq": 9}))])[1] == 1


def test_faults_of_a_configuration_stand_at_their_settings_and_others_in_a_notice_too(run_js: RunJs) -> None:
    code = (
        FOLD
        + """
      const { refused, notices } = fold(input);
      output([BreastAI.refusals.faultsOf(refused).map(([path]) => path), notices.length]);"""
    )
    asks = {"type": "@sent", "request": "save_config", "request_id": "1", "form": True}
    line = Text("problem.expected", {"name": "training.epochs", "expected": "a number", "got": "-1"})
    for problems, told in (([line], 0), ([line, "something else"], 1)):
        error = Error(code="config.invalid", message="", params={"problems": problems}, request_id="1")
        assert run_js(code, [asks, *wire(error)]) == [["training.epochs"], told]


def test_the_log_is_bounded(run_js: RunJs) -> None:
    code = """
      let state = initial();
      for (let n = 1; n <= 20000; n += 1) state = reduce(state, { ...input, seq: n, message: String(n) });
      output([state.log.length, state.log.at(-1).message]);
    """
    count, last = run_js(FOLD + code, wire(Log(level="info", message="", run_id=RUN))[0])
    assert (count, last) == (3000, "20000")


def test_a_status_tells_the_state_whatever_was_believed(run_js: RunJs) -> None:
    idle = Status(snapshot=snapshot("idle", run_id=RUN, seq=4), connected_clients=2)
    state = run_js(FOLD + "output(fold(input));", wire(*recorded(2), idle))
    assert state["session"]["state"] == "idle"
    assert state["session"]["clients"] == 2


def test_a_figure_that_is_undefined_is_a_gap_in_its_curve(run_js: RunJs) -> None:
    code = """
      output(BreastAI.series.points(fold(input).run.epochs, (row) => row.metrics.val_auc_roc));
    """
    events = wire(*recorded(1), update(2, 4, loss=None))
    assert run_js(FOLD + code, events) == [{"x": 1, "y": 0.5}, {"x": 2, "y": None}]


def test_a_study_changes_run_by_run_and_leaves_the_run_of_the_page_alone(run_js: RunJs) -> None:
    members = [StudyMember(run_id="s-a", epochs=3), StudyMember(run_id="s-b", epochs=3)]
    study = Study(study_id="s", kind="crossval", created="2026-01-01", config={}, members=members)
    now = members[0].model_copy(update={"state": "running", "epoch": 2})
    other = StudyMemberChanged(study_id="another", member=now.model_copy(update={"epoch": 3}))
    told = [StudyStarted(study=study), StudyMemberChanged(study_id="s", member=now), other]
    code = "const state = fold(input); output([state.run.id, state.session.state, state.study.state, state.study.members.map(({ state, epoch }) => [state, epoch])]);"
    shown = run_js(FOLD + code, wire(*recorded(1), *told))
    assert shown == [RUN, "running", "running", [["running", 2], ["waiting", 0]]]
    stopped = run_js(FOLD + code, wire(*recorded(1), *told, StudyStopped(study_id="s", kind="crossval", reason="user")))
    assert stopped == [RUN, "idle", "stopped", [["stopped", 2], ["waiting", 0]]]
    # A reload shows the same.
    seen = study.with_member(now)
    reloaded = Status(
        snapshot=snapshot("running", run_id=RUN, seq=4).model_copy(update={"study": seen}), connected_clients=1
    )
    assert run_js(FOLD + code, wire(*recorded(1), reloaded)) == shown


def test_an_older_study_that_was_asked_for_stays_until_another_begins_or_goes_on(run_js: RunJs) -> None:
    old, latest, newer = (
        Study(study_id=name, kind="crossval", state="complete", created="2026-01-01", config={}, members=[])
        for name in ("old", "latest", "newer")
    )
    asked = StudyShown(study=old, studies=["latest", "old"])
    code = "output(fold(input).study.study_id);"
    for study, shown in (
        (latest, "old"),
        (newer, "newer"),
        (latest.model_copy(update={"state": "running"}), "latest"),
    ):
        status = Status(snapshot=snapshot("idle").model_copy(update={"study": study}), connected_clients=1)
        assert run_js(FOLD + code, wire(asked, status)) == shown


def test_a_tuning_shows_its_trials_and_what_is_known_after_each(run_js: RunJs) -> None:
    tuning = TuningState(trials=4)
    study = Study(study_id="s", kind="tuning", created="2026-01-01", config={}, members=[], tuning=tuning)
    trial = StudyMember(run_id="s-t00", trial=0, epochs=3, state="complete", epoch=3)
    after = tuning.model_copy(update={"done": 1, "best": "s-t00", "best_auc": 0.75})
    known = after.model_copy(update={"done": 4, "best_auc": 0.8, "config_name": "tuned-s"})
    told = [
        StudyStarted(study=study),
        StudyMemberChanged(study_id="s", member=trial),
        TuningUpdate(study_id="s", tuning=after),
        TuningUpdate(study_id="another", tuning=known),
    ]
    code = "const { session, study, log } = fold(input); output([session.state, study.state, study.members.length, study.tuning.done, study.tuning.best_auc, study.tuning.config_name, log.at(-1).key]);"
    assert run_js(FOLD + code, wire(*told))[:6] == ["running", "running", 1, 1, 0.75, None]
    complete = TuningComplete(study_id="s", tuning=known, values={}, reason="trials")
    assert run_js(FOLD + code, wire(*told, complete)) == [
        "idle",
        "complete",
        1,
        4,
        0.8,
        "tuned-s",
        "event.tuning_complete",
    ]
    none_better = complete.model_copy(update={"tuning": known.model_copy(update={"config_name": None})})
    assert run_js(FOLD + code, wire(*told, none_better))[-1] == "event.tuning_no_better"


def test_a_page_that_was_away_for_long_asks_for_all_epochs_again(run_js: RunJs) -> None:
    # Epochs 4 and 5 were run again by a resume whose beginning is among what was left out.
    resumed = Status(
        snapshot=snapshot("running", run_id=RUN, seq=30, update=wire(update(4, 30))[0]), connected_clients=1
    )
    code = (
        FOLD
        + 'const s = fold(input); const r = reduce(s, { type: "@refill" }); output([epochs(s), epochs(r), missingEpochs(r)]);'
    )
    before, after, missing = run_js(code, wire(*recorded(5), resumed))
    assert (before, after, missing) == ([1, 2, 3, 4, 5], [], {"from": 1, "to": 5})


def test_epochs_that_a_resume_runs_again_are_asked_for_if_they_are_missed(run_js: RunJs) -> None:
    resumed = TrainingStarted(
        architecture="resnet50", epochs=9, start_epoch=3, class_names=[], config={}, run_id=RUN, seq=10
    )
    history = History(run_id=RUN, epochs=[json.loads(encode_event(update(3, 5)))], first=1, last=5, total=5)
    events = wire(*recorded(5), history, resumed, update(5, 13))
    assert run_js(FOLD + "output(missingEpochs(fold(input)));", events) == {"from": 3, "to": 5}
