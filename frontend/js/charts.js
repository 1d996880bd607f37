/* Curves over epochs. The only file that knows Chart.js; without it the page says so and the tables stay. */
(function () {
  "use strict";

  const SERIES_COLOURS = ["--series-1", "--series-2", "--series-3", "--series-4"];

  function available() {
    return typeof globalThis.Chart === "function";
  }

  /** The value of a colour of the style sheet, as the theme has it now. @param {string} variable */
  function colour(variable) {
    const probe = BreastAI.elements.make("span", { attributes: { hidden: true } });
    probe.style.setProperty("color", `var(${variable})`);
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }

  /** The look of a curve: colour and dash, so that colour alone tells nothing. @param {number} index */
  function lineStyle(index) {
    const line = colour(SERIES_COLOURS[index % SERIES_COLOURS.length]);
    return {
      borderColor: line,
      backgroundColor: line,
      pointBackgroundColor: line,
      pointBorderColor: line,
      borderWidth: 2,
      borderDash: index % 2 === 1 ? [6, 3] : [],
      // Dashes lie on top of whole lines, so that curves that are equal are both seen; points at the edge stay whole.
      order: -index,
      clip: 4,
      // A lone point has no line: show it; among many, points only clutter.
      pointRadius: (/** @type {any} */ context) => (context.dataset.data.length <= 40 ? 2.5 : 0),
      pointHoverRadius: 5,
    };
  }

  function calm() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  /**
   * The points of a curve: one for each epoch, a gap where the figure is undefined.
   * @param {Wire.TrainingUpdate[]} epochs sorted, each epoch once
   * @param {string} key
   * @returns {{ x: number, y: number | null }[]}
   */
  function points(epochs, key) {
    return epochs.map((row) => {
      const value = /** @type {any} */ (row)[key];
      return { x: row.epoch, y: typeof value === "number" ? value : null };
    });
  }

  /** A figure that training does not measure has no curve, and no place in the legend. @param {{ data: { y: number | null }[] }} dataset */
  function isEmpty(dataset) {
    return dataset.data.length > 0 && dataset.data.every((point) => point.y === null);
  }

  /** Chart.js's own legend, with the dashes of the curves. @param {any} chart */
  function dashedLabels(chart) {
    const labels = /** @type {any} */ (globalThis.Chart).defaults.plugins.legend.labels.generateLabels(chart);
    return labels.map((/** @type {any} */ item) => ({ ...item, lineWidth: 2, lineDash: chart.data.datasets[item.datasetIndex].borderDash }));
  }

  /**
   * A chart of some figures over the epochs.
   * @param {HTMLCanvasElement} canvas
   * @param {{ key: string, label: string }[]} series
   * @returns {Curves}
   */
  function create(canvas, series) {
    const Chart = globalThis.Chart;
    if (typeof Chart !== "function") return { show() {}, restyle() {}, destroy() {} };
    /** @type {any} */
    const chart = new Chart(canvas, {
      type: "line",
      data: { datasets: series.map(({ label }, index) => ({ label, data: [], ...lineStyle(index) })) },
      options: {
        animation: calm() ? false : { duration: 250 },
        responsive: true,
        maintainAspectRatio: false,
        parsing: false,
        normalized: true,
        interaction: { mode: "index", intersect: false },
        locale: BreastAI.i18n.tag(),
        scales: {
          x: { type: "linear", title: { display: true, text: BreastAI.i18n.t("figure.epoch") }, ticks: { precision: 0, maxTicksLimit: 8 } },
          y: { ticks: { maxTicksLimit: 6 }, grace: "5%" },
        },
        plugins: {
          legend: { position: "bottom", reverse: true, labels: { usePointStyle: true, pointStyle: "line", pointStyleWidth: 28, padding: 12, generateLabels: dashedLabels, filter: (/** @type {any} */ item, /** @type {any} */ data) => !isEmpty(data.datasets[item.datasetIndex]) } },
          colors: { enabled: false },
          tooltip: {
            itemSort: (/** @type {any} */ a, /** @type {any} */ b) => a.datasetIndex - b.datasetIndex,
            callbacks: {
              title: (/** @type {any[]} */ items) => `${BreastAI.i18n.t("figure.epoch")} ${BreastAI.format.integer(items[0]?.parsed.x)}`,
              label: (/** @type {any} */ item) => ` ${item.dataset.label} : ${BreastAI.format.figure(item.parsed.y)}`,
            },
          },
        },
      },
    });

    function restyle() {
      const text = colour("--text-muted");
      const grid = colour("--line");
      const { scales, plugins } = chart.options;
      for (const axis of [scales.x, scales.y]) {
        axis.ticks.color = text;
        axis.grid = { color: grid };
        axis.border = { color: grid };
      }
      scales.x.title.color = text;
      plugins.legend.labels.color = colour("--text");
      chart.data.datasets.forEach((/** @type {any} */ dataset, /** @type {number} */ index) => {
        Object.assign(dataset, lineStyle(index));
      });
      chart.update("none");
    }

    restyle();
    return {
      show(epochs) {
        chart.data.datasets.forEach((/** @type {any} */ dataset, /** @type {number} */ index) => {
          dataset.data = points(epochs, series[index].key);
        });
        // The axis has whole epochs, and is not empty before the second.
        chart.options.scales.x.min = epochs[0]?.epoch ?? 1;
        chart.options.scales.x.max = Math.max(epochs.at(-1)?.epoch ?? 1, (epochs[0]?.epoch ?? 1) + 1);
        chart.update(epochs.length > 300 || calm() ? "none" : undefined);
      },
      restyle,
      destroy: () => chart.destroy(),
    };
  }

  /**
   * A chart of curves between 0 and 1 on both axes.
   * @param {HTMLCanvasElement} canvas
   * @param {{ x: string, y: string }} axes the names of the axes
   * @returns {XYChart}
   */
  function createXY(canvas, axes) {
    const Chart = globalThis.Chart;
    if (typeof Chart !== "function") return { show() {}, restyle() {}, destroy() {} };
    /** @type {any} */
    const chart = new Chart(canvas, {
      type: "line",
      data: { datasets: [] },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        parsing: false,
        locale: BreastAI.i18n.tag(),
        scales: {
          x: { type: "linear", min: 0, max: 1, title: { display: true, text: axes.x } },
          y: { min: 0, max: 1, title: { display: true, text: axes.y } },
        },
        plugins: {
          legend: { position: "bottom", labels: { boxWidth: 18, boxHeight: 2, padding: 12 } },
          colors: { enabled: false },
          tooltip: { callbacks: { label: (/** @type {any} */ item) => ` ${item.dataset.label} : ${BreastAI.format.figure(item.parsed.x)} ; ${BreastAI.format.figure(item.parsed.y)}` } },
        },
      },
    });

    function restyle() {
      const text = colour("--text-muted");
      const grid = colour("--line");
      for (const axis of [chart.options.scales.x, chart.options.scales.y]) {
        axis.ticks.color = text;
        axis.title.color = text;
        axis.grid = { color: grid };
        axis.border = { color: grid };
      }
      chart.options.plugins.legend.labels.color = colour("--text");
      chart.data.datasets.forEach((/** @type {any} */ dataset, /** @type {number} */ index) => {
        Object.assign(dataset, lineStyle(index));
      });
      chart.update("none");
    }

    return {
      show(series) {
        chart.data.datasets = series.map(({ label, points: data }, index) => ({ label, data, ...lineStyle(index) }));
        restyle();
      },
      restyle,
      destroy: () => chart.destroy(),
    };
  }

  BreastAI.charts = { available, points, create, createXY };
})();
