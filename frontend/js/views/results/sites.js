/* External validation: the current model on the images of several sites, a row each, and what a local sample would change. */
(function () {
  "use strict";

  const { byId, make, fill, name, said, table, figureCell, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  const OF_TARGET = ["auc_roc", "sensitivity_at_operating_point", "specificity_at_operating_point"];

  /** @param {string} figure */
  const heading = (figure) => t(`sites.${figure.split(".")[0]}`);

  /** @param {number | null} low @param {number | null} high */
  const bounds = (low, high) => (low === null || high === null ? format.NONE : t("evaluation.interval", { low: format.figure(low), high: format.figure(high) }));

  /** @param {string} caption @param {(string | Node)[]} head @param {(string | Node)[][]} rows */
  function block(caption, head, rows) {
    return make("section", {}, make("h4", { text: caption }), scroller(caption, table({ caption, captionHidden: true, head, rows, numeric: true })));
  }

  /** A row a site, and all together. @param {Wire.SitesEvaluated} found @param {string[]} figures */
  function figuresOf(found, figures) {
    /** @param {(pooled: Wire.PooledFigure) => string | Node} show */
    const over = (show) => figures.map((figure) => (found.pooled[figure] === undefined ? format.NONE : show(found.pooled[figure])));
    /** @type {(string | Node)[][]} */
    const rows = found.sites.map((site) => [name(site.data), format.integer(site.n), format.integer(site.patients), ...figures.map((figure) => figureCell(site.figures[figure]))]);
    if (Object.keys(found.pooled).length > 0) {
      rows.push([t("sites.pooled"), "", "", ...over((pooled) => make("span", {}, format.figure(pooled.value), " ", make("small", { class: "muted", text: bounds(pooled.low, pooled.high) })))]);
      rows.push([t("sites.new_site"), "", "", ...over((pooled) => bounds(pooled.prediction_low, pooled.prediction_high))]);
      rows.push([t("sites.range"), "", "", ...over((pooled) => `${format.figure(pooled.lowest)} – ${format.figure(pooled.highest)}`)]);
      rows.push([t("sites.tau2"), "", "", ...over((pooled) => format.figure(pooled.tau2))]);
    }
    return block(t("sites.figures"), [t("sites.site"), t("evaluation.n"), t("sites.patients"), ...figures.map(heading)], rows);
  }

  /** @param {Wire.SitesEvaluated} found @param {string[]} figures */
  function differencesOf(found, figures) {
    if (found.internal_set === null) return null;
    const rows = found.sites.map((site) => [name(site.data), ...figures.map((figure) => figureCell(site.differences[figure]))]);
    return block(t(`sites.differences_${found.internal_set}`), [t("sites.site"), ...figures.map(heading)], rows);
  }

  /** How the inputs differ. @param {Wire.SitesEvaluated} found */
  function driftOf(found) {
    const kinds = [...new Set(found.sites.flatMap((site) => site.drift.map((row) => row.name)))];
    const rows = found.sites.map((site) => {
      const cells = kinds.map((kind) => {
        const row = site.drift.find((each) => each.name === kind);
        if (row === undefined) return format.NONE;
        /** @type {(value: number) => string} */
        const shown = (value) => (kind === "unlike" ? format.percent(value, 0) : kind === "size" ? format.integer(value) : format.figure(value));
        const change = row.difference?.value ?? null;
        const told = change === null ? "" : `${change > 0 ? "+" : change < 0 ? "−" : ""}${shown(Math.abs(change))}`;
        return make("span", {}, shown(row.site ?? 0), " ", make("small", { class: "muted", text: told }));
      });
      const modalities = Object.entries(site.modalities).map(([modality, count]) => `${modality} ${format.integer(count)}`).join(", ");
      const unknown = site.modalities_learnt.length > 0 && Object.keys(site.modalities).some((modality) => !site.modalities_learnt.includes(modality));
      return [name(site.data), ...cells, unknown ? t("sites.modality_new", { told: modalities }) : modalities || format.NONE];
    });
    return block(t("sites.drift"), [t("sites.site"), ...[...kinds, "modality"].map((kind) => t(`sites.drift.${kind}`))], rows);
  }

  /** What labelled cases of the site would change, apart from all that is external validation. @param {Wire.SiteResult} site */
  function sampleOf({ data, local_sample: sample }) {
    if (sample === null) return null;
    const units = BreastAI.i18n.plural(`sites.units.${sample.unit}`, sample.units);
    if (sample.fault !== null) return make("p", { class: "banner warning" }, t("sites.sample_fault", { site: data, units, text: said(sample.fault).textContent ?? "" }));
    const head = ["point", "threshold", "sensitivity", "specificity", "brier", "slope", "intercept"].map((key) => t(`sites.${key}`));
    const rows = sample.points.map((point) => [
      t(`sites.point.${point.kind}`),
      format.figure(point.threshold),
      figureCell(point.sensitivity),
      figureCell(point.specificity),
      format.figure(point.brier),
      point.calibration === null ? format.NONE : format.number(point.calibration.slope, 2),
      point.calibration === null ? format.NONE : format.number(point.calibration.intercept, 2),
    ]);
    const rest = BreastAI.i18n.plural("sites.units.image", sample.rest_images);
    const caption = t("sites.sample", { site: data, units, positives: format.integer(sample.positive_units), rest });
    const few = sample.positive_units < sample.positives_needed;
    return make(
      "section",
      {},
      make("p", { text: caption }),
      few ? make("p", { class: "banner warning", text: t("sites.sample_few", { positives: sample.positive_units, needed: sample.positives_needed }) }) : null,
      scroller(caption, table({ caption, captionHidden: true, head, rows, numeric: true })),
    );
  }

  /** The notes of a site that stand beside its figures. @param {Wire.SiteResult} site @param {string[]} told how the codes of such notes begin */
  const notesBeside = (site, told) => site.notes.filter((note) => typeof note !== "string" && told.some((start) => note.code.startsWith(start)));

  /** @param {Wire.SitesEvaluated} found @param {string[]} told @returns {(Node | null)[]} */
  function bodyOf(found, told) {
    const figures = found.target_class === null ? ["balanced_accuracy"] : OF_TARGET.map((figure) => `${figure}.${found.target_class}`);
    const point =
      found.target_class === null
        ? null
        : make("p", { class: "banner", text: t("sites.frozen_point", { name: BreastAI.i18n.className(found.target_class), threshold: format.figure(found.threshold), target: format.percent(found.target_sensitivity ?? 0, 0) }) });
    const own = found.sites.flatMap((site) => notesBeside(site, told).map((note) => make("li", {}, name(site.data), t("mark.colon"), said(note))));
    return [
      make("p", {}, name(found.checkpoint)),
      point,
      figuresOf(found, figures),
      differencesOf(found, figures),
      driftOf(found),
      ...found.sites.map(sampleOf),
      make("ul", { class: "muted" }, ...own, ...found.notes.map((note) => make("li", {}, said(note)))),
      found.record === null ? null : make("p", { class: "muted" }, t("evaluation.record"), " ", name(found.record)),
    ];
  }

  /** The class map as it is written: CLASS=CLASS+CLASS, one a line. @param {string} text @returns {Record<string, string[]>} */
  function readMap(text) {
    const pairs = text.split(/[\n,;]/).map((line) => line.split("=", 2)).filter((pair) => pair.length === 2);
    return Object.fromEntries(pairs.map(([of_images, of_model]) => [of_images.trim(), of_model.split("+").map((each) => each.trim()).filter(Boolean)]));
  }

  /** @param {Context} context */
  function create({ connection }) {
    const places = /** @type {HTMLTextAreaElement} */ (byId("sites-places"));
    const map = /** @type {HTMLTextAreaElement} */ (byId("sites-map"));
    const sample = /** @type {HTMLInputElement} */ (byId("sites-sample"));

    byId("sites-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const data = places.value.split("\n").map((line) => line.trim()).filter(Boolean);
      if (data.length === 0) return;
      const chosen = { class_map: readMap(map.value), local_sample: sample.value === "" ? null : Number(sample.value) };
      connection.request("evaluate_model", { data, ...chosen }).catch(() => {});
    });

    return {
      within: "evaluation",
      /** @param {State} state */
      render(state) {
        const button = /** @type {HTMLElement} */ (byId("sites-form").querySelector("[data-action=evaluate_model]"));
        button.dataset.blocked = state.session.currentModel === null ? "reason.no_model" : "";
        byId("sites-card").hidden = state.sites === null;
        if (state.sites !== null) fill(byId("sites-body"), ...bodyOf(state.sites, state.welcome?.catalog.told_of_sites ?? []));
      },
      /** @param {State} state */
      slice: (state) => [state.sites, state.session.currentModel, state.welcome],
    };
  }

  BreastAI.views.sites = { create, readMap };
})();
