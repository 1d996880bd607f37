/* The log: what happened, a line each, in the chosen language where the line has a code. */
(function () {
  "use strict";

  const { byId, make, fill } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const LEVELS = ["debug", "info", "success", "warning", "error"];
  const MOST_SHOWN = 1000;
  const LATEST = 6;

  /** @param {LineContent} line @returns {string} */
  function textOf(line) {
    if (line.key !== undefined) return t(line.key, line.params);
    if (line.code) {
      const key = `log.${line.code}`;
      if (BreastAI.i18n.has(key)) return t(key, { message: line.message, ...line.params });
      if (BreastAI.i18n.has(`error.${line.code}`)) return BreastAI.i18n.errorText({ code: line.code, message: line.message ?? "", params: line.params });
    }
    return line.message || t("error.unknown", { code: line.code ?? "" });
  }

  /** @param {LogLine} line */
  function lineElement(line) {
    return make(
      "li",
      { class: `log-line level-${line.level}` },
      make("time", { text: line.time ? BreastAI.format.time(line.time) : "", attributes: { datetime: line.time ?? null } }),
      make("span", { class: "level", text: t(`level.${line.level}`) }),
      make("bdi", { class: "log-text", text: textOf(line) }),
    );
  }

  /** The latest lines that matter, without going through all. @param {LogLine[]} log */
  function latestOf(log) {
    /** @type {LogLine[]} */
    const found = [];
    for (let at = log.length - 1; at >= 0 && found.length < LATEST; at -= 1) if (log[at].level !== "debug") found.unshift(log[at]);
    return found;
  }

  /** @param {Context} context */
  function create({ store }) {
    const level = /** @type {HTMLSelectElement} */ (byId("log-level"));
    const search = /** @type {HTMLInputElement} */ (byId("log-search"));
    const follow = /** @type {HTMLInputElement} */ (byId("log-follow"));
    const list = byId("log-lines");
    let levelLanguage = "";
    let floor = "info";
    /** @type {LogLine[]} the lines in the list */
    let shown = [];
    let shownFor = "";
    /** @type {number | undefined} */
    let told;

    byId("log-clear").addEventListener("click", () => store.dispatch({ type: "@clear_log" }));
    byId("log-copy").addEventListener("click", async () => {
      const text = shown.map((line) => `${line.time ?? ""}\t${line.level}\t${textOf(line)}`).join("\n");
      const done = await navigator.clipboard.writeText(text).then(() => true, () => false);
      byId("log-copied").textContent = done ? plural("log.copied", shown.length) : t("log.not_copied");
      clearTimeout(told);
      told = setTimeout(() => {
        byId("log-copied").textContent = "";
      }, 5000);
    });
    level.addEventListener("change", () => {
      floor = level.value;
      render(store.state());
    });
    search.addEventListener("input", () => render(store.state()));
    // Reading further up must not be disturbed by what arrives below.
    list.addEventListener("scroll", () => {
      follow.checked = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    });
    follow.addEventListener("change", () => {
      if (follow.checked) list.scrollTop = list.scrollHeight;
    });

    /** The lines asked for, the latest of them. @param {LogLine[]} log */
    function wantedOf(log) {
      const words = search.value.trim().toLocaleLowerCase();
      const least = LEVELS.indexOf(floor);
      const found = log.filter((line) => LEVELS.indexOf(line.level) >= least && (words === "" || textOf(line).toLocaleLowerCase().includes(words)));
      byId("log-count").textContent = words === "" ? "" : plural("log.found", found.length);
      return found.slice(-MOST_SHOWN);
    }

    /** Draw what came since the last time; all of it when what is asked for is another. @param {LogLine[]} lines */
    function draw(lines) {
      const asked = `${BreastAI.i18n.current()} ${floor} ${search.value}`;
      const last = shown.at(-1);
      const from = asked === shownFor && last !== undefined ? lines.lastIndexOf(last) + 1 : 0;
      const kept = lines.slice(0, from);
      const same = from > 0 && kept.every((line, index) => line === shown[shown.length - from + index]);
      if (!same) fill(list, ...(lines.length ? lines.map(lineElement) : [make("li", { class: "empty", text: t("log.empty") })]));
      else {
        for (let gone = shown.length - from; gone > 0; gone -= 1) list.firstElementChild?.remove();
        list.append(...lines.slice(from).map(lineElement));
      }
      shown = lines;
      shownFor = asked;
    }

    /** @type {LogLine[]} */
    let latest = [];

    /** @param {State} state */
    function render(state) {
      if (levelLanguage !== BreastAI.i18n.current()) {
        levelLanguage = BreastAI.i18n.current();
        fill(level, ...LEVELS.map((value) => make("option", { text: t(`level.${value}`), attributes: { value } })));
        level.value = floor;
        latest = [];
      }
      const now = latestOf(state.log);
      if (now.length === 0 || now.length !== latest.length || now.some((line, index) => line !== latest[index])) {
        latest = now;
        fill(byId("latest"), ...(now.length ? now.map(lineElement) : [make("li", { class: "empty", text: t("log.empty") })]));
      }
      if (byId("view-log").hidden) return;
      const stay = follow.checked;
      const top = list.scrollTop;
      draw(wantedOf(state.log));
      list.scrollTop = stay ? list.scrollHeight : top;
    }

    return {
      render,
      /** @param {State} state */
      slice: (state) => [state.log, location.hash],
    };
  }

  BreastAI.views.log = { create, textOf, lineElement };
})();
