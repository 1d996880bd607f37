/* Making elements: every text goes in as text, never as markup. */
(function () {
  "use strict";

  /**
   * Make an element. `text` becomes its text, `data` its data-* fields, `on` its listeners; a null attribute is left out.
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag
   * @param {ElementOptions} [options]
   * @param {...(Node | string | null)} children
   * @returns {HTMLElementTagNameMap[Tag]}
   */
  function make(tag, options = {}, ...children) {
    const element = document.createElement(tag);
    if (options.class) element.className = options.class;
    if (options.text !== undefined) element.textContent = options.text;
    for (const [name, value] of Object.entries(options.attributes ?? {})) {
      if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : String(value));
    }
    for (const [name, value] of Object.entries(options.data ?? {})) element.dataset[name] = value;
    for (const [name, listener] of Object.entries(options.on ?? {})) element.addEventListener(name, listener);
    for (const child of children) if (child !== null) element.append(child);
    return element;
  }

  /** The path of a setting in a text, and no part of a command, a file or a longer path, nor one with its label behind it. */
  const SETTING = /(?<![\w./=-]|--set )([a-z]+\.[a-z_]+)(?![\w=:("]|\.\w| \()/;

  /** A name typed by someone: its own direction, and it may break anywhere. @param {string} name */
  function name(name) {
    return make("bdi", { class: "name", text: name, attributes: { title: name.length > 30 ? name : null } });
  }

  /** A class by its name in the reader's language. @param {string} label */
  function label(label) {
    const shown = BreastAI.i18n.className(label);
    return shown === label ? name(label) : make("bdi", { class: "name", text: shown, attributes: { title: label } });
  }

  /** A text in which each setting, which it names by its path, is named by its label and leads to its field. @param {string} text @returns {(Node | string)[]} */
  function linked(text) {
    return text.split(SETTING).map((part, index) => {
      const key = `setting.${part}.label`;
      if (index % 2 === 0 || part.startsWith("server.") || !BreastAI.i18n.has(key)) return part;
      return make("a", { text: BreastAI.i18n.t(key), attributes: { href: BreastAI.address.ofSetting(part), title: part } });
    });
  }

  /** A text of the server's; one that an older record kept in English stays so. @param {Wire.Text | string} text @param {string} [classes] */
  function said(text, classes = "") {
    const english = typeof text === "string" && text.includes(" ") && BreastAI.i18n.current() !== "en";
    return make("span", { class: classes, attributes: { lang: english ? "en" : null } }, ...linked(BreastAI.i18n.say(text)));
  }

  /**
   * The element with this id; a page without it is not our page.
   * @param {string} id
   * @returns {HTMLElement}
   */
  function byId(id) {
    const element = document.getElementById(id);
    if (element === null) throw new Error(`index.html has no element #${id}`);
    return element;
  }

  /** @param {Element} parent @param {...(Node | string | null)} children */
  function fill(parent, ...children) {
    parent.replaceChildren(...children.filter((child) => child !== null));
  }

  /** A button that sends the request `action`. @param {string} action @param {string} text @param {ElementOptions} [options] */
  function actionButton(action, text, options = {}) {
    return make("button", {
      ...options,
      class: `button ${options.class ?? ""}`.trim(),
      text,
      attributes: { type: "button", ...options.attributes },
      data: { action, ...options.data },
    });
  }

  /** The images that something is of: the data set, where they are of one, and their folder. @param {{ data: string | null, dataset: string | null }} of */
  function images({ data, dataset }) {
    return dataset === null ? name(data ?? "") : make("span", {}, name(dataset), " ", make("small", { class: "muted" }, name(data ?? "")));
  }

  /**
   * A table. The first cell of a row is its header.
   * @param {{ caption: string, captionHidden?: boolean, head: (Node | string)[], rows: (Node | string)[][], class?: string, numeric?: boolean }} spec
   */
  function table(spec) {
    const labels = spec.head.map((cell) => (typeof cell === "string" ? cell : (cell.textContent ?? "")));
    const caption = make("caption", { text: spec.caption, class: spec.captionHidden ? "visually-hidden" : "" });
    const head = spec.head.map((cell) => make("th", { attributes: { scope: "col" } }, cell));
    const rows = spec.rows.map((cells) => tableRow(cells, labels));
    return make(
      "table",
      { class: `${spec.class ?? ""} ${spec.numeric ? "numeric" : ""}`.trim() },
      caption,
      make("thead", {}, make("tr", {}, ...head)),
      make("tbody", {}, ...rows),
    );
  }

  /** @param {(Node | string)[]} cells @param {string[]} labels of the columns */
  function tableRow(cells, labels) {
    return make(
      "tr",
      {},
      ...cells.map((cell, index) =>
        index === 0
          ? make("th", { attributes: { scope: "row" } }, cell)
          : make("td", { data: { label: labels[index] ?? "" } }, cell),
      ),
    );
  }

  /** A figure and its interval in one cell. @param {{ value: number | null, low: number | null, high: number | null, flag?: Wire.Figure["flag"] } | undefined} figure */
  function figureCell(figure) {
    if (figure === undefined) return BreastAI.format.NONE;
    return make("span", {}, BreastAI.format.figure(figure.value), " ", make("small", { class: "muted", text: BreastAI.format.interval(figure) }));
  }

  /** A wide thing that scrolls sideways by itself, reachable by keyboard. @param {string} label @param {Node} content */
  function scroller(label, content) {
    return make("div", { class: "scroller", attributes: { tabindex: 0, role: "group", "aria-label": label } }, content);
  }

  /** A list of terms and what they are. @param {[string, Node | string][]} pairs */
  function terms(pairs) {
    return make("dl", { class: "terms" }, ...pairs.map(([term, value]) => make("div", {}, make("dt", { text: term }), make("dd", {}, value))));
  }

  /** Let files be dropped on a place, which shows when they are over it. @param {HTMLElement} place @param {(dropped: DataTransfer | null) => void} receive */
  function takeDrops(place, receive) {
    for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
      place.addEventListener(kind, (event) => {
        if (kind !== "dragleave") event.preventDefault();
        place.classList.toggle("over", kind === "dragenter" || kind === "dragover");
        if (kind === "drop") receive(/** @type {DragEvent} */ (event).dataTransfer);
      });
    }
  }

  BreastAI.elements = { make, name, images, label, said, linked, byId, fill, actionButton, takeDrops, table, tableRow, figureCell, scroller, terms };
})();
