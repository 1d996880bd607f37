/* What is told of what the workspace keeps: runs, checkpoints, backups, configurations, documents. One row an event. */
(function () {
  "use strict";

  /** @type {EventRows} */
  const rows = {
    runs_list: {
      // A later page goes after those before it; a run that came meanwhile may be sent twice.
      state: (state, event) => {
        const same = state.runs !== null && ["search", "sort", "descending", "state"].every((key) => /** @type {any} */ (state.runs)[key] === /** @type {any} */ (event)[key]);
        const before = event.first > 0 && same && state.runs !== null ? state.runs.runs.slice(0, event.first) : [];
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
    run_shown: {
      state: (state, event) => {
        const known = state.pastRuns[event.run.run_id]?.run ?? BreastAI.pageState.newRun(event.run.run_id);
        const { started, data, model, outcome } = /** @type {any} */ (event);
        const run = { ...known, started, data, model, outcome, lastEpoch: Math.max(known.lastEpoch, event.run.epochs_run ?? 0) };
        return { ...state, pastRuns: { ...state.pastRuns, [run.id]: { run, entry: event.run, log: event.log } } };
      },
    },
    results_list: { state: (state, event) => ({ ...state, results: { ...state.results, [event.results_of]: event } }) },
    runs_compared: { state: (state, event) => ({ ...state, comparedRuns: event }) },
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
      state: (state, event) => ({ ...state, backups: null, restored: event }),
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
        refused: null,
      }),
    },
    config_saved: {
      state: (state, event) =>
        event.name !== null
          ? state
          : {
              ...state,
              welcome: state.welcome && { ...state.welcome, config: event.config, config_error: null, preset: null },
              savedConfigPath: event.path,
              refused: null,
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
      line: (event) => ({ level: "error", code: event.code, params: event.params, message: event.message }),
      notice: true,
    },
  };

  BreastAI.fileEvents = { rows };
})();
