/* Planning a study: how many patients it needs, by each criterion. */
(function () {
  "use strict";

  const { byId, make, fill, table, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;
  /** By how much optimism and the overall risk may be off, by Riley's criteria. */
  const MARGIN = 0.05;

  /** What a criterion asks for: how wide an interval may be, or how far something may be off. @param {Wire.StudyPlan["assumptions"]} wanted @param {string} criterion */
  function targetOf(wanted, criterion) {
    const widths = /** @type {Record<string, number>} */ ({ observed_expected: wanted.oe_width, calibration_slope: wanted.slope_width, auc: wanted.auc_width, sensitivity: wanted.share_width, specificity: wanted.share_width });
    if (widths[criterion] !== undefined) return t("plan.target.width", { width: format.number(widths[criterion], 2) });
    return criterion === "shrinkage" ? t("plan.target.shrinkage", { least: format.number(wanted.shrinkage, 2) }) : t("plan.target.margin", { most: format.number(MARGIN, 2) });
  }

  /** @param {Wire.StudyPlan} plan @returns {Node[]} */
  function bodyOf(plan) {
    const head = ["plan.criterion", "plan.target", "plan.cases", "evaluation.n", "plan.patients"].map((key) => t(key));
    const rows = plan.needs.map((need) => [t(`plan.criterion.${need.criterion}`), targetOf(plan.assumptions, need.criterion), format.integer(need.cases), format.integer(need.images), format.integer(need.patients)]);
    const needs = { patients: format.integer(plan.patients), images: format.integer(plan.images), positive: format.integer(plan.positive_images) };
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
