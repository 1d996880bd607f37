/* The run: its state, how far it is, how long it will take, stopping it, and how it ended. */
(function () {
  "use strict";

  const { byId, make, fill, name, table, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /**
   * The state to show: the session's, or how the run on the page ended.
   * @param {State} state
   */
  function stateKey(state) {
    const starting = ["start_training", "resume_training", "start_crossval", "resume_study"].some((request) => BreastAI.store.isPending(state, request));
    if (state.connection.phase !== "connected" && state.session.state !== "idle") return "lost";
    if (state.session.state !== "idle") return state.session.state;
    if (starting) return "starting";
    const run = state.run;
    if (run === null) return "idle";
    if (run.outcome === null) return "unknown";
    if (run.outcome.type === "training_complete") return "complete";
    return run.outcome.type === "training_stopped" && run.outcome.reason !== "error" ? "stopped" : "failed";
  }

  /** Whether a study is in progress: then the run of the page is an earlier one. @param {State} state */
  function isStudying(state) {
    return state.session.state !== "idle" && state.study?.state === "running";
  }

  /** Whether the run of the page is one before the training that begins, which has no name yet: its images are copied, say. @param {State} state */
  function isBefore(state) {
    return state.session.state !== "idle" && state.session.job === "train" && state.run !== null && state.run.outcome !== null;
  }

  /** Share of the whole run that is done, when it can be known. @param {State} state @returns {number | null} */
  function share(state) {
    const { progress, run } = state;
    if (progress === null) return null;
    if (progress.progress !== null) return progress.progress;
    const epochs = progress.epochs ?? run?.started?.epochs ?? null;
    if (progress.epoch === null || epochs === null) return null;
    const batches = progress.batch_progress;
    const within = batches === null ? 0 : batches.batch / Math.max(1, batches.total_batches);
    return Math.min(1, (progress.epoch - 1 + within) / epochs);
  }

  /** @param {string} label @param {number | null} value @param {string} text */
  function bar(label, value, text) {
    const progress = make("progress", { attributes: { max: 1, "aria-label": label, value: value ?? null } });
    return make("div", { class: "progress-line" }, make("span", { class: "progress-label", text: label }), progress, make("span", { class: "progress-value", text }));
  }

  /** @param {State} state @returns {Node[]} */
  function progressOf(state) {
    const { progress, run } = state;
    const whole = t(run !== null && ["train", "resume", null].includes(state.session.job) ? "run.whole" : "run.job");
    if (progress === null) return [bar(whole, null, "")];
    const lines = [];
    const done = share(state);
    lines.push(bar(whole, done, done === null ? "" : format.percent(done)));
    const batches = progress.batch_progress;
    if (batches !== null) {
      const counts = t("run.of", { n: format.integer(batches.batch), total: format.integer(batches.total_batches) });
      // Training goes by batches and the choice of a plan by measurements; the other stages count images.
      const counted = /** @type {Record<string, string>} */ ({ training: "run.batches", tuning: "run.measurements" });
      lines.push(bar(t(counted[progress.stage] ?? "run.images"), batches.batch / Math.max(1, batches.total_batches), counts));
    }
    const parts = [t(`stage.${progress.stage}`)];
    const epochs = progress.epochs ?? run?.started?.epochs ?? null;
    if (progress.epoch !== null && epochs !== null) {
      parts.push(t("run.epoch_of", { epoch: format.integer(progress.epoch), epochs: format.integer(epochs) }));
    } else {
      const words = BreastAI.i18n.say(progress.text ?? progress.message);
      if (words) parts.push(words);
    }
    if (batches !== null && batches.current_loss !== null) parts.push(`${t("figure.loss_now")} ${format.figure(batches.current_loss)}`);
    const left = progress.eta_s ?? (isStudying(state) || (run !== null && run.outcome !== null) ? null : run?.epochs.at(-1)?.eta_s ?? null);
    const line = make("p", { class: "run-stage" }, make("span", { text: parts.join(" · ") }));
    if (left !== null) line.append(make("span", { class: "time-left", text: t("run.left", { time: format.duration(left) }) }));
    return [...lines, line];
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
      const text = t(BreastAI.store.stoppedKey(outcome), { epoch: outcome.epoch, checkpoint: outcome.checkpoint });
      return make("p", { class: `banner ${outcome.reason === "error" ? "error" : "warning"}`, text });
    }
    return make("p", { class: "banner error", text: BreastAI.i18n.errorText(outcome) });
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

  /** @param {Context} context */
  function create({ connection, store }) {
    const stop = /** @type {HTMLButtonElement} */ (document.querySelector("[data-action=stop_training]"));
    let announced = "";

    stop.addEventListener("click", async () => {
      if (store.state().session.state === "stopping") {
        const yes = await BreastAI.views.dialog.ask({ title: t("run.kill_title"), text: t("run.kill_text"), confirm: t("run.kill"), danger: true });
        if (!yes || store.state().session.state === "idle") return;
      }
      connection.request("stop_training").catch(() => {});
    });

    return {
      /** @param {State} state */
      render(state) {
        const key = stateKey(state);
        const busy = ["starting", "running", "stopping"].includes(key);
        const pill = byId("run-state");
        pill.className = `pill run-${key}`;
        pill.textContent = t(`state.${key}`);
        stop.textContent = t(state.session.state === "stopping" ? "run.kill" : "run.stop");
        byId("view-training").classList.toggle("is-running", busy);

        const run = state.run;
        /** @type {(Node | null)[]} */
        const body = [];
        if (run === null && !busy) body.push(...welcome());
        if (isStudying(state)) body.push(make("p", { class: "run-name" }, name(state.study?.study_id ?? "")));
        else if (run !== null && run.started !== null && !isBefore(state)) {
          const line = make("p", { class: "run-name" }, name(run.id), make("span", { class: "muted", text: run.started.architecture }));
          body.push(line);
        }
        if (busy) body.push(...progressOf(state));
        if (key === "starting" && state.progress === null) body.push(make("p", { class: "run-stage", text: t("run.starting_text") }));
        if (key === "lost") body.push(make("p", { class: "banner warning", text: t("run.lost_text") }));
        if (key === "unknown") body.push(make("p", { class: "banner warning", text: t("run.unknown_text") }));
        if (!busy) body.push(outcomeOf(state), tradeOffOf(state));
        fill(byId("run-body"), ...body);

        // Screen readers hear of states and epochs, not of every batch.
        const latest = isStudying(state) ? undefined : run?.epochs.at(-1);
        const heard = busy && latest ? `${t(`state.${key}`)} · ${t("run.epoch_of", { epoch: latest.epoch, epochs: latest.epochs })}` : t(`state.${key}`);
        if (heard !== announced) byId("run-announcement").textContent = announced = heard;
        document.title = busy && share(state) !== null ? `${format.percent(share(state))} · BreastAI` : "BreastAI";
      },
      /** @param {State} state */
      slice: (state) => [state.run, state.study, state.progress, state.session, state.pending, state.connection.phase],
    };
  }

  BreastAI.views.run = { create, stateKey, share };
})();
