/* Where in a text of JSON its keys are, and what is expected at its end, also when it is not finished. Pure. */
(function () {
  "use strict";

  /** @typedef {"key" | "colon" | "value" | "comma"} Expected */
  const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

  /**
   * Read a text as far as it goes. `keys`: where each key begins, by its path; `fault`: where it first is no JSON;
   * `end`: the place at the end of the text, what belongs there, and whether a string is open.
   * @param {string} text
   * @returns {{ keys: Map<string, number>, fault: number | null, end: { path: string[], expects: "key" | "value" | "other", quoted: boolean } }}
   */
  function read(text) {
    /** @type {Map<string, number>} */
    const keys = new Map();
    /** @type {{ list: boolean, path: string[], key: string | null, expects: Expected, empty: boolean }[]} */
    const open = [];
    /** @type {number | null} */
    let fault = null;
    let quoted = false;
    const token = /\s+|"(?:[^"\\]|\\.)*("?)|[{}[\]:,]|[^\s"{}[\]:,]+/gsy;
    for (let found = token.exec(text); found !== null; found = token.exec(text)) {
      const word = found[0];
      if (word.trim() === "") continue;
      const at = found.index;
      const inner = open.at(-1);
      /** @param {boolean} right */
      const must = (right) => {
        if (!right) fault ??= at;
      };
      if (inner !== undefined && word !== "}" && word !== "]") {
        if (word !== "," && word !== ":") inner.empty = false;
      }
      if (word === "}" || word === "]") {
        must(inner !== undefined && inner.list === (word === "]") && (inner.expects === "comma" || (inner.empty && inner.expects !== "colon")));
        open.pop();
        const outer = open.at(-1);
        if (outer !== undefined) outer.expects = "comma";
      } else if (word === ":" || word === ",") {
        must(inner?.expects === (word === ":" ? "colon" : "comma"));
        if (inner !== undefined) inner.expects = word === ":" || inner.list ? "value" : "key";
      } else if (inner?.expects === "key") {
        must(word.startsWith('"'));
        if (found[1] === "") quoted = true;
        else if (word.startsWith('"')) {
          inner.key = word.slice(1, -1);
          inner.expects = "colon";
          keys.set([...inner.path, inner.key].join("."), at);
        }
      } else {
        must(inner === undefined ? at === text.search(/\S/) : inner.expects === "value");
        if (word === "{" || word === "[") open.push({ list: word === "[", path: inner === undefined ? [] : placeIn(inner), key: null, expects: word === "[" ? "value" : "key", empty: true });
        else {
          must(word.startsWith('"') || LITERAL.test(word) || token.lastIndex === text.length);
          if (word.startsWith('"') && found[1] === "") quoted = true;
          else if (inner !== undefined && (token.lastIndex < text.length || word.startsWith('"'))) inner.expects = "comma";
        }
      }
    }
    const inner = open.at(-1);
    if (inner === undefined) return { keys, fault, end: { path: [], expects: "other", quoted } };
    const expects = inner.expects === "key" || inner.expects === "value" ? inner.expects : "other";
    return { keys, fault, end: { path: expects === "value" ? placeIn(inner) : inner.path, expects, quoted } };
  }

  /** @param {{ list: boolean, path: string[], key: string | null }} inner */
  function placeIn(inner) {
    return inner.list || inner.key === null ? inner.path : [...inner.path, inner.key];
  }

  /** The line of a place in a text, from 0. @param {string} text @param {number} offset */
  function rowOf(text, offset) {
    return text.slice(0, offset).split("\n").length - 1;
  }

  /**
   * The line a fault is about: of its key, else of the part of it that is there.
   * @param {string} text
   * @param {string} path
   */
  function rowOfPath(text, path) {
    const { keys } = read(text);
    for (let parts = path.split("."); parts.length > 0; parts = parts.slice(0, -1)) {
      const offset = keys.get(parts.join("."));
      if (offset !== undefined) return rowOf(text, offset);
    }
    return 0;
  }

  /**
   * The object in a text, or what is wrong with it and in which line.
   * @param {string} text
   * @returns {{ value: Record<string, unknown> } | { problem: string, row: number }}
   */
  function parse(text) {
    try {
      const value = JSON.parse(text);
      if (value !== null && typeof value === "object" && !Array.isArray(value)) return { value };
      return { problem: "", row: 0 };
    } catch (error) {
      // Browsers say it in words of their own, and not all of them where.
      return { problem: String(/** @type {Error} */ (error).message), row: rowOf(text, read(text).fault ?? text.length) };
    }
  }

  /**
   * What may stand at the end of `text`, by the settings there are.
   * @param {string} text
   * @param {Field[]} fields
   * @returns {{ text: string, field: Field | null }[]}
   */
  function suggestions(text, fields) {
    const { path, expects, quoted } = read(text).end;
    const here = path.join(".");
    if (expects === "key") {
      const start = here === "" ? "" : `${here}.`;
      const names = new Set(fields.filter((field) => field.path.startsWith(start)).map((field) => field.path.slice(start.length).split(".")[0]));
      return [...names].map((name) => ({ text: quoted ? name : `"${name}": `, field: fields.find((field) => field.path === start + name) ?? null }));
    }
    const field = fields.find((each) => each.path === here);
    if (expects !== "value" || field === undefined) return [];
    const options = field.kind === "boolean" ? [true, false] : [...field.options, ...(field.options.length ? [] : [field.fallback])];
    if (field.nullable && !options.includes(null)) options.push(null);
    const known = options.filter((value) => value !== undefined && (!quoted || typeof value === "string"));
    return known.map((value) => ({ text: quoted ? String(value) : JSON.stringify(value), field }));
  }

  BreastAI.jsonPlaces = { read, rowOfPath, parse, suggestions };
})();
