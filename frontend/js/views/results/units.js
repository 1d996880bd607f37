/* An evaluation by breast, exam or patient: how images become one answer, its figures, its confusion matrix. */
(function () {
  "use strict";

  const { make, scroller } = BreastAI.elements;
  const { t, className } = BreastAI.i18n;
  const { format } = BreastAI;

  /** What the threshold comes to, in a sentence. @param {Wire.JudgedPoint | null} point */
  function pointOf(point) {
    if (point === null) return null;
    return make("p", { class: "banner", text: t("units.point", { name: className(point.class_name), missed: point.missed, positives: format.integer(point.positives), called: point.called, negatives: point.negatives, threshold: format.figure(point.threshold), target: format.percent(point.target_sensitivity, 0) }) });
  }

  /** The figures where decisions are of a breast, an exam or a patient; null where they are of images. @param {Wire.Evaluation} found */
  function unitsOf({ by_unit: judged }) {
    if ((judged ?? null) === null) return null;
    const { unit, pooling, images, mixed, evidence } = /** @type {Wire.UnitEvidence} */ (judged);
    const units = t(`units.${unit}`);
    const counts = { n: evidence.n, units, images, patients: evidence.patients, pooling: t(`units.pooling.${pooling}`) };
    const title = t("units.matrix", { units });
    return make(
      "section",
      { class: "by-unit", attributes: { "aria-label": t(`units.by.${unit}`) } },
      make("h4", { text: t(`units.by.${unit}`) }),
      make("p", { class: "muted", text: t(unit === "patient" ? "units.how.patient" : "units.how", counts) }),
      mixed === 0 ? null : make("p", { class: "muted", text: t("units.mixed", { mixed: format.integer(mixed), units }) }),
      BreastAI.views.strip.stripOf(evidence),
      pointOf(evidence.operating_point),
      make("details", {}, make("summary", { text: title }), scroller(title, BreastAI.views.classes.confusionTable(evidence.confusion_matrix, evidence.class_names))),
    );
  }

  BreastAI.views.units = { unitsOf };
})();
