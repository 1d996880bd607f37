/* Two models on the same images: their AUCs by DeLong's paired test, the other figures by leaving out each patient in turn. */
(function () {
  "use strict";

  const { byId, make, fill, name, said, table, scroller } = BreastAI.elements;
  const { t, className } = BreastAI.i18n;
  const { format } = BreastAI;

  /** A p-value as it is read: never 0. @param {number | null} value */
  function pValue(value) {
    if (value === null) return format.NONE;
    return value < 0.001 ? t("comparison.p_small", { limit: format.figure(0.001) }) : format.figure(value);
  }

  /** In plain words what the AUCs say. @param {Wire.Comparison | Wire.ComparisonRecord} found @param {string} full */
  function verdictOf(found, full) {
    const pair = found.figures[full];
    const { low, high, value } = pair.difference;
    if (low === null || high === null || value === null) return null;
    const key = low > 0 ? "comparison.first_better" : high < 0 ? "comparison.second_better" : "comparison.undecided";
    const class_name = className(full.slice("auc_roc.".length));
    return make("li", { text: t(key, { class_name, first: found.first, second: found.second, p: pValue(pair.p_value) }) });
  }

  /** @param {Wire.Comparison | Wire.ComparisonRecord} found @returns {(Node | null)[]} */
  function bodyOf(found) {
    const names = Object.keys(found.figures);
    const rows = names.map((full) => {
      const { first, second, difference, p_value, adjusted_p } = found.figures[full];
      return [BreastAI.views.evaluation.wordsOf(full), format.figure(first), format.figure(second), format.figure(difference.value), format.interval(difference), pValue(p_value), pValue(adjusted_p)];
    });
    const head = [t("evaluation.figure"), name(found.first), name(found.second), t("comparison.difference"), t("evaluation.interval_head"), t("comparison.p"), t("comparison.adjusted")];
    const verdicts = names.filter((full) => full.startsWith("auc_roc.") && found.class_names.includes(full.slice("auc_roc.".length))).map((full) => verdictOf(found, full));
    return [
      make("p", {}, name(found.first), " · ", name(found.second), " · ", t("evaluation.on", { n: found.n })),
      make("ul", {}, ...verdicts),
      scroller(t("comparison.title"), table({ caption: t("comparison.title"), captionHidden: true, head, rows, numeric: true, class: "stacking" })),
      make("p", { class: "muted", text: t("comparison.how") }),
      ...(found.decisions === null ? [] : BreastAI.views.decisions.decisionsOf(found.decisions)),
      BreastAI.views.decisions.marginsOf(found.non_inferiority),
      make("ul", { class: "muted" }, ...found.notes.map((note) => make("li", {}, said(note)))),
    ];
  }

  /** @param {Context} context */
  function create({ connection, store }) {
    const other = /** @type {HTMLSelectElement} */ (byId("compare-with"));
    const folder = /** @type {HTMLInputElement} */ (byId("evaluate-path"));
    const split = /** @type {HTMLSelectElement} */ (byId("evaluate-split"));

    byId("compare-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const first = store.state().session.currentModel;
      const data = folder.value.trim();
      if (first === null || other.value === "" || data === "") return;
      const asked = { first, second: other.value, data };
      connection.request("compare_models", split.value === "" ? asked : { ...asked, split: split.value }).catch(() => {});
    });

    return {
      within: "evaluation",
      /** @param {State} state */
      render(state) {
        const current = state.session.currentModel;
        const others = (state.checkpoints ?? []).filter((entry) => entry.problem === null && entry.checkpoint !== current);
        const chosen = other.value;
        fill(other, ...others.map((entry) => make("option", { text: entry.checkpoint, attributes: { value: entry.checkpoint } })));
        if (others.some((entry) => entry.checkpoint === chosen)) other.value = chosen;
        const button = /** @type {HTMLElement} */ (byId("compare-form").querySelector("[data-action=compare_models]"));
        button.dataset.blocked = current === null ? "reason.no_model" : others.length === 0 ? "reason.no_other_model" : "";
        byId("comparison-card").hidden = state.comparison === null;
        if (state.comparison !== null) fill(byId("comparison-body"), ...bodyOf(state.comparison));
      },
      /** @param {State} state */
      slice: (state) => [state.comparison, state.checkpoints, state.session.currentModel],
    };
  }

  BreastAI.views.comparison = { create, pValue };
})();
