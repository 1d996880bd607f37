/* What is told of figures and answers: evaluations, comparisons, reports, predictions, exports. One row an event. */
(function () {
  "use strict";

  const { inRun, jobEnded } = BreastAI.pageState;
  const MOST_EXPORTS = 20;

  /** @type {EventRows} */
  const rows = {
    evaluation: {
      state: (state, event) => jobEnded({ ...state, evaluation: event }),
      line: (event) => ({ level: "success", key: "event.evaluation", params: { checkpoint: event.checkpoint, n: event.n } }),
      notice: true,
    },
    evaluation_shown: { state: (state, event) => ({ ...state, evaluation: /** @type {any} */ (event.evaluation) }) },
    estimates_list: { state: (state, event) => ({ ...state, estimates: event.estimates, estimate: state.estimate ?? event.estimates[0] ?? null }) },
    model_adapted: {
      state: (state, event) => jobEnded({ ...state, adapted: event }),
      line: (event) => ({ level: "success", key: "event.model_adapted", params: { checkpoint: event.checkpoint, before: event.adaptation.checkpoint } }),
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
    comparison_shown: { state: (state, event) => ({ ...state, ...(event.models ? { comparison: event.models } : {}), ...(event.readers ? { readers: event.readers } : {}) }) },
    comparisons_list: { state: (state, event) => ({ ...state, comparisons: event.comparisons }) },
    readers_compared: {
      state: (state, event) => jobEnded({ ...state, readers: event.study }),
      line: (event) => ({ level: "success", key: "event.readers_compared", params: { readers: event.study.readers.length, n: event.study.cases, table: event.study.table } }),
      notice: true,
    },
    study_planned: {
      state: (state, event) => ({ ...state, plan: event.plan }),
      line: (event) => ({ level: "success", key: "event.study_planned", params: { patients: event.plan.patients } }),
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
    images_answered: { state: (state, event) => (state.asking === null ? state : { ...state, asking: { ...state.asking, units: event.units ?? [], notes: event.notes ?? [] } }), line: (event) => ({ level: event.failed > 0 ? "warning" : "success", key: "event.images_answered", params: { count: event.count, failed: event.failed } }) },
    // Whoever asked for these has them from its answer.
    judged_list: {},
    judged_shown: {},
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
  };

  BreastAI.resultEvents = { rows };
})();
