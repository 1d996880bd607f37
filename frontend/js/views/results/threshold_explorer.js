/* What another threshold would have done on the images judged: a slider moves the counts, and a typed prevalence the predictive values. */
(function () {
  "use strict";

  const { byId, fill, label, make, table, scroller, terms } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** What a threshold does: cases flagged and not, of the class in question and of the others. */
  /** @typedef {{ threshold: number, sensitivity: number, falsePositives: number }} Place */

  /** What the frozen point did on these images; the curve is thinned and need not have it. @param {Wire.JudgedPoint | null} point @param {string} target @returns {Place[]} */
  function pointOf(point, target) {
    if (point === null || point.class_name !== target || point.positives === 0 || point.negatives === 0) return [];
    return [{ threshold: point.threshold, sensitivity: 1 - point.missed / point.positives, falsePositives: point.called / point.negatives }];
  }

  /**
   * The places on the ROC curve that have a threshold, and the frozen one, from the lowest on.
   * @param {Wire.Curve | undefined} roc @param {Wire.JudgedPoint | null} point @param {string} target @returns {Place[]}
   */
  function placesOf(roc, point, target) {
    if (roc === undefined) return [];
    const found = (roc.threshold ?? []).map((threshold, index) => ({ threshold: Number(threshold), known: threshold !== null, sensitivity: Number(roc.sensitivity?.[index] ?? 0), falsePositives: Number(roc.false_positive_rate?.[index] ?? 0) }));
    const onCurve = found.filter(({ known }) => known);
    if (onCurve.length < 2) return onCurve;
    const own = pointOf(point, target);
    return [...onCurve.filter(({ threshold }) => !own.some((place) => place.threshold === threshold)), ...own].sort((first, second) => first.threshold - second.threshold);
  }

  /**
   * Predictive values where the class is so common, by Bayes; null where nothing is flagged, or nothing is not.
   * @param {number} sensitivity @param {number} specificity @param {number} prevalence
   */
  function predictive(sensitivity, specificity, prevalence) {
    const right = sensitivity * prevalence;
    const wrong = (1 - specificity) * (1 - prevalence);
    const clear = specificity * (1 - prevalence);
    const missed = (1 - sensitivity) * prevalence;
    return { ppv: right + wrong > 0 ? right / (right + wrong) : null, npv: clear + missed > 0 ? clear / (clear + missed) : null };
  }

  /** @param {(place: Point | null) => void} moved told where on the ROC curve the slider stands */
  function create(moved) {
    const slider = /** @type {HTMLInputElement} */ (byId("explorer-threshold"));
    const prevalence = /** @type {HTMLInputElement} */ (byId("explorer-prevalence"));
    /** @type {Wire.Evaluation | null} */
    let found = null;
    let target = "";
    /** @type {Place[]} */
    let places = [];

    /** The place nearest to the threshold that was frozen; the middle without one. */
    function frozen() {
      const point = found?.operating_point ?? null;
      if (point === null) return Math.floor(places.length / 2);
      return places.reduce((best, place, index) => (Math.abs(place.threshold - point.threshold) < Math.abs(places[best].threshold - point.threshold) ? index : best), 0);
    }

    function draw() {
      const place = places[Number(slider.value)];
      if (found === null || place === undefined) return;
      const positives = found.counts[target] ?? 0;
      const negatives = Object.values(found.counts).reduce((sum, count) => sum + count, 0) - positives;
      const hit = Math.round(place.sensitivity * positives);
      const alarms = Math.round(place.falsePositives * negatives);
      const specificity = 1 - place.falsePositives;
      const share = Math.min(0.999, Math.max(0.0001, Number(prevalence.value.replace(",", ".")) / 100 || 0));
      const { ppv, npv } = predictive(place.sensitivity, specificity, share);
      byId("explorer-told").textContent = format.figure(place.threshold);
      slider.setAttribute("aria-valuetext", format.figure(place.threshold));
      const head = [t("explorer.actual"), t("explorer.flagged"), t("explorer.not_flagged")];
      const rows = [
        [label(target), format.integer(hit), format.integer(positives - hit)],
        [t("explorer.others"), format.integer(alarms), format.integer(negatives - alarms)],
      ];
      fill(
        byId("explorer-body"),
        make("div", {}, scroller(t("confusion.title"), table({ caption: t("explorer.caption"), head, rows, numeric: true }))),
        terms([
          [t("metric.sensitivity"), format.figure(place.sensitivity)],
          [t("metric.specificity"), format.figure(specificity)],
          [t("explorer.ppv"), format.figure(ppv)],
          [t("explorer.npv"), format.figure(npv)],
        ]),
      );
      moved({ x: place.falsePositives, y: place.sensitivity });
    }

    slider.addEventListener("input", draw);
    prevalence.addEventListener("input", draw);
    byId("explorer-frozen").addEventListener("click", () => {
      slider.value = String(frozen());
      draw();
    });

    return {
      /** @param {Wire.Evaluation} evaluation */
      show(evaluation) {
        const isNew = evaluation !== found;
        found = evaluation;
        target = BreastAI.views.strip.targetOf(evaluation) ?? "";
        places = placesOf(evaluation.roc[target], evaluation.operating_point, target);
        byId("explorer-card").hidden = places.length < 2;
        if (places.length < 2) return moved(null);
        slider.max = String(places.length - 1);
        if (isNew) {
          slider.value = String(frozen());
          const all = Object.values(evaluation.counts).reduce((sum, count) => sum + count, 0);
          prevalence.value = String(Math.round((1000 * (evaluation.counts[target] ?? 0)) / Math.max(1, all)) / 10);
        }
        byId("explorer-frozen").textContent = t(evaluation.operating_point === null ? "explorer.middle" : "explorer.frozen");
        draw();
      },
    };
  }

  BreastAI.views.thresholdExplorer = { create, predictive };
})();
