/* Labels in doubt: the images whose labels are most likely wrong, each beside a near-duplicate that says otherwise, with a note and what a person decides. */
(function () {
  "use strict";

  const { byId, make, fill, name, label, said } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {Wire.LabelDoubt} doubt @param {(doubt: Wire.LabelDoubt) => Node[]} toolsOf */
  function caseOf(doubt, toolsOf) {
    const { imageCase } = BreastAI.views;
    const twin = doubt.twin === null ? [] : [imageCase.pictureOf(doubt.twin_picture), make("span", {}, `${t("doubts.twin")} `, name(doubt.twin), " ", make("b", {}, label(doubt.twin_label ?? "")))];
    return imageCase.create(
      doubt,
      make("span", {}, `${t("doubts.label")} `, make("b", {}, label(doubt.label)), ` (${format.figure(doubt.given_to_label)})`),
      make("span", {}, `${t("doubts.suggested")} `, make("b", {}, label(doubt.suggested)), ` (${format.figure(doubt.given_to_suggested)})`),
      doubt.likely ? make("span", { class: "badge", text: t("doubts.likely") }) : null,
      ...twin,
      ...toolsOf(doubt),
    );
  }

  /** @param {State} state @param {Wire.DoubtsFound} event @param {(doubt: Wire.LabelDoubt) => Node[]} toolsOf @returns {(Node | null)[]} */
  function bodyOf(state, { found, table }, toolsOf) {
    const counts = t("doubts.counts", { folder: found.dataset ?? found.data, n: found.images, likely: found.likely, twins: found.twins, shown: format.integer(found.doubts.length) });
    return [
      make("p", { text: counts }),
      make("p", { class: "muted" }, `${t("doubts.table")} `, name(table), " ", BreastAI.servedFiles.link(state, table)),
      make("ul", { class: "muted" }, ...found.notes.map((note) => make("li", {}, said(note)))),
      found.dataset === null ? make("p", { class: "muted", text: t("judged.no_dataset") }) : null,
      make("ul", { class: "thumbnails wrong-cases" }, ...found.doubts.map((doubt) => caseOf(doubt, toolsOf))),
    ];
  }

  /** @param {Context} context */
  function create({ connection }) {
    byId("doubts-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const data = /** @type {HTMLInputElement} */ (byId("doubts-path")).value.trim();
      if (data !== "") connection.request("find_doubts", { data }).catch(() => {});
    });

    /** What was noted and decided here since the list came; the list itself stays as it was told. @type {Map<string, { note?: string, decision?: Wire.LabelDoubt["decision"] }>} */
    let since = new Map();
    let sinceOf = "";
    let drawnFor = "";

    /** @param {Wire.LabelDoubts} found @param {Wire.LabelDoubt} doubt @param {{ note?: string, decision?: Wire.LabelDoubt["decision"] }} change */
    function keep(found, doubt, change) {
      since.set(doubt.file, { ...since.get(doubt.file), ...change });
      return connection.request("note_doubt", { doubts_id: found.doubts_id, file: doubt.file, ...change });
    }

    /** @param {Wire.LabelDoubts} found @param {Wire.LabelDoubt} doubt @returns {Node[]} */
    function toolsOf(found, doubt) {
      const now = { ...doubt, ...since.get(doubt.file) };
      const images = { dataset: found.dataset, split: found.part ?? "all", class_names: found.class_names };
      const [buttons, told] = BreastAI.views.imageCase.tools(connection, images, doubt, {
        proposed: doubt.suggested,
        told: now.decision === "undecided" ? "" : t(`doubts.decision.${now.decision}`),
        decided: ({ action }, tell) => {
          const decision = action === "exclude" ? "leave_out" : "relabel";
          keep(found, doubt, { decision }).then(() => tell(t(`doubts.decision.${decision}`)), () => {});
        },
      });
      const note = make("input", { attributes: { type: "text", maxlength: 500, autocomplete: "off", value: now.note, placeholder: t("doubts.note"), "aria-label": t("doubts.note_of", { file: doubt.file }) } });
      note.addEventListener("change", () => keep(found, doubt, { note: note.value.trim() }).then(() => fill(told, t("doubts.noted")), () => {}));
      return [note, buttons, told];
    }

    return {
      within: "audit",
      /** @param {State} state */
      render(state) {
        const { doubts } = state;
        if (doubts !== null && doubts.found.doubts_id !== sinceOf) [since, sinceOf] = [new Map(), doubts.found.doubts_id];
        // A note that is being typed is not drawn anew: only another list is, or another language.
        const now = `${sinceOf} ${BreastAI.i18n.current()} ${state.connection.url}`;
        if (drawnFor !== now) fill(byId("doubts-body"), ...(doubts === null ? [] : bodyOf(state, doubts, (doubt) => toolsOf(doubts.found, doubt))));
        drawnFor = now;
      },
      /** @param {State} state */
      slice: (state) => [state.doubts, state.session.state, state.connection.phase],
    };
  }

  BreastAI.views.doubts = { create };
})();
