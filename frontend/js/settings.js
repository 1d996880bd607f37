/* Settings as the schema describes them: the fields, their values as text and back, and what differs. Pure. */
(function () {
  "use strict";

  /** @param {JsonSchema} schema @param {JsonSchema} root @returns {JsonSchema} */
  function resolved(schema, root) {
    if (typeof schema.$ref !== "string") return schema;
    const { $ref, ...beside } = schema;
    const target = root.$defs?.[$ref.replace("#/$defs/", "")] ?? {};
    return { ...target, ...beside };
  }

  /**
   * Every setting of the schema, in its order; `path` such as training.early_stopping.patience.
   * @param {JsonSchema} root
   * @param {Record<string, string[]>} [choices] the values of settings that the catalog lists
   * @returns {Field[]}
   */
  function fields(root, choices = {}) {
    /** @type {Field[]} */
    const found = [];
    /** @param {JsonSchema} schema @param {string[]} place */
    function descend(schema, place) {
      for (const [key, value] of Object.entries(schema.properties ?? {})) {
        const field = resolved(value, root);
        if (field.type === "object" && field.properties) descend(field, [...place, key]);
        else found.push(fieldOf(field, [...place, key].join("."), root, choices));
      }
    }
    descend(root, []);
    return found;
  }

  /** @param {JsonSchema} schema @param {string} path @param {JsonSchema} root @param {Record<string, string[]>} choices @returns {Field} */
  function fieldOf(schema, path, root, choices) {
    const alternatives = /** @type {JsonSchema[]} */ (schema.anyOf ?? [schema]).map((alternative) => resolved(alternative, root));
    const nullable = alternatives.some((alternative) => alternative.type === "null");
    const kinds = alternatives.filter((alternative) => alternative.type !== "null");
    const only = kinds.length === 1 ? kinds[0] : null;
    /** @type {Field} */
    const field = {
      path,
      section: path.split(".")[0],
      kind: "json",
      nullable,
      options: [],
      description: schema.description ?? "",
      fallback: schema.default,
      basic: schema.basic === true,
      minimum: only?.minimum, maximum: only?.maximum,
      above: only?.exclusiveMinimum, below: only?.exclusiveMaximum,
      longest: only?.maxLength, shortest: only?.minLength,
    };
    /** @type {unknown[]} */
    const options = choices[path] ?? kinds.flatMap((kind) => (kind.type === "boolean" ? [true, false] : (kind.enum ?? ("const" in kind ? [kind.const] : [undefined]))));
    if (only?.type === "boolean") return { ...field, kind: "boolean" };
    if (!options.includes(undefined)) return { ...field, kind: "choice", options: nullable ? [null, ...options] : options };
    if (only?.type === "integer" || only?.type === "number") return { ...field, kind: only.type };
    if (only?.type === "string") return { ...field, kind: "text" };
    return field;
  }

  /** @param {any} values @param {string} path @returns {unknown} */
  function at(values, path) {
    return path.split(".").reduce((below, key) => (below === null || typeof below !== "object" ? undefined : below[key]), values);
  }

  /** @param {string} path @param {unknown} value @returns {Record<string, unknown>} */
  function branch(path, value) {
    return /** @type {any} */ (path.split(".").reduceRight((inner, key) => ({ [key]: inner }), value));
  }

  /** @param {unknown} value @returns {value is Record<string, unknown>} */
  function isObject(value) {
    return value !== null && typeof value === "object" && !Array.isArray(value);
  }

  /**
   * `base` with each layer laid over it, as the server does it.
   * @param {Record<string, unknown>} base
   * @param {...Record<string, unknown>} layers
   * @returns {Record<string, unknown>}
   */
  function overlay(base, ...layers) {
    const result = { ...base };
    for (const layer of layers) {
      for (const [key, value] of Object.entries(layer)) {
        const below = result[key];
        result[key] = isObject(below) && isObject(value) && key !== "patient_id" ? overlay(below, value) : value;
      }
    }
    return result;
  }

  /** @param {unknown} one @param {unknown} other */
  function same(one, other) {
    return JSON.stringify(one) === JSON.stringify(other);
  }

  /** The value as the control shows it. @param {Field} field @param {unknown} value @returns {string} */
  function shown(field, value) {
    if (field.kind === "choice" || field.kind === "json") return value === null && field.kind === "json" ? "" : JSON.stringify(value);
    return value === null || value === undefined ? "" : String(value);
  }

  /**
   * The value typed, or what is wrong with it.
   * @param {Field} field
   * @param {string} text
   * @returns {{ value: unknown } | { problem: string, params: Record<string, unknown> }}
   */
  function parse(field, text) {
    const trimmed = text.trim();
    if (field.kind === "choice") return { value: JSON.parse(text) };
    if (trimmed === "" && field.nullable) return { value: null };
    if (field.kind === "text") return parseText(field, trimmed);
    if (field.kind === "integer" || field.kind === "number") return parseNumber(field, trimmed);
    try {
      return { value: JSON.parse(trimmed) };
    } catch {
      return { problem: "field.json", params: {} };
    }
  }

  /** @param {Field} field @param {string} text */
  function parseText(field, text) {
    if (text.length < (field.shortest ?? 0)) return { problem: "field.empty", params: {} };
    if (field.longest !== undefined && text.length > field.longest) return { problem: "field.long", params: { longest: field.longest } };
    return { value: text };
  }

  /**
   * The number that was typed, as people write numbers in English and in French; or what is wrong with it.
   *
   * Thousands may be set apart by spaces, apostrophes, or whichever of point and comma is not the decimal sign. What could
   * be read as two numbers, such as 1,000, is read only where one of them is out of the question.
   * @param {string} text
   * @param {boolean} whole whether only a whole number makes sense
   * @returns {{ value: number } | { problem: string, params: Record<string, unknown> }}
   */
  function readNumber(text, whole) {
    const wrong = { problem: whole && text.trim() !== "" ? "field.integer" : "field.number", params: {} };
    let plain = text.trim().replace(/^\u2212/, "-");
    if (/[\s'’]/.test(plain)) {
      if (!/^[+-]?\d{1,3}([\s'’]\d{3})+([.,]\d*)?$/.test(plain)) return wrong;
      plain = plain.replace(/[\s'’]/g, "").replace(",", ".");
    } else if (/^[+-]?\d{1,3}(,\d{3})+\.\d*$/.test(plain) || /^[+-]?\d{1,3}(,\d{3}){2,}$/.test(plain)) {
      plain = plain.replaceAll(",", "");
    } else if (/^[+-]?\d{1,3}(\.\d{3})+,\d*$/.test(plain) || /^[+-]?\d{1,3}(\.\d{3}){2,}$/.test(plain)) {
      plain = plain.replaceAll(".", "").replace(",", ".");
    } else if (/^[+-]?[1-9]\d{0,2}[.,]\d{3}$/.test(plain)) {
      const decimal = plain.replace(",", ".");
      const grouped = plain.replace(/[.,]/, "");
      const french = BreastAI.i18n.current() === "fr";
      const english = plain.includes(",") && !french;
      if (whole && (english || !Number.isInteger(Number(decimal)))) plain = grouped;
      else if (whole || english) return { problem: "field.ambiguous", params: { large: grouped, small: french ? String(Number(decimal)).replace(".", ",") : String(Number(decimal)) } };
      else plain = decimal;
    } else {
      plain = plain.replace(",", ".");
    }
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return wrong;
    const value = Number(plain);
    if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) return wrong;
    return { value };
  }

  /** @param {Field} field @param {string} text */
  function parseNumber(field, text) {
    const read = readNumber(text, field.kind === "integer");
    if ("problem" in read) return read;
    const { value } = read;
    if (field.minimum !== undefined && value < field.minimum) return { problem: "field.minimum", params: { minimum: field.minimum } };
    if (field.maximum !== undefined && value > field.maximum) return { problem: "field.maximum", params: { maximum: field.maximum } };
    if (field.above !== undefined && value <= field.above) return { problem: "field.above", params: { above: field.above } };
    if (field.below !== undefined && value >= field.below) return { problem: "field.below", params: { below: field.below } };
    return { value };
  }

  /** The folder that holds train/, when the configuration names its folders so; else "". @param {any} config */
  function dataFolder(config) {
    const train = String(config?.data?.train_dir ?? "");
    return train.endsWith("/train") ? train.slice(0, -"/train".length) : "";
  }

  /**
   * The setting a fault of the server is about: its path, or null.
   * @param {Wire.Text | string} fault
   */
  function pathOf(fault) {
    return typeof fault !== "string" && typeof fault.params.name === "string" ? fault.params.name : null;
  }

  BreastAI.settings = { fields, at, branch, overlay, same, shown, parse, readNumber, dataFolder, pathOf };
})();
