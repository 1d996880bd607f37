/* A cross-validation, or runs by seed: progress run by run, curves of all with their band, figures, spread, going on. */
(function () {
  "use strict";

  const { byId, make, fill, name, said, table, scroller, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format, series, charts } = BreastAI;

  /** The figures shown in curves, and those of each fold and their spread. */
  const CURVES = ["val_auc_roc", "val_loss"];
  const FOLDS = ["accuracy", "auc_roc", "f1_macro"];
  const SPREAD = ["accuracy", "auc_roc", "recall_macro", "f1_macro", "cohen_kappa"];
  const POOLED = ["accuracy", "balanced_accuracy", "auc_roc", "f1_macro", "f1", "cohen_kappa", "brier", "ece"];

  /** Where a pooled figure stands, -1 where it is none of them. @param {string} full */
  function placeOf(full) {
    return POOLED.indexOf(full.split(".")[0]);
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
    const done = t("crossval.search_done", { done: format.integer(tuning.done), trials: format.integer(tuning.trials), auc: format.figure(tuning.best_auc) });
    const found = Object.entries(values);
    if (found.length === 0) return done;
    const { settingName, valueText } = BreastAI.views.tuning;
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
    const head = ["evaluation.figure", "crossval.mean", "crossval.deviation", "crossval.lowest", "crossval.highest"].map((key) => t(key));
    const rows = SPREAD.filter((figure) => found.spread[figure] !== undefined).map((figure) => {
      const { mean, standard_deviation, low, high } = found.spread[figure];
      return [t(`metric.${figure}`), ...[mean, standard_deviation, low, high].map(format.figure)];
    });
    return scroller(caption, table({ caption, head, rows, numeric: true, class: "stacking" }));
  }

  /** Images by class, each name as it was typed. @param {Record<string, number>} counts @returns {Node[]} */
  function countsOf(counts) {
    return Object.entries(counts).map(([label, count], index) => make("span", {}, index ? ", " : " ", name(label), ` ${format.integer(count)}`));
  }

  /** What the parts held out show together. @param {Wire.CrossvalResult} found @returns {(Node | null)[]} */
  function resultOf(found) {
    const pooled = /** @type {[Node, Wire.Figure][]} */ (Object.entries(found.figures)
      .filter(([full]) => !full.includes("@") && placeOf(full) >= 0)
      .sort(([first], [second]) => placeOf(first) - placeOf(second))
      .map(([full, figure]) => [BreastAI.views.evaluation.wordsOf(full), figure]));
    const called = /** @type {[Node, Wire.Figure][]} */ (Object.entries(found.at_thresholds).map(([figure, value]) => [make("span", { text: t(`evidence.${figure}`) }), value]));
    return [
      make("p", { text: t(found.grouped ? "crossval.grouped" : "crossval.ungrouped", { n: format.integer(found.cases) }), class: found.grouped ? "" : "banner warning" }),
      make("p", { class: "muted" }, t("crossval.counts", { n: format.integer(found.predictions), units: found.units === null ? "" : t("crossval.units", { n: format.integer(found.units) }) }), ...countsOf(found.counts)),
      found.tuned ? make("p", { text: t("crossval.tuned") }) : null,
      figuresTable(t("crossval.pooled"), pooled),
      called.length === 0 ? null : figuresTable(t("crossval.at_thresholds", { class_name: found.target_class }), called),
      spreadTable(found, t("crossval.spread")),
      make("section", {}, make("h4", { text: t("confusion.title") }), scroller(t("confusion.title"), BreastAI.views.classes.confusionTable(found.confusion_matrix, found.class_names))),
      found.notes.length === 0 ? null : make("ul", { class: "muted" }, ...found.notes.map((note) => make("li", {}, said(note)))),
      found.export === null ? null : make("p", {}, t("crossval.ensemble"), " ", name(found.export), found.export_difference === null ? "" : ` (${t("crossval.export_difference", { value: format.small(found.export_difference) })})`),
      make("p", { class: "muted" }, t("crossval.record"), " ", name(found.record)),
    ];
  }

  /** @param {Context} context */
  function create({ connection, store }) {
    /** @type {{ figure: string, card: ChartCard }[]} */
    let cards = [];
    let drawnFor = "";
    /** @type {ChartCard | null} */
    let roc = null;
    /** @type {unknown} */
    let rocFor = null;

    /** @param {Wire.Study} study */
    function goOn(study) {
      if (!["stopped", "interrupted", "failed"].includes(study.state)) return null;
      return actionButton("resume_study", t("crossval.go_on"), {
        class: "primary",
        on: { click: () => connection.request("resume_study", { study_id: study.study_id }).catch(() => {}) },
      });
    }

    /** @param {Wire.Study} study */
    function drawCurves(study) {
      const language = BreastAI.i18n.current();
      if (drawnFor !== language) {
        for (const { card } of cards) card.destroy();
        drawnFor = language;
        cards = CURVES.map((figure) => ({
          figure,
          card: BreastAI.views.chartCard.create({ name: `crossval-${figure}`, title: t(`metric.${figure}`), x: t("figure.epoch"), whole: true }),
        }));
        fill(byId("crossval-curves"), ...cards.map(({ card }) => card.element));
      }
      const labels = { mean: t("crossval.mean"), low: t("crossval.lowest"), high: t("crossval.highest") };
      for (const { figure, card } of cards) card.show(series.bandOf(study.members.map(({ curves }) => curves), figure, labels));
    }

    /** The ROC curves of all parts held out, once they are known. @param {Wire.CrossvalResult | null} found */
    function drawRoc(found) {
      const now = found === null || !charts.available() || Object.keys(found.roc).length === 0 ? null : found;
      if (rocFor === now) return;
      rocFor = now;
      roc?.destroy();
      roc = null;
      fill(byId("crossval-roc"));
      if (now === null) return;
      roc = BreastAI.views.chartCard.create({ name: "crossval-roc", title: t("crossval.roc"), x: t("evaluation.false_positive_rate"), y: t("per_class.sensitivity"), unit: true });
      byId("crossval-roc").append(roc.element);
      const lines = Object.entries(now.roc).map(([label, curve]) => ({ label, points: (curve.false_positive_rate ?? []).map((x, index) => ({ x: x ?? 0, y: curve.sensitivity?.[index] ?? null })) }));
      roc.show([...lines, { label: t("evaluation.chance"), points: [{ x: 0, y: 0 }, { x: 1, y: 1 }] }]);
    }

    BreastAI.i18n.onChange(() => {
      rocFor = null;
    });

    return {
      within: "training",
      /** @param {State} state */
      render(state) {
        const study = state.study;
        const shown = study !== null && study.kind !== "tuning";
        byId("crossval-card").hidden = !shown;
        if (!shown) return;
        // A run begun since has its figures together, with the study below them.
        const card = byId("crossval-card");
        const runCard = /** @type {Element} */ (document.querySelector(".run-card"));
        const isOlder = state.run !== null && state.run.id > study.study_id && study.state !== "running";
        if (isOlder && card.nextElementSibling !== null) card.parentElement?.append(card);
        else if (!isOlder && runCard.nextElementSibling !== card) runCard.after(card);
        byId("crossval-title").textContent = t(study.kind === "seeds" ? "seeds.title" : "crossval.title");
        const pill = byId("crossval-state");
        pill.className = `pill run-${study.state === "interrupted" ? "unknown" : study.state}`;
        pill.textContent = t(`studies.state.${study.state}`);
        const done = study.members.filter(({ state: now }) => now === "complete").length;
        fill(
          byId("crossval-body"),
          make("p", {}, name(study.study_id), " · ", t(study.kind === "seeds" ? "seeds.done" : "crossval.done", { done: format.integer(done), folds: format.integer(study.members.length) })),
          study.message === "" ? null : make("p", { class: "banner error" }, said(study.message)),
          goOn(study),
          foldsTable(study),
        );
        const begun = study.members.some(({ epoch }) => epoch > 0);
        byId("crossval-curves").hidden = !begun || !charts.available();
        if (begun && charts.available()) drawCurves(study);
        fill(byId("crossval-result"), ...(study.crossval === null ? [] : resultOf(study.crossval)), ...(study.seeds === null ? [] : [spreadTable(study.seeds, t("seeds.spread"))]));
        drawRoc(study.crossval);
        BreastAI.actions.markAll(byId("crossval-card"), store.state());
      },
      restyle() {
        for (const { card } of cards) card.restyle();
        roc?.restyle();
      },
      /** @param {State} state */
      slice: (state) => [state.study, state.session.state, state.run?.id],
    };
  }

  BreastAI.views.crossval = { create };
})();
