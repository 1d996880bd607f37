/* Figures, sizes, dates and durations as text, in the chosen language. What is unknown is an em dash, never 0. */
(function () {
  "use strict";

  const NONE = "—";
  /** @type {Record<string, string>} */
  const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

  /** @param {unknown} value @returns {value is number} */
  function known(value) {
    return typeof value === "number" && Number.isFinite(value);
  }

  /** Making one takes longer than using it a hundred times. @type {Map<string, Intl.NumberFormat>} */
  const formats = new Map();
  /** @type {Map<string, Intl.DateTimeFormat>} */
  const momentFormats = new Map();

  /**
   * The format for `options` in the chosen language, made once.
   * @template Format
   * @param {Map<string, Format>} kept
   * @param {object} options
   * @param {(tag: string) => Format} create
   */
  function formatFor(kept, options, create) {
    const tag = BreastAI.i18n.tag();
    const key = tag + JSON.stringify(options);
    let made = kept.get(key);
    if (made === undefined) kept.set(key, (made = create(tag)));
    return made;
  }

  /** @param {number | null | undefined} value @param {Intl.NumberFormatOptions} options */
  function format(value, options) {
    if (!known(value)) return NONE;
    const text = formatFor(formats, options, (tag) => new Intl.NumberFormat(tag, options)).format(value);
    return options.style === "unit" ? text.replaceAll(" ", "\u00a0") : text;
  }

  /** A fraction of 1 or a loss, with three decimals. @param {number | null | undefined} value */
  function figure(value) {
    return fixed(value, 3);
  }

  /** @param {number | null | undefined} value @param {number} digits */
  function fixed(value, digits) {
    return format(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  /** @param {number | null | undefined} value */
  function integer(value) {
    return format(value, { maximumFractionDigits: 0 });
  }

  /** @param {number | null | undefined} value @param {number} [digits] */
  function number(value, digits = 1) {
    return format(value, { maximumFractionDigits: digits });
  }

  /** A large number in words: 4.7 million, 12.3 thousand. @param {number | null | undefined} value */
  function large(value) {
    return format(value, { notation: "compact", compactDisplay: "long", maximumFractionDigits: 1 });
  }

  /** A fraction of 1 as a percentage. @param {number | null | undefined} value @param {number} [digits] */
  function percent(value, digits = 0) {
    return format(value, { style: "percent", maximumFractionDigits: digits });
  }

  /** A small number such as a learning rate: 0.0003, or 2.5 × 10⁻⁷. @param {number | null | undefined} value */
  function small(value) {
    if (!known(value) || value === 0 || Math.abs(value) >= 1e-4) return format(value, { maximumSignificantDigits: 3 });
    const [digits, power] = value.toExponential(2).split("e");
    const raised = Array.from(power, (sign) => SUPERSCRIPTS[sign] ?? "").join("");
    return `${format(Number(digits), { maximumFractionDigits: 2 })}\u00a0×\u00a010${raised}`;
  }

  /** A size given in bytes. @param {number | null | undefined} bytes */
  function bytes(bytes) {
    if (!known(bytes)) return NONE;
    if (bytes < 1e3) return format(bytes, { style: "unit", unit: "byte", unitDisplay: "long" });
    if (bytes < 1e6) return format(bytes / 1e3, { style: "unit", unit: "kilobyte", maximumFractionDigits: 0 });
    if (bytes < 1e9) return format(bytes / 1e6, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 });
    return format(bytes / 1e9, { style: "unit", unit: "gigabyte", maximumFractionDigits: 2 });
  }

  /** @param {number | null | undefined} value */
  function megabytes(value) {
    return format(value, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 });
  }

  /** @param {number | null | undefined} value */
  function gigabytes(value) {
    return format(value, { style: "unit", unit: "gigabyte", maximumFractionDigits: 1 });
  }

  /** A length of time: its two largest units, "3 min, 20 sec". @param {number | null | undefined} seconds */
  function duration(seconds) {
    if (!known(seconds) || seconds < 0) return NONE;
    if (seconds > 0 && seconds < 0.95) return format(seconds, { style: "unit", unit: "second", unitDisplay: "short", maximumSignificantDigits: 1 });
    const whole = Math.round(seconds);
    /** @type {[number, string][]} */
    const parts = [
      [Math.floor(whole / 86400), "day"],
      [Math.floor(whole / 3600) % 24, "hour"],
      [Math.floor(whole / 60) % 60, "minute"],
      [whole % 60, "second"],
    ];
    const first = parts.findIndex(([count]) => count > 0);
    if (first < 0) return format(0, { style: "unit", unit: "second", unitDisplay: "short" });
    return parts
      .slice(first, first + 2)
      .filter(([count]) => count > 0)
      .map(([count, unit]) => format(count, { style: "unit", unit, unitDisplay: "short" }))
      .join(" ");
  }

  /** About how long: whole minutes, tenths of an hour; never seconds. @param {number | null | undefined} seconds */
  function roughly(seconds) {
    if (!known(seconds) || seconds < 0) return NONE;
    if (seconds < 45) return BreastAI.i18n.t("time.under_a_minute");
    const minutes = Math.round(seconds / 60);
    const text = minutes < 90 ? format(Math.max(1, minutes), { style: "unit", unit: "minute", unitDisplay: "short" }) : format(seconds / 3600, { style: "unit", unit: "hour", unitDisplay: "short", maximumFractionDigits: 1 });
    return `~${text}`;
  }

  /** @param {string | null | undefined} iso @param {Intl.DateTimeFormatOptions} options */
  function moment(iso, options) {
    const date = new Date(iso ?? NaN);
    return Number.isNaN(date.getTime()) ? NONE : formatFor(momentFormats, options, (tag) => new Intl.DateTimeFormat(tag, options)).format(date);
  }

  /** @param {string | null | undefined} iso */
  function date(iso) {
    // In a narrow column it breaks between day and hour alone.
    const parts = [moment(iso, { dateStyle: "medium" }), moment(iso, { timeStyle: "short" })].map((part) => part.replaceAll(" ", "\u00a0"));
    return parts[0] === NONE ? NONE : parts.join(", ");
  }

  /** @param {string | null | undefined} iso */
  function day(iso) {
    return moment(iso, { dateStyle: "long" }).replace(/(?<!\d)1(?!\d)/, BreastAI.i18n.t("date.first_day"));
  }

  /** @param {string | null | undefined} iso */
  function time(iso) {
    return moment(iso, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  }

  /** Where an image lies, its part once: of a folder with parts inside, the server names a file train/train/benign/1.png. @param {string} file */
  function place(file) {
    return file.replace(/^([^/]+)\/(?=\1\/)/, "");
  }

  /** An interval, or why there is none. @param {{ low: number | null, high: number | null, flag?: Wire.Figure["flag"] }} figure */
  function interval({ low, high, flag }) {
    const { t } = BreastAI.i18n;
    const reason = flag ? t(`evaluation.flag.${flag}`) : "";
    if (low === null) return reason || NONE;
    const bounds = high === null ? t("evaluation.interval_least", { low: figure(low) }) : t("evaluation.interval", { low: figure(low), high: figure(high) });
    return reason ? `${bounds}, ${reason}` : bounds;
  }

  /** From how long to how long, in seconds; once where both are told alike. @param {number} low @param {number} high */
  function between(low, high) {
    const [from, to] = [low, high].map((seconds) => roughly(seconds).replace("~", ""));
    return from === to ? from : BreastAI.i18n.t("preflight.time", { low: from, high: to });
  }

  BreastAI.format = { NONE, figure, fixed, day, interval, place, integer, large, number, percent, small, bytes, megabytes, gigabytes, duration, roughly, between, date, time };
})();
