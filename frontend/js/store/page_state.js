/* The state of the page, and the small steps of which changes of it are made. Pure: no DOM, no clock, no socket. */
(function () {
  "use strict";

  /** @returns {State} */
  function initial() {
    return {
      connection: { phase: "disconnected", url: "", attempt: 0, retryInS: null, failed: false, count: 0 },
      welcome: null,
      session: { state: "idle", job: null, run: null, about: null, currentModel: null, clients: null },
      progress: null,
      done: null,
      step: 0,
      page: { run: null, tab: "curves", evaluation: null },
      pinned: null,
      form: { folder: null, images: null, preset: "", chosen: false, changed: {} },
      preFlight: null,
      preFlightFault: null,
      pastRuns: {},
      results: {},
      estimates: null,
      dismissed: null,
      run: null,
      study: null,
      studies: null,
      studyList: null,
      checkpoints: null,
      loaded: null,
      exports: [],
      evaluation: null,
      sites: null,
      adapted: null,
      inspecting: null,
      comparison: null,
      readers: null,
      plan: null,
      doubts: null,
      comparisons: null,
      audit: null,
      asked: null,
      estimate: null,
      reports: [],
      queue: null,
      runs: null,
      comparedRuns: null,
      described: null,
      inspected: null,
      datasets: null,
      exported: null,
      verified: {},
      images: null,
      preview: null,
      predictions: [],
      heatMaps: [],
      asking: null,
      errors: null,
      diagnostics: null,
      backup: null,
      backups: null,
      restored: null,
      interrupted: [],
      savedConfigPath: null,
      documents: null,
      document: null,
      offered: null,
      refused: null,
      formRun: null,
      pongMs: null,
      pending: {},
      quiet: [],
      ofForm: [],
      log: [],
      notices: [],
      noticeCount: 0,
    };
  }

  /** @param {string} id @returns {Run} */
  function newRun(id) {
    return {
      id, seq: 0, started: null, data: null, model: null, epochs: [], filledTo: 0,
      lastEpoch: 0, checkpoint: null, outcome: null,
    };
  }

  /**
   * The state with the event's run as the current one, changed by `patch`.
   * @param {State} state
   * @param {Wire.Event} event
   * @param {Partial<Run>} patch
   * @returns {State}
   */
  function inRun(state, event, patch) {
    const id = event.run_id ?? state.run?.id ?? "";
    const run = state.run !== null && state.run.id === id ? state.run : newRun(id);
    return { ...state, run: { ...run, ...patch, seq: Math.max(run.seq, event.seq ?? 0) } };
  }

  /**
   * The epochs with `update` in its place: one row for each epoch, the latest word on it.
   * @param {Wire.TrainingUpdate[]} epochs
   * @param {Wire.TrainingUpdate} update
   */
  function withEpoch(epochs, update) {
    let at = epochs.length;
    while (at > 0 && epochs[at - 1].epoch > update.epoch) at -= 1;
    if (at > 0 && epochs[at - 1].epoch === update.epoch) {
      const there = epochs[at - 1];
      if ((there.seq ?? 0) > (update.seq ?? 0)) return epochs;
      return [...epochs.slice(0, at - 1), update, ...epochs.slice(at)];
    }
    return [...epochs.slice(0, at), update, ...epochs.slice(at)];
  }

  /** @param {State} state @param {Session["state"]} to @param {string | null} [job] @returns {State} */
  function sessionState(state, to, job) {
    const session = { ...state.session, state: to, job: job === undefined ? state.session.job : job };
    if (to !== "idle") return { ...state, session };
    return { ...state, session: { ...session, run: null, about: null }, progress: null, done: null, step: 0 };
  }

  /** The steps of a training, each with the stages it is made of. */
  const STEPS = [["copying", "auditing", "preparing"], ["tuning"], ["training", "validating"], ["evaluating", "exporting"]];

  /**
   * The state with the latest word on how far the job is. What is done stays done: a share that falls, as after a step
   * back, or a stage that is met again, moves nothing back.
   * @param {State} state
   * @param {Wire.ProgressUpdate | null} progress
   * @returns {State}
   */
  function withProgress(state, progress) {
    if (progress === null) return { ...state, progress, done: null, step: 0 };
    const batches = progress.batch_progress;
    const isRun = state.session.run !== null || ["train", "resume"].includes(state.session.job ?? "");
    const share = progress.progress ?? (isRun || batches === null ? null : batches.batch / Math.max(1, batches.total_batches));
    const step = STEPS.findIndex((stages) => stages.includes(progress.stage));
    return { ...state, progress, done: share === null ? state.done : Math.max(state.done ?? 0, share), step: Math.max(state.step, step) };
  }

  /** The run whose figures are shown: that of the page's address, else the latest. @param {State} state @returns {Run | null} */
  function shownRun(state) {
    const wanted = state.page.run;
    if (wanted === null || wanted === state.run?.id) return state.run;
    return state.pastRuns[wanted]?.run ?? null;
  }

  /** The epoch that is pinned of the run shown; null where none is. @param {State} state */
  function pinnedEpoch(state) {
    const run = shownRun(state);
    const { pinned } = state;
    return (pinned !== null && pinned.run === run?.id ? run.epochs.find(({ epoch }) => epoch === pinned.epoch) : null) ?? null;
  }

  /** The best epoch so far: the last that was the best when it came. @param {Wire.TrainingUpdate[]} epochs */
  function bestEpoch(epochs) {
    for (let at = epochs.length - 1; at >= 0; at -= 1) if (epochs[at].is_best) return epochs[at].epoch;
    return null;
  }

  /** Whether the job in progress is this run. @param {State} state @param {Run | null} run */
  function isRunning(state, run) {
    return run !== null && state.session.state !== "idle" && state.session.run === run.id;
  }

  /** Whether a run is over that completed no epoch: it has no figures. @param {State} state @param {Run} run */
  function isBare(state, run) {
    return run.epochs.length === 0 && run.lastEpoch === 0 && run.outcome !== null && !isRunning(state, run);
  }

  /** @param {State} state @returns {State} */
  function jobEnded(state) {
    return sessionState(state, "idle", null);
  }

  /**
   * Whether an older study that was asked for stays in view: none has begun or gone on since.
   * @param {State} state
   * @param {Wire.Snapshot} snapshot
   */
  function askedStudyStays({ study, studies }, { study: latest }) {
    return study !== null && studies !== null && latest !== null && latest.state !== "running" && latest.study_id === studies[0];
  }

  /**
   * @param {State} state
   * @param {Wire.Snapshot} snapshot
   * @returns {State}
   */
  function withSnapshot(state, snapshot) {
    /** @type {State} */
    let next = {
      ...state,
      session: { ...state.session, state: snapshot.state, job: snapshot.job, run: snapshot.running_run ?? null, about: snapshot.about ?? null, currentModel: snapshot.current_model },
      asked: snapshot.question ?? null,
      study: askedStudyStays(state, snapshot) ? state.study : (snapshot.study ?? null),
    };
    const goesOn = snapshot.state !== "idle" && snapshot.state !== "starting" && snapshot.job === state.session.job;
    next = withProgress(goesOn ? next : { ...next, done: null, step: 0 }, snapshot.state === "idle" ? null : snapshot.progress);
    if (snapshot.run_id === null) return next;
    const same = state.run !== null && state.run.id === snapshot.run_id;
    // For a run already on the page `seq` stays: the events missed meanwhile are still to come.
    const run = same && state.run !== null ? state.run : { ...newRun(snapshot.run_id), seq: snapshot.seq ?? 0 };
    next = {
      ...next,
      run: {
        ...run,
        started: snapshot.started ?? run.started,
        data: snapshot.data ?? run.data,
        model: snapshot.model ?? run.model,
        outcome: snapshot.outcome ?? (snapshot.running_run === snapshot.run_id ? null : run.outcome),
        epochs: snapshot.update === null ? run.epochs : withEpoch(run.epochs, snapshot.update),
        lastEpoch: Math.max(run.lastEpoch, snapshot.update?.epoch ?? 0),
      },
    };
    return next;
  }

  BreastAI.pageState = { STEPS, initial, newRun, inRun, withEpoch, withProgress, sessionState, jobEnded, withSnapshot, shownRun, pinnedEpoch, bestEpoch, isRunning, isBare };
})();
