/* The model in each subgroup: a forest plot for each figure, differences from the rest, and how many were tested. */
(function () {
  "use strict";

  const { make, name, table, figureCell, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 180;
  const HEIGHT = 20;

  /** @typedef {{ low: number, high: number }} Range */
  /** @typedef {Wire.Evaluation["subgroups"][number]} Subgroup */

  /** @param {string} tag @param {Record<string, number | string>} attributes */
  function shape(tag, attributes) {
    const made = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    return made;
  }

  /** The share of the scale that the intervals take, in tenths. @param {Wire.Figure[]} figures @returns {Range} */
  function rangeOf(figures) {
    const known = figures.flatMap(({ value, low, high }) => [value, low, high]).filter((number) => number !== null);
    const [low, high] = [Math.min(1, ...known), Math.max(0, ...known)];
    return { low: Math.max(0, Math.floor(low * 10) / 10), high: Math.min(1, Math.ceil(high * 10) / 10) };
  }

  /** An interval as a line with its value on it, and the value of all images upright. @param {Wire.Figure} figure @param {Wire.Figure | undefined} whole @param {Range} range */
  function intervalShape(figure, whole, range) {
    /** @param {number} value */
    const at = (value) => 4 + ((WIDTH - 8) * (value - range.low)) / Math.max(1e-9, range.high - range.low);
    const drawn = shape("svg", { class: "forest", width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
    const middle = HEIGHT / 2;
    if (whole?.value != null) drawn.append(shape("line", { class: "forest-whole", x1: at(whole.value), x2: at(whole.value), y1: 0, y2: HEIGHT }));
    if (figure.low !== null && figure.high !== null) drawn.append(shape("line", { class: "forest-interval", x1: at(figure.low), x2: at(figure.high), y1: middle, y2: middle }));
    if (figure.value !== null) drawn.append(shape("rect", { class: "forest-value", x: at(figure.value) - 4, y: middle - 4, width: 8, height: 8 }));
    return drawn;
  }

  /** @param {string} column @param {string} value */
  const groupName = (column, value) => make("span", {}, name(column), t("evaluation.subgroup_of"), name(value));

  /** One figure in all subgroups. @param {Wire.Evaluation} found @param {string} figure */
  function forestOf(found, figure) {
    const [base, of] = figure.split(".");
    const caption = `${t(`metric.${base}`)}${of === undefined ? "" : `, ${of}`}`;
    const rows = found.subgroups.filter((each) => each.figures[figure] !== undefined);
    const range = rangeOf(rows.map((each) => each.figures[figure]));
    const { pValue } = BreastAI.views.comparison;
    const cells = rows.map((each) => {
      const difference = each.differences[figure];
      const change = difference === undefined ? [format.NONE, format.NONE, format.NONE] : [figureCell(difference.difference), pValue(difference.p_value), pValue(difference.adjusted_p)];
      return [groupName(each.column, each.value), format.integer(each.figures[figure].n), figureCell(each.figures[figure]), intervalShape(each.figures[figure], found.figures[figure], range), ...change];
    });
    const scale = `${format.number(range.low, 1)} – ${format.number(range.high, 1)}`;
    const head = [t("evaluation.subgroup"), t("evaluation.n"), t("evaluation.value"), scale, t("subgroups.difference"), t("comparison.p"), t("comparison.adjusted")];
    return scroller(caption, table({ caption, head, rows: cells, numeric: true }));
  }

  /** Records of before there were differences: the figures alone. @param {Wire.Evaluation} found */
  function figuresAlone(found) {
    const groups = [...new Set(Object.keys(found.figures).map((full) => full.split("@")[1] ?? "").filter((where) => where.includes("=")))].sort();
    if (groups.length === 0) return [];
    const names = ["accuracy", ...found.class_names.map((label) => `auc_roc.${label}`)].filter((figure) => found.figures[`${figure}@${groups[0]}`] !== undefined);
    const rows = groups.map((group) => {
      const [column, ...value] = group.split("=");
      const of = names.map((figure) => found.figures[`${figure}@${group}`]);
      return [groupName(column, value.join("=")), format.integer(of[0]?.n), ...of.map(figureCell)];
    });
    const caption = t("evaluation.by_subgroup");
    const words = names.map((figure) => BreastAI.views.evaluation.wordsOf(figure));
    return [scroller(caption, table({ caption, captionHidden: true, head: [t("evaluation.subgroup"), t("evaluation.n"), ...words], rows, numeric: true }))];
  }

  /** The model in each subgroup, side by side: where it is weak is what a mean hides. @param {Wire.Evaluation} found */
  function subgroupsOf(found) {
    const heading = make("h4", { text: t("evaluation.by_subgroup") });
    if (found.subgroups.length === 0) {
      const alone = figuresAlone(found);
      return alone.length === 0 ? null : make("section", {}, heading, ...alone);
    }
    const figures = [...new Set(found.subgroups.flatMap((each) => Object.keys(each.figures)))];
    const tests = testsIn(found.subgroups);
    return make("section", {}, heading, make("p", { class: "muted", text: t("subgroups.help", { tests }) }), ...figures.map((figure) => forestOf(found, figure)));
  }

  /** How many differences were tested; of a column with two values both are one. @param {Subgroup[]} subgroups */
  function testsIn(subgroups) {
    return subgroups.filter((each) => {
      const values = subgroups.filter(({ column }) => column === each.column);
      return values.length !== 2 || values[0] === each;
    }).reduce((sum, each) => sum + Object.values(each.differences).filter(({ p_value }) => p_value !== null).length, 0);
  }

  BreastAI.views.subgroups = { subgroupsOf };
})();
