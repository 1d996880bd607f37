/* An evaluation at a glance: AUC, sensitivity and specificity of the target class with their intervals, and each class by measure. */
(function () {
  "use strict";

  const { make, label, table, figureCell, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;
  const MEASURES = ["auc_roc", "sensitivity", "specificity", "precision", "npv"];

  /** The class in question, where there is one. @param {Wire.Evaluation | Wire.Evidence} found @returns {string | null} */
  function targetOf(found) {
    return found.operating_point?.class_name ?? found.target?.class_name ?? null;
  }

  /** Where a value and its interval lie between 0 and 1. @param {Wire.Figure} figure */
  function bar(figure) {
    const element = make("span", { class: "interval-bar", attributes: { "aria-hidden": "true" } }, make("span", { class: "interval-range" }), make("span", { class: "interval-point" }));
    const low = figure.low ?? figure.value ?? 0;
    element.style.setProperty("--low", String(low));
    element.style.setProperty("--high", String(figure.high ?? 1));
    element.style.setProperty("--value", String(figure.value ?? 0));
    return element;
  }

  /** @param {string} words @param {Wire.Figure} figure @param {string} note */
  function tile(words, figure, note) {
    return make("div", { class: "tile" }, make("span", { class: "tile-label", text: words }), make("span", { class: "tile-value", text: format.figure(figure.value) }), bar(figure), make("span", { class: "tile-note", text: `${format.interval(figure)} · n ${format.integer(figure.n)}` }), make("span", { class: "tile-note", text: note }));
  }

  /** @param {Wire.Evaluation | Wire.Evidence} found */
  function stripOf(found) {
    const target = targetOf(found);
    const point = found.operating_point;
    const auc = found.figures[`auc_roc.${target}`] ?? found.figures.auc_roc;
    const at = point === null ? t("strip.most_probable") : t("strip.at_threshold", { threshold: format.figure(point.threshold) });
    /** @param {string} measure */
    const of = (measure) => point?.figures[measure] ?? found.figures[`${measure}.${target}`];
    const rows = /** @type {[string, Wire.Figure | undefined, string][]} */ ([["auc_roc", auc, t("strip.all_thresholds")], ["sensitivity", of("sensitivity"), at], ["specificity", of("specificity"), at]]);
    const shown = rows.flatMap(([measure, figure, note]) => (figure === undefined ? [] : [tile(t(`metric.${measure}`), figure, note)]));
    const head = target === null ? null : make("p", { class: "muted" }, t("strip.of"), " ", make("b", {}, label(target)));
    return make("div", {}, head, make("div", { class: "tiles strip" }, ...shown));
  }

  /** Each class by measure. @param {Wire.Evaluation} found */
  function classesOf(found) {
    const there = MEASURES.filter((measure) => found.class_names.some((each) => found.figures[`${measure}.${each}`] !== undefined));
    if (there.length === 0) return null;
    const rows = found.class_names.map((each) => [
      label(each),
      format.integer(found.counts[each] ?? 0),
      ...there.map((measure) => figureCell(found.figures[`${measure}.${each}`])),
    ]);
    const caption = t("strip.by_class");
    return make("section", {}, make("h4", { text: caption }), scroller(caption, table({ caption, captionHidden: true, head: [t("data.class"), t("evaluation.n"), ...there.map((measure) => t(`metric.${measure}`))], rows, numeric: true })));
  }

  BreastAI.views.strip = { stripOf, classesOf, targetOf };
})();
