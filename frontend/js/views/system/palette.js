/* Going anywhere by keyboard: Ctrl+K lists the views and the runs, filtered by what is typed. */
(function () {
  "use strict";

  const { byId, make, fill } = BreastAI.elements;
  const { t, plain, wordsOf } = BreastAI.i18n;
  const MOST = 12;
  const VIEWS = ["training", "data", "audit", "tuning", "queue", "runs", "checkpoints", "evaluation", "predict", "editor", "log", "system"];

  /** Where one can go: each with its words and its address. @param {State} state @returns {{ words: string, kind: string, address: string }[]} */
  function placesOf(state) {
    const views = VIEWS.map((view) => ({ words: t(`nav.${view}`), kind: t("palette.view"), address: `#${view}` }));
    const runs = (state.runs?.runs ?? []).map((run) => ({ words: [run.run_id, run.architecture, ...run.tags].filter(Boolean).join(" · "), kind: t("nav.run"), address: BreastAI.address.ofRun(run.run_id) }));
    const settings = state.welcome === null ? [] : BreastAI.settings.fields(state.welcome.config_schema).filter(({ section }) => section !== "server").map(({ path }) => ({ words: t(`setting.${path}.label`), kind: `${t("palette.setting")} · ${path}`, address: BreastAI.address.ofSetting(path) }));
    return [...views, ...runs, ...settings];
  }

  /** @param {Context} context */
  function create({ store }) {
    const dialog = /** @type {HTMLDialogElement} */ (byId("palette"));
    const input = /** @type {HTMLInputElement} */ (byId("palette-input"));
    const list = byId("palette-list");
    let at = 0;
    /** Everywhere one can go, as it was when the list was opened. @type {ReturnType<typeof placesOf>} */
    let places = [];
    /** @type {typeof places} */
    let found = [];

    function show() {
      const words = wordsOf(input.value);
      found = places.filter((place) => words.every((word) => plain(`${place.words} ${place.kind}`).includes(word))).slice(0, MOST);
      at = Math.min(at, Math.max(0, found.length - 1));
      fill(list, ...found.map((place, index) => make("li", { class: index === at ? "here" : "", attributes: { role: "option", id: `palette-${index}`, "aria-selected": String(index === at) }, on: { click: () => go(index) } }, make("bdi", { text: place.words }), " ", make("span", { class: "muted", text: place.kind }))));
      byId("palette-none").hidden = found.length > 0;
      if (found.length) input.setAttribute("aria-activedescendant", `palette-${at}`);
      else input.removeAttribute("aria-activedescendant");
    }

    /** @param {number} index */
    function go(index) {
      if (found[index] === undefined) return;
      dialog.close();
      location.hash = found[index].address;
      byId("content").focus();
    }

    function open() {
      if (dialog.open || document.querySelector("dialog[open]") !== null) return;
      input.value = "";
      at = 0;
      places = placesOf(store.state());
      show();
      dialog.showModal();
      input.focus();
    }

    input.addEventListener("input", () => {
      at = 0;
      show();
    });
    input.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (step !== 0) {
        event.preventDefault();
        at = (at + step + found.length) % Math.max(1, found.length);
        show();
      } else if (event.key === "Enter") {
        event.preventDefault();
        go(at);
      }
    });
    document.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
      event.preventDefault();
      open();
    });
    byId("palette-open").addEventListener("click", open);
  }

  BreastAI.views.palette = { create };
})();
