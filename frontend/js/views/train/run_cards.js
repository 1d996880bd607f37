/* The figures of one run, under its name: that of the page's address, else the latest. Another job folds them to one line. */
(function () {
  "use strict";

  const { byId, make, fill, name } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { shownRun, isRunning } = BreastAI.pageState;

  /** How a run stands, apart from any other job. @param {State} state @param {Run} run */
  function stateOf(state, run) {
    if (isRunning(state, run)) return state.session.state;
    if (run.outcome === null) return "unknown";
    if (run.outcome.type === "training_complete") return "complete";
    if (run.outcome.type !== "training_stopped") return "failed";
    return run.outcome.question ? "asked" : run.outcome.reason === "error" ? "failed" : "stopped";
  }

  /** Run, images, network and state, in one line. @param {State} state @param {Run} run */
  function lineOf(state, run) {
    const config = /** @type {any} */ (run.started?.config);
    const folder = BreastAI.settings.dataFolder(config) || String(config?.data?.train_dir ?? "");
    const now = stateOf(state, run);
    /** @type {Node[]} */
    const parts = [make("span", { class: "run-id" }, name(run.id))];
    if (folder !== "") parts.push(name(folder));
    if (run.started !== null) parts.push(make("span", { text: run.started.architecture }));
    return [...parts, make("span", { class: `pill run-${now}`, text: t(`state.${now}`) })];
  }

  function create() {
    const cards = /** @type {HTMLDetailsElement} */ (byId("run-cards"));
    let foldedFor = "";

    return {
      /** @param {State} state */
      render(state) {
        const run = shownRun(state);
        const onPage = state.page.run !== null;
        byId(onPage ? "run-page-curves" : "training-cards").append(cards);
        cards.hidden = run === null || (onPage && state.page.tab !== "curves");
        if (run === null) return;
        // What another job does is not this run's: its figures fold, and unfold when asked for or when it goes on.
        const other = !onPage && state.session.state !== "idle" && !isRunning(state, run) ? `${state.session.job} ${run.id}` : "";
        if (other !== foldedFor) cards.open = other === "";
        foldedFor = other;
        if (onPage) cards.open = true;
        fill(byId("run-cards-title"), ...lineOf(state, run));
      },
      /** @param {State} state */
      slice: (state) => [shownRun(state)?.id, shownRun(state)?.started, shownRun(state)?.outcome, state.page, state.session.state, state.session.job, state.session.run],
    };
  }

  BreastAI.views.runCards = { create, stateOf };
})();
