/* The runs of a cross-validation or of several seeds: each one, how far figures spread, and the parts held out together. */
(function () {
  "use strict";

  const { make, name, said, table, scroller } = BreastAI.elements;
  const { t, className } = BreastAI.i18n;
  const { format } = BreastAI;

  /** The figures of each run, of their spread, and of all parts together. */
  const FOLDS = ["accuracy", "auc_roc", "f1_macro"];
  const SPREAD = ["accuracy", "auc_roc", "recall_macro", "f1_macro", "cohen_kappa"];
  const POOLED = ["accuracy", "balanced_accuracy", "auc_roc", "f1_macro", "f1", "cohen_kappa", "brier", "ece"];

  /** Where a pooled figure stands, -1 where it is none of them. @param {string} full */
  function placeOf(full) {
    return POOLED.indexOf(full.split(".")[0]);
  }

  /** What was kept in one fold, by the key of its sentence. @param {Wire.CrossvalResult} found */
  function keptWhole({ grouped, patients_known: known, units }) {
    if (!grouped) return "ungrouped";
    return known ? "grouped" : units === null ? "alone" : "duplicates";
  }

  /** @param {Wire.Study} study @param {Wire.StudyMember} member */
  function titleOf(study, { fold, repeat, values }) {
    if (study.kind === "seeds") return t("seeds.seed", { seed: String(values["system.seed"]) });
    const repeats = new Set(study.members.map((each) => each.repeat)).size;
    const parts = { fold: format.integer(fold ?? 0), repeat: format.integer(repeat ?? 0) };
    return t(repeats > 1 ? "crossval.fold_of_repeat" : "crossval.fold", parts);
  }

  /** @param {Wire.StudyMember} member @param {string} label */
  function progressOf({ epoch, epochs, state }, label) {
    const value = state === "complete" ? 1 : epoch / Math.max(1, epochs);
    const text = t("run.epoch_of", { epoch: format.integer(epoch), epochs: format.integer(epochs) });
    return make("span", { class: "fold-progress" }, make("progress", { attributes: { max: 1, value, "aria-label": label } }), make("span", { text }));
  }

  /** How far a fold's search for settings is, and what it found. @param {Wire.StudyMember} member */
  function searchOf({ tuning, values }) {
    if (tuning === null) return format.NONE;
    const done = t("crossval.search_done", { done: tuning.done, trials: tuning.trials, auc: format.figure(tuning.best_auc) });
    const found = Object.entries(values);
    if (found.length === 0) return done;
    const { settingName, valueText } = BreastAI.views.trials;
    const lines = found.map(([path, value]) => make("li", {}, settingName(path), t("crossval.setting_value", { value: valueText(path, value) })));
    return make("details", {}, make("summary", { text: done }), make("ul", {}, ...lines));
  }

  /** @param {Wire.Study} study */
  function foldsTable(study) {
    const searched = study.config.crossval?.tune === true;
    const seeds = study.kind === "seeds";
    const caption = t(seeds ? "seeds.caption" : "crossval.folds_caption");
    const head = [seeds ? "seeds.which" : "crossval.which", "crossval.state", ...(searched ? ["crossval.search"] : []), "crossval.progress", "crossval.best_epoch"].map((key) => t(key));
    const rows = study.members.map((member) => [
      make("span", { attributes: { title: member.run_id } }, titleOf(study, member)),
      t(`member.${member.state}`),
      ...(searched ? [searchOf(member)] : []),
      progressOf(member, titleOf(study, member)),
      member.best_epoch === null ? format.NONE : format.integer(member.best_epoch),
      ...FOLDS.map((figure) => format.figure(member.figures[figure] ?? null)),
      member.n === null ? format.NONE : format.integer(member.n),
    ]);
    const columns = [...head, ...FOLDS.map((figure) => t(`metric.${figure}`)), t("evaluation.n")];
    return scroller(t(seeds ? "seeds.seeds" : "crossval.folds"), table({ caption, head: columns, rows, numeric: true, class: "stacking" }));
  }

  /** @param {string} caption @param {[Node, Wire.Figure][]} figures */
  function figuresTable(caption, figures) {
    const head = ["evaluation.figure", "evaluation.value", "evaluation.interval_head", "evaluation.n"].map((key) => t(key));
    const rows = figures.map(([words, figure]) => [words, format.figure(figure.value), format.interval(figure), format.integer(figure.n)]);
    return scroller(caption, table({ caption, head, rows, numeric: true }));
  }

  /** @param {Wire.CrossvalResult | Wire.SeedsResult} found @param {string} caption */
  function spreadTable(found, caption) {
    const bounded = Object.values(found.spread).some(({ interval_low: bound }) => (bound ?? null) !== null);
    const head = ["evaluation.figure", "crossval.mean", ...(bounded ? ["crossval.interval"] : []), "crossval.deviation", "crossval.lowest", "crossval.highest"].map((key) => t(key));
    const rows = SPREAD.filter((figure) => found.spread[figure] !== undefined).map((figure) => {
      const { mean, standard_deviation, low, high, interval_low, interval_high } = found.spread[figure];
      const interval = bounded ? [t("evaluation.interval", { low: format.figure(interval_low), high: format.figure(interval_high) })] : [];
      return [t(`metric.${figure}`), format.figure(mean), ...interval, ...[standard_deviation, low, high].map(format.figure)];
    });
    return scroller(caption, table({ caption, head, rows, numeric: true, class: "stacking" }));
  }

  /** Images by class, each name as it was typed. @param {Record<string, number>} counts @returns {Node[]} */
  function countsOf(counts) {
    return Object.entries(counts).map(([label, count], index) => make("span", {}, index ? ", " : " ", BreastAI.elements.label(label), ` ${format.integer(count)}`));
  }

  /** What the parts held out show together. @param {Wire.CrossvalResult} found @returns {(Node | null)[]} */
  function resultOf(found) {
    const pooled = /** @type {[Node, Wire.Figure][]} */ (Object.entries(found.figures)
      .filter(([full]) => !full.includes("@") && placeOf(full) >= 0)
      .sort(([first], [second]) => placeOf(first) - placeOf(second))
      .map(([full, figure]) => [BreastAI.views.evaluation.wordsOf(full), figure]));
    const called = /** @type {[Node, Wire.Figure][]} */ (Object.entries(found.at_thresholds).map(([figure, value]) => [make("span", { text: t(`metric.${figure}`) }), value]));
    return [
      make("p", { text: t(`crossval.${keptWhole(found)}`, { n: format.integer(found.cases) }), class: found.grouped ? "" : "banner warning" }),
      make("p", { class: "muted" }, `${t("crossval.counts", { n: format.integer(found.predictions) })}${found.units === null ? "" : t("crossval.units", { n: format.integer(found.units) })}${t("mark.colon")}`, ...countsOf(found.counts)),
      found.tuned ? make("p", { text: t("crossval.tuned") }) : null,
      figuresTable(t("crossval.pooled"), pooled),
      called.length === 0 ? null : figuresTable(t("crossval.at_thresholds", { class_name: className(found.target_class) }), called),
      spreadTable(found, t("crossval.spread")),
      make("section", {}, make("h4", { text: t("confusion.title") }), scroller(t("confusion.title"), BreastAI.views.classes.confusionTable(found.confusion_matrix, found.class_names))),
      found.notes.length === 0 ? null : make("ul", { class: "muted" }, ...found.notes.map((note) => make("li", {}, said(note)))),
      found.export === null ? null : make("p", {}, t("crossval.ensemble"), " ", name(found.export), found.export_difference === null ? "" : ` (${t("crossval.export_difference", { value: format.small(found.export_difference) })})`),
      make("p", { class: "muted" }, t("crossval.record"), " ", name(found.record)),
    ];
  }

  BreastAI.views.folds = { foldsTable, spreadTable, resultOf };
})();
