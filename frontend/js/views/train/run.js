/* The job in progress and how far it is; else the latest run, and how it ended. */
(function () {
  "use strict";

  const { byId, make, fill, name, said, table, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;
  const { isRunning } = BreastAI.pageState;

  const STARTING = ["start_training", "resume_training", "start_crossval", "resume_study", "answer_leaks", "try_sample"];

  /** Whether a job was asked for that has not begun. @param {State} state */
  function isStarting(state) {
    return STARTING.some((request) => BreastAI.store.isPending(state, request));
  }

  /**
   * The state to show: the session's, or how the run on the page ended.
   * @param {State} state
   */
  function stateKey(state) {
    if (state.connection.phase !== "connected" && state.session.state !== "idle") return "lost";
    if (state.session.state !== "idle") return state.session.state;
    if (isStarting(state)) return "starting";
    return state.run === null ? "idle" : BreastAI.views.runCards.stateOf(state, state.run);
  }

  /** Whether a study is in progress: then the run of the page is an earlier one. @param {State} state */
  function isStudying(state) {
    return state.session.state !== "idle" && state.study?.state === "running";
  }

  /** What the card is about: the job in progress, else the latest run. @param {State} state @returns {string} */
  function titleOf(state) {
    const { job } = state.session;
    return state.session.state === "idle" || job === null || BreastAI.views.progress.isTraining(state) ? t("run.title") : BreastAI.views.jobBar.jobName(job);
  }

  /** @param {State} state @returns {Node | null} */
  function outcomeOf(state) {
    const outcome = state.run?.outcome ?? null;
    if (outcome === null) return null;
    if (outcome.type === "training_complete") {
      const key = outcome.stopped_early ? "event.training_complete_early" : "event.training_complete";
      const text = t(key, { epochs: outcome.epochs_run, best: outcome.best_epoch, checkpoint: outcome.checkpoint });
      return make("p", { class: "banner success" }, text, " ", make("span", { class: "muted", text: t("run.took", { time: format.duration(outcome.duration_s) }) }));
    }
    if (outcome.type === "training_stopped") {
      const text = BreastAI.i18n.say(BreastAI.store.stoppedText(outcome));
      const why = outcome.text ? make("p", {}, said(outcome.text)) : null;
      return make("div", { class: `banner ${outcome.reason === "error" ? "error" : "warning"}` }, why, make("p", { text }));
    }
    return make("p", { class: "banner error" }, ...BreastAI.elements.linked(BreastAI.i18n.errorText(outcome)));
  }

  /** What referral to a human would cost at a few error rates, once a run is complete. @param {State} state @returns {Node | null} */
  function tradeOffOf(state) {
    const outcome = state.run?.outcome ?? null;
    if (outcome === null || outcome.type !== "training_complete" || (outcome.referral ?? []).length === 0) return null;
    const rows = outcome.referral.map((row) => [format.percent(row.error_rate, 0), format.percent(row.referred, 0), row.error_among_kept === null ? t("referral.all") : format.percent(row.error_among_kept, 1)]);
    const head = [t("referral.allowed"), t("referral.referred"), t("referral.error_among_kept")];
    return scroller(t("referral.trade_off"), table({ caption: t("referral.trade_off"), head, rows, numeric: true }));
  }

  /** How to begin, for a page without a run. */
  function welcome() {
    const steps = ["run.step_folder", "run.step_preset", "run.step_start"].map((key) => make("li", { text: t(key) }));
    return [
      make("p", { text: t("run.none") }),
      make("ol", { class: "steps" }, ...steps),
      make("pre", { class: "command", attributes: { tabindex: 0, "aria-label": t("run.folder_example") } }, "data/\n  train/\n    benign/     *.png\n    malignant/  *.png\n    normal/     *.png"),
    ];
  }

  function create() {
    let announced = "";

    return {
      /** @param {State} state */
      render(state) {
        const key = stateKey(state);
        const busy = ["starting", "running", "stopping"].includes(key);
        const pill = byId("run-state");
        pill.className = `pill run-${key}`;
        pill.textContent = t(`state.${key}`);
        byId("run-title").textContent = titleOf(state);
        byId("view-training").classList.toggle("is-running", busy);

        const run = state.run;
        const own = isRunning(state, run);
        /** @type {(Node | null)[]} */
        const body = [];
        if (run === null && !busy) body.push(...welcome());
        if (isStudying(state)) body.push(make("p", { class: "run-name" }, name(state.study?.study_id ?? "")));
        else if (run !== null && run.started !== null && (own || !busy)) {
          body.push(make("p", { class: "run-name" }, make("a", { attributes: { href: BreastAI.address.ofRun(run.id) } }, name(run.id)), make("span", { class: "muted", text: run.started.architecture })));
        } else if (busy && state.session.about !== null && !BreastAI.views.progress.isTraining(state)) body.push(make("p", { class: "run-name" }, name(state.session.about)));
        if (busy) body.push(...BreastAI.views.progress.bodyOf(state));
        if (key === "starting" && state.progress === null) body.push(make("p", { class: "run-stage", text: t("run.starting_text") }));
        if (key === "lost") body.push(make("p", { class: "banner warning", text: t("run.lost_text") }));
        if (key === "unknown") body.push(make("p", { class: "banner warning", text: t("run.unknown_text") }));
        if (!busy) body.push(outcomeOf(state), tradeOffOf(state));
        fill(byId("run-body"), ...body);

        // Screen readers hear of states and epochs, not of every batch.
        const latest = own ? run?.epochs.at(-1) : undefined;
        const heard = busy && latest ? `${t(`state.${key}`)} · ${t("run.epoch_of", { epoch: latest.epoch, epochs: latest.epochs })}` : t(`state.${key}`);
        if (heard !== announced) byId("run-announcement").textContent = announced = heard;
      },
      /** @param {State} state */
      slice: (state) => [state.run, state.study, state.progress, state.done, state.step, state.session, isStarting(state), state.connection.phase],
    };
  }

  BreastAI.views.run = { create, stateKey };
})();
