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

  /** Sentences of the server's, by language: a pattern of the English one, and its words. @type {Record<string, [RegExp, string][]>} */
  const sentences = {};

  /** Learn what the server's jobs and records may say in English. @param {string} of @param {[string, string][]} pairs */
  function teach(of, pairs) {
    sentences[of] = pairs.map(([pattern, words]) => [new RegExp(`^(?:${pattern})$`, "s"), words]);
  }

  /** What errors say in English, to know them again where a record kept their words alone. @type {{ code: string, pattern: RegExp, names: string[] }[]} */
  let errorTemplates = [];

  /** Learn what errors say. @param {Record<string, string>} templates by code, with {names} to fill in */
  function teachErrors(templates) {
    errorTemplates = Object.entries(templates)
      // What is little but its parameters would fit anything.
      .filter(([, template]) => template.replace(/\{\w+\}/g, "").length > 12)
      .map(([code, template]) => {
        const parts = template.split(/\{(\w+)\}/);
        const pattern = parts.map((part, index) => (index % 2 ? "(.*?)" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))).join("");
        return { code, pattern: new RegExp(`^${pattern}$`, "s"), names: parts.filter((_, index) => index % 2) };
      });
  }

  /** An error's words in the chosen language, or null where they are no error's. @param {string} text @returns {string | null} */
  function errorSpoken(text) {
    for (const { code, pattern, names } of errorTemplates) {
      const found = pattern.exec(text);
      if (found !== null && has(`error.${code}`)) return errorText({ code, message: text, params: Object.fromEntries(names.map((name, index) => [name, found[index + 1]])) });
    }
    return null;
  }

  /** A sentence of the server's in the chosen language, or null where no words are known. @param {string} text @returns {string | null} */
  function spoken(text) {
    if (language === "en") return text;
    for (const [pattern, words] of sentences[language] ?? []) {
      const found = pattern.exec(text);
      if (found === null) continue;
      const parts = found.slice(1);
      return words.replace(/\{\}/g, () => {
        const part = parts.shift() ?? "";
        return part === "" ? "" : (spoken(part) ?? part.replace(/^(\d+)\.(\d+)$/, "$1,$2"));
      });
    }
    return errorSpoken(text);
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

  /** The form of a template for its count, by the language's own rule (in French, 0 is singular). @param {string | Record<string, string>} found @param {Record<string, unknown>} params @returns {string} */
  function formOf(found, params) {
    if (typeof found === "string") return found;
    const count = params[found.plural];
    if (typeof count !== "number") return found.other;
    let rules = pluralRules.get(language);
    if (rules === undefined) pluralRules.set(language, (rules = new Intl.PluralRules(tag())));
    return found[rules.select(Math.abs(count))] ?? found.other;
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
      Object.hasOwn(params, name) ? readable(params[name], form, digits) : whole,
    );
  }

  /** The text of `key` in the form for `count`. @param {string} key @param {number} count @param {Record<string, unknown>} [params] */
  function plural(key, count, params = {}) {
    return t(key, { ...params, count });
  }

  /** A text of the server's in the chosen language; what an older record kept in words stands as it is. @param {Wire.Text | string} text @returns {string} */
  function say(text) {
    return typeof text === "string" ? text : t(text.code, text.params);
  }

  /** What a message tells besides its code, its sentences in the chosen language. @param {Record<string, unknown>} [params] @returns {Record<string, unknown>} */
  function told(params = {}) {
    const found = { ...params };
    for (const name of ["reason", "weights"]) {
      const said = found[name];
      if (typeof said === "string") found[name] = spoken(said) ?? said;
    }
    return found;
  }

  /**
   * The text of an error: by its code, else what the server wrote.
   * @param {{ code: string, message: string, params?: Record<string, unknown> }} error
   */
  function errorText(error) {
    const key = `error.${error.code}`;
    if (!has(key)) return error.message || t("error.unknown", { code: error.code });
    const params = told(error.params);
    if (Array.isArray(params.problems)) params.problems = params.problems.map((line) => problem(String(line))).join(language === "fr" ? "\u00a0; " : "; ");
    return t(key, params);
  }

  /**
   * A fault of a setting, "training.epochs: expected a whole number from 1 to 10000, got -1", in the chosen language.
   * @param {string} line @returns {string}
   */
  function problem(line) {
    if (language === "en") return line;
    const at = line.startsWith("and more: ") ? -1 : line.indexOf(": ");
    if (at < 0) {
      const whole = spoken(line);
      if (whole !== null || !line.startsWith("expected ")) return whole ?? line;
    }
    const place = at < 0 ? "the whole" : line.slice(0, at);
    const fault = at < 0 ? line : line.slice(at + 2);
    const name = has(`setting.${place}.label`) ? `${place} (${t(`setting.${place}.label`)})` : (spoken(place) ?? place);
    // A setting named within one: which may be tuned, and what is wrong there.
    if (/^[a-z]+(\.[a-z_0-9]+)+: /.test(fault)) return t("problem.fault", { name, fault: problem(fault) });
    if (fault === "unknown key") return t("problem.unknown_key", { name });
    if (fault === "missing") return t("problem.missing", { name });
    const number = /^expected (a whole number|a number)(?: (from|above) (\S+))?(?: (to below|to) (\S+))?, got (.*)$/s.exec(fault);
    if (number) {
      const [, noun, fromWord, low, toWord, high, came] = number;
      const got = spoken(came) ?? came;
      const parts = [t(noun === "a number" ? "problem.number" : "problem.whole_number")];
      if (low) parts.push(t(fromWord === "above" ? "problem.above" : "problem.from", { low }));
      if (high) parts.push(t(toWord === "to below" ? "problem.below" : "problem.to", { high }));
      return t("problem.expected", { name, expected: parts.join(" "), got });
    }
    const other = /^(expected )?(.*), got (.*)$/s.exec(fault);
    const words = other ? other[2] : fault;
    const told = spoken(words) ?? words;
    if (other === null) return t("problem.fault", { name, fault: told });
    return t(other[1] ? "problem.expected" : "problem.fault_of", { name, expected: told, fault: told, got: spoken(other[3]) ?? other[3] });
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

  BreastAI.i18n = { languages, choose, begin, current, tag, set, remember, onChange, has, t, plural, say, teach, teachErrors, spoken, told, errorText, problem, apply };
})();
