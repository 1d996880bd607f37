/* Where the page is put together, in steps: store, connection and views; and what it asks the server for by itself. */
(function () {
  "use strict";

  const { byId } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { VIEWS, placeOf } = BreastAI.address;

  async function main() {
    BreastAI.i18n.begin();
    const store = BreastAI.store.create();
    const connection = BreastAI.connection.create(store);
    /** @type {View[]} */
    let views = [];
    /** @type {Map<View, unknown[]>} */
    const drawn = new Map();
    /** The view that is shown. */
    let shown = VIEWS[0];
    /** Whether a link was followed: its view begins at its top, where going back leads to where one was. */
    let followed = false;
    let scheduled = false;
    /** While it is drawn, and whether what was drawn first has changed since. */
    let drawing = false;
    let again = false;

    /** Draw what changed and can be seen, a view after the other; what is hidden is drawn when it is shown. */
    async function draw() {
      scheduled = false;
      again = drawing;
      if (drawing || views.length === 0) return;
      drawing = true;
      try {
        do {
          again = false;
          await BreastAI.steps.run(parts());
        } while (again);
      } finally {
        drawing = false;
      }
    }

    /** Each with the state that holds when its turn comes. @returns {Generator<() => void>} */
    function* parts() {
      for (const view of views) {
        const state = store.state();
        if (view.within !== undefined && isHidden(view.within)) continue;
        const slice = view.slice(state);
        const before = drawn.get(view);
        if (before !== undefined && slice.every((value, index) => value === before[index])) continue;
        drawn.set(view, slice);
        yield () => view.render(state);
      }
      const state = store.state();
      yield () => BreastAI.actions.markAll(document, state);
      if (!document.hidden || state.session.state !== "idle") title();
    }

    /** The figures of a run lie in the view of the training or on the page of the run. @param {string} within */
    function isHidden(within) {
      return within === "cards" ? Boolean(byId("run-cards").closest("section.view[hidden]")) : byId(`view-${within}`).hidden;
    }

    function schedule() {
      if (scheduled) return;
      scheduled = true;
      // A hidden tab gets no animation frames, but its title tells how far the run is.
      if (document.hidden) setTimeout(draw, 1000);
      else requestAnimationFrame(draw);
    }

    function restyle() {
      curves.restyle();
      evaluation.restyle();
      comparedRuns.restyle();
      tuning.restyle();
      crossval.restyle();
    }

    const context = { store, connection, restyle };
    const header = BreastAI.views.header.create(context);
    const curves = BreastAI.views.curves.create(context);
    const crossval = BreastAI.views.crossval.create(context);
    const evaluation = BreastAI.views.evaluation.create(context);
    const runs = BreastAI.views.runs.create(context);
    const comparedRuns = BreastAI.views.comparedRuns.create(context);
    const tuning = BreastAI.views.tuning.create(context);
    // Drawn in this order: the header, which says that the page is connected, when there is something to use.
    const makers = [
      () => BreastAI.views.firstSteps.create(context),
      () => BreastAI.views.reading.create(context),
      () => BreastAI.views.start.create(context),
      () => BreastAI.views.preFlight.create(context),
      () => BreastAI.views.interrupted.create(context),
      () => BreastAI.views.run.create(),
      () => BreastAI.views.jobBar.create(context),
      () => BreastAI.views.runPage.create(context),
      () => BreastAI.views.runCards.create(),
      () => BreastAI.views.tiles.create(),
      () => crossval,
      () => curves,
      () => BreastAI.views.classes.create(),
      () => BreastAI.views.summary.create(),
      () => BreastAI.views.data.create(context),
      () => tuning,
      () => BreastAI.views.queue.create(context),
      () => runs,
      () => comparedRuns,
      () => BreastAI.views.studies.create(context),
      () => BreastAI.views.checkpoints.create(context),
      () => BreastAI.views.audit.create(context),
      () => evaluation,
      () => BreastAI.views.editor.create(context),
      () => BreastAI.views.comparison.create(context),
      () => BreastAI.views.sites.create(context),
      () => BreastAI.views.adaptation.create(context),
      () => BreastAI.views.readers.create(context),
      () => BreastAI.views.plan.create(context),
      () => BreastAI.views.doubts.create(context),
      () => BreastAI.views.comparisons.create(context),
      () => BreastAI.views.predict.create(context),
      () => BreastAI.views.answers.create(),
      () => BreastAI.views.errors.create(context),
      () => BreastAI.views.log.create(context),
      () => BreastAI.views.system.create(context),
      () => BreastAI.views.backups.create(context),
      () => BreastAI.views.toasts.create(context),
      () => BreastAI.views.ending.create(),
      () => BreastAI.views.datasetField.createAll(context),
      () => header,
    ];

    function showView() {
      const { view, ...place } = placeOf(location.hash);
      const begins = followed && view !== shown;
      followed = false;
      shown = view;
      store.dispatch({ type: "@show", ...place });
      const owner = view === "run" ? "runs" : view;
      for (const each of VIEWS) byId(`view-${each}`).hidden = each !== view;
      for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("nav [data-view]"))) {
        if (link.dataset.view === owner) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
      if (place.evaluation === null) nameEvaluation(store.state());
      if (begins) scrollTo(0, 0);
      draw();
      title();
    }

    /** What the browser's tab and its history call the view. */
    function title() {
      const { page, session, done } = store.state();
      const what = shown === "run" && page.run !== null ? `${page.run} · ${t(`runpage.${page.tab}`)}` : t(`nav.${shown}`);
      const far = session.state !== "idle" && done !== null ? `${BreastAI.format.percent(done)} · ` : "";
      document.title = `${far}${what} · BreastAI`;
    }

    store.subscribe(schedule);
    store.subscribe(followUps(store, connection));
    BreastAI.i18n.apply(document);
    showView();
    connection.connect(/** @type {HTMLInputElement} */ (byId("address")).value);
    await BreastAI.steps.pause();
    // What writes numbers takes longer to be made than any view.
    BreastAI.format.integer(0);
    /** @type {View[]} */
    const made = [];
    await BreastAI.steps.run(makers.map((make) => () => made.push(make())));
    BreastAI.views.palette.create(context);
    BreastAI.views.glossary.create();
    curves.listen(() => {
      drawn.delete(curves);
      draw();
    });
    BreastAI.i18n.onChange(() => {
      BreastAI.i18n.apply(document);
      drawn.clear();
      draw();
    });
    document.addEventListener("click", BreastAI.actions.hear, true);
    document.addEventListener("click", ({ target }) => {
      followed = target instanceof Element && target.closest('a[href^="#"]') !== null;
    }, true);
    addEventListener("hashchange", showView);
    addEventListener("online", () => connection.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      connection.retryNow();
      draw();
    });
    views = made;
    showView();
  }

  /** Give the evaluation that is shown its address, so that a reload, a bookmark or a colleague finds it. @param {State} state */
  function nameEvaluation({ evaluation }) {
    const kept = BreastAI.address.ofRecord(evaluation?.record ?? null);
    if (kept === null || placeOf(location.hash).view !== "evaluation") return;
    history.replaceState(null, "", BreastAI.address.ofEvaluation(kept.run, kept.name));
  }

  /** Show the latest evaluation of a model, or of its run, where no other has come meanwhile. @param {Store} store @param {Connection} connection @param {string} model */
  async function showLatest(store, connection, model) {
    const run = model.split("/")[0];
    try {
      const { results } = /** @type {Wire.ResultsList} */ (await connection.request("list_results", { run_id: run }, { quiet: true }));
      const kept = results.filter(({ kind }) => kind === "evaluation");
      const latest = kept.find(({ checkpoint }) => checkpoint === model) ?? kept[0];
      const { page, evaluation } = store.state();
      if (latest !== undefined && evaluation === null && page.evaluation === null) await connection.request("show_evaluation", { run_id: run, name: latest.name }, { quiet: true });
    } catch {
      // A model without a run of its own has none.
    }
  }

  /**
   * What the page asks for by itself: the evaluation of its address, or the latest of the current model, epochs it lacks, the list of checkpoints when it may have changed, and the
   * true state after an error that may have ended a job.
   * @param {Store} store
   * @param {Connection} connection
   */
  function followUps(store, connection) {
    let listFor = "";
    let runsFor = "";
    let evaluationFor = "";
    let latestFor = "";
    /** @type {unknown} */
    let evaluationSeen = null;
    /** @type {unknown} */
    let exportsFor = null;
    /** @type {LogLine | undefined} */
    let seen;
    return (/** @type {State} */ state) => {
      if (state.connection.phase !== "connected" || state.welcome === null) {
        listFor = "";
        return;
      }
      const { evaluation } = state.page;
      const evaluationNow = evaluation === null ? "" : `${state.connection.count} ${evaluation.run} ${evaluation.name}`;
      if (evaluationNow !== evaluationFor) {
        evaluationFor = evaluationNow;
        if (evaluation !== null) connection.request("show_evaluation", { run_id: evaluation.run, name: evaluation.name }).catch(() => {});
      }
      if (state.evaluation !== evaluationSeen) {
        evaluationSeen = state.evaluation;
        nameEvaluation(state);
      }
      const current = state.session.currentModel;
      const isBare = evaluation === null && state.evaluation === null && current !== null && placeOf(location.hash).view === "evaluation";
      if (isBare && latestFor !== `${state.connection.count} ${current}`) {
        latestFor = `${state.connection.count} ${current}`;
        showLatest(store, connection, String(current));
      }
      const gap = BreastAI.store.missingEpochs(state);
      const shown = BreastAI.pageState.shownRun(state);
      if (gap !== null && shown !== null && !BreastAI.store.isPending(state, "get_history")) {
        connection.request("get_history", { run_id: shown.id, ...gap }).catch(() => {});
      }
      const runsNow = `${state.run?.outcome?.seq ?? ""} ${state.run?.id ?? ""} ${state.session.state === "running"}`;
      if ((runsNow !== runsFor || listFor === "") && !BreastAI.store.isPending(state, "list_runs")) {
        runsFor = runsNow;
        connection.request("list_runs", BreastAI.views.runsTable.asked(state)).catch(() => {});
      }
      if ((exportsFor !== state.exports || listFor === "") && !BreastAI.store.isPending(state, "list_exports")) {
        exportsFor = state.exports;
        connection.request("list_exports").catch(() => {});
      }
      const listNow = `${state.run?.checkpoint?.seq ?? ""} ${state.run?.outcome?.seq ?? ""} ${state.run?.id ?? ""}`;
      if (listNow !== listFor && !BreastAI.store.isPending(state, "list_checkpoints")) {
        const justConnected = listFor === "";
        listFor = listNow;
        // Afterwards changes are told.
        if (justConnected) {
          connection.request("get_queue").catch(() => {});
          connection.request("list_estimates").catch(() => {});
          // Its pictures were told to whoever was there.
          if (state.asked !== null && state.audit === null) connection.request("show_question").catch(() => {});
        }
        connection.request("list_checkpoints").catch(() => {});
        connection.request("list_interrupted").catch(() => {});
      }
      const latest = state.log.at(-1);
      if (latest !== seen && latest?.level === "error" && state.session.state !== "idle" && !BreastAI.store.isPending(state, "get_status")) {
        seen = latest;
        connection.request("get_status").catch(() => {});
      }
      seen = latest;
    };
  }

  main();
})();
