/* Words: the language the page speaks, and every text of it by its key. */
(function () {
  "use strict";

  const REMEMBERED_AS = "breastai.language";

  /** @type {BreastAIGlobal} */
  const BreastAI = /** @type {any} */ ({ locales: {}, views: {} });
  globalThis.BreastAI = BreastAI;

  let language = "en";
  /** @type {Set<() => void>} */
  const listeners = new Set();
  /** Making one takes longer than using it a hundred times. @type {Map<string, Intl.PluralRules>} */
  const pluralRules = new Map();

  /** The languages that texts.js brings, English first. */
  function languages() {
    return ["en", ...Object.keys(BreastAI.locales).filter((each) => each !== "en")];
  }

  /**
   * The language to begin with: the one chosen last time, else the first of the browser's that we speak.
   * @param {string | null} remembered
   * @param {readonly string[]} browserLanguages
   */
  function choose(remembered, browserLanguages) {
    if (remembered !== null && languages().includes(remembered)) return remembered;
    for (const tag of browserLanguages) {
      const primary = tag.toLowerCase().split("-")[0];
      if (languages().includes(primary)) return primary;
    }
    return "en";
  }

  function current() {
    return language;
  }

  /** The browser's own tag of that language, en-GB or fr-CA: dates are written as its users write them. @returns {string} */
  function tag() {
    const own = typeof navigator === "undefined" || !navigator.languages ? [] : navigator.languages;
    return own.find((each) => each.toLowerCase().split("-")[0] === language) ?? t("language.locale");
  }

  /** @param {string} wanted */
  function set(wanted) {
    language = languages().includes(wanted) ? wanted : "en";
    if (typeof document !== "undefined") document.documentElement.lang = language;
    for (const listener of listeners) listener();
  }

  /** Choose the language and remember it. @param {string} wanted */
  function remember(wanted) {
    BreastAI.memory.write(REMEMBERED_AS, wanted);
    set(wanted);
  }

  function begin() {
    set(choose(BreastAI.memory.read(REMEMBERED_AS), navigator.languages || [navigator.language]));
  }

  /** @param {() => void} listener */
  function onChange(listener) {
    listeners.add(listener);
  }

  /** A text, or its forms by plural category. @param {string} key @returns {string | Record<string, string> | undefined} */
  function template(key) {
    for (const each of [language, "en"]) {
      const texts = BreastAI.locales[each];
      if (texts !== undefined && Object.hasOwn(texts, key)) return texts[key];
    }
    return undefined;
  }

  /** @param {string} key */
  function has(key) {
    return template(key) !== undefined;
  }

  /** The plural category of a count, by the language's own rule (in French, 0 is singular). @param {unknown} count @returns {string} */
  function categoryOf(count) {
    if (typeof count !== "number") return "other";
    let rules = pluralRules.get(language);
    if (rules === undefined) pluralRules.set(language, (rules = new Intl.PluralRules(tag())));
    return rules.select(Math.abs(count));
  }

  /** The form of a template for its count, and of each {name?one|several} in it. @param {string | Record<string, string>} found @param {Record<string, unknown>} params @returns {string} */
  function formOf(found, params) {
    const text = typeof found === "string" ? found : (found[categoryOf(params[found.plural])] ?? found.other);
    return text.replace(/\{(\w+)\?([^{}|]*)\|([^{}|]*)\}/g, (_whole, name, one, several) => (categoryOf(params[name]) === "one" ? one : several));
  }

  /** A text of the server's: a code with parameters. @param {unknown} value @returns {value is Wire.Text} */
  function isText(value) {
    return typeof value === "object" && value !== null && "code" in value && "params" in value;
  }

  /** How {name:form} is written. @type {Record<string, (value: any, digits: number | undefined) => string>} */
  const forms = {
    integer: (value) => BreastAI.format.integer(value),
    number: (value, digits = 1) => BreastAI.format.number(value, digits),
    fixed: (value, digits = 3) => BreastAI.format.fixed(value, digits),
    percent: (value, digits = 0) => BreastAI.format.percent(value, digits),
  };

  /** @param {unknown} value @param {string} [form] @param {string} [digits] @returns {string} */
  function readable(value, form, digits) {
    if (value === null || value === undefined || value === "") return "—";
    if (Array.isArray(value)) {
      if (!value.length) return "—";
      const parts = value.map((each) => readable(each));
      if (form === "lines") return parts.join(t("list.lines"));
      if (form !== "and" && form !== "or") return parts.join(", ");
      return new Intl.ListFormat(tag(), { type: form === "and" ? "conjunction" : "disjunction" }).format(parts);
    }
    if (typeof value === "number") {
      if (form !== undefined && Object.hasOwn(forms, form)) return forms[form](value, digits === undefined ? undefined : Number(digits));
      return new Intl.NumberFormat(tag(), { useGrouping: false, maximumFractionDigits: 6 }).format(value);
    }
    if (form === "date" || form === "datetime") return BreastAI.format[form === "date" ? "day" : "date"](String(value));
    return isText(value) ? say(value) : String(value);
  }

  /** Whether a parameter names classes; a text about folders and tables names them as they stand there. @param {string} key @param {string} name */
  function namesClasses(key, name) {
    if (["most", "least", "largest", "smallest"].includes(name)) return /^(data_warning\.lopsided|finding\.classes\.imbalanced)/.test(key);
    return name === "class_name" ? !key.startsWith("error.") : (name === "class_names" || name === "classes") && !/^(error|doubt|problem|expected|reason)\./.test(key);
  }

  /** Classes in the reader's language, a count behind one too: bénin (4). @param {unknown} value @returns {unknown} */
  function named(value) {
    if (Array.isArray(value)) return value.map(named);
    const [, word, count = ""] = /^(.+?)( \(\d+\))?$/.exec(typeof value === "string" ? value : "") ?? [];
    return word === undefined ? value : className(word) + count;
  }

  /**
   * The text of `key`, with {names} filled in. A missing text shows its key: the tests find it before a user does.
   * @param {string} key
   * @param {Record<string, unknown>} [params]
   * @returns {string}
   */
  function t(key, params = {}) {
    const found = template(key);
    if (found === undefined) return key;
    return formOf(found, params).replace(/\{(\w+)(?::(\w+)(?:\.(\d))?)?\}/g, (whole, name, form, digits) =>
      Object.hasOwn(params, name) ? readable(namesClasses(key, name) ? named(params[name]) : params[name], form, digits) : whole,
    );
  }

  /** The text of `key` in the form for `count`. @param {string} key @param {number} count @param {Record<string, unknown>} [params] */
  function plural(key, count, params = {}) {
    return t(key, { ...params, count });
  }

  /** A text of the server's in the chosen language; what an older record kept in words stands as it is. @param {Wire.Text | string} text @returns {string} */
  function say(text) {
    if (typeof text === "string") return text;
    const path = text.code.startsWith("problem.") ? text.params.name : null;
    // A fault of a setting names it by its path, and where the language wants it by its label too.
    if (typeof path !== "string" || !has(`setting.${path}.label`)) return t(text.code, text.params);
    return t(text.code, { ...text.params, name: t("problem.name_of_setting", { path, label: t(`setting.${path}.label`) }) });
  }

  /**
   * The text of an error: by its code, else what the server wrote.
   * @param {{ code: string, message: string, params?: Record<string, unknown> }} error
   */
  function errorText(error) {
    const key = `error.${error.code}`;
    return has(key) ? t(key, error.params) : error.message || t("error.unknown", { code: error.code });
  }

  /** Without accents and case, so that a search finds what it means. @param {string} text */
  function plain(text) {
    return text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLocaleLowerCase();
  }

  /** The words looked for, as `plain` makes them. @param {string} text */
  function wordsOf(text) {
    return plain(text).split(/\s+/).filter((word) => word !== "");
  }

  /**
   * Write the texts of the elements below `root` that name a key: data-i18n (text), data-i18n-title,
   * data-i18n-placeholder, data-i18n-label (aria-label).
   * @param {ParentNode} root
   */
  function apply(root) {
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-i18n]"))) {
      element.textContent = t(String(element.dataset.i18n));
    }
    const attributes = { i18nTitle: "title", i18nPlaceholder: "placeholder", i18nLabel: "aria-label" };
    for (const [field, attribute] of Object.entries(attributes)) {
      const selector = `[data-${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}]`;
      for (const element of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(selector))) {
        element.setAttribute(attribute, t(String(element.dataset[field])));
      }
    }
  }

  /** The name of a class in the reader's language, where it is a usual one: bénin for benign. @param {string | null | undefined} name @returns {string} */
  function className(name) {
    if (name === null || name === undefined) return "";
    const key = `class.${name.trim().toLowerCase()}`;
    return language === "en" || !has(key) ? name : t(key);
  }

  BreastAI.i18n = { className, languages, choose, begin, current, tag, set, remember, onChange, has, t, plural, say, errorText, plain, wordsOf, apply };
})();
