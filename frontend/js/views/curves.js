/* The curves of a run, and the same figures as a table of epochs. */
(function () {
  "use strict";

  const { byId, make, fill, table, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format, catalog, charts } = BreastAI;
  const MOST_ROWS = 200;

  function create() {
    /** @type {{ chart: Curves, canvas: HTMLCanvasElement, family: string, series: { key: string, label: string }[] }[]} */
    let drawn = [];
    /** @type {Wire.Catalog | null} */
    let drawnFor = null;
    /** @type {unknown} */
    let shown = null;

    /** @param {Wire.Catalog} from */
    function draw(from) {
      for (const { chart } of drawn) chart.destroy();
      drawn = [];
      fill(byId("charts"));
      fill(byId("charts-more"));
      const families = [...catalog.curves(from), { family: "learning_rate", first: false, series: [{ key: "learning_rate", name: "learning_rate", part: null }] }];
      for (const { family, first, series } of families) {
        const labelled = series.map(({ key, name, part }) => ({ key, label: part === null ? nameOf(name) : t(`part.${part}`) }));
        const canvas = make("canvas", { attributes: { role: "img" }, data: { chart: family } });
        const title = make("figcaption", { text: family === "learning_rate" ? t("figure.learning_rate") : t(`family.${family}`) });
        byId(first ? "charts" : "charts-more").append(make("figure", { class: "chart" }, title, make("div", { class: "chart-box" }, canvas)));
        drawn.push({ chart: charts.create(canvas, labelled), canvas, family, series: labelled });
      }
      shown = null;
    }

    /** @param {string} name */
    function nameOf(name) {
      return name === "learning_rate" ? t("figure.learning_rate") : t(`metric.${name}`);
    }

    /** The curve in words, for those who do not see it. @param {{ key: string, label: string }[]} series @param {Wire.TrainingUpdate[]} epochs */
    function described(series, epochs) {
      const latest = /** @type {any} */ (epochs.at(-1));
      return series.map(({ key, label }) => `${label} ${format.figure(latest?.[key])}`).join(", ");
    }

    /** @param {State} state */
    function showTable(state) {
      const epochs = (state.run?.epochs ?? []).slice(-MOST_ROWS).reverse();
      const names = catalog.numbers(state.welcome?.catalog).map(({ name }) => name);
      const head = [t("figure.epoch"), t("figure.train_loss"), t("figure.train_accuracy"), ...names.map(nameOf), t("figure.learning_rate")];
      const rows = epochs.map((row) => [
        format.integer(row.epoch) + (row.is_best ? " ★" : ""),
        format.figure(row.train_loss),
        format.figure(row.train_accuracy),
        ...names.map((name) => format.figure(/** @type {any} */ (row)[`val_${name}`])),
        format.small(row.learning_rate),
      ]);
      const caption = t("curves.table_caption");
      fill(byId("epochs-table"), make("p", { class: "muted", text: caption }), scroller(caption, table({ caption, captionHidden: true, head, rows, numeric: true })));
    }

    const details = /** @type {HTMLDetailsElement} */ (byId("epochs-details"));
    byId("charts-absent").hidden = charts.available();
    if (!charts.available()) details.open = true;

    return {
      /** @param {State} state */
      render(state) {
        const epochs = state.run?.epochs ?? [];
        byId("curves-card").hidden = state.run === null;
        if (state.run === null || state.welcome === null) return;
        if (charts.available() && drawnFor !== state.welcome.catalog) {
          drawnFor = state.welcome.catalog;
          draw(drawnFor);
        }
        if (shown !== epochs) {
          shown = epochs;
          for (const { chart, canvas, family, series } of drawn) {
            chart.show(epochs);
            const title = family === "learning_rate" ? t("figure.learning_rate") : t(`family.${family}`);
            canvas.setAttribute("aria-label", `${title}: ${described(series, epochs)}`);
          }
        }
        if (details.open) showTable(state);
      },
      /** @param {() => void} again */
      listen(again) {
        details.addEventListener("toggle", again);
        BreastAI.i18n.onChange(() => {
          drawnFor = null;
        });
      },
      restyle() {
        for (const { chart } of drawn) chart.restyle();
      },
      /** @param {State} state */
      slice: (state) => [state.run?.id, state.run?.epochs, state.welcome],
    };
  }

  BreastAI.views.curves = { create };
})();
