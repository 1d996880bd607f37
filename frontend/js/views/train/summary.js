/* What the run is made of: its images and how they were split, its network and the weights it began with. */
(function () {
  "use strict";

  const { byId, make, fill, label, name, said, table, scroller, terms } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;
  const { shownRun } = BreastAI.pageState;

  /** @param {Record<string, number>} counts */
  function total(counts) {
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  /** @param {Wire.DataLoaded} data */
  function dataOf(data) {
    const names = [...new Set([...Object.keys(data.train), ...Object.keys(data.val)])];
    const parts = /** @type {const} */ (["train", "val", "calibration"]).filter((part) => part !== "calibration" || total(data.calibration ?? {}) > 0);
    const rows = names.map((className) => [label(className), ...parts.map((part) => format.integer(data[part][className] ?? 0))]);
    rows.push([t("data.total"), ...parts.map((part) => format.integer(total(data[part])))]);
    const counts = table({ caption: t("data.caption"), captionHidden: true, head: [t("data.class"), ...parts.map((part) => t(`data.${part}`))], rows, class: "totals", numeric: true });
    /** @type {[string, Node | string][]} */
    const facts = [[t("data.split"), said(data.split)]];
    facts.push([t("data.patients"), data.patients === null ? t("data.patients_unknown") : format.integer(data.patients)]);
    facts.push([t("data.masks"), format.integer(data.masks)]);
    facts.push([t("data.skipped"), format.integer(data.skipped)]);
    if (data.cache) facts.push([t("data.cache"), said(data.cache)]);
    return [scroller(t("data.title"), counts), terms(facts), skippedOf(data)];
  }

  /** @param {Wire.DataLoaded} data */
  function skippedOf(data) {
    if (data.skipped_files.length === 0) return null;
    const files = data.skipped_files.map(({ file, reason }) => make("li", {}, name(/** @type {string} */ (file ?? "")), " ", said(reason ?? "", "muted")));
    const more = data.skipped - data.skipped_files.length;
    const rest = more > 0 ? make("p", { class: "muted", text: plural("data.skipped_more", more) }) : null;
    return make("details", { class: "skipped" }, make("summary", { text: plural("data.skipped_files", data.skipped) }), make("ul", {}, ...files), rest);
  }

  /** @param {Wire.ModelLoaded} model */
  function modelOf(model) {
    /** @type {[string, Node | string][]} */
    const facts = [
      [t("model.architecture"), model.architecture],
      [t("model.weights"), make("span", {}, t(`weights.${model.weights}`), model.weights_detail ? " · " : "", said(model.weights_detail, "muted"))],
      [t("model.parameters"), format.large(model.parameters)],
      [t("model.device"), `${model.device} · ${model.dtype}`],
      [t("model.threads"), format.integer(model.threads)],
    ];
    if (model.expected_s !== null) facts.push([t("model.expected"), t("model.about", { duration: format.duration(model.expected_s) })]);
    if (model.peak_memory_gb !== null) facts.push([t("model.memory"), t("model.at_most", { memory: format.number(model.peak_memory_gb, 1) })]);
    // A plan tells of every layer: long, and read by few.
    const plan = model.plan ? make("details", {}, make("summary", { text: t("model.plan") }), make("ul", {}, ...(model.plan_reasons?.length ? model.plan_reasons : model.plan.split("\n")).map((line) => make("li", {}, said(line))))) : null;
    const warning = model.weights === "none" ? make("p", { class: "banner warning", text: t("model.from_scratch") }) : null;
    return [warning, terms(facts), plan];
  }

  function create() {
    return {
      within: "cards",
      /** @param {State} state */
      render(state) {
        const { data, model } = shownRun(state) ?? { data: null, model: null };
        byId("data-card").hidden = data === null;
        byId("model-card").hidden = model === null;
        if (data !== null) fill(byId("data-summary"), ...dataOf(data));
        if (model !== null) fill(byId("model-summary"), ...modelOf(model));
      },
      /** @param {State} state */
      slice: (state) => [shownRun(state)?.data, shownRun(state)?.model],
    };
  }

  BreastAI.views.summary = { create };
})();
