/* Choosing a folder or a table among those the server may read: the way down to it, what lies in it, by mouse or keyboard. */
(function () {
  "use strict";

  const { byId, make, fill, name, said } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  /** What may be chosen beside folders. */
  const CHOSEN = new Set(["table", "store"]);

  /** @param {Wire.FolderEntry} entry */
  function factsOf(entry) {
    if (entry.problem) return said(entry.problem, "muted");
    const facts = [
      entry.kind === "folder" && (entry.images > 0 || entry.more) ? plural(entry.more ? "chooser.images_more" : "chooser.images", entry.images) : null,
      entry.kind !== "folder" && entry.size_bytes !== null ? format.bytes(entry.size_bytes) : null,
      entry.link === null ? null : t("chooser.link", { target: entry.link }),
    ].filter((fact) => fact !== null);
    return make("span", { class: "muted", text: facts.join(" · ") });
  }

  /** The dialog, once for the page. @param {Context} context */
  function create({ connection }) {
    const dialog = /** @type {HTMLDialogElement} */ (byId("folder-dialog"));
    const list = byId("folder-list");
    const choose = /** @type {HTMLButtonElement} */ (byId("folder-choose"));
    /** @type {Wire.FolderShown | null} */
    let shown = null;
    /** @type {(path: string | null) => void} */
    let end = () => {};

    /** @param {string | null} path @param {boolean} [fallback] whether the roots are shown where this can't be */
    function open(path, fallback = false) {
      // Why is told in a notice.
      connection.request("browse_folder", path === null ? {} : { path }).then(show, () => {
        if (fallback) open(null);
      });
    }

    /** @param {Wire.FolderShown} found */
    function show(found) {
      shown = found;
      choose.disabled = found.path === null;
      fill(byId("folder-steps"), ...stepsOf(found));
      const more = found.total - found.entries.length;
      fill(list, ...found.entries.map(entryOf));
      byId("folder-told").textContent = [
        found.total === 0 ? t("chooser.nothing") : null,
        found.images > 0 ? plural("chooser.images_here", found.images) : null,
        more > 0 ? plural("chooser.more", more) : null,
      ].filter((text) => text !== null).join(" ");
      const first = /** @type {HTMLElement | null} */ (list.querySelector("button:not([disabled])"));
      (first ?? choose).focus();
    }

    /** @param {Wire.FolderShown} found */
    function stepsOf(found) {
      const last = found.steps.length - 1;
      const all = make("li", {}, stepButton(t("chooser.roots"), () => open(null), found.path === null));
      return [all, ...found.steps.map((step, index) => make("li", {}, stepButton(step.name, () => open(step.path), index === last)))];
    }

    /** @param {string} text @param {() => void} go @param {boolean} isHere */
    function stepButton(text, go, isHere) {
      return make("button", { class: "step", text, attributes: { type: "button", "aria-current": isHere ? "true" : null }, on: { click: go } });
    }

    /** @param {Wire.FolderEntry} entry */
    function entryOf(entry) {
      const opens = entry.kind === "folder" && entry.problem === null;
      const chosen = CHOSEN.has(entry.kind) && entry.problem === null;
      const content = [make("span", { class: "entry-kind", text: t(`chooser.kind.${entry.kind}`) }), name(entry.name), factsOf(entry)];
      if (!opens && !chosen) return make("li", { class: "entry plain" }, ...content);
      const go = opens ? () => open(entry.path) : () => end(entry.path);
      return make("li", {}, make("button", { class: "entry", attributes: { type: "button" }, on: { click: go } }, ...content));
    }

    /** @param {KeyboardEvent} event */
    function byKey(event) {
      const buttons = /** @type {HTMLButtonElement[]} */ ([...list.querySelectorAll("button")]);
      const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
      const wanted = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (wanted !== undefined && at >= 0) {
        event.preventDefault();
        buttons[Math.max(0, Math.min(buttons.length - 1, wanted))]?.focus();
      } else if (event.key === "Backspace") {
        event.preventDefault();
        const steps = shown?.steps ?? [];
        open(steps[steps.length - 2]?.path ?? null);
      }
    }

    dialog.addEventListener("keydown", byKey);
    choose.addEventListener("click", () => end(shown?.path ?? null));
    byId("folder-cancel").addEventListener("click", () => end(null));
    dialog.addEventListener("close", () => end(null));

    /**
     * Have a folder or a table chosen; null for none.
     * @param {string} start where to begin, if it is there
     * @returns {Promise<string | null>}
     */
    function ask(start) {
      return new Promise((resolve) => {
        end = (path) => {
          end = () => {};
          if (dialog.open) dialog.close();
          resolve(path);
        };
        fill(list);
        dialog.showModal();
        open(start === "" ? null : start, true);
      });
    }

    return { ask };
  }

  BreastAI.views.folderChooser = { create };
})();
