/* What a person corrects in how a place is read: columns, which class a value is, how patients are told. */
(function () {
  "use strict";

  const { make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  /** What a column may say, in the order of the form. */
  const ROLES = /** @type {const} */ (["label", "patient", "breast", "view", "split", "site"]);
  const LEFT_OUT = "\u0000";

  /** How a thing is found now, as it is typed: a column's name, or a pattern of the path. @param {any} rule */
  function writtenOf(rule) {
    if (rule === undefined || rule === null) return "";
    if (rule.column !== undefined) return String(rule.column);
    if (rule.folder !== undefined) return `folder:${rule.folder}`;
    return rule.path !== undefined && rule.expand == null ? `/${rule.path}/` : "";
  }

  /** The rule that was typed: folder:-2, /pattern/ of the path, else a column. @param {string} text */
  function ruleOf(text) {
    const level = /^folder:(-?[1-9]\d?)$/.exec(text);
    if (level) return { folder: Number(level[1]) };
    const pattern = /^\/(.+)\/$/.exec(text);
    return pattern ? { path: pattern[1] } : { column: text };
  }

  /** @param {HTMLElement} host @param {() => void} changed */
  function create(host, changed) {
    /** @type {Record<string, string>} what was typed, by role */
    let typed = {};
    /** @type {Record<string, string | null>} class by value */
    let classes = {};
    /** The classes as a scale, the lowest first; empty where they are none. @type {string[]} */
    let ordered = [];
    /** @type {Reading | null} */
    let found = null;
    /** Where the values and their classes stand, and which of them; drawn anew when there are others. */
    const meant = make("div");
    let drawnFor = "";

    /** @param {string} role */
    function roleField(role) {
      const fields = /** @type {Record<string, any>} */ (found?.description?.fields ?? {});
      const input = make("input", { attributes: { type: "text", id: `reading-${role}`, autocomplete: "off", spellcheck: "false", "aria-describedby": "reading-rule-help" } });
      input.value = typed[role] ?? writtenOf(fields[role]);
      input.addEventListener("input", () => {
        typed[role] = input.value.trim();
        // What the values of one column mean, those of another do not.
        if (role === "label") classes = {};
        changed();
      });
      return make("div", { class: "field" }, make("label", { text: t(`reading.role.${role}`), attributes: { for: `reading-${role}` } }), input);
    }

    /** @param {string} value @param {string | null} meant @param {string[]} names @param {number} place its place among the values, which no two share */
    function classField(value, meant, names, place) {
      const id = `reading-class-${place}`;
      const select = make("select", { attributes: { id } }, ...names.map((each) => make("option", { text: BreastAI.i18n.className(each), attributes: { value: each } })), make("option", { text: t("reading.leave_out"), attributes: { value: LEFT_OUT } }));
      select.value = meant ?? LEFT_OUT;
      select.addEventListener("change", () => {
        classes[value] = select.value === LEFT_OUT ? null : select.value;
        changed();
      });
      return make("div", { class: "field" }, make("label", { text: value, attributes: { for: id } }), select);
    }

    /** Which class each value is read as; every class as itself where nothing maps them. */
    function known() {
      const map = /** @type {Record<string, string | null>} */ ({ ...(found?.description?.class_map ?? {}) });
      if (Object.keys(map).length === 0) for (const each of Object.keys(found?.classes ?? {})) map[each] = each;
      return map;
    }

    function draw() {
      if (found === null) return;
      drawnFor = "";
      fill(host, make("p", { class: "field-help", text: t("reading.rule_help"), attributes: { id: "reading-rule-help" } }), make("div", { class: "reading-fields" }, ...ROLES.map(roleField)), meant);
      drawClasses();
    }

    /** Not while one chooses among the same. */
    function drawClasses() {
      if (found === null) return;
      const map = known();
      const now = JSON.stringify(Object.keys({ ...map, ...classes }));
      if (now === drawnFor) return;
      drawnFor = now;
      const values = Object.entries({ ...map, ...classes });
      const names = [...new Set([...Object.keys(found.classes), ...Object.values({ ...map, ...classes }), "benign", "malignant", "normal"])].filter((each) => each !== null);
      fill(
        meant,
        values.length ? make("h4", { text: t("reading.class_map") }) : null,
        make("div", { class: "reading-fields" }, ...values.map(([value, meant], place) => classField(value, meant, names, place))),
      );
    }

    BreastAI.i18n.onChange(draw);
    return {
      clear() {
        typed = {};
        classes = {};
        ordered = [];
        found = null;
      },
      /** Keep these as classes, the lowest first. @param {string[]} scale */
      order(scale) {
        classes = {};
        ordered = scale;
        changed();
      },
      /** @param {Reading} inspection */
      begin(inspection) {
        found = inspection;
        draw();
      },
      /** What was found with the changes: other values where another column holds the class. @param {Reading} inspection */
      follow(inspection) {
        found = inspection;
        drawClasses();
      },
      /** The changes as a request has them. */
      values() {
        // What a map does not name is left out: where there is none yet all classes are named.
        const whole = Object.keys(found?.description?.class_map ?? {}).length ? {} : known();
        const fields = Object.fromEntries(Object.entries(typed).map(([role, text]) => [role, text === "" ? null : ruleOf(text)]));
        return { ...(ordered.length ? { ordered } : {}), ...(Object.keys(fields).length ? { fields } : {}), ...(Object.keys(classes).length ? { class_map: { ...whole, ...classes } } : {}) };
      },
    };
  }

  BreastAI.views.readingChanges = { create };
})();
