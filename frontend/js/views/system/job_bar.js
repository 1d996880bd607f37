/* The bar of the job, in the header of every view: what it does, of which run, how far it is, and stopping it; then what comes next. */
(function () {
  "use strict";

  const { byId, make, fill, name, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {string} job */
  function jobName(job) {
    return BreastAI.i18n.has(`job.${job}`) ? t(`job.${job}`) : job;
  }

  /** The name of what the job is about, as a link where it has a page. @param {State} state */
  function aboutOf(state) {
    const { run, about } = state.session;
    const of = run ?? about;
    if (of === null) return null;
    return run === null ? make("span", { class: "job-about" }, name(of)) : make("a", { class: "job-about", attributes: { href: BreastAI.address.ofRun(run) } }, name(of));
  }

  /** @param {Context} context */
  function create(context) {
    const { connection, store } = context;
    const stop = /** @type {HTMLButtonElement} */ (byId("job-bar").querySelector("[data-action=stop_training]"));
    /** What the text and the offers were drawn for: they keep the keyboard while the job goes on. */
    let drawnFor = "";

    stop.addEventListener("click", async () => {
      if (store.state().session.state === "stopping") {
        const yes = await BreastAI.views.dialog.ask({ title: t("run.kill_title"), text: t("run.kill_text"), confirm: t("run.kill"), danger: true });
        if (!yes || store.state().session.state === "idle") return;
      }
      connection.request("stop_training").catch(() => {});
    });

    /** @param {string} key @param {string} href */
    const link = (key, href) => make("a", { class: "button small", text: t(key), attributes: { href } });

    /** What comes after a run that has ended. @param {State} state @param {Run} run @returns {(Node | null)[]} */
    function offers(state, run) {
      const complete = run.outcome?.type === "training_complete";
      const config = run.started?.config;
      const again = config ? actionButton("adopt_settings", t("next.again"), { class: "small", on: { click: () => {
        store.dispatch({ type: "@use_config", config });
        location.hash = "#training";
      } } }) : null;
      const away = make("button", { class: "button small quiet", text: "✕", attributes: { type: "button", id: "job-dismiss", "aria-label": t("next.dismiss"), title: t("next.dismiss") }, on: { click: () => store.dispatch({ type: "@dismiss_outcome", run: run.id }) } });
      if (!complete) {
        const resumable = run.outcome?.type === "training_stopped" && run.outcome.checkpoint !== null;
        return [resumable ? actionButton("resume_training", t("checkpoints.resume"), { class: "small primary", on: { click: () => connection.request("resume_training", { checkpoint: run.id }).catch(() => {}) } }) : null, again, away];
      }
      const report = actionButton("create_report", t("next.report"), { class: "small", on: { click: () => BreastAI.servedFiles.askReport(connection, run.id) } });
      const written = state.reports.filter(({ report_of: of }) => of === run.id).at(-1);
      const opened = written === undefined ? null : BreastAI.servedFiles.opens(state, written.url, t("next.open_report"), "button small");
      const exported = link("next.export", "#checkpoints");
      exported.addEventListener("click", () => {
        const best = store.state().checkpoints?.find(({ checkpoint, problem }) => checkpoint === `${run.id}/best` && problem === null);
        if (best !== undefined) BreastAI.views.exportDialog.ask(context, best);
      });
      return [link("next.evaluate", "#evaluation"), link("next.errors", BreastAI.address.ofRun(run.id, "images")), link("next.try", "#predict"), exported, report, opened, again, away];
    }

    /** Draw the text and the offers, when they are others. @param {string} key @param {() => { text: (Node | string | null)[], next: (Node | null)[] }} parts */
    function draw(key, parts) {
      const now = `${BreastAI.i18n.current()} ${key}`;
      if (now === drawnFor) return;
      drawnFor = now;
      const { text, next } = parts();
      fill(byId("job-bar-text"), ...text);
      fill(byId("job-bar-next"), ...next);
    }

    /** @param {State} state */
    function showJob(state) {
      const { job, run, about } = state.session;
      draw(`job ${job} ${run} ${about}`, () => ({ text: [make("b", { text: jobName(job ?? "train") }), " ", aboutOf(state)], next: [] }));
      const meter = /** @type {HTMLProgressElement} */ (byId("job-bar-progress"));
      if (state.done === null) meter.removeAttribute("value");
      else meter.value = state.done;
      const told = [state.done === null ? "" : format.percent(state.done), BreastAI.views.progress.doing(state), BreastAI.views.progress.leftText(state)].filter((part) => part !== "");
      byId("job-bar-told").textContent = state.session.state === "stopping" ? t("state.stopping") : told.join(" · ") || t("state.starting");
      stop.textContent = t(state.session.state === "stopping" ? "run.kill" : "run.stop");
    }

    return {
      /** @param {State} state */
      render(state) {
        const { run, asked } = state;
        const busy = state.session.state !== "idle";
        const ended = !busy && asked === null && run !== null && run.outcome !== null && state.dismissed !== run.id;
        byId("job-bar").hidden = state.welcome === null || !(busy || ended || asked !== null);
        for (const id of ["job-bar-progress", "job-bar-told"]) byId(id).hidden = !busy;
        stop.hidden = !busy;
        if (busy) showJob(state);
        else if (asked !== null) draw(`asked ${asked.job}`, () => ({ text: [make("b", { text: t("jobbar.asked") })], next: [link("jobbar.answer", "#audit")] }));
        else if (ended) {
          const key = BreastAI.views.run.stateKey(state);
          draw(`ended ${run.id} ${key} ${run.started !== null} ${state.reports.length}`, () => ({ text: [make("span", { class: `pill run-${key}`, text: t(`state.${key}`) }), " ", make("a", { class: "job-about", attributes: { href: BreastAI.address.ofRun(run.id) } }, name(run.id))], next: offers(state, run) }));
        }
      },
      /** @param {State} state */
      slice: (state) => [state.welcome === null, state.session, state.progress, state.done, state.run, state.asked, state.dismissed, state.reports],
    };
  }

  BreastAI.views.jobBar = { create, jobName };
})();
