/* The evaluation: judging the current model on labelled images, its figures with intervals, its curves, its report. */
(function () {
  "use strict";

  const { byId, make, fill, name, images, said, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { charts } = BreastAI;

  /** A matrix of more classes has the width to itself. */
  const MOST_BESIDE = 3;
  /** The choice of the images that the model's own run validated on. */
  const OWN = "own";
  /** Notes that the counts of uses say more exactly. */
  const IN_USES = new Set(["note.trained", "note.validated", "note.calibrated"]);

  /** What is looked at first; everything else is folded. */
  const FIRST = ["auc_roc", "sensitivity", "specificity", "precision", "npv", "brier", "kappa_quadratic", "class_error", "accuracy", "cohen_kappa"];

  /** A figure's name as its parts: auc_roc.malignant@patient. @param {string} full */
  function parts(full) {
    const [figure, where = ""] = full.split("@");
    const known = Object.keys(BreastAI.locales.en)
      .filter((key) => key.startsWith("metric."))
      .map((key) => key.slice("metric.".length))
      .filter((base) => figure === base || figure.startsWith(`${base}.`))
      .sort((a, b) => b.length - a.length)[0];
    const base = known ?? figure;
    return { base, rest: figure.slice(base.length + 1), where };
  }

  /** @param {string} full */
  function wordsOf(full) {
    const { base, rest, where } = parts(full);
    // Of all classes together the AUC is their mean, and says so.
    const key = [...(rest ? [] : [`family.${base}`]), `metric.${base}`].find(BreastAI.i18n.has);
    const first = key === undefined ? base : t(key);
    return make("span", {}, first, rest ? ", " : "", rest ? BreastAI.elements.label(rest) : "", where ? " · " : "", where === "patient" ? t("evaluation.by_patient") : where);
  }

  /** @param {[string, Wire.Figure][]} figures @returns {[Node, Wire.Figure][]} */
  function worded(figures) {
    return figures.map(([full, figure]) => [wordsOf(full), figure]);
  }

  /** What opens the images of a cell of the matrix; nothing for an evaluation that is not kept with a run. @param {Wire.Evaluation} found */
  function openerOf(found) {
    const kept = BreastAI.address.ofRecord(found.record);
    if (kept === null || kept.run === "predictions") return undefined;
    return (/** @type {string} */ label, /** @type {string} */ predicted) => BreastAI.views.judgedImages.open(kept.run, kept.name, { label, predicted });
  }

  /** @param {Wire.Evaluation} found */
  function matrixOf(found) {
    const title = t("confusion.title");
    return make("section", {}, make("h4", { text: title }), make("p", { class: "muted", text: t("confusion.caption") }), scroller(title, BreastAI.views.classes.confusionTable(found.confusion_matrix, found.class_names, openerOf(found))));
  }

  /** What was judged on what, and where the rest of its run is. @param {Wire.Evaluation} found */
  function headOf(found) {
    const on = found.patients === null ? "evaluation.on" : "evaluation.on_patients";
    const run = found.checkpoint.includes("/") ? found.checkpoint.split("/")[0] : null;
    const link = run === null ? null : make("a", { text: t("evaluation.of_run"), attributes: { href: BreastAI.address.ofRun(run, "results") } });
    return make("p", {}, name(found.checkpoint), " · ", images(found), " · ", ...(found.split === null ? [] : [t(`split.${found.split}`), " · "]), t(on, { n: found.n, patients: found.patients }), link === null ? "" : " · ", link ?? "");
  }

  /** @param {Wire.Evaluation} found @returns {(Node | null)[]} */
  function bodyOf(found) {
    const all = Object.entries(found.figures);
    /** @param {string} where */
    const first = (where) => worded(
      FIRST.flatMap((base) => all.filter(([full]) => parts(full).base === base && parts(full).where === where)).map(([full, figure]) => [full.split("@")[0] ?? full, figure]),
    );
    const opened = found.opened === null ? null : make("p", { class: "muted", text: t("evaluation.opened", { count: found.opened }) });
    const { figuresTable, usesOf, usedForOf, patientsOf, pointOf, predictiveOf, calibrationOf, referralOf, casesOf } = BreastAI.views.judged;
    const every = make("details", {}, make("summary", { text: t("evaluation.all") }), figuresTable(t("evaluation.all"), worded(all), true));
    const calibrated = found.calibration !== null && found.calibration.temperature !== 1 ? make("p", { class: "muted", text: t("evaluation.calibrated_figures") }) : null;
    return [calibrated, opened, usedForOf(found), pointOf(found), BreastAI.views.target.targetOf(found), figuresTable(t("evaluation.most_probable"), first(""), false), usesOf(found, "training", "epoch"), patientsOf(found, first("patient")), every, BreastAI.views.subgroups.subgroupsOf(found), predictiveOf(found), calibrationOf(found), referralOf(found), casesOf(found)];
  }

  /** The points of a curve, from left to right. @param {Wire.Curve} curve @param {string} x @param {string} y @returns {Point[]} */
  function pointsOf(curve, x, y) {
    const ys = curve[y] ?? [];
    const found = (curve[x] ?? []).map((value, index) => ({ x: value ?? 0, y: ys[index] ?? null }));
    return found.length > 1 && found[0].x > found[found.length - 1].x ? found.reverse() : found;
  }

  /** @param {Context} context */
  function create({ connection }) {
    const folder = /** @type {HTMLInputElement} */ (byId("evaluate-path"));
    const split = /** @type {HTMLSelectElement} */ (byId("evaluate-split"));
    const subgroups = /** @type {HTMLInputElement} */ (byId("evaluate-subgroups"));
    /** @type {ChartCard[]} */
    let drawn = [];
    /** @type {unknown} */
    let drawnFor = null;
    /** What the body shows, and in which language: it is not drawn anew under a reader. @type {unknown} */
    let bodyFor = null;
    let bodyIn = "";

    /** The model whose run's images the field names. @type {string | null} */
    let filledFor = null;

    /** Name the images of the run that a model is of, whenever another model is the current one. @param {State} state @param {string} current */
    function fillIn(state, current) {
      const run = state.runs?.runs.find(({ run_id }) => run_id === current.split("/")[0]);
      if (filledFor === current || run?.data == null) return;
      filledFor = current;
      folder.value = BreastAI.settings.dataFolder({ data: { train_dir: run.data } }) || run.data;
    }

    byId("evaluate-form").addEventListener("submit", (event) => {
      event.preventDefault();
      // The images that the run itself set aside lie in no folder of their own.
      const data = split.value === OWN ? null : folder.value.trim();
      if (data === "") return;
      const chosen = { split: split.value === OWN ? "" : split.value, subgroups: subgroups.value.trim() };
      const asked = Object.entries(chosen).filter(([, value]) => value !== "");
      connection.request("evaluate_model", { data, ...Object.fromEntries(asked) }).catch(() => {});
    });

    /** @param {string} name @param {{ title: string, x: string, y: string }} words @param {Line[]} lines @param {boolean} [unit] whether both axes end at 1 */
    function drawChart(name, words, lines, unit = true) {
      const card = BreastAI.views.chartCard.create({ name, ...words, unit, plain: name !== "reliability" });
      byId(name === "roc" ? "evaluation-roc" : "evaluation-charts").append(card.element);
      card.show(lines);
      drawn.push(card);
      return card;
    }

    /** @type {ChartCard | null} */
    let roc = null;
    /** @type {Line[]} */
    let rocLines = [];
    const explorer = BreastAI.views.thresholdExplorer.create((place) => roc?.show(place === null ? rocLines : [...rocLines, { label: t("explorer.here"), points: [place] }]));

    /** @param {Wire.Evaluation} found */
    function drawCurves(found) {
      for (const card of drawn) card.destroy();
      drawn = [];
      fill(byId("evaluation-charts"));
      fill(byId("evaluation-roc"));
      /** @param {Record<string, Wire.Curve>} curves @param {string} x @param {string} y */
      const lines = (curves, x, y) => Object.entries(curves).map(([label, curve]) => ({ label: BreastAI.i18n.className(label), points: pointsOf(curve, x, y) }));
      for (const { name: chart, lines: drawn, unit, ...words } of BreastAI.views.target.chartsOf(found)) drawChart(chart, words, drawn, unit);
      const diagonal = { label: t("evaluation.chance"), points: [{ x: 0, y: 0 }, { x: 1, y: 1 }], reference: true };
      rocLines = [...lines(found.roc, "false_positive_rate", "sensitivity"), diagonal];
      roc = drawChart("roc", { title: t("evaluation.roc"), x: t("evaluation.false_positive_rate"), y: t("metric.sensitivity") }, rocLines);
      drawChart("precision_recall", { title: t("evaluation.precision_recall"), x: t("metric.sensitivity"), y: t("metric.precision") }, lines(found.precision_recall, "recall", "precision"));
      if (found.calibration === null) return;
      const { before, after } = found.calibration;
      const reliability = Object.entries({ before, after }).map(([side, { curve }]) => ({ label: t(`evaluation.${side}`), points: pointsOf(curve, "confidence", "accuracy") }));
      drawChart("reliability", { title: t("evaluation.reliability"), x: t("evaluation.confidence"), y: t("metric.accuracy") }, reliability);
    }

    BreastAI.i18n.onChange(() => {
      drawnFor = null;
    });

    return {
      within: "evaluation",
      /** @param {State} state */
      render(state) {
        const found = state.evaluation;
        const current = state.session.currentModel;
        if (current !== null) fillIn(state, current);
        fill(byId("evaluate-model"), current === null ? make("a", { text: t("checkpoints.no_current"), attributes: { href: "#checkpoints" } }) : make("span", {}, t("checkpoints.current_is"), " ", name(current)));
        const button = /** @type {HTMLElement} */ (byId("evaluate-form").querySelector("[data-action=evaluate_model]"));
        button.dataset.blocked = current === null ? "reason.no_model" : "";
        byId("evaluation-card").hidden = found === null;
        byId("evaluation-curves").hidden = found === null || !charts.available();
        const now = `${BreastAI.i18n.current()} ${charts.available()}`;
        if (found !== null && (bodyFor !== found || bodyIn !== now)) {
          [bodyFor, bodyIn] = [found, now];
          // What a reader must know to believe the figures is never folded.
          const notes = make("ul", { class: "muted" }, ...found.notes.filter((note) => found.uses === null || !IN_USES.has(typeof note === "string" ? "" : note.code)).map((note) => make("li", {}, said(note))));
          byId("evaluation-matrix").parentElement?.classList.toggle("one", found.class_names.length > MOST_BESIDE);
          fill(byId("evaluation-head"), headOf(found), BreastAI.views.units.unitsOf(found), found.by_unit ? make("h4", { text: t("units.by.image") }) : null, BreastAI.views.strip.stripOf(found), BreastAI.views.judged.allUsesOf(found), notes);
          fill(byId("evaluation-matrix"), matrixOf(found));
          fill(byId("evaluation-classes"), BreastAI.views.strip.classesOf(found));
          fill(byId("evaluation-body"), ...bodyOf(found));
          if (charts.available() && drawnFor !== found) {
            drawnFor = found;
            drawCurves(found);
          }
          explorer.show(found);
        }
      },
      restyle() {
        for (const card of drawn) card.restyle();
      },
      /** @param {State} state */
      slice: (state) => [state.evaluation, state.session.currentModel, state.session.state, state.welcome, state.runs],
    };
  }

  BreastAI.views.evaluation = { create, wordsOf };
})();
