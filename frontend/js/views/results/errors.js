/* The gallery of a run's worst errors: what its model was most sure of, and wrong about. */
(function () {
  "use strict";

  const { byId, make, fill, label } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {Wire.WrongCase} wrong */
  function caseOf(wrong) {
    return BreastAI.views.imageCase.create(
      wrong,
      make("span", {}, `${t("errors.truth")} `, make("b", {}, label(wrong.label)), ` (${format.figure(wrong.given_to_truth)})`),
      make("span", {}, `${t("errors.said")} `, make("b", {}, label(wrong.predicted)), ` (${format.figure(wrong.probability)})`),
    );
  }

  /** @param {Wire.ErrorsShown} found @param {(run: string) => void} evaluate @returns {Node[]} */
  function bodyOf(found, evaluate) {
    if (found.data === null) {
      const button = make("button", { class: "button", text: t("errors.evaluate"), attributes: { type: "button" }, data: { action: "evaluate_model" } });
      button.addEventListener("click", () => evaluate(found.errors_of));
      return [make("p", { text: t("errors.no_evaluation") }), button];
    }
    const counts = t("errors.counts", { wrong: found.wrong, cases: found.cases, folder: found.data, shown: found.worst.length });
    const rows = [make("p", { text: counts })];
    if (found.split === "test") rows.push(make("p", { class: "banner warning", text: t("errors.on_test") }));
    return [...rows, make("ul", { class: "thumbnails wrong-cases" }, ...found.worst.map(caseOf))];
  }

  /** Judge a run's best epoch on its own validation images, then show what it got wrong. @param {Connection} connection @param {string} chosen */
  function evaluate(connection, chosen) {
    connection
      .request("evaluate_model", { checkpoint: `${chosen}/best` })
      .then((answer) => (answer.type === "evaluation" ? connection.request("show_errors", { run_id: chosen }) : undefined))
      .catch(() => {});
  }

  /** @param {Context} context */
  function create({ connection }) {
    const run = /** @type {HTMLSelectElement} */ (byId("errors-run"));

    byId("errors-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (run.value !== "") connection.request("show_errors", { run_id: run.value }).catch(() => {});
    });

    return {
      /** @param {State} state */
      render(state) {
        const runs = [...new Set((state.checkpoints ?? []).filter((entry) => entry.problem === null).map((entry) => entry.run_id))];
        const chosen = run.value;
        fill(run, ...runs.map((each) => make("option", { text: each, attributes: { value: each } })));
        if (runs.includes(chosen)) run.value = chosen;
        const button = /** @type {HTMLElement} */ (byId("errors-form").querySelector("[data-action=show_errors]"));
        button.dataset.blocked = runs.length === 0 ? "reason.no_model_to_ask" : "";
        fill(byId("errors-body"), ...(state.errors === null ? [] : bodyOf(state.errors, (of) => evaluate(connection, of))));
      },
      /** @param {State} state */
      slice: (state) => [state.errors, state.checkpoints],
    };
  }

  BreastAI.views.errors = { create };
})();
