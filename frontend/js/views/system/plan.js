/* Planning a study: how many patients it needs, by each criterion. */
(function () {
  "use strict";

  const { byId, make, fill, table, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;
  /** Of the criteria that ask for no width of an interval: the sentence that says what they ask for. @type {Record<string, string>} */
  const SENTENCES = { shrinkage: "plan.target.shrinkage", optimism: "plan.target.margin", overall_risk: "plan.target.margin" };

  /** What a criterion asks for: how wide an interval may be, or how far something may be off. @param {Wire.StudyPlan["needs"][number]} need */
  function targetOf({ criterion, target }) {
    const value = format.number(target, 2);
    return t(SENTENCES[criterion] ?? "plan.target.width", { width: value, most: value, least: value });
  }

  /** @param {Wire.StudyPlan} plan @returns {Node[]} */
  function bodyOf(plan) {
    const head = ["plan.criterion", "plan.target", "plan.cases", "evaluation.n", "plan.patients"].map((key) => t(key));
    const rows = plan.needs.map((need) => [t(`plan.criterion.${need.criterion}`), targetOf(need), format.integer(need.cases), format.integer(need.images), format.integer(need.patients)]);
    const needs = { patients: plan.patients, images: plan.images, positive: plan.positive_images };
    return [make("p", {}, make("strong", { text: t("plan.needs", needs) })), scroller(t("plan.title"), table({ caption: t("plan.title"), captionHidden: true, head, rows, numeric: true, class: "stacking" }))];
  }

  /** @param {Context} context */
  function create({ connection }) {
    byId("plan-form").addEventListener("submit", (event) => {
      event.preventDefault();
      /** @type {Record<string, string | number>} */
      const assumptions = {};
      for (const field of ["purpose", "prevalence", "auc", "sensitivity", "specificity", "parameters", "images_per_patient"]) {
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
