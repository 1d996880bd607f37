/* What a hand does on a chart: dragging enlarges what was dragged over, a double click shows all again, pointing asks for the values of a place, and a click pins it. */
(function () {
  "use strict";

  const LEAST_DRAG = 6;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} band what is shown over the part dragged over
   * @param {() => LineChart | null} chart
   * @param {{ whole: boolean, zoom: (range: Span | null) => void, point?: (place: number | null) => void, pin?: (place: number) => void }} handlers `whole`: only whole places are meant
   */
  function listen(canvas, band, chart, { whole, zoom, point, pin }) {
    /** @type {number | null} */
    let start = null;

    /** The pixel meant, within the axes. @param {PointerEvent} event */
    function pixelOf(event) {
      const { left, right } = chart()?.area() ?? { left: 0, right: 0 };
      return Math.min(right, Math.max(left, event.clientX - canvas.getBoundingClientRect().left));
    }

    /** @param {number} pixel */
    const placeOf = (pixel) => (whole ? Math.round(chart()?.placeAt(pixel) ?? 0) : (chart()?.placeAt(pixel) ?? 0));

    canvas.addEventListener("pointerdown", (event) => {
      // Fingers scroll the page; the fields above the curves serve them too.
      if (event.button !== 0 || event.pointerType === "touch") return;
      start = pixelOf(event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const there = chart();
      if (there === null) return;
      const now = pixelOf(event);
      if (start === null) return point?.(placeOf(now));
      const { top, bottom } = there.area();
      band.hidden = Math.abs(now - start) < LEAST_DRAG;
      for (const [side, value] of Object.entries({ left: Math.min(start, now), width: Math.abs(now - start), top, height: bottom - top })) band.style.setProperty(side, `${value}px`);
    });
    canvas.addEventListener("pointerleave", () => point?.(null));
    canvas.addEventListener("pointerup", (event) => {
      band.hidden = true;
      if (start === null || chart() === null) return;
      const ends = [start, pixelOf(event)].sort((a, b) => a - b);
      start = null;
      if (ends[1] - ends[0] < LEAST_DRAG) return pin?.(placeOf(ends[1]));
      const [from, to] = ends.map(placeOf);
      if (to > from) zoom({ from, to });
    });
    canvas.addEventListener("pointercancel", () => {
      start = null;
      band.hidden = true;
    });
    canvas.addEventListener("dblclick", () => zoom(null));
  }

  BreastAI.views.chartGestures = { listen };
})();
