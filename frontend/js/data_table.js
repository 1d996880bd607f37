/* Tables whose columns are a list: each with its words and its cell, sorted by pressing its head. Drawn anew, they keep the focus. */
(function () {
  "use strict";

  const { make, fill, table, tableRow, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const CONTROLS = "a, button, input, select";

  /** What a control is told from the others by: its data-* fields. @param {Element | null} element @returns {string} */
  function markOf(element) {
    const fields = element instanceof HTMLElement ? Object.entries(element.dataset) : [];
    return fields.length ? JSON.stringify(fields) : "";
  }

  /** Draw; a control that had the focus in `before` is followed by the one with its data-* fields in what was drawn. @param {Element | undefined} before @param {() => Element} draw */
  function keepFocus(before, draw) {
    const focused = before?.contains(document.activeElement) ? markOf(document.activeElement) : "";
    const after = draw();
    if (focused === "") return;
    [.../** @type {NodeListOf<HTMLElement>} */ (after.querySelectorAll(CONTROLS))].find((each) => markOf(each) === focused)?.focus();
  }

  /** Fill `parent` anew and keep the focus. @param {Element} parent @param {...(Node | null)} children */
  function refill(parent, ...children) {
    keepFocus(parent, () => {
      fill(parent, ...children);
      return parent;
    });
  }

  /**
   * The head of a column: pressed, it sorts by it, and pressed again, the other way.
   * @template Row
   * @param {DataColumn<Row>} column
   * @param {Sorting} sorting
   */
  function headOf({ words, sort }, sorting) {
    if (sort === undefined) return words;
    const now = sorting.by === sort;
    const arrow = make("span", { attributes: { "aria-hidden": "true" }, text: now ? (sorting.descending ? " ▾" : " ▴") : "" });
    const press = () => sorting.change(sort, now ? !sorting.descending : (sorting.falling ?? true));
    return make("button", { class: "sort", attributes: { type: "button", "aria-pressed": String(now), title: t("runs.sort_by", { name: words }) }, data: { sort }, on: { click: press } }, words, arrow);
  }

  /** The cells of what was drawn before, by what they show and by column. @returns {KeptCells} */
  const keptCells = () => new WeakMap();

  /**
   * A cell made before for the same thing, else one made now.
   * @param {KeptCells} all @param {object} of @param {string} column @param {() => Node | string} make
   */
  function kept(all, of, column, make) {
    const cells = all.get(of) ?? new Map();
    all.set(of, cells);
    const key = `${BreastAI.i18n.current()} ${column}`;
    if (!cells.has(key)) cells.set(key, make());
    return cells.get(key) ?? "";
  }

  /**
   * @template Row
   * @param {{ caption: string, columns: DataColumn<Row>[], rows: Row[], sorting: Sorting }} spec
   */
  function create({ caption, columns, rows, sorting }) {
    const head = columns.map((column) => headOf(column, sorting));
    return scroller(caption, table({ caption, captionHidden: true, head, rows: rows.map((row) => columns.map(({ cell }) => cell(row))), class: "stacking" }));
  }

  /** Whether a row shows these cells already. @param {HTMLTableRowElement | undefined} row @param {(Node | string)[]} cells */
  function shows(row, cells) {
    return row !== undefined && cells.every((cell, index) => (typeof cell === "string" ? row.cells[index]?.textContent === cell : row.cells[index]?.firstChild === cell));
  }

  /**
   * Show a table in `parent`: rows that it shows already, with the same cells, stay as they are.
   * @template Row
   * @param {Element} parent
   * @param {{ caption: string, columns: DataColumn<Row>[], rows: Row[], sorting: Sorting }} spec
   */
  function update(parent, spec) {
    const { columns, rows, sorting } = spec;
    const labels = columns.map(({ words }) => words);
    const now = JSON.stringify([BreastAI.i18n.current(), labels, sorting.by, sorting.descending]);
    const there = parent.querySelector("table");
    if (there === null || there.dataset.head !== now) {
      refill(parent, create(spec));
      const made = parent.querySelector("table");
      if (made !== null) made.dataset.head = now;
      return;
    }
    const body = there.tBodies[0];
    rows.forEach((row, index) => {
      const cells = columns.map(({ cell }) => cell(row));
      const old = body.rows[index];
      if (shows(old, cells)) return;
      keepFocus(old, () => {
        const fresh = tableRow(cells, labels);
        if (old === undefined) body.append(fresh);
        else old.replaceWith(fresh);
        return fresh;
      });
    });
    while (body.rows.length > rows.length) body.rows[rows.length].remove();
  }

  BreastAI.dataTable = { create, update, refill, keptCells, kept };
})();
