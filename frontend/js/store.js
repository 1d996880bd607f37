/* The state of the page, and how each event changes it. Pure: no DOM, no clock, no socket; one row an event. */
(function () {
  "use strict";

  const MOST_LOG_LINES = 3000;
  const MOST_NOTICES = 5;
  const MOST_EXPORTS = 20;
  /** The request that begins each kind of job that may have to ask first. */
  const REQUEST_OF_JOB = { train: "start_training", crossval: "start_crossval", tune: "start_tuning", train_seeds: "start_training" };

  /** @returns {State} */
  function initial() {
    return {
      connection: { phase: "disconnected", url: "", attempt: 0, retryInS: null, failed: false },
      welcome: null,
      session: { state: "idle", job: null, currentModel: null, clients: null },
      progress: null,
      run: null,
      study: null,
      studies: null,
      studyList: null,
      checkpoints: null,
      loaded: null,
      exports: [],
      evaluation: null,
      sites: null,
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
      interrupted: [],
      savedConfigPath: null,
      documents: null,
      document: null,
      offered: null,
      problems: [],
      pongMs: null,
      pending: {},
      quiet: [],
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

  // --- small steps ------------------------------------------------------------------------------

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

  /**
   * The study with a run as it is now, in its place, or at the end when it is new.
   * @param {Wire.Study | null} study
   * @param {Wire.StudyMemberChanged} event
   */
  function withMember(study, { study_id, member }) {
    if (study === null || study.study_id !== study_id) return study;
    const known = study.members.some(({ run_id }) => run_id === member.run_id);
    const members = study.members.map((each) => (each.run_id === member.run_id ? member : each));
    return { ...study, members: known ? members : [...members, member] };
  }

  /**
   * The study as over; a run in progress stopped with it.
   * @param {Wire.Study | null} study
   * @param {Wire.Study["state"]} state
   * @param {string} [message]
   * @returns {Wire.Study | null}
   */
  function endedStudy(study, state, message = "") {
    if (study === null) return study;
    /** @param {Wire.StudyMember} member @returns {Wire.StudyMember} */
    const stopped = (member) => (member.state === "running" ? { ...member, state: "stopped" } : member);
    return { ...study, state, message, members: study.members.map(stopped) };
  }

  /**
   * After a study came to its end, with what came of it.
   * @param {State} state
   * @param {string} study_id
   * @param {Partial<Wire.Study>} result
   */
  function studyComplete(state, study_id, result) {
    const ended = state.study?.study_id === study_id ? endedStudy(state.study, "complete") : null;
    return jobEnded(ended === null ? state : { ...state, study: { ...ended, ...result } });
  }

  /**
   * The study with what is known of its tuning now.
   * @param {Wire.Study | null} study
   * @param {Wire.TuningUpdate | Wire.TuningComplete} event
   */
  function withTuning(study, { study_id, tuning }) {
    return study === null || study.study_id !== study_id ? study : { ...study, tuning };
  }

  /** @param {State} state @param {Session["state"]} to @param {string | null} [job] @returns {State} */
  function sessionState(state, to, job) {
    const session = { ...state.session, state: to, job: job === undefined ? state.session.job : job };
    return { ...state, session, progress: to === "idle" ? null : state.progress };
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
      session: { ...state.session, state: snapshot.state, job: snapshot.job, currentModel: snapshot.current_model },
      progress: snapshot.state === "idle" ? null : snapshot.progress,
      study: askedStudyStays(state, snapshot) ? state.study : (snapshot.study ?? null),
    };
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
        outcome: snapshot.outcome ?? (snapshot.state === "idle" ? run.outcome : null),
        epochs: snapshot.update === null ? run.epochs : withEpoch(run.epochs, snapshot.update),
        lastEpoch: Math.max(run.lastEpoch, snapshot.update?.epoch ?? 0),
      },
    };
    return next;
  }

  // --- what an event says -----------------------------------------------------------------------

  /** The key of what to say of a training that stopped. @param {Wire.TrainingStopped} event */
  function stoppedKey({ reason, checkpoint }) {
    return `event.training_stopped.${reason}${checkpoint === null ? ".early" : ""}`;
  }

  /** @param {Wire.AuditDone} event @param {string} severity */
  function ofSeverity(event, severity) {
    return event.findings.filter((finding) => finding.severity === severity).length;
  }

  /** @param {Wire.Finding[]} findings @returns {"success" | "info" | "warning"} */
  function worst(findings) {
    if (findings.some(({ severity }) => severity !== "info")) return "warning";
    return findings.length ? "info" : "success";
  }

  /** @param {Record<string, number>} counts */
  function total(counts) {
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  /** @param {number | null} value */
  function rounded(value) {
    return value === null ? null : Math.round(value * 1000) / 1000;
  }

  // --- one row an event -------------------------------------------------------------------------

  /**
   * What an event changes in the state, the line of the log it becomes, and whether that line is told in a notice too.
   * What is absent happens not: an event without a row changes nothing.
   * @type {{ [Name in keyof Wire.Events]?: EventRow<Wire.Events[Name]> }}
   */
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
        return sessionState({ ...next, problems: [] }, state.session.state === "stopping" ? "stopping" : "running");
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
        const next = event.run_id ? inRun(state, event, {}) : state;
        return { ...sessionState(next, state.session.state === "stopping" ? "stopping" : "running"), progress: event };
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
      state: (state, event) => jobEnded(inRun(state, event, { outcome: event })),
      line: (event) => ({
        level: event.reason === "error" ? "error" : "warning",
        key: stoppedKey(event),
        params: { epoch: event.epoch, checkpoint: event.checkpoint },
      }),
      notice: true,
    },
    job_stopped: {
      state: (state) => jobEnded(state),
      line: (event) => ({ level: "warning", key: "event.job_stopped", params: { job: event.job } }),
      notice: true,
    },
    study_started: {
      // Its runs' own events stay in their journals: a study never becomes the page's run.
      state: (state, event) =>
        sessionState({ ...state, study: event.study, problems: [] }, state.session.state === "stopping" ? "stopping" : "running"),
      line: ({ study }) =>
        study.tuning
          ? { level: "info", key: "event.tuning_started", params: { study: study.study_id, trials: study.tuning.trials } }
          : { level: "info", key: "event.study_started", params: { study: study.study_id, runs: study.members.length } },
    },
    study_member: {
      state: (state, event) => ({ ...state, study: withMember(state.study, event) }),
      line: (event) => ({
        level: event.member.state === "failed" ? "error" : "info",
        key: "event.study_member",
        params: { run: event.member.run_id, epoch: event.member.epoch, epochs: event.member.epochs },
      }),
    },
    tuning_update: {
      state: (state, event) => ({ ...state, study: withTuning(state.study, event) }),
      line: ({ tuning }) => ({ level: "info", key: "event.tuning_update", params: { done: tuning.done, trials: tuning.trials, auc: tuning.best_auc } }),
    },
    tuning_complete: {
      state: (state, event) => jobEnded({ ...state, study: endedStudy(withTuning(state.study, event), "complete") }),
      line: ({ tuning }) => ({
        level: "success",
        key: tuning.config_name === null ? "event.tuning_no_better" : "event.tuning_complete",
        params: { auc: tuning.best_auc, before: tuning.default_auc, trials: tuning.done },
      }),
      notice: true,
    },
    // One that goes on is not put aside to look at another.
    study: { state: (state, event) => ({ ...state, study: state.study?.state === "running" ? state.study : event.study, studies: event.studies }) },
    studies_list: {
      // A later page goes after those before it; what it pushed down by a new study may be sent twice.
      state: (state, event) => {
        const before = event.first > 0 && state.studyList !== null ? state.studyList : { studies: [], unreadable: [] };
        const known = new Set([...before.studies.map(({ study_id }) => study_id), ...before.unreadable]);
        const studies = [...before.studies, ...event.studies.filter(({ study_id }) => !known.has(study_id))];
        return { ...state, studyList: { ...event, studies, unreadable: [...before.unreadable, ...event.unreadable.filter((study_id) => !known.has(study_id))] } };
      },
    },
    crossval_complete: {
      state: (state, event) => studyComplete(state, event.study_id, { crossval: event.result }),
      line: (event) => ({ level: "success", key: "event.crossval_complete", params: { study: event.study_id, n: event.result.cases } }),
      notice: true,
    },
    seeds_complete: {
      state: (state, event) => studyComplete(state, event.study_id, { seeds: event.result }),
      line: (event) => ({ level: "success", key: "event.seeds_complete", params: { study: event.study_id, n: event.result.seeds.length } }),
      notice: true,
    },
    study_stopped: {
      state: (state, event) => jobEnded({ ...state, study: endedStudy(state.study, event.reason === "user" ? "stopped" : "interrupted") }),
      line: (event) => ({ level: "warning", key: "event.study_stopped", params: { study: event.study_id } }),
      notice: true,
    },
    evaluation: {
      state: (state, event) => jobEnded({ ...state, evaluation: event }),
      line: (event) => ({ level: "success", key: "event.evaluation", params: { checkpoint: event.checkpoint, n: event.n } }),
      notice: true,
    },
    sites_evaluated: {
      state: (state, event) => jobEnded({ ...state, sites: event }),
      line: (event) => ({ level: "success", key: "event.sites_evaluated", params: { checkpoint: event.checkpoint, n: event.sites.length } }),
      notice: true,
    },
    comparison: {
      state: (state, event) => jobEnded({ ...state, comparison: event }),
      line: (event) => ({ level: "success", key: "event.comparison", params: { first: event.first, second: event.second, n: event.n } }),
      notice: true,
    },
    readers_compared: {
      state: (state, event) => jobEnded({ ...state, readers: event.study }),
      line: (event) => ({ level: "success", key: "event.readers_compared", params: { readers: event.study.readers.length, n: event.study.cases, table: event.study.table } }),
      notice: true,
    },
    doubts_found: {
      state: (state, event) => jobEnded({ ...state, doubts: event }),
      line: (event) => ({ level: "success", key: "event.doubts_found", params: { data: event.found.data, likely: event.found.likely, n: event.found.images } }),
      notice: true,
    },
    study_planned: {
      state: (state, event) => ({ ...state, plan: event.plan }),
      line: (event) => ({ level: "success", key: "event.study_planned", params: { patients: event.plan.patients } }),
    },
    comparison_shown: { state: (state, event) => ({ ...state, ...(event.models ? { comparison: event.models } : {}), ...(event.readers ? { readers: event.readers } : {}) }) },
    comparisons_list: { state: (state, event) => ({ ...state, comparisons: event.comparisons }) },
    audit: {
      // An audit is a job of its own, or the beginning of a run.
      // One with a question comes before a job that does not begin until it is answered.
      state: (state, event) => (event.question ? { ...state, audit: event, asked: { request: REQUEST_OF_JOB[event.question.job], order: { config: event.question.config }, question: event.question } } : event.run_id ? { ...inRun(state, event, {}), audit: event } : jobEnded({ ...state, audit: event })),
      line: (event) => ({
        level: worst(event.findings),
        key: "event.audit",
        params: { data: event.data, images: event.images, errors: ofSeverity(event, "error"), warnings: ofSeverity(event, "warning"), groups: event.groups_total },
      }),
      notice: true,
    },
    report_created: {
      state: (state, event) => jobEnded({ ...state, reports: [event, ...state.reports].slice(0, MOST_EXPORTS) }),
      line: (event) => ({ level: "success", key: "event.report_created", params: { run: event.report_of, file: event.files[0] } }),
      notice: true,
    },
    prediction: { state: (state, event) => ({ ...state, predictions: [...state.predictions, event].slice(-1000) }) },
    predictions_complete: {
      state: (state) => jobEnded(state),
      line: (event) => ({ level: event.failed > 0 ? "warning" : "success", key: "event.predictions_complete", params: { count: event.count, failed: event.failed } }),
      notice: true,
    },
    heat_map: { state: (state, event) => ({ ...state, heatMaps: [...state.heatMaps, event].slice(-1000) }) },
    explanations_complete: {
      state: (state) => jobEnded(state),
      line: (event) => ({ level: event.failed > 0 ? "warning" : "success", key: "event.explanations_complete", params: { count: event.count, failed: event.failed, folder: event.folder } }),
      notice: true,
    },
    image_answer: { state: (state, event) => (state.asking === null ? state : { ...state, asking: { ...state.asking, answers: [...state.asking.answers, event] } }) },
    images_answered: { line: (event) => ({ level: event.failed > 0 ? "warning" : "success", key: "event.images_answered", params: { count: event.count, failed: event.failed } }) },
    errors_shown: { state: (state, event) => ({ ...state, errors: event }) },
    bench: {
      state: (state, event) => jobEnded({ ...state, estimate: event }),
      line: (event) => ({
        level: "info",
        key: event.estimated_s === null ? "event.bench" : "event.bench_estimate",
        params: {
          architecture: event.architecture, speed: Number(event.train_images_per_second.toFixed(1)), memory: Number(event.peak_memory_gb.toFixed(1)),
          minutes: Math.max(1, Math.round((event.estimated_s ?? 0) / 60)), epochs: event.epochs,
        },
      }),
    },
    export_complete: {
      // An export is a job of its own, or the end of a run.
      state: (state, event) => {
        const next = { ...state, exports: [event, ...state.exports].slice(0, MOST_EXPORTS) };
        return event.run_id ? inRun(next, event, {}) : jobEnded(next);
      },
      line: (event) => ({ level: "success", key: "event.export_complete", params: { format: event.format, path: event.path } }),
      notice: true,
    },
    checkpoint_verified: {
      state: (state, event) => ({ ...state, verified: { ...state.verified, [event.checkpoint]: true } }),
      line: (event) => ({ level: "success", key: "event.checkpoint_verified", params: { checkpoint: event.checkpoint } }),
      notice: true,
    },
    exports_list: { state: (state, event) => ({ ...state, exported: event.exports }) },
    export_deleted: {
      state: (state, event) => ({ ...state, exported: state.exported?.filter(({ path }) => path !== event.path) ?? null }),
      line: (event) => ({ level: "info", key: "event.export_deleted", params: { path: event.path } }),
      notice: true,
    },
    export_verified: {
      state: (state, event) => ({ ...state, verified: { ...state.verified, [event.path]: true } }),
      line: (event) => ({ level: "success", key: "event.export_verified", params: { path: event.path, references: event.references } }),
      notice: true,
    },
    upload_finished: {
      line: (event) => ({ level: event.left_out_total > 0 ? "warning" : "success", key: "event.upload_finished", params: { folder: event.path, files: event.files, left_out: event.left_out_total } }),
    },
    data_described: { state: (state, event) => ({ ...state, described: event, problems: [] }) },
    images_list: { state: (state, event) => ({ ...state, images: event }) },
    image_preview: { state: (state, event) => ({ ...state, preview: event }) },
    runs_list: {
      // A later page goes after those before it; a run that came meanwhile may be sent twice.
      state: (state, event) => {
        const before = event.first > 0 && state.runs?.search === event.search ? state.runs.runs.slice(0, event.first) : [];
        const known = new Set(before.map(({ run_id }) => run_id));
        return { ...state, runs: { ...event, runs: [...before, ...event.runs.filter(({ run_id }) => !known.has(run_id))] } };
      },
    },
    run_annotated: {
      state: (state, event) => ({
        ...state,
        runs: state.runs && { ...state.runs, runs: state.runs.runs.map((run) => (run.run_id === event.run.run_id ? event.run : run)) },
      }),
      line: (event) => ({ level: "success", key: "event.run_annotated", params: { run: event.run.run_id } }),
      notice: true,
    },
    run_deleted: {
      state: (state, event) => ({
        ...state,
        runs: state.runs && { ...state.runs, total: state.runs.total - 1, runs: state.runs.runs.filter((run) => run.run_id !== event.deleted) },
        comparedRuns: state.comparedRuns?.runs.some(({ run }) => run.run_id === event.deleted) ? null : state.comparedRuns,
        checkpoints: state.checkpoints?.filter((entry) => entry.run_id !== event.deleted) ?? null,
        run: state.run?.id === event.deleted ? null : state.run,
        session: event.checkpoints.includes(state.session.currentModel ?? "") ? { ...state.session, currentModel: null } : state.session,
      }),
      line: (event) => ({ level: "info", key: "event.run_deleted", params: { run: event.deleted } }),
      notice: true,
    },
    runs_compared: { state: (state, event) => ({ ...state, comparedRuns: event }) },
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
        const run = state.run;
        const of = event.run_id ?? event.epochs[0]?.run_id;
        if (run === null || (of && of !== run.id)) return state;
        const epochs = event.epochs.reduce(withEpoch, run.epochs);
        const filledTo = Math.max(run.filledTo, event.last ?? run.lastEpoch);
        return { ...state, run: { ...run, epochs, filledTo, lastEpoch: Math.max(run.lastEpoch, event.last ?? 0) } };
      },
    },
    checkpoints_list: { state: (state, event) => ({ ...state, checkpoints: event.checkpoints }) },
    checkpoint_loaded: {
      state: (state, event) => ({
        ...state,
        loaded: event,
        session: { ...state.session, currentModel: event.checkpoint },
      }),
      line: (event) => ({ level: "success", key: "event.checkpoint_loaded", params: { checkpoint: event.checkpoint } }),
      notice: true,
    },
    checkpoint_deleted: {
      state: (state, event) => ({
        ...state,
        checkpoints: state.checkpoints?.filter((entry) => entry.checkpoint !== event.checkpoint) ?? null,
        session: state.session.currentModel === event.checkpoint ? { ...state.session, currentModel: null } : state.session,
      }),
      line: (event) => ({ level: "info", key: "event.checkpoint_deleted", params: { checkpoint: event.checkpoint } }),
      notice: true,
    },
    system_diagnostics: { state: (state, event) => ({ ...state, diagnostics: event }) },
    backup_created: {
      // A list shown before is no longer true; the user asks for it again.
      state: (state, event) => ({ ...state, backup: event, backups: null }),
      line: (event) => ({ level: "success", key: "event.backup_created", params: { path: event.path } }),
      notice: true,
    },
    backups_list: { state: (state, event) => ({ ...state, backups: event.backups }) },
    backup_verified: {
      state: (state, event) => ({ ...state, verified: { ...state.verified, [event.name]: true } }),
      line: (event) => ({ level: "success", key: "event.backup_verified", params: { name: event.name, files: event.files } }),
      notice: true,
    },
    backup_deleted: {
      state: (state, event) => ({ ...state, backups: state.backups?.filter(({ name }) => name !== event.name) ?? null }),
      line: (event) => ({ level: "info", key: "event.backup_deleted", params: { name: event.name } }),
      notice: true,
    },
    backup_restored: {
      state: (state) => ({ ...state, backups: null }),
      line: (event) => ((event.held_back || []).length
        ? {
          level: "warning",
          key: "event.backup_restored_in_part",
          params: {
            name: event.name,
            files: event.count,
            settings: event.held_back.map((held) => (held.setting ? `${held.setting} = ${held.asked}` : held.file)).join(", "),
          },
        }
        : { level: "success", key: "event.backup_restored", params: { name: event.name, files: event.count } }),
      notice: true,
    },
    interrupted_runs: { state: (state, event) => ({ ...state, interrupted: event.runs }) },
    config: {
      state: (state, event) => ({
        ...state,
        welcome: state.welcome && { ...state.welcome, config: event.config, config_schema: event.config_schema },
        problems: [],
      }),
    },
    config_saved: {
      state: (state, event) =>
        event.name !== null
          ? state
          : {
              ...state,
              welcome: state.welcome && { ...state.welcome, config: event.config, config_error: null },
              savedConfigPath: event.path,
              problems: [],
            },
      line: (event) => ({ level: "success", key: "event.config_saved", params: { path: event.path } }),
      notice: true,
    },
    config_deleted: {
      state: (state, event) => ({
        ...state,
        documents: state.documents?.filter(({ kind, name }) => kind !== "named_config" || name !== event.name) ?? null,
      }),
      line: (event) => ({ level: "info", key: "event.config_deleted", params: { name: event.name } }),
      notice: true,
    },
    documents_list: { state: (state, event) => ({ ...state, documents: event.documents }) },
    document: { state: (state, event) => ({ ...state, document: event }) },
    error: {
      state: (state, event) => {
        const problems = event.params?.problems;
        return Array.isArray(problems) ? { ...state, problems } : state;
      },
      line: (event) => ({ level: "error", code: event.code, params: event.params, message: event.message }),
      notice: true,
    },
  };

  // --- the log and the notices ------------------------------------------------------------------

  /**
   * The log with the event's line in its place; an event seen before adds nothing.
   * @param {LogLine[]} log
   * @param {LogLine} line
   */
  function withLine(log, line) {
    let at = log.length;
    if (line.run && line.seq) {
      while (at > 0 && log[at - 1].run === line.run && (log[at - 1].seq ?? 0) > line.seq) at -= 1;
      if (at > 0 && log[at - 1].run === line.run && log[at - 1].seq === line.seq) return log;
    }
    const next = [...log.slice(0, at), line, ...log.slice(at)];
    return next.length > MOST_LOG_LINES ? next.slice(next.length - MOST_LOG_LINES) : next;
  }

  /** @param {State} state @param {LineContent} content @param {{ sticky?: boolean }} [options] @returns {State} */
  function withNotice(state, content, options = {}) {
    const id = state.noticeCount + 1;
    const notice = { id, sticky: options.sticky ?? content.level === "error", ...content };
    return { ...state, noticeCount: id, notices: [...state.notices, notice].slice(-MOST_NOTICES) };
  }

  // --- what the page itself does ----------------------------------------------------------------

  /** @type {{ [name: string]: (state: State, action: any) => State }} */
  const own = {
    "@connection": (state, action) => ({
      ...state,
      connection: { ...state.connection, ...action.connection },
      // Answers to requests of a connection that is gone will not come.
      pending: action.connection.phase === "connected" ? state.pending : {},
    }),
    "@sent": (state, action) => {
      const pending = { ...state.pending, [action.request_id]: action.request };
      const next = { ...state, pending, quiet: action.quiet ? [...state.quiet, action.request_id] : state.quiet };
      return action.request === "stop_training" && state.session.state !== "idle" ? sessionState(next, "stopping") : next;
    },
    "@failed": (state, action) => withNotice(state, { level: "error", key: action.key, code: action.code, params: action.params, message: action.message }),
    // So much was missed that the epochs on the page may have been run again: all are asked for anew.
    "@refill": (state) => ({ ...state, run: state.run && { ...state.run, epochs: [], filledTo: 0 } }),
    "@asking": (state, action) => ({ ...state, asking: { models: action.models, count: action.count, answers: [] } }),
    "@pong": (state, action) => ({ ...state, pongMs: action.ms }),
    "@ask_twins": (state, action) => ({ ...state, asked: { request: action.request, order: action.order, question: null } }),
    "@twins_decided": (state) => ({ ...state, asked: null }),
    "@not_described": (state) => ({ ...state, described: null, images: null, preview: null }),
    "@use_config": (state, action) => ({ ...state, offered: action.config }),
    "@dismiss": (state, action) => ({ ...state, notices: state.notices.filter((notice) => notice.id !== action.id) }),
    "@clear_log": (state) => ({ ...state, log: [] }),
  };

  /** @param {State} state @param {Wire.AnyEvent} event @returns {State} */
  function answered(state, event) {
    if (event.request_id === undefined || !Object.hasOwn(state.pending, event.request_id)) return state;
    const { [event.request_id]: _, ...pending } = state.pending;
    return { ...state, pending, quiet: state.quiet.filter((id) => id !== event.request_id) };
  }

  /**
   * The state after an event of the wire or an action of the page's own ("@…").
   * @param {State} state
   * @param {Wire.AnyEvent | { type: string, [field: string]: unknown }} action
   * @returns {State}
   */
  function reduce(state, action) {
    if (Object.hasOwn(own, action.type)) return own[action.type](state, action);
    const event = /** @type {Wire.AnyEvent} */ (action);
    // Replayed: the page knows of later events of the same run. Its line and its epoch may be new, its state is old.
    const late = Boolean(event.run_id && event.seq && event.run_id === state.run?.id && event.seq <= state.run.seq);
    let next = answered(state, event);
    // Without a row: nothing to say about it, as of an event of a newer server than this page.
    const row = /** @type {EventRow<Wire.AnyEvent> | undefined} */ (Object.hasOwn(rows, event.type) ? rows[event.type] : undefined);
    if (row === undefined) return next;
    if (row.line !== undefined) {
      const content = row.line(event);
      next = { ...next, log: withLine(next.log, { ...content, run: event.run_id, seq: event.seq, time: event.time }) };
      // What a job asks stands in the audit's view, with its answers; a run that ends with a question has not failed.
      const question = state.asked?.question;
      const isEndOfAsking = Boolean(question) && event.type === "training_stopped" && event.reason === "error";
      const isAsked = isEndOfAsking || (content.code !== undefined && content.code === question?.code);
      const isQuiet = event.request_id !== undefined && state.quiet.includes(String(event.request_id));
      if (!late && !isAsked && !isQuiet && row.notice) next = withNotice(next, content);
    }
    if (late && event.type !== "training_update") return next;
    return row.state === undefined ? next : row.state(next, event);
  }

  // --- questions --------------------------------------------------------------------------------

  /**
   * The epochs of the run that are not on the page, at most 200, or null when none is missing.
   * @param {State} state
   * @returns {{ from: number, to: number } | null}
   */
  function missingEpochs(state) {
    const run = state.run;
    if (run === null || run.filledTo >= run.lastEpoch) return null;
    // Asked after every event: as a rule nothing is missing, and that is seen without going through all.
    if (run.epochs.length === run.lastEpoch && run.epochs[0]?.epoch === 1) return null;
    const known = new Set(run.epochs.map((row) => row.epoch));
    for (let epoch = run.filledTo + 1; epoch <= run.lastEpoch; epoch += 1) {
      if (!known.has(epoch)) return { from: epoch, to: Math.min(epoch + 199, run.lastEpoch) };
    }
    return null;
  }

  /** @param {State} state @param {string} request */
  function isPending(state, request) {
    return Object.values(state.pending).includes(request);
  }

  /** A store: the state, and who wants to know when it changes. @returns {Store} */
  function create() {
    let state = initial();
    /** @type {Set<(state: State) => void>} */
    const listeners = new Set();
    return {
      state: () => state,
      dispatch(action) {
        const next = reduce(state, action);
        if (next === state) return;
        state = next;
        for (const listener of listeners) listener(state);
      },
      subscribe(listener) {
        listeners.add(listener);
      },
    };
  }

  BreastAI.store = { initial, reduce, rows, missingEpochs, isPending, stoppedKey, create };
})();
