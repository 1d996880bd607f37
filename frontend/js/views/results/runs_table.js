/* The columns of the table of runs: which there are, which are chosen, and by which the runs are sorted. */
(function () {
  "use strict";

  const { byId, make, fill, name } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format, settings } = BreastAI;
  const KEPT = "breastai.columns";
  const { FIGURES, figureName, stateOf, epochsOf, imagesOf, imagesIn, sensitivityOf } = BreastAI.views.comparedRuns;

  /** @param {Wire.RunEntry} run */
  function durationOf(run) {
    return run.started && run.ended ? format.duration((Date.parse(run.ended) - Date.parse(run.started)) / 1000) : format.NONE;
  }

  /** @param {string} metric @returns {Column} */
  const metricColumn = (metric) => ({ id: metric, title: () => t("runs.of_validation", { name: figureName(metric) }), sort: metric, figure: (run) => run.metrics[metric], cell: (run) => format.figure(run.metrics[metric]) });

  /** @type {Column[]} */
  const COLUMNS = [
    { id: "state", title: () => t("runs.state"), sort: "state", cell: stateOf },
    { id: "started", title: () => t("runs.started"), sort: "started", cell: (run) => format.date(run.started) },
    { id: "data", title: () => t("runs.data"), sort: "data", cell: (run) => (run.data ? make("span", { class: "whole-name" }, name(settings.dataFolder({ data: { train_dir: run.data } }) || run.data)) : format.NONE) },
    { id: "architecture", title: () => t("setting.model.architecture.label"), sort: "architecture", cell: (run) => run.architecture ?? format.NONE },
    { id: "epochs", title: () => t("figure.epoch"), cell: epochsOf },
    { id: "images", title: () => t("runs.images"), sort: "training_images", cell: imagesOf },
    { id: "sensitivity", title: () => t("runs.sensitivity"), sort: "sensitivity", figure: (run) => run.sensitivity, images: ({ sensitivity_on: on }) => (on === null ? null : imagesIn(on)), cell: sensitivityOf },
    ...FIGURES.map(metricColumn),
    { id: "duration", title: () => t("runs.duration"), sort: "duration", cell: durationOf },
    { id: "size", title: () => t("checkpoints.size"), sort: "size", cell: (run) => format.bytes(run.size_bytes) },
  ];
  const USUAL = ["state", "started", "data", "images", "architecture", "epochs", "auc_roc", "sensitivity"];

  /** The columns chosen. @returns {string[]} */
  function chosen() {
    const kept = (BreastAI.memory.read(KEPT) ?? "").split(",").filter((id) => COLUMNS.some((column) => column.id === id));
    return kept.length ? kept : USUAL;
  }

  /**
   * The runs as rows: those of a study under it, where the first of them stands.
   * @param {Wire.RunEntry[]} runs
   * @param {Set<string>} open the studies that are unfolded
   * @returns {RunRow[]}
   */
  function rowsOf(runs, open) {
    /** @type {Map<string, Wire.RunEntry[]>} */
    const studies = new Map();
    for (const run of runs) if (run.study !== null) studies.set(run.study, [...(studies.get(run.study) ?? []), run]);
    return runs.flatMap((run) => {
      const members = run.study === null ? null : (studies.get(run.study) ?? null);
      if (run.study === null || members === null) return [{ run, member: false }];
      if (members[0] !== run) return [];
      const isOpen = open.has(run.study);
      return [{ study: run.study, runs: members, open: isOpen }, ...(isOpen ? members.map((each) => ({ run: each, member: true })) : [])];
    });
  }

  /** A study's cell: the mean of its runs' figures and how far they spread, or what all of them have in common. @param {Column} column @param {Wire.RunEntry[]} runs */
  function studyCell({ figure, cell, images }, runs) {
    if (figure === undefined) {
      const [first, ...others] = runs.map(cell);
      const words = (/** @type {Node | string} */ each) => (typeof each === "string" ? each : each.textContent);
      return others.every((each) => words(each) === words(first)) ? first : "";
    }
    const values = runs.map(figure).filter((value) => typeof value === "number");
    if (values.length === 0) return format.NONE;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const shown = BreastAI.elements.figureCell({ value: mean, low: Math.min(...values), high: Math.max(...values) });
    const on = new Set(runs.map((run) => images?.(run) ?? null));
    const [all] = on;
    return on.size === 1 && all !== null ? make("span", {}, shown, " ", make("small", { class: "muted" }, name(all))) : shown;
  }

  /** What the list is asked for as it is sorted and filtered now. @param {State} state */
  function asked(state) {
    const { search = "", sort = "started", descending = true, state: only = null } = state.runs ?? {};
    return { search, sort, descending, ...(only === null ? {} : { state: only }) };
  }

  /** @param {() => void} changed told when other columns are chosen */
  function create(changed) {
    const boxes = byId("runs-columns");

    function showChoice() {
      fill(boxes, ...COLUMNS.map((column) => {
        const box = make("input", { attributes: { type: "checkbox", value: column.id, checked: chosen().includes(column.id) }, on: { change: choose } });
        return make("label", { class: "check" }, box, ` ${column.title()}`);
      }));
    }

    function choose() {
      const ids = [.../** @type {NodeListOf<HTMLInputElement>} */ (boxes.querySelectorAll("input:checked"))].map(({ value }) => value);
      BreastAI.memory.write(KEPT, ids.length ? ids.join(",") : null);
      changed();
    }

    showChoice();
    BreastAI.i18n.onChange(showChoice);
    return {
      chosen: () => COLUMNS.filter(({ id }) => chosen().includes(id)).map((column) => ({ words: column.title(), ...(column.sort === undefined ? {} : { sort: column.sort }), cell: (/** @type {RunRow} */ row) => ("study" in row ? studyCell(column, row.runs) : column.cell(row.run)) })),
    };
  }

  BreastAI.views.runsTable = { create, asked, rowsOf };
})();
