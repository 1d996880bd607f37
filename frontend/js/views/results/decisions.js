/* Two models' decisions at their thresholds: differences, McNemar's tests, and margins stated beforehand. */
(function () {
  "use strict";

  const { make, table, scroller } = BreastAI.elements;
  const { t, className } = BreastAI.i18n;
  const { format } = BreastAI;

  /** A figure's name in words: net_benefit.clinic@patient. @param {string} full */
  function figureName(full) {
    const [figure, where] = full.split("@");
    const [base, rest] = figure.split(".");
    const key = base === "net_benefit" ? "comparison.net_benefit" : `metric.${base}`;
    const place = rest === undefined ? "" : ` (${BreastAI.i18n.has(`prevalence.${rest}`) ? t(`prevalence.${rest}`) : rest})`;
    return `${t(key)}${place}${where === "patient" ? ` · ${t("evaluation.by_patient")}` : ""}`;
  }

  /** @param {Wire.DecisionComparison} found @returns {Node[]} */
  function decisionsOf(found) {
    const { pValue } = BreastAI.views.comparison;
    const told = t(`comparison.points.${found.source}`, { name: className(found.class_name), first: format.figure(found.first_threshold), second: format.figure(found.second_threshold), part: found.chosen_on ?? "" });
    const rows = Object.entries(found.figures).map(([full, pair]) => [figureName(full), format.figure(pair.first), format.figure(pair.second), format.figure(pair.difference.value), format.interval(pair.difference), pair.bootstrap === null ? format.NONE : format.interval(pair.bootstrap)]);
    const head = ["evaluation.figure", "comparison.first", "comparison.second", "comparison.difference", "evaluation.interval_head", "comparison.bootstrap"].map((key) => t(key));
    const tests = Object.entries(found.mcnemar).map(([full, test]) => [figureName(full), format.integer(test.first_only), format.integer(test.second_only), pValue(test.p_value), pValue(test.adjusted_p)]);
    const heads = ["evaluation.figure", "comparison.first_only", "comparison.second_only", "comparison.p", "comparison.adjusted"].map((key) => t(key));
    const captions = [t("comparison.decisions"), t("comparison.mcnemar")];
    return [
      make("p", { text: told }),
      scroller(captions[0], table({ caption: captions[0], head, rows, numeric: true, class: "stacking" })),
      make("p", { class: "muted", text: t("comparison.net_benefit_help", { exchange: format.figure(found.exchange) }) }),
      scroller(captions[1], table({ caption: captions[1], head: heads, rows: tests, numeric: true, class: "stacking" })),
    ];
  }

  /** @param {Wire.NonInferiority[]} judged */
  function marginsOf(judged) {
    if (judged.length === 0) return null;
    const lines = judged.map((each) => {
      const verdict = each.shown === null ? "undefined" : each.shown ? "shown" : "not_shown";
      const said = t(`comparison.margin.${verdict}`, { figure: figureName(each.figure), margin: format.figure(each.margin), bound: format.figure(each.bound) });
      const others = each.others.map(({ margin, stated }) => t("comparison.margin.other", { margin: format.figure(margin), time: format.date(stated) }));
      return make("li", { text: [said, t(`comparison.margin.${each.beforehand ? "beforehand" : "at_once"}`, { time: format.date(each.stated) }), ...others].join(" ") });
    });
    return make("ul", {}, ...lines);
  }

  BreastAI.views.decisions = { decisionsOf, marginsOf };
})();
