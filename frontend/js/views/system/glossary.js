/* The glossary, opened by a question mark: the terms of the page in plain words, filtered by what is typed. */
(function () {
  "use strict";

  const { byId, make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const TERM = /^glossary\.(\w+)\.text$/;

  /** Every term of the catalogue in the order of the alphabet, with its words. */
  function termsOf() {
    const keys = Object.keys(BreastAI.locales.en).map((key) => TERM.exec(key)?.[1]).filter((key) => key !== undefined);
    return keys.map((key) => ({ term: t(`glossary.${key}`), text: t(`glossary.${key}.text`) })).sort((a, b) => a.term.localeCompare(b.term, BreastAI.i18n.tag()));
  }

  /** Whether somebody types: there a question mark is one. @param {EventTarget | null} target */
  function isTyping(target) {
    return target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
  }

  function create() {
    const dialog = /** @type {HTMLDialogElement} */ (byId("glossary"));
    const search = /** @type {HTMLInputElement} */ (byId("glossary-search"));

    function show() {
      const words = search.value.trim().toLocaleLowerCase();
      const found = termsOf().filter(({ term, text }) => `${term} ${text}`.toLocaleLowerCase().includes(words));
      fill(byId("glossary-list"), ...found.map(({ term, text }) => make("div", {}, make("dt", { text: term }), make("dd", { text }))));
    }

    function open() {
      if (document.querySelector("dialog[open]") !== null) return;
      search.value = "";
      show();
      dialog.showModal();
      search.focus();
    }

    search.addEventListener("input", show);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "?" || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      event.preventDefault();
      open();
    });
    byId("glossary-open").addEventListener("click", open);
    byId("glossary-close").addEventListener("click", () => dialog.close());
  }

  BreastAI.views.glossary = { create };
})();
