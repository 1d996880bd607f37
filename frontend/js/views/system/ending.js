/* Telling who looks elsewhere that a run has ended: in the title, and by a notification where the user wants them. */
(function () {
  "use strict";

  const { byId } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const WANTED = "breastai.notify";

  function possible() {
    return typeof Notification === "function";
  }

  function create() {
    const box = /** @type {HTMLInputElement} */ (byId("notify"));
    /** @type {Wire.Outcome | null | undefined} */
    let known;
    let unseen = "";

    box.checked = possible() && BreastAI.memory.read(WANTED) === "yes" && Notification.permission === "granted";
    box.addEventListener("change", async () => {
      const granted = box.checked && possible() && (await Notification.requestPermission()) === "granted";
      byId("notify-refused").hidden = !box.checked || granted;
      box.checked = granted;
      BreastAI.memory.write(WANTED, granted ? "yes" : null);
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden || unseen === "") return;
      unseen = "";
    });

    return {
      /** @param {State} state */
      render(state) {
        const outcome = state.run?.outcome ?? null;
        // What had ended before the page came is no news.
        const news = known !== undefined && outcome !== null && outcome !== known && known === null;
        known = outcome;
        if (outcome === null) unseen = "";
        if (news && document.hidden) {
          const key = BreastAI.views.run.stateKey(state);
          unseen = `${key === "complete" ? "✓" : "✕"} ${t(`state.${key}`)} · BreastAI`;
          if (box.checked) new Notification(`BreastAI · ${t(`state.${key}`)}`, { body: state.run?.id ?? "", tag: state.run?.id });
        }
        if (unseen !== "") document.title = unseen;
      },
      /** @param {State} state */
      slice: (state) => [state.run?.outcome, state.run?.id, state.session, state.progress],
    };
  }

  BreastAI.views.ending = { create };
})();
