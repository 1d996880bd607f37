/* A chart with what belongs to it: title, switches for its lines, a part of it enlarged, its picture and its figures. */
(function () {
  "use strict";

  const { make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { charts, series, download } = BreastAI;
  const LEAST_DRAG = 6;

  /**
   * @param {ChartSpec & { name: string, title: string, onRange?: (range: Span | null) => void }} spec
   * @returns {ChartCard}
   */
  function create(spec) {
    const canvas = make("canvas", { attributes: { role: "img", "aria-label": spec.title }, data: { chart: spec.name } });
    const band = make("div", { class: "chart-band", attributes: { hidden: true } });
    const box = make("div", { class: "chart-box" }, canvas, band);
    const legend = make("div", { class: "chart-legend", attributes: { role: "group", "aria-label": t("curves.legend", { name: spec.title }) } });
    // Made when there is something to show: ten at once would hold the page up.
    /** @type {LineChart | null} */
    let chart = null;
    /** @type {Line[]} */
    let lines = [];
    /** @type {Span | null} */
    let own = null;
    let legendFor = "";

    /** @param {string} text @param {string} key @param {() => void} click */
    const tool = (text, key, click) => make("button", { class: "button quiet small", text, attributes: { type: "button", "aria-label": t(key, { name: spec.title }), title: t(key, { name: spec.title }) }, on: { click } });
    const whole = tool(t("curves.whole"), "curves.whole_label", () => zoom(null));
    whole.hidden = true;
    const tools = make(
      "span",
      { class: "chart-tools" },
      spec.onRange === undefined ? whole : null,
      tool("PNG", "curves.png", () => chart?.picture(spec.title).then((blob) => blob && download.save(`${spec.name}.png`, blob))),
      tool("CSV", "curves.csv", () => download.saveText(`${spec.name}.csv`, series.csv(series.rowsOf(lines, { x: spec.x, y: spec.y ?? spec.title })), "text/csv")),
    );
    const element = make("figure", { class: "chart" }, make("figcaption", {}, make("span", { text: spec.title }), tools), box, legend);

    /** @param {Span | null} range */
    function zoom(range) {
      if (spec.onRange !== undefined) spec.onRange(range);
      else {
        own = range;
        whole.hidden = own === null;
        chart?.show(lines, { range: own });
      }
    }

    /** Dragging over the chart enlarges what was dragged over; a double click shows all again. */
    function listen() {
      /** @type {number | null} */
      let start = null;
      /** @param {PointerEvent} event */
      const place = (event) => {
        const { left, right } = chart?.area() ?? { left: 0, right: 0 };
        return Math.min(right, Math.max(left, event.clientX - canvas.getBoundingClientRect().left));
      };
      canvas.addEventListener("pointerdown", (event) => {
        // Fingers scroll the page; the fields above the curves serve them too.
        if (event.button !== 0 || event.pointerType === "touch") return;
        start = place(event);
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (start === null || chart === null) return;
        const now = place(event);
        const { top, bottom } = chart.area();
        band.hidden = Math.abs(now - start) < LEAST_DRAG;
        for (const [side, value] of Object.entries({ left: Math.min(start, now), width: Math.abs(now - start), top, height: bottom - top })) band.style.setProperty(side, `${value}px`);
      });
      canvas.addEventListener("pointerup", (event) => {
        band.hidden = true;
        const there = chart;
        if (start === null || there === null) return;
        const ends = [start, place(event)].sort((a, b) => a - b);
        start = null;
        if (ends[1] - ends[0] < LEAST_DRAG) return;
        const [from, to] = ends.map((pixel) => there.placeAt(pixel));
        if (!spec.whole) zoom({ from, to });
        else if (Math.round(to) > Math.round(from)) zoom({ from: Math.round(from), to: Math.round(to) });
      });
      canvas.addEventListener("pointercancel", () => {
        start = null;
        band.hidden = true;
      });
      canvas.addEventListener("dblclick", () => zoom(null));
    }

    function drawLegend() {
      const empty = lines.map(series.isEmpty);
      const now = JSON.stringify([lines.map(({ label }) => label), empty]);
      if (now === legendFor) return;
      legendFor = now;
      const looks = charts.looks(lines);
      fill(legend, ...lines.map(({ label, edgeOf }, index) => (empty[index] || edgeOf !== undefined ? null : item(label, index, looks[index]))));
    }

    /** @param {string} label @param {number} index @param {number} number which look it has */
    function item(label, index, number) {
      const { colour, dashed } = charts.look(number);
      const swatch = make("span", { class: `swatch${dashed ? " dashed" : ""}`, attributes: { "aria-hidden": "true" } });
      swatch.style.setProperty("--line-colour", `var(${colour})`);
      const button = make("button", {
        class: "legend-item",
        attributes: { type: "button", "aria-pressed": "true" },
        on: { click: () => button.setAttribute("aria-pressed", String(chart?.toggle(index) ?? true)) },
      }, swatch, make("bdi", { text: label }));
      return button;
    }

    if (charts.available()) listen();
    return {
      element,
      show(next, { range = own, weight = 0, description = "" } = {}) {
        lines = next;
        chart ??= charts.create(canvas, spec);
        chart?.show(lines, { range, weight });
        canvas.setAttribute("aria-label", description === "" ? spec.title : `${spec.title}: ${description}`);
        drawLegend();
      },
      restyle: () => chart?.restyle(),
      destroy: () => chart?.destroy(),
    };
  }

  BreastAI.views.chartCard = { create };
})();
