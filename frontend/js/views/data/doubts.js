/* Labels in doubt: the images whose labels are most likely wrong, each beside a near-duplicate that says otherwise. */
(function () {
  "use strict";

  const { byId, make, fill, name, said } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {string | null} uri */
  function pictureOf(uri) {
    if (uri === null || !BreastAI.views.dataDescription.isPicture(uri)) return make("span", { class: "no-picture", text: t("errors.gone") });
    return make("img", { attributes: { src: uri, alt: "", loading: "lazy" } });
  }

  /** @param {Wire.LabelDoubt} doubt */
  function caseOf(doubt) {
    const twin = doubt.twin === null ? [] : [pictureOf(doubt.twin_picture), make("span", {}, `${t("doubts.twin")} `, name(doubt.twin), " ", make("b", {}, name(doubt.twin_label ?? "")))];
    return make(
      "li",
      {},
      pictureOf(doubt.picture),
      make("span", { class: "thumbnail-name" }, name(doubt.file)),
      make("span", {}, `${t("doubts.label")} `, make("b", {}, name(doubt.label)), ` (${format.figure(doubt.given_to_label)})`),
      make("span", {}, `${t("doubts.suggested")} `, make("b", {}, name(doubt.suggested)), ` (${format.figure(doubt.given_to_suggested)})`),
      doubt.likely ? make("span", { class: "badge", text: t("doubts.likely") }) : null,
      ...twin,
    );
  }

  /** @param {Wire.DoubtsFound} event @returns {Node[]} */
  function bodyOf({ found, table }) {
    const counts = t("doubts.counts", { folder: found.data, n: format.integer(found.images), likely: format.integer(found.likely), twins: format.integer(found.twins), shown: format.integer(found.doubts.length) });
    return [
      make("p", { text: counts }),
      make("p", { class: "muted" }, `${t("doubts.table")} `, name(table)),
      make("ul", { class: "muted" }, ...found.notes.map((note) => make("li", {}, said(note)))),
      make("ul", { class: "thumbnails wrong-cases" }, ...found.doubts.map(caseOf)),
    ];
  }

  /** @param {Context} context */
  function create({ connection, store }) {
    byId("doubts-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const data = /** @type {HTMLInputElement} */ (byId("doubts-path")).value.trim();
      if (data !== "") connection.request("find_doubts", { data }).catch(() => {});
    });

    return {
      within: "audit",
      /** @param {State} state */
      render(state) {
        fill(byId("doubts-body"), ...(state.doubts === null ? [] : bodyOf(state.doubts)));
        BreastAI.actions.markAll(byId("doubts-form"), store.state());
      },
      /** @param {State} state */
      slice: (state) => [state.doubts, state.session.state, state.connection.phase],
    };
  }

  BreastAI.views.doubts = { create };
})();
