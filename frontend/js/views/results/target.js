/* The class in question: how far its probability can be taken at its word, how it is distributed, what it is worth. */
(function () {
  "use strict";

  const { make } = BreastAI.elements;
  const { t, className } = BreastAI.i18n;
  const { format } = BreastAI;

  /** Below it a threshold is of no use to anybody, and its curve would press all others flat; in units of the prevalence. */
  const LEAST_NET_BENEFIT = -0.15;
  /** A threshold so many times the prevalence is nobody's. */
  const MOST_THRESHOLD = 6;

  /** @typedef {{ name: string, title: string, x: string, y: string, lines: Line[], unit: boolean, fromZero?: boolean }} TargetChart */

  /** @param {Wire.Curve} curve @param {string} x @param {string} y @returns {Point[]} */
  function pointsOf(curve, x, y) {
    const ys = curve[y] ?? [];
    return (curve[x] ?? []).map((value, index) => ({ x: value ?? 0, y: ys[index] ?? null }));
  }

  /** A curve with its band, if it has one. @param {Wire.Curve} curve @param {string} x @param {string} y @param {string} label @returns {Line[]} */
  function banded(curve, x, y, label) {
    const line = { label, points: pointsOf(curve, x, y) };
    const [low, high] = ["low", "high"].map((bound) => pointsOf(curve, x, bound));
    if (low.every((point) => point.y === null)) return [line];
    const bounds = [{ label: t("target.low", { name: label }), points: low, edgeOf: 0 }, { label: t("target.high", { name: label }), points: high, band: true, edgeOf: 0 }];
    return [{ ...line, label: t("target.with_band", { name: label }) }, ...bounds];
  }

  /** The operating point as an upright line. @param {Wire.Evaluation} found @param {number} height @returns {Line[]} */
  function thresholdOf({ operating_point: point }, height) {
    if (point === null) return [];
    return [{ label: t("target.threshold", { threshold: format.figure(point.threshold) }), points: [0, height].map((y) => ({ x: point.threshold, y })) }];
  }

  /** @param {Wire.Evaluation} found @param {Wire.TargetEvidence} target @returns {TargetChart} */
  function calibrationChart(found, target) {
    const perfect = { label: t("target.perfect"), points: [{ x: 0, y: 0 }, { x: 1, y: 1 }], reference: true };
    const lines = [...banded(target.calibration.smoothed, "probability", "observed", t("target.observed")), perfect, ...thresholdOf(found, 1)];
    return { name: "calibration", title: t("target.calibration", { name: className(target.class_name) }), x: t("target.probability", { name: className(target.class_name) }), y: t("target.share_observed"), lines, unit: true };
  }

  /** @param {Wire.Evaluation} found @param {Wire.TargetEvidence} target @returns {TargetChart} */
  function outcomesChart(found, target) {
    const lines = Object.entries(target.by_outcome)
      .filter(([, { n }]) => n > 0)
      .map(([label, { n, counts }]) => ({ label: `${className(label)} (${format.integer(n)})`, points: counts.flatMap((count, bin) => [bin, bin + 1].map((edge) => ({ x: edge / counts.length, y: count / n }))) }));
    const highest = Math.max(...lines.flatMap(({ points }) => points.map(({ y }) => y)), 0.1);
    return { name: "outcomes", title: t("target.outcomes", { name: className(target.class_name) }), x: t("target.probability", { name: className(target.class_name) }), y: t("target.share_of_class"), lines: [...lines, ...thresholdOf(found, highest)], unit: false, fromZero: true };
  }

  /** What calling by the model is worth beside calling all or none, as far as it is worth looking at.
   * @param {Wire.Curve} curve @param {string} name @param {string} title @param {number} most @returns {TargetChart} */
  function decisionChart(curve, name, title, most) {
    const lines = [...banded(curve, "threshold", "model", t("evaluation.by_model")), ...["all", "none"].map((column) => ({ label: t(`evaluation.call_${column}`), points: pointsOf(curve, "threshold", column) }))];
    const highest = Math.max(...lines.flatMap(({ points }) => points.map(({ y }) => y ?? 0)), 0);
    const seen = lines.map((line) => ({ ...line, points: line.points.filter(({ x, y }) => y !== null && x <= most && y >= LEAST_NET_BENEFIT * highest) }));
    return { name, title, x: t("evaluation.threshold"), y: t("evaluation.net_benefit"), lines: seen, unit: false };
  }

  /** The decision curve of records that hold nothing else of the class in question. @param {Wire.Evaluation} found @returns {TargetChart[]} */
  function chartsWithoutTarget({ decision, operating_point: point }) {
    if (point === null || !decision.threshold?.length) return [];
    return [decisionChart(decision, "decision", t("target.decision", { name: className(point.class_name) }), 1)];
  }

  /** @param {Wire.Evaluation} found @returns {TargetChart[]} */
  function chartsOf(found) {
    const target = found.target ?? null;
    if (target === null) return chartsWithoutTarget(found);
    const drawn = [calibrationChart(found, target), outcomesChart(found, target)].filter(({ lines }) => lines[0]?.points.length);
    if (target.decision.threshold?.length) drawn.push(decisionChart(target.decision, "decision", t("target.decision", { name: className(target.class_name) }), 1));
    for (const [place, curve] of Object.entries(target.decision_at)) {
      const prevalence = found.prevalences[place];
      if (prevalence === undefined || !curve.threshold?.length) continue;
      const where = BreastAI.i18n.has(`prevalence.${place}`) ? t(`prevalence.${place}`) : place;
      const title = t("target.decision_at", { name: className(target.class_name), place: where, prevalence: format.percent(prevalence, 1) });
      drawn.push(decisionChart(curve, `decision_${place}`, title, Math.min(1, MOST_THRESHOLD * prevalence)));
    }
    return drawn;
  }

  /** Slope, intercept and ratio in a table, in words what they mean. @param {Wire.Evaluation} found */
  function targetOf(found) {
    const target = found.target ?? null;
    if (target === null) return null;
    const { slope, intercept, observed_expected } = target.calibration;
    const figures = /** @type {[string, Wire.Figure][]} */ (Object.entries({ slope, intercept, observed_expected }).map(([name, figure]) => [t(`target.${name}`), figure]));
    const caption = t("target.title", { name: className(target.class_name) });
    return make("section", {}, make("h4", { text: caption }), make("p", { class: "muted", text: t("target.help") }), BreastAI.views.judged.figuresTable(caption, figures, true));
  }

  BreastAI.views.target = { targetOf, chartsOf };
})();
