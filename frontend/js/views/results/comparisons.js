/* The comparisons that are kept, of models and of readers, and showing one again. */
(function () {
  "use strict";

  const { byId, fill, name, table, scroller, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {Context} context */
  function create({ connection }) {
    /** @type {unknown[]} what the list was asked for: it is asked again when a comparison has been made */
    let askedFor = [];

    /** @param {State} state */
    function ask(state) {
      const now = [state.welcome, state.session.state];
      if (state.connection.phase !== "connected" || now.every((value, index) => value === askedFor[index])) return;
      askedFor = now;
      connection.request("list_comparisons").catch(() => {});
    }

    /** @param {Wire.ComparisonEntry} entry */
    function show({ comparison_id, kind }) {
      connection.request("show_comparison", { comparison_id }).then(
        () => byId(kind === "readers" ? "readers-card" : "comparison-card").scrollIntoView(),
        () => {},
      );
    }

    /** @param {Wire.ComparisonEntry} entry */
    function rowOf(entry) {
      const label = { "aria-label": `${t("studies.show")} ${entry.comparison_id}` };
      return [
        name(entry.comparison_id),
        t(`comparisons.kind.${entry.kind}`),
        name(entry.first),
        entry.second === null ? format.NONE : name(entry.second),
        format.integer(entry.n),
        format.date(entry.created),
        actionButton("show_comparison", t("studies.show"), { class: "small", attributes: label, on: { click: () => show(entry) } }),
      ];
    }

    return {
      within: "evaluation",
      /** @param {State} state */
      render(state) {
        ask(state);
        const kept = state.comparisons ?? [];
        byId("comparisons-card").hidden = kept.length === 0;
        const head = ["studies.name", "studies.kind", "comparison.first", "comparison.second", "evaluation.n", "studies.begun", "checkpoints.actions"].map((key) => t(key));
        fill(byId("comparisons-list"), scroller(t("comparisons.title"), table({ caption: t("comparisons.title"), captionHidden: true, head, rows: kept.map(rowOf), class: "stacking" })));
      },
      /** @param {State} state */
      slice: (state) => [state.comparisons, state.welcome, state.connection.phase],
    };
  }

  BreastAI.views.comparisons = { create };
})();
