/* What is told of the run and the job in progress. One row an event. */
(function () {
  "use strict";

  const { newRun, inRun, withEpoch, withProgress, sessionState, jobEnded, withSnapshot } = BreastAI.pageState;

  /** What to say of a training that stopped. @param {Wire.TrainingStopped} event @returns {Wire.Text} */
  function stoppedText({ reason, epoch, checkpoint, question }) {
    if (question) return { code: "event.training_stopped.asked", params: {} };
    if (checkpoint === null) return { code: `event.training_stopped.${reason}.early`, params: {} };
    const when = epoch === null ? { code: "event.training_stopped.before_first", params: {} } : { code: "event.training_stopped.after", params: { epoch } };
    return { code: `event.training_stopped.${reason}`, params: { when, checkpoint } };
  }

  /** @param {Record<string, number>} counts */
  function total(counts) {
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  /** @param {number | null} value */
  function rounded(value) {
    return value === null ? null : Math.round(value * 1000) / 1000;
  }

  /** @type {EventRows} */
  const rows = {
    connection_established: { state: (state, event) => withSnapshot({ ...state, welcome: event, interrupted: event.interrupted ?? [] }, event.snapshot) },
    status: {
      state: (state, event) => {
        const next = withSnapshot(state, event.snapshot);
        return { ...next, session: { ...next.session, clients: event.connected_clients } };
      },
    },
    training_started: {
      state: (state, event) => {
        const { epochs: known, filledTo } = state.run !== null && state.run.id === event.run_id ? state.run : newRun("");
        const next = inRun(state, event, {
          started: event,
          outcome: null,
          // What a resumed run does again is drawn again.
          epochs: known.filter((row) => row.epoch < event.start_epoch),
          filledTo: Math.min(filledTo, event.start_epoch - 1),
          lastEpoch: event.start_epoch - 1,
        });
        const begun = sessionState({ ...next, refused: null }, state.session.state === "stopping" ? "stopping" : "running");
        return { ...begun, session: { ...begun.session, run: event.run_id ?? null } };
      },
      line: (event) => ({
        level: "info",
        key: event.start_epoch > 1 ? "event.training_resumed" : "event.training_started",
        params: { architecture: event.architecture, epochs: event.epochs, epoch: event.start_epoch, run: event.run_id },
      }),
    },
    data_loaded: {
      state: (state, event) => inRun(state, event, { data: event }),
      line: (event) => ({
        level: event.skipped > 0 ? "warning" : "info",
        key: "event.data_loaded",
        params: { train: total(event.train), val: total(event.val), skipped: event.skipped },
      }),
    },
    model_loaded: {
      state: (state, event) => inRun(state, event, { model: event }),
      line: (event) => ({
        level: event.weights === "none" && !event.again ? "warning" : "info",
        key: event.again ? "event.model_measured" : event.weights === "none" ? "event.model_from_scratch" : "event.model_loaded",
        params: { architecture: event.architecture, weights: event.weights_detail, dtype: event.dtype },
      }),
    },
    progress_update: {
      state: (state, event) => {
        // Of a look at images, which waits for no job and is none.
        if (event.stage === "inspecting") return { ...state, inspecting: event.text };
        const next = event.run_id ? inRun(state, event, {}) : state;
        return withProgress(sessionState(next, state.session.state === "stopping" ? "stopping" : "running"), event);
      },
    },
    training_update: {
      state: (state, event) => {
        const run = state.run !== null && state.run.id === (event.run_id ?? state.run.id) ? state.run : null;
        return inRun(state, event, {
          epochs: withEpoch(run?.epochs ?? [], event),
          lastEpoch: Math.max(run?.lastEpoch ?? 0, event.epoch),
        });
      },
      line: (event) => ({
        level: "info",
        key: "event.training_update",
        params: { epoch: event.epoch, epochs: event.epochs, loss: rounded(event.metrics.val_loss), accuracy: rounded(event.metrics.val_accuracy), f1: rounded(event.metrics.val_f1_weighted), auc: rounded(event.metrics.val_auc_roc) },
      }),
    },
    checkpoint_saved: {
      state: (state, event) => inRun(state, event, { checkpoint: event }),
      line: (event) => ({ level: "success", key: "event.checkpoint_saved", params: { checkpoint: event.checkpoint } }),
    },
    training_complete: {
      state: (state, event) => {
        const next = jobEnded(inRun(state, event, { outcome: { ...event, history: {} } }));
        return { ...next, session: { ...next.session, currentModel: event.checkpoint } };
      },
      line: (event) => ({
        level: "success",
        key: event.stopped_early ? "event.training_complete_early" : "event.training_complete",
        params: { epochs: event.epochs_run, best: event.best_epoch, checkpoint: event.checkpoint },
      }),
      notice: true,
    },
    training_stopped: {
      // A run that only asked, and did not begin, has not ended either.
      state: (state, event) => {
        const onlyAsked = event.question != null;
        return jobEnded(onlyAsked ? { ...state, run: state.run?.started === null ? null : state.run } : inRun(state, event, { outcome: event }));
      },
      line: (event) => {
        const { code, params } = stoppedText(event);
        return { level: event.reason === "error" && !event.question ? "error" : "warning", key: code, params };
      },
      notice: true,
    },
    job_stopped: {
      state: (state) => jobEnded(state),
      line: (event) => ({ level: "warning", key: "event.job_stopped", params: { job: event.job } }),
      notice: true,
    },
    job_queued: {
      line: (event) => ({ level: "info", key: "event.job_queued", params: { place: event.place } }),
      notice: true,
    },
    queue: { state: (state, event) => ({ ...state, queue: event }) },
    log: {
      state: (state, event) => (event.run_id && event.run_id === state.run?.id ? inRun(state, event, {}) : state),
      line: (event) => ({ level: event.level, code: event.code, params: event.params, message: event.message }),
    },
    history: {
      state: (state, event) => {
        const of = event.run_id ?? event.epochs[0]?.run_id;
        /** @param {Run} run @returns {Run} */
        const filled = (run) => ({
          ...run,
          epochs: event.epochs.reduce(withEpoch, run.epochs),
          filledTo: Math.max(run.filledTo, event.last ?? run.lastEpoch),
          lastEpoch: Math.max(run.lastEpoch, event.last ?? 0),
        });
        if (state.run !== null && (!of || of === state.run.id)) return { ...state, run: filled(state.run) };
        const past = of ? state.pastRuns[of] : undefined;
        return past === undefined ? state : { ...state, pastRuns: { ...state.pastRuns, [past.run.id]: { ...past, run: filled(past.run) } } };
      },
    },
  };

  BreastAI.runEvents = { rows, stoppedText };
})();
