/* Which of the settings are seen: the usual ones, all, those changed, or those in which a word is found. */
(function () {
  "use strict";

  const { byId } = BreastAI.elements;
  const { t, plain, wordsOf } = BreastAI.i18n;
  const KEPT = "breastai.settings";
  const LEVELS = ["basic", "all", "changed"];

  /** @param {Field} field */
  function textOf({ path }) {
    return plain(`${t(`setting.${path}.label`)} ${t(`setting.${path}.help`)} ${path}`);
  }

  /**
   * @param {() => DrawnField[]} drawn
   * @param {(path: string) => boolean} isOpen whether a setting is changed
   */
  function create(drawn, isOpen) {
    const search = /** @type {HTMLInputElement} */ (byId("settings-search"));
    const level = /** @type {HTMLSelectElement} */ (byId("settings-level"));
    const kept = BreastAI.memory.read(KEPT) ?? "";
    level.value = LEVELS.includes(kept) ? kept : "basic";
    /** The groups that stood open before others were opened for a search. @type {Set<string> | null} */
    let before = null;

    /** @param {Field} field @param {string[]} words */
    function isSeen(field, words) {
      if (level.value === "changed" && !isOpen(field.path)) return false;
      if (words.length) return words.every((word) => textOf(field).includes(word));
      return level.value !== "basic" || field.basic || isOpen(field.path);
    }

    function apply() {
      const words = wordsOf(search.value);
      const inForm = drawn().filter(({ element }) => element.closest(".settings-group") !== null);
      let seen = 0;
      for (const { field, element } of inForm) {
        element.hidden = !isSeen(field, words);
        seen += element.hidden ? 0 : 1;
      }
      const narrowed = words.length > 0 || level.value === "changed";
      const groups = /** @type {HTMLDetailsElement[]} */ ([...document.querySelectorAll(".settings-group")]);
      if (narrowed) before ??= new Set(groups.filter(({ open }) => open).map(({ dataset }) => String(dataset.section)));
      for (const group of groups) {
        group.hidden = group.querySelector(".field:not([hidden])") === null;
        if (narrowed) group.open = true;
        else if (before !== null) group.open = before.has(String(group.dataset.section));
      }
      if (!narrowed) before = null;
      byId("settings-found").textContent = seen === inForm.length ? "" : BreastAI.i18n.plural("settings.found", seen, { all: BreastAI.format.integer(inForm.length) });
    }

    search.addEventListener("input", apply);
    level.addEventListener("change", () => {
      BreastAI.memory.write(KEPT, level.value);
      apply();
    });

    return {
      apply,
      /** See to it that a setting is seen. @param {DrawnField} shown */
      reveal({ field, element }) {
        if (!isSeen(field, [])) level.value = "all";
        search.value = "";
        apply();
        const group = /** @type {HTMLDetailsElement | null} */ (element.closest(".settings-group"));
        if (group === null) return;
        /** @type {HTMLDetailsElement} */ (byId("all-settings")).open = true;
        group.open = true;
      },
    };
  }

  BreastAI.views.settingsFilter = { create };
})();
