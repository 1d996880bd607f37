/* Points of curves: taken from epochs, smoothed, and written as CSV. Pure. */
(function () {
  "use strict";

  /**
   * The points of a curve: one for each epoch, a gap where the figure is undefined.
   * @param {Wire.TrainingUpdate[]} epochs sorted, each epoch once
   * @param {(row: any) => unknown} value
   * @returns {Point[]}
   */
  function points(epochs, value) {
    return epochs.map((row) => {
      const found = value(row);
      return { x: row.epoch, y: typeof found === "number" ? found : null };
    });
  }

  /**
   * The exponentially weighted mean of the points so far, without the pull of its start; gaps stay gaps.
   * @param {Point[]} line
   * @param {number} weight of what came before, 0 (nothing) to below 1
   * @returns {Point[]}
   */
  function smoothed(line, weight) {
    let sum = 0;
    let total = 0;
    return line.map(({ x, y }) => {
      if (y === null) return { x, y };
      sum = sum * weight + y;
      total = total * weight + 1;
      return { x, y: sum / total };
    });
  }

  /** The value of a line where it has a point at `x`; null elsewhere, and in a gap. @param {Point[]} line sorted @param {number} x */
  function valueAt(line, x) {
    let [low, high] = [0, line.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (line[middle].x < x) low = middle + 1;
      else high = middle;
    }
    return line[low]?.x === x ? line[low].y : null;
  }

  /** Whether a logarithmic axis shows more of these lines: all above nought, and over more than a decade. @param {Line[]} lines */
  function isWide(lines) {
    let [low, high] = [Infinity, 0];
    for (const { points: line } of lines) {
      for (const { y } of line) {
        if (y === null) continue;
        low = Math.min(low, y);
        high = Math.max(high, y);
      }
    }
    return low > 0 && high >= 10 * low;
  }

  /** A figure that was never measured has no curve, and no place in the legend. @param {Line} line */
  function isEmpty(line) {
    return line.points.length > 0 && line.points.every((point) => point.y === null);
  }

  /**
   * A figure of several runs by epoch: its mean, and the band from the lowest to the highest. An epoch that a run has not
   * reached, or where its figure is undefined, rests on the others.
   * @param {Record<string, (number | null)[]>[]} runs columns by name, epoch among them
   * @param {string} figure
   * @param {{ mean: string, low: string, high: string }} labels
   * @returns {Line[]}
   */
  function bandOf(runs, figure, labels) {
    /** @type {Map<number, number[]>} */
    const byEpoch = new Map();
    for (const run of runs) {
      (run.epoch ?? []).forEach((epoch, index) => {
        const value = run[figure]?.[index] ?? null;
        if (epoch !== null && value !== null) byEpoch.set(epoch, [...(byEpoch.get(epoch) ?? []), value]);
      });
    }
    const epochs = [...byEpoch].sort(([a], [b]) => a - b);
    /** @param {(values: number[]) => number} of */
    const line = (of) => epochs.map(([x, values]) => ({ x, y: of(values) }));
    return [
      { label: labels.mean, points: line((values) => values.reduce((sum, value) => sum + value, 0) / values.length) },
      { label: labels.low, points: line((values) => Math.min(...values)) },
      { label: labels.high, points: line((values) => Math.max(...values)), band: true },
    ];
  }

  /**
   * A text that no spreadsheet takes for a formula, nor a part of it where semicolons part cells.
   * @param {string} text
   */
  function withoutFormulas(text) {
    const within = text.replace(/([;\t\r\n])(?=["']*[-=+@\uff1d\uff0b\uff0d\uff20])/g, "$1'");
    return /^[-=+@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${within}` : within;
  }

  /** A cell of CSV. A spreadsheet takes a text that begins so for a formula. @param {unknown} value */
  function cell(value) {
    if (value === null || value === undefined) return "";
    const text = typeof value === "string" ? withoutFormulas(value) : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  /** @param {unknown[][]} rows */
  function csv(rows) {
    return rows.map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
  }

  /**
   * Curves as rows: side by side when they have the same places, else one below the other.
   * @param {Line[]} lines
   * @param {{ x: string, y: string }} axes
   * @returns {unknown[][]}
   */
  function rowsOf(lines, axes) {
    const places = lines[0]?.points.map(({ x }) => x) ?? [];
    const alike = lines.every(({ points: line }) => line.length === places.length && line.every(({ x }, index) => x === places[index]));
    if (alike) return [[axes.x, ...lines.map(({ label }) => label)], ...places.map((x, index) => [x, ...lines.map(({ points: line }) => line[index].y)])];
    return [["", axes.x, axes.y], ...lines.flatMap(({ label, points: line }) => line.map(({ x, y }) => [label, x, y]))];
  }

  BreastAI.series = { points, smoothed, valueAt, isWide, isEmpty, bandOf, csv, rowsOf };
})();
