/* The figures of a run's epochs as a table, the latest first; the best so far is marked. */
(function () {
  "use strict";

  const { byId, make, fill, table, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format, catalog } = BreastAI;
  const MOST_ROWS = 200;

  /** @param {State} state @param {Wire.TrainingUpdate[]} epochs */
  function show(state, epochs) {
    const rows = epochs.slice(-MOST_ROWS).reverse();
    const names = catalog.numbers(state.welcome?.catalog).map(({ name }) => name);
    const head = [t("figure.epoch"), t("figure.train_loss"), t("figure.train_accuracy"), ...names.map(catalog.metricName), t("figure.learning_rate")];
    const cells = rows.map((row) => [
      format.integer(row.epoch) + (row.is_best ? " ★" : ""),
      format.figure(row.metrics.train_loss),
      format.figure(row.metrics.train_accuracy),
      ...names.map((name) => format.figure(row.metrics[`val_${name}`])),
      format.small(row.learning_rate),
    ]);
    const caption = t("curves.table_caption");
    fill(byId("epochs-table"), make("p", { class: "muted", text: caption }), scroller(caption, table({ caption, captionHidden: true, head, rows: cells, numeric: true })));
  }

  BreastAI.views.epochsTable = { show };
})();
