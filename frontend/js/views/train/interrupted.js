/* Runs that were interrupted: what happened to each, and the offer to go on. */
(function () {
  "use strict";

  const { byId, make, fill, name, said, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {Context} context */
  function create({ connection }) {
    /** @param {Wire.InterruptedRun} run */
    function rowOf(run) {
      const done = t("interrupted.done", { epoch: run.epoch, epochs: run.epochs });
      /** @param {string} action @param {string} key @param {Record<string, string>} fields @param {string} kind */
      const button = (action, key, fields, kind) =>
        actionButton(action, t(key), {
          class: `small ${kind}`,
          attributes: { "aria-label": `${t(key)} ${run.run_id}` },
          on: { click: () => connection.request(action, fields).catch(() => {}) },
        });
      return make(
        "li",
        { class: "interrupted-run" },
        make("p", {}, name(run.run_id), ` · ${done}`, run.time === null ? "" : ` · ${format.date(run.time)}`),
        make("p", { class: "muted", text: t(`interrupted.${run.cause}`) }),
        run.reason === "" ? null : make("p", { class: "muted" }, said(run.reason)),
        make(
          "div",
          { class: "button-row" },
          button("resume_training", "interrupted.go_on", { checkpoint: run.run_id }, "primary"),
          button("dismiss_run", "interrupted.leave", { run_id: run.run_id }, ""),
        ),
      );
    }

    return {
      within: "training",
      /** @param {State} state */
      render(state) {
        // The run that goes on now is on its way out of the list.
        const runs = state.interrupted.filter((run) => state.session.state === "idle" || run.run_id !== state.run?.id);
        byId("interrupted").hidden = runs.length === 0;
        fill(byId("interrupted-list"), ...runs.slice(0, 3).map(rowOf));
        byId("interrupted-more").textContent = runs.length > 3 ? t("interrupted.more", { count: runs.length - 3 }) : "";
      },
      /** @param {State} state */
      slice: (state) => [state.interrupted, state.session.state, state.run?.id],
    };
  }

  BreastAI.views.interrupted = { create };
})();
