/* Planning a study: how many patients it needs, by each criterion. */
(function () {
  "use strict";

  const { byId, make, fill, table, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {Wire.StudyPlan} plan @returns {Node[]} */
  function bodyOf(plan) {
    const head = ["plan.criterion", "plan.cases", "evaluation.n", "plan.patients"].map((key) => t(key));
    const rows = plan.needs.map((need) => [t(`plan.criterion.${need.criterion}`), format.integer(need.cases), format.integer(need.images), format.integer(need.patients)]);
    const needs = { patients: format.integer(plan.patients), images: format.integer(plan.images), positive: format.integer(plan.positive_images) };
    return [make("p", {}, make("strong", { text: t("plan.needs", needs) })), scroller(t("plan.title"), table({ caption: t("plan.title"), captionHidden: true, head, rows, numeric: true, class: "stacking" }))];
  }

  /** @param {Context} context */
  function create({ connection }) {
    byId("plan-form").addEventListener("submit", (event) => {
      event.preventDefault();
      /** @type {Record<string, string | number>} */
      const assumptions = {};
      for (const field of ["purpose", "prevalence", "auc", "parameters", "images_per_patient"]) {
        const { value } = /** @type {HTMLInputElement | HTMLSelectElement} */ (byId(`plan-${field}`));
        if (value !== "") assumptions[field] = field === "purpose" ? value : Number(value);
      }
      connection.request("plan_study", { assumptions }).catch(() => {});
    });

    return {
      within: "system",
      /** @param {State} state */
      render(state) {
        fill(byId("plan-body"), ...(state.plan === null ? [] : bodyOf(state.plan)));
      },
      /** @param {State} state */
      slice: (state) => [state.plan],
    };
  }

  BreastAI.views.plan = { create };
})();
