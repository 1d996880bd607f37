/* A study of readers: asking for one, and for an evaluation of predictions and its report; its figures, inference, agreement. */
(function () {
  "use strict";

  const { byId, make, fill, name, said, table, scroller, actionButton } = BreastAI.elements;
  const { t, className } = BreastAI.i18n;
  const { format } = BreastAI;

  /** The name of a test; "reading" stands for the only one of a table that names none. @param {string} test */
  const testName = (test) => (test === "reading" ? t("readers.one_test") : test);

  /** @param {string} title @param {string[]} keys @param {(Node | string)[][]} rows */
  function tableOf(title, keys, rows) {
    return scroller(title, table({ caption: title, head: keys.map((key) => t(key)), rows, numeric: true, class: "stacking" }));
  }

  /** @param {Wire.ReaderMean | Wire.ReaderDifference | Wire.ModelDifference} effect @param {string} what @param {boolean} adjusted whether p-values are adjusted for several comparisons */
  function effectRow(effect, what, adjusted) {
    const { pValue } = BreastAI.views.comparison;
    return [what, t(`readers.random.${effect.analysis}`), format.figure(effect.figure.value), format.interval(effect.figure), effect.degrees === null ? format.NONE : format.number(effect.degrees, 1), pValue(effect.p_value), ...(adjusted ? [pValue(effect.adjusted_p)] : [])];
  }

  /** @param {Wire.MeritAnalysis} found @param {string | null} model @returns {Node[]} */
  function meritOf(found, model) {
    const title = t(`readers.merit.${found.merit}`);
    const rows = found.figures.map((row) => [name(row.reader), testName(row.test), format.figure(row.figure.value), format.interval(row.figure)]);
    if (found.model !== null) rows.push([name(model ?? ""), t("readers.model"), format.figure(found.model.value), format.interval(found.model)]);
    const adjusted = [...found.differences, ...found.against_model].some(({ adjusted_p: p }) => p !== null);
    const effects = [
      ...found.means.map((each) => effectRow(each, t("readers.mean", { test: testName(each.test) }), adjusted)),
      ...found.differences.map((each) => effectRow(each, t("readers.difference", { first: testName(each.first), second: testName(each.second) }), adjusted)),
      ...found.against_model.map((each) => effectRow(each, t("readers.against", { test: testName(each.test) }), adjusted)),
    ];
    return [
      make("h4", { text: title }),
      tableOf(t("readers.each", { merit: title }), ["readers.reader", "readers.test", "evaluation.value", "evaluation.interval_head"], rows),
      tableOf(t("readers.effects", { merit: title }), ["readers.what", "readers.analysis", "evaluation.value", "evaluation.interval_head", "readers.degrees", "comparison.p", ...(adjusted ? ["comparison.adjusted"] : [])], effects),
    ];
  }

  /** Of all readers first; of each two folded, for there are many. @param {Wire.ReaderStudyRecord} study */
  function agreementOf(study) {
    if (study.agreement.length === 0) return null;
    const keys = ["readers.measure", "readers.of", "readers.test", "readers.readers", "evaluation.value", "evaluation.interval_head"];
    /** @param {Wire.Agreement} row */
    const cells = (row) => [t(`readers.measure.${row.measure}`), t(`readers.of.${row.of}`), testName(row.test), name(row.readers.join(", ")), format.figure(row.figure.value), format.interval(row.figure)];
    const all = study.agreement.filter((row) => row.measure === "fleiss");
    const pairs = study.agreement.filter((row) => row.measure !== "fleiss");
    const folded = pairs.length === 0 ? null : make("details", {}, make("summary", { text: t("readers.pairs", { n: format.integer(pairs.length) }) }), tableOf(t("readers.pairs_title"), keys, pairs.map(cells)));
    return make("section", {}, make("h4", { text: t("readers.agreement") }), tableOf(t("readers.agreement"), keys, all.map(cells)), folded);
  }

  /** @param {Wire.ReaderStudyRecord} study @returns {(Node | null)[]} */
  function bodyOf(study) {
    const counts = { readers: study.readers.length, tests: study.tests.length, n: study.cases, positives: format.integer(study.positives), name: className(study.target_class) };
    return [
      make("p", {}, name(study.table), " · ", t("readers.head", counts)),
      ...study.analyses.flatMap((each) => meritOf(each, study.model)),
      make("p", { class: "muted", text: t("readers.how") }),
      agreementOf(study),
      make("ul", { class: "muted" }, ...study.notes.map((note) => make("li", {}, said(note)))),
    ];
  }

  /** The fields of a form that say something; numbers as numbers. @param {Record<string, string>} ids */
  function filled(ids) {
    /** @type {Record<string, string | number>} */
    const found = {};
    for (const [field, id] of Object.entries(ids)) {
      const input = /** @type {HTMLInputElement} */ (byId(id));
      const value = input.value.trim();
      if (value !== "") found[field] = input.type === "number" ? Number(value) : value;
    }
    return found;
  }

  /** @param {Context} context */
  function create({ connection }) {
    /** @param {string} form @param {string} request @param {string} needed @param {Record<string, string>} ids */
    function asks(form, request, needed, ids) {
      byId(form).addEventListener("submit", (event) => {
        event.preventDefault();
        const fields = filled(ids);
        if (needed in fields) connection.request(request, fields).catch(() => {});
      });
    }
    asks("readers-form", "compare_readers", "table", { table: "readers-path", predictions: "readers-model", call_from: "readers-call" });
    asks("predictions-form", "evaluate_predictions", "predictions", { predictions: "predictions-path", threshold: "predictions-threshold", choose_on: "predictions-part" });

    /** What writes, and then opens, the report of another model's predictions; a run's own is with its checkpoints. @param {State} state */
    function reportOf(state) {
      const kept = BreastAI.address.ofRecord(state.evaluation?.record ?? null);
      if (kept?.run !== "predictions") return null;
      const { run, name: evaluation } = kept;
      const button = actionButton("create_report", t("checkpoints.report"), { class: "small", on: { click: () => BreastAI.servedFiles.askReport(connection, run, { evaluation }) } });
      const done = state.reports.find(({ url }) => url.startsWith(`/reports/${run}/${evaluation}/`));
      const link = done === undefined ? null : BreastAI.servedFiles.opens(state, done.url, t("reports.open", { run: state.evaluation?.data ?? "" }));
      return make("p", { class: "button-row" }, button, link);
    }

    return {
      within: "evaluation",
      /** @param {State} state */
      render(state) {
        fill(byId("evaluation-report"), reportOf(state));
        byId("readers-card").hidden = state.readers === null;
        if (state.readers !== null) fill(byId("readers-body"), ...bodyOf(state.readers));
      },
      /** @param {State} state */
      slice: (state) => [state.readers, state.evaluation, state.reports, state.connection.url],
    };
  }

  BreastAI.views.readers = { create };
})();
