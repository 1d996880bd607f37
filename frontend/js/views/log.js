/* The log: what happened, a line each, in the chosen language where the line has a code. */
(function () {
  "use strict";

  const { byId, make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const LEVELS = ["debug", "info", "success", "warning", "error"];
  const MOST_SHOWN = 1000;
  const LATEST = 6;

  /** @param {LineContent} line @returns {string} */
  function textOf(line) {
    if (line.key !== undefined) return t(line.key, line.params);
    if (line.code) {
      const key = `log.${line.code}`;
      if (BreastAI.i18n.has(key)) return t(key, { ...line.params, message: line.message });
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

  /** @param {Context} context */
  function create({ store }) {
    const level = /** @type {HTMLSelectElement} */ (byId("log-level"));
    const follow = /** @type {HTMLInputElement} */ (byId("log-follow"));
    const list = byId("log-lines");
    let levelLanguage = "";
    let floor = "info";

    byId("log-clear").addEventListener("click", () => store.dispatch({ type: "@clear_log" }));
    level.addEventListener("change", () => {
      floor = level.value;
      render(store.state());
    });
    // Reading further up must not be disturbed by what arrives below.
    list.addEventListener("scroll", () => {
      follow.checked = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    });
    follow.addEventListener("change", () => {
      if (follow.checked) list.scrollTop = list.scrollHeight;
    });

    /** @param {State} state */
    function render(state) {
      if (levelLanguage !== BreastAI.i18n.current()) {
        levelLanguage = BreastAI.i18n.current();
        fill(level, ...LEVELS.map((value) => make("option", { text: t(`level.${value}`), attributes: { value } })));
        level.value = floor;
      }
      const latest = state.log.filter(({ level: each }) => each !== "debug").slice(-LATEST);
      fill(byId("latest"), ...(latest.length ? latest.map(lineElement) : [make("li", { class: "empty", text: t("log.empty") })]));
      if (byId("view-log").hidden) return;
      const lines = state.log.filter(({ level: each }) => LEVELS.indexOf(each) >= LEVELS.indexOf(floor)).slice(-MOST_SHOWN);
      const stay = follow.checked;
      const top = list.scrollTop;
      fill(list, ...(lines.length ? lines.map(lineElement) : [make("li", { class: "empty", text: t("log.empty") })]));
      list.scrollTop = stay ? list.scrollHeight : top;
    }

    return {
      render,
      /** @param {State} state */
      slice: (state) => [state.log, location.hash],
    };
  }

  BreastAI.views.log = { create, textOf };
})();
