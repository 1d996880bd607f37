/* A chart with what belongs to it: title, switches for its lines, a part of it enlarged, its picture and its figures. */
(function () {
  "use strict";

  const { make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { charts, series, download, format } = BreastAI;

  /**
   * @param {ChartSpec & { name: string, title: string, onRange?: (range: Span | null) => void, onPoint?: (place: number | null) => void, onPin?: (place: number) => void }} spec
   * @returns {ChartCard}
   */
  function create(spec) {
    const canvas = make("canvas", { attributes: { role: "img", "aria-label": spec.title }, data: { chart: spec.name } });
    const band = make("div", { class: "chart-band", attributes: { hidden: true } });
    const guide = make("div", { class: "chart-guide", attributes: { hidden: true } });
    const box = make("div", { class: "chart-box" }, canvas, band, guide);
    const empty = make("p", { class: "empty", text: t("curves.empty"), attributes: { hidden: true } });
    const legend = make("div", { class: "chart-legend", attributes: { role: "group", "aria-label": t("curves.legend", { name: spec.title }) } });
    // Made when there is something to show: ten at once would hold the page up.
    /** @type {LineChart | null} */
    let chart = null;
    /** @type {Line[]} */
    let lines = [];
    /** @type {Span | null} */
    let own = null;
    let legendFor = "";
    /** @type {ChartMarks} */
    let marks = { best: null, pinned: null };
    /** @type {number | null} the place pointed to */
    let pointed = null;
    /** Where each line's value at that place is written, by its number. @type {Map<number, HTMLElement>} */
    const values = new Map();

    /** @param {string} text @param {string} key @param {() => void} click */
    const tool = (text, key, click) => make("button", { class: "button quiet small", text, attributes: { type: "button", "aria-label": t(key, { name: spec.title }), title: t(key, { name: spec.title }) }, on: { click } });
    const whole = tool(t("curves.whole"), "curves.whole_label", () => zoom(null));
    whole.hidden = true;
    const log = tool(t("curves.log"), "curves.log_label", () => {
      const now = log.getAttribute("aria-pressed") !== "true";
      log.setAttribute("aria-pressed", String(now));
      chart?.logarithmic(now);
    });
    log.setAttribute("aria-pressed", "false");
    log.hidden = true;
    const full = tool("", "curves.full", () => (document.fullscreenElement === element ? document.exitFullscreen() : element.requestFullscreen()).catch(() => {}));
    full.classList.add("chart-full");
    const tools = make(
      "span",
      { class: "chart-tools" },
      spec.onRange === undefined ? whole : null,
      log,
      tool("PNG", "curves.png", () => chart?.picture(spec.title).then((blob) => blob && download.save(`${spec.name}.png`, blob))),
      tool("CSV", "curves.csv", () => download.saveText(`${spec.name}.csv`, series.csv(series.rowsOf(lines, { x: spec.x, y: spec.y ?? spec.title })), "text/csv")),
      document.fullscreenEnabled ? full : null,
    );
    const element = make("figure", { class: "chart" }, make("figcaption", {}, make("span", { text: spec.title }), tools), empty, box, legend);

    /** @param {Span | null} range */
    function zoom(range) {
      if (spec.onRange !== undefined) spec.onRange(range);
      else {
        own = range;
        whole.hidden = own === null;
        chart?.show(lines, { range: own });
        showValues();
      }
    }

    /** The values at the place pointed to, or pinned, beside the names of the lines; and a line where they are. */
    function showValues() {
      const place = pointed ?? marks.pinned;
      for (const [index, element] of values) {
        const value = place === null ? null : series.valueAt(lines[index].points, place);
        element.textContent = value === null ? "" : ` ${(spec.value ?? format.figure)(value)}`;
      }
      const there = pointed !== null && chart !== null ? { at: chart.pixelAt(pointed), ...chart.area() } : null;
      guide.hidden = there === null || there.at < there.left - 1 || there.at > there.right + 1;
      if (there === null) return;
      for (const [side, value] of Object.entries({ left: there.at, top: there.top, height: there.bottom - there.top })) guide.style.setProperty(side, `${value}px`);
    }

    function drawLegend() {
      const bare = lines.map(series.isEmpty);
      const now = JSON.stringify([lines.map(({ label }) => label), bare]);
      if (now === legendFor) return;
      legendFor = now;
      const looks = charts.looks(lines);
      values.clear();
      fill(legend, ...lines.map(({ label, edgeOf }, index) => (bare[index] || edgeOf !== undefined ? null : item(label, index, looks[index]))));
    }

    /** @param {string} label @param {number} index @param {number} number which look it has */
    function item(label, index, number) {
      const { colour, dash } = charts.look(number);
      const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [key, value] of Object.entries({ x2: "26", y1: "1", y2: "1", "stroke-dasharray": dash.join(" ") || "none" })) line.setAttribute(key, value);
      swatch.setAttribute("class", "swatch");
      swatch.setAttribute("aria-hidden", "true");
      swatch.style.setProperty("--line-colour", `var(${colour})`);
      swatch.append(line);
      const value = make("span", { class: "legend-value" });
      values.set(index, value);
      const button = make("button", {
        class: "legend-item",
        attributes: { type: "button", "aria-pressed": "true" },
        on: { click: () => button.setAttribute("aria-pressed", String(chart?.toggle(index) ?? true)) },
      }, swatch, make("bdi", { text: label }), value);
      return button;
    }

    if (charts.available()) {
      BreastAI.views.chartGestures.listen(canvas, band, () => chart, { whole: spec.whole === true, zoom, ...(spec.onPin === undefined ? {} : { pin: spec.onPin }), ...(spec.onPoint === undefined ? {} : { point: spec.onPoint }) });
    }
    return {
      element,
      /** Make the chart before there is anything to show: the first takes as long to be made as to be filled. */
      prepare() {
        chart ??= charts.create(canvas, spec);
      },
      show(next, { range = own, weight = 0, description = "", marks: marked = marks } = {}) {
        [lines, marks] = [next, marked];
        // A sentence in place of an empty frame.
        empty.hidden = lines.some(({ points }) => points.some(({ y }) => y !== null));
        box.hidden = legend.hidden = tools.hidden = !empty.hidden;
        if (!empty.hidden) return;
        log.hidden = spec.unit === true || (log.getAttribute("aria-pressed") !== "true" && !series.isWide(lines));
        chart ??= charts.create(canvas, spec);
        chart?.show(lines, { range, weight, marks });
        canvas.setAttribute("aria-label", description === "" ? spec.title : `${spec.title}: ${description}`);
        drawLegend();
        showValues();
      },
      mark(next) {
        marks = next;
        chart?.mark(marks);
        showValues();
      },
      point(place) {
        pointed = place;
        showValues();
      },
      restyle: () => chart?.restyle(),
      destroy: () => chart?.destroy(),
    };
  }

  BreastAI.views.chartCard = { create };
})();
