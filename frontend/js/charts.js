/* Charts of lines. The only file that knows Chart.js; without it the page says so and the tables stay. */
(function () {
  "use strict";

  const SERIES_COLOURS = ["--series-1", "--series-2", "--series-3", "--series-4"];
  /** By colour and pattern the first eight curves differ, by pattern alone those of colours that are hard to tell apart. */
  const DASHES = [[], [6, 3], [], [2, 3], [10, 3, 2, 3], [14, 4], [10, 3, 2, 3], [1, 5]];
  /** Of lines that are no result, such as chance: neither colour nor pattern of any curve. */
  const REFERENCE = { colour: "--text-muted", dash: [3, 5] };
  const { series, format } = BreastAI;

  function available() {
    return typeof globalThis.Chart === "function";
  }

  /** @type {Map<string, string>} */
  const colours = new Map();
  let coloursFor = "";

  /** The value of a colour of the style sheet, as the theme has it now; asked once, because asking lays out the page. @param {string} variable */
  function colour(variable) {
    const theme = `${document.documentElement.dataset.theme ?? ""} ${matchMedia("(prefers-color-scheme: dark)").matches}`;
    if (theme !== coloursFor) colours.clear();
    coloursFor = theme;
    const known = colours.get(variable);
    if (known !== undefined) return known;
    const probe = BreastAI.elements.make("span", { attributes: { hidden: true } });
    probe.style.setProperty("color", `var(${variable})`);
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    colours.set(variable, value);
    return value;
  }

  /** The colour of a curve and its dashes: colour alone tells nothing. @param {number} index */
  function look(index) {
    if (index < 0) return REFERENCE;
    return { colour: SERIES_COLOURS[index % SERIES_COLOURS.length], dash: DASHES[index % DASHES.length] };
  }

  /** Which look each line has, by its number: a bound has that of the line it is a bound of, a reference one below 0. @param {Line[]} lines @returns {number[]} */
  function looks(lines) {
    let next = 0;
    const own = lines.map(({ edgeOf, reference }) => (reference ? -1 : edgeOf === undefined ? next++ : 0));
    return lines.map(({ edgeOf }, index) => (edgeOf === undefined ? own[index] : own[edgeOf]));
  }

  /** @param {number} index @param {boolean} faint @param {number} count */
  function lineStyle(index, faint, count) {
    const { colour: variable, dash } = look(index);
    const line = colour(variable);
    return {
      borderColor: faint ? line.replace(/^rgb\((.*)\)$/, "rgba($1, 0.28)") : line,
      backgroundColor: line,
      pointBackgroundColor: line,
      pointBorderColor: line,
      borderWidth: faint ? 1 : 2,
      borderDash: dash,
      // Dashes lie on top of whole lines, so that curves that are equal are both seen; points at the edge stay whole.
      order: faint ? 100 - index : -index,
      clip: 4,
      // A lone point has no line: show it; among many, points only clutter. A figure and not a function of each point,
      // so that Chart.js settles it once for all of them.
      pointRadius: radius(faint, count),
      pointHoverRadius: 5,
    };
  }

  /** @param {boolean} faint @param {number} count */
  function radius(faint, count) {
    return !faint && count <= 40 ? 2.5 : 0;
  }

  function calm() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  /** Room above and below, but none where shares end: a metric has no place beyond 0 and 1. @param {any} axis */
  function withinShares(axis) {
    const { min, max } = axis.getMinMax(true);
    if (max <= 1 && axis.max > 1) axis.max = 1;
    if (min >= 0 && axis.min < 0) axis.min = 0;
    axis.ticks = axis.ticks.filter((/** @type {{ value: number }} */ { value }) => value <= axis.max && value >= axis.min);
  }

  /** @param {ChartSpec} spec */
  function optionsOf(spec) {
    const value = spec.value ?? format.figure;
    const [text, grid] = [colour("--text-muted"), colour("--line")];
    const ink = { grid: { color: grid }, border: { color: grid } };
    return {
      animation: calm() ? false : { duration: 250 },
      responsive: true,
      maintainAspectRatio: false,
      parsing: false,
      normalized: true,
      interaction: spec.whole ? { mode: "index", intersect: false } : { mode: "nearest", intersect: false },
      locale: BreastAI.i18n.tag(),
      scales: {
        x: { ...ink, type: "linear", title: { display: true, text: spec.x, color: text }, ticks: { color: text, ...(spec.whole ? { precision: 0, maxTicksLimit: 8 } : {}) } },
        y: { ...ink, title: { display: spec.y !== undefined, text: spec.y, color: text }, ticks: { color: text, maxTicksLimit: 6 }, ...(spec.unit ? { min: 0, max: 1 } : spec.fromZero ? { min: 0 } : { grace: "5%", afterBuildTicks: withinShares }) },
      },
      plugins: { legend: { display: false }, colors: { enabled: false }, tooltip: { callbacks: { label: (/** @type {any} */ item) => ` ${item.dataset.label} : ${value(item.parsed.y)}` } } },
    };
  }

  /** Upright lines: dotted with a star at the best epoch, whole at the one pinned. @param {any} chart @param {ChartMarks} marks */
  function drawMarks({ ctx, chartArea: { left, right, top, bottom }, scales: { x } }, { best, pinned }) {
    for (const [place, variable, dash] of /** @type {const} */ ([[best, "--success", [2, 3]], [pinned, "--text", []]])) {
      if (place === null) continue;
      const at = x.getPixelForValue(place);
      if (at < left - 1 || at > right + 1) continue;
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = colour(variable);
      ctx.lineWidth = 1;
      ctx.setLineDash([...dash]);
      ctx.beginPath();
      ctx.moveTo(at, top);
      ctx.lineTo(at, bottom);
      ctx.stroke();
      ctx.font = "12px system-ui, sans-serif";
      ctx.textAlign = at > (left + right) / 2 ? "right" : "left";
      if (place === best) ctx.fillText(" ★ ", at, top + 10);
      ctx.restore();
    }
  }

  /**
   * A chart of lines, over epochs (`spec.whole`) or between 0 and 1 (`spec.unit`).
   * @param {HTMLCanvasElement} canvas
   * @param {ChartSpec} spec
   * @returns {LineChart | null} null without Chart.js
   */
  function create(canvas, spec) {
    const Chart = globalThis.Chart;
    if (typeof Chart !== "function") return null;
    /** @type {ChartMarks} */
    let marks = { best: null, pinned: null };
    /** @type {any} */
    const chart = new Chart(canvas, { type: "line", data: { datasets: [] }, options: /** @type {any} */ (optionsOf(spec)), plugins: [{ id: "marks", afterDatasetsDraw: (/** @type {any} */ drawn) => drawMarks(drawn, marks) }] });
    /** @type {Line[]} */
    let lines = [];
    let smoothing = 0;
    /** @type {Set<number>} */
    const off = new Set();
    const tooltip = chart.options.plugins.tooltip;
    tooltip.itemSort = (/** @type {any} */ a, /** @type {any} */ b) => a.datasetIndex - b.datasetIndex;
    tooltip.callbacks.title = (/** @type {any[]} */ items) => (items.length ? `${spec.x} ${spec.whole ? format.integer(items[0].parsed.x) : format.figure(items[0].parsed.x)}` : "");

    /** Every line as measured, then, when smoothed, every line again. */
    function fillIn() {
      const drawn = lines.map(({ label, points, band }) => ({ label, data: points, fill: band ? "-1" : false }));
      if (smoothing > 0) drawn.push(...lines.map(({ label, points }) => ({ label: BreastAI.i18n.t("curves.smoothed", { name: label }), data: series.smoothed(points, smoothing), fill: false })));
      const sets = chart.data.datasets;
      sets.length = Math.min(sets.length, drawn.length);
      drawn.forEach((line, index) => {
        const style = sets[index] === undefined || sets[index].label !== line.label || sets[index].faint !== (smoothing > 0 && index < lines.length);
        const place = index % lines.length;
        sets[index] = Object.assign(sets[index] ?? {}, line, { hidden: off.has(lines[place].edgeOf ?? place) });
        if (style || spec.plain || sets[index].pointRadius !== radius(sets[index].faint, line.data.length)) paint(index);
      });
    }

    /** @param {number} index */
    function paint(index) {
      const faint = smoothing > 0 && index < lines.length;
      const place = index % lines.length;
      Object.assign(chart.data.datasets[index], lineStyle(looks(lines)[place], faint, chart.data.datasets[index].data.length), { faint });
      const set = chart.data.datasets[index];
      if (spec.plain) set.pointRadius = set.data.length === 1 ? 6 : 0;
      if (lines[place].edgeOf !== undefined) Object.assign(set, { borderWidth: 0.5, borderDash: [], pointRadius: 0 });
      // What lies between this line and the one before it.
      if (set.fill !== false) set.backgroundColor = String(set.borderColor).replace(/^rgb\((.*)\)$/, "rgba($1, 0.16)");
    }

    /** @param {Span | null} range */
    function limit(range) {
      const xs = lines.flatMap(({ points }) => (points.length ? [points[0].x, points[points.length - 1].x] : []));
      const low = spec.unit ? 0 : Math.min(...xs, Infinity);
      const high = spec.unit ? 1 : Math.max(...xs, -Infinity);
      const { x } = chart.options.scales;
      x.min = range?.from ?? (Number.isFinite(low) ? low : 1);
      // The axis has whole epochs, and is not empty before the second.
      x.max = range?.to ?? Math.max(Number.isFinite(high) ? high : 1, x.min + (spec.whole ? 1 : 1e-6));
    }

    function restyle() {
      const text = colour("--text-muted");
      const grid = colour("--line");
      const { x, y } = chart.options.scales;
      for (const axis of [x, y]) {
        axis.ticks.color = text;
        axis.title.color = text;
        axis.grid = { color: grid };
        axis.border = { color: grid };
      }
      chart.data.datasets.forEach((/** @type {any} */ _, /** @type {number} */ index) => paint(index));
      // As new ones: of those it knows, Chart.js keeps the points in the colours they had.
      chart.data.datasets = chart.data.datasets.map((/** @type {any} */ set) => ({ ...set }));
      chart.update("none");
    }

    /** The chart with its title and legend, on the page's own background. @param {string} title @returns {Promise<Blob | null>} */
    function picture(title) {
      const scale = canvas.width / Math.max(1, canvas.clientWidth);
      const numbers = looks(lines);
      const shown = lines.map(({ label }, index) => ({ label, index })).filter(({ index }) => !off.has(index) && lines[index].edgeOf === undefined && !series.isEmpty(lines[index]));
      const sheet = BreastAI.elements.make("canvas", { attributes: { width: canvas.width, height: canvas.height + Math.round((40 + 22 * shown.length) * scale) } });
      const ink = /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d"));
      ink.fillStyle = colour("--card");
      ink.fillRect(0, 0, sheet.width, sheet.height);
      ink.drawImage(canvas, 0, 30 * scale);
      ink.scale(scale, scale);
      ink.fillStyle = colour("--text");
      ink.font = "600 15px system-ui, sans-serif";
      ink.fillText(title, 8, 20);
      ink.font = "13px system-ui, sans-serif";
      shown.forEach(({ label, index }, row) => {
        const y = canvas.height / scale + 45 + 22 * row;
        ink.strokeStyle = colour(look(numbers[index]).colour);
        ink.lineWidth = 2;
        ink.setLineDash(look(numbers[index]).dash);
        ink.beginPath();
        ink.moveTo(12, y - 4);
        ink.lineTo(40, y - 4);
        ink.stroke();
        ink.fillText(label, 48, y, sheet.width / scale - 56);
      });
      return new Promise((resolve) => sheet.toBlob(resolve, "image/png"));
    }

    return {
      show(next, { range = null, weight = 0, marks: marked = marks } = {}) {
        [lines, marks] = [next, marked];
        smoothing = weight;
        fillIn();
        limit(range);
        chart.update(calm() || lines.some(({ points }) => points.length > 300) ? "none" : undefined);
      },
      toggle(index) {
        if (!off.delete(index)) off.add(index);
        fillIn();
        chart.update("none");
        return !off.has(index);
      },
      /** The place on the x axis, from the left edge of the canvas in CSS pixels. */
      placeAt: (pixel) => chart.scales.x.getValueForPixel(pixel),
      pixelAt: (place) => chart.scales.x.getPixelForValue(place),
      mark(next) {
        if (next.best === marks.best && next.pinned === marks.pinned) return;
        marks = next;
        chart.draw();
      },
      logarithmic(is) {
        chart.options.scales.y = { ...chart.options.scales.y, type: is ? "logarithmic" : "linear" };
        chart.update("none");
      },
      area: () => ({ left: chart.chartArea.left, right: chart.chartArea.right, top: chart.chartArea.top, bottom: chart.chartArea.bottom }),
      restyle,
      picture,
      destroy: () => chart.destroy(),
    };
  }

  BreastAI.charts = { available, look, looks, create };
})();
