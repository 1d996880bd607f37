/* What an evaluation shows besides its figures: which cases, the operating point, predictive values, calibration, referral. */
(function () {
  "use strict";

  const { make, name, said, table, figureCell, scroller, terms } = BreastAI.elements;
  const { t, className, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {string} title @param {(Node | null)[]} content */
  function section(title, ...content) {
    return make("section", {}, make("h4", { text: title }), ...content);
  }

  /** @param {string} caption @param {[string | Node, Wire.Figure][]} figures @param {boolean} captionHidden @param {string} [counted] what each figure rests on */
  function figuresTable(caption, figures, captionHidden, counted = "evaluation.n") {
    const head = ["evaluation.figure", "evaluation.value", "evaluation.interval_head", counted].map((key) => t(key));
    const rows = figures.map(([words, figure]) => [words, format.figure(figure.value), format.interval(figure), format.integer(figure.n)]);
    return scroller(caption, table({ caption, captionHidden, head, rows, numeric: true }));
  }

  /** That none of the judged images was used for anything else, or for what. @param {Wire.Evaluation} found */
  function allUsesOf(found) {
    const none = found.uses !== null && Object.values(found.uses).every((count) => count === 0);
    return none ? make("p", { class: "muted", text: t("uses.none") }) : usesOf(found, "training", "epoch", "temperature", "threshold", "conformal_sets", "novelty");
  }

  /** What the judged images were also used for, of some parts of what the model decides by. @param {Wire.Evaluation} found @param {(keyof Wire.ImageUse)[]} parts */
  function usesOf({ uses, n }, ...parts) {
    if (uses === null) return null;
    const used = parts.filter((part) => uses[part] > 0);
    if (used.length === 0) return null;
    // What was trained on chose no threshold: one count says nothing of parts with other counts.
    const counts = [...new Set(used.map((part) => uses[part]))].sort((a, b) => b - a);
    const told = counts.map((count) => make("p", { text: plural("uses.some", count, { n, parts: used.filter((part) => uses[part] === count).map((part) => t(`uses.${part}`)) }) }));
    return make("div", { class: "banner warning" }, ...told);
  }

  /** Which images each part of the model, and these figures, rest on. @param {Wire.Evaluation} found */
  function usedForOf({ used_for: rests }) {
    if ((rests ?? null) === null) return null;
    const facts = /** @type {[string, string][]} */ (Object.entries(/** @type {Wire.UsedFor} */ (rests)).filter(([, part]) => part !== null).map(([of, part]) => [t(`used_for.${of}`), BreastAI.i18n.has(`used_for.part.${part}`) ? t(`used_for.part.${part}`) : part]));
    return make("details", {}, make("summary", { text: t("used_for.title") }), terms(facts));
  }

  /** The figures by patient, and how a patient's images become one case. @param {Wire.Evaluation} found @param {[string | Node, Wire.Figure][]} figures */
  function patientsOf({ by_patient: pooled }, figures) {
    if (pooled === null) return null;
    const caption = t("evaluation.patients_caption");
    const numbers = { mixed: format.integer(pooled.mixed), patients: format.integer(pooled.patients), name: className(pooled.target_class) };
    const rule = pooled.target_class === null ? "pooling.no_target" : `pooling.${pooled.score}`;
    const counted =
      pooled.positives === null
        ? null
        : make("p", { text: t(`pooling.counted.${pooled.score}`, { name: numbers.name, positives: format.integer(pooled.positives), missed: format.integer(pooled.missed), negatives: format.integer(pooled.negatives), flagged: format.integer(pooled.flagged) }) });
    return section(caption, make("p", { class: "muted", text: t(rule, numbers) }), counted, figuresTable(caption, figures, true, "evaluation.n_patients"));
  }

  /** The operating point in plain words, and what it comes to on these images. @param {Wire.Evaluation} found */
  function pointOf(found) {
    const point = found.operating_point;
    if (point === null) return null;
    const told = t(point.source === "validation" ? "evaluation.point" : `evaluation.point.${point.source}`, { name: className(point.class_name), missed: format.integer(point.missed), positives: point.positives, called: format.integer(point.called), negatives: point.negatives, threshold: format.figure(point.threshold), target: format.percent(point.target_sensitivity, 0) });
    const figures = /** @type {[string, Wire.Figure][]} */ (Object.entries(point.figures).map(([figure, value]) => [t(`metric.${figure}`), value]));
    return make(
      "div",
      {},
      make("p", { class: "banner", text: told }),
      point.reached ? null : make("p", { class: "banner warning", text: t(`evaluation.too_few.${point.validation_unit}`, { positives: format.integer(point.validation_positives), name: className(point.class_name), target: format.percent(point.target_sensitivity, 0) }) }),
      figures.length === 0 ? null : figuresTable(t("evaluation.at_point"), figures, false),
      usesOf(found, "training", "epoch", "temperature", "threshold"),
    );
  }

  /** Where the class is as common as in life. @param {Wire.Evaluation} found */
  function predictiveOf(found) {
    const places = Object.entries(found.prevalences);
    if (places.length === 0 || Object.keys(found.predictive_values).length === 0) return null;
    const head = ["evaluation.setting", "evaluation.prevalence", "evaluation.ppv", "evaluation.npv"].map((key) => t(key));
    const rows = places.map(([place, share]) => [
      BreastAI.i18n.has(`prevalence.${place}`) ? t(`prevalence.${place}`) : place,
      format.percent(share, 1),
      figureCell(found.predictive_values[`ppv.${place}`]),
      figureCell(found.predictive_values[`npv.${place}`]),
    ]);
    const caption = t("evaluation.predictive");
    const n = Object.values(found.predictive_values)[0]?.n ?? 0;
    return section(
      caption,
      make("p", { class: "muted", text: t("evaluation.predictive_help", { name: className(found.operating_point?.class_name ?? ""), n }) }),
      scroller(caption, table({ caption, captionHidden: true, head, rows, numeric: true, class: "stacking" })),
    );
  }

  /** How far probabilities can be taken at their word. @param {Wire.Evaluation} found */
  function calibrationOf(found) {
    const { calibration, class_names } = found;
    if (calibration === null) return null;
    const { before, after, temperature, prior_shift } = calibration;
    const caption = t("evaluation.calibration");
    const rows = /** @type {const} */ (["ece", "brier", "log_loss"]).map((figure) => [t(`metric.${figure}`), format.figure(before[figure]), format.figure(after[figure])]);
    const head = [t("evaluation.figure"), t("evaluation.before"), t("evaluation.after")];
    // Of no shift there is nothing to say.
    const shifts = prior_shift.length === class_names.length && prior_shift.some((shift) => shift !== 0) ? prior_shift.map((shift, index) => `${className(class_names[index])} ${format.number(shift, 2)}`) : [];
    return section(
      caption,
      make("p", { class: "muted" }, t("evaluation.temperature", { temperature: format.figure(temperature) }), shifts.length ? " " : "", shifts.length ? make("span", {}, t("evaluation.prior_shift"), " ", name(shifts.join(" · "))) : ""),
      scroller(caption, table({ caption, captionHidden: true, head, rows, numeric: true })),
      usesOf(found, "training", "epoch", "temperature"),
    );
  }

  /** Which cases a human should decide, and what that is worth. @param {Wire.Evaluation} found */
  function referralOf(found) {
    const { referral } = found;
    if (referral === null) return null;
    const { referred, error_among_kept, outside, unlike } = referral;
    const told = { referred, error_among_kept, ...(outside === null ? {} : { outside }), ...(unlike === null ? {} : { unlike }) };
    const figures = /** @type {[string, Wire.Figure][]} */ (Object.entries(told).map(([figure, value]) => [t(`referral.${figure}`), value]));
    const caption = t("evaluation.referral");
    return section(
      caption,
      make("p", { class: "muted", text: referral.error_rate === null ? t("evaluation.no_sets") : t("evaluation.referral_help", { rate: format.percent(referral.error_rate, 0) }) }),
      figuresTable(caption, figures, true),
      unlike === null ? make("p", { class: "muted", text: t("evaluation.unlike_unknown") }) : null,
      usesOf(found, "training", "conformal_sets", "novelty"),
    );
  }

  /** Which images were judged, and where the evidence lies. @param {Wire.Evaluation} found */
  function casesOf(found) {
    /** @type {[string, Node | string][]} */
    const facts = found.class_names.map((label) => [className(label), format.integer(found.counts[label] ?? 0)]);
    for (const [label, count] of Object.entries(found.class_match?.left_out ?? {})) facts.push([label, t("evaluation.left_out", { count })]);
    facts.push([t("data.patients"), found.patients === null ? t("evaluation.patients_unknown") : format.integer(found.patients)]);
    if (found.fingerprint !== null) facts.push([t("evaluation.fingerprint"), name(found.fingerprint.slice(0, 16))]);
    if (found.record !== null) facts.push([t("evaluation.record"), name(found.record)]);
    const files = found.skipped.map(({ file, reason }) => make("li", {}, name(String(file ?? "")), " ", said(reason ?? "", "muted")));
    const skipped = files.length === 0 ? null : make("details", { class: "skipped" }, make("summary", { text: plural("data.skipped_files", files.length) }), make("ul", {}, ...files));
    return section(t("evaluation.cases"), terms(facts), skipped);
  }

  BreastAI.views.judged = { figuresTable, allUsesOf, usesOf, usedForOf, patientsOf, pointOf, predictiveOf, calibrationOf, referralOf, casesOf };
})();
