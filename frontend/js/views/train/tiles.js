/* The latest figures, each with its best so far. */
(function () {
  "use strict";

  const { byId, make, fill, label } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format, catalog } = BreastAI;
  const { shownRun, isBare } = BreastAI.pageState;

  /** @param {string} label @param {string} value @param {string} note @param {string} [kind] */
  function tile(label, value, note, kind = "") {
    return make("div", { class: `tile ${kind}`.trim() }, make("span", { class: "tile-label", text: label }), make("span", { class: "tile-value", text: value }), make("span", { class: "tile-note", text: note }));
  }

  /** @param {State} state @param {CatalogRow} row */
  function metricTile(state, { name, direction }) {
    const epochs = shownRun(state)?.epochs ?? [];
    const key = `val_${name}`;
    const value = epochs.at(-1)?.metrics[key] ?? null;
    const best = catalog.best(epochs, key, direction);
    const now = best !== null && best.epoch === epochs.at(-1)?.epoch;
    const note = best === null ? "" : now ? t("tile.best_now") : t("tile.best", { value: format.figure(best.value), epoch: format.integer(best.epoch) });
    return tile(t(`metric.${name}`), format.figure(value), note, now ? "is-best" : "");
  }

  /** Sensitivity and specificity of a class. @param {string} className @param {Record<string, number | null> | undefined} metrics */
  function classTile(className, metrics) {
    const text = ["sensitivity", "specificity"].map((name) => ({ name, value: metrics?.[name] })).map(({ name, value }) =>
      make("span", { class: "class-figure" }, make("small", { text: t(`metric.${name}`) }), make("b", { text: format.figure(value) })),
    );
    return make("div", { class: "tile class-tile" }, make("span", { class: "tile-label" }, label(className)), make("div", { class: "class-figures" }, ...text));
  }

  function create() {
    return {
      within: "cards",
      /** @param {State} state */
      render(state) {
        const run = shownRun(state);
        const tiles = byId("tiles");
        tiles.hidden = run === null || isBare(state, run);
        byId("no-epochs").hidden = run === null || !isBare(state, run);
        byId("class-tiles").hidden = run === null || run.epochs.length === 0;
        byId("other-figures").hidden = run === null || run.epochs.length === 0;
        if (run === null) return;
        const latest = run.epochs.at(-1);
        const epochs = run.started?.epochs ?? latest?.epochs ?? null;
        const { large, others } = catalog.headline(state.welcome?.catalog);
        fill(
          tiles,
          tile(t("figure.epoch"), latest ? format.integer(latest.epoch) : format.NONE, epochs === null ? "" : t("tile.of", { epochs: format.integer(epochs) })),
          ...large.map((row) => metricTile(state, row)),
        );
        if (latest === undefined) return;
        const names = run.started?.class_names ?? Object.keys(latest.val_per_class);
        fill(byId("class-tiles"), ...names.map((name) => classTile(name, latest.val_per_class[name])));
        // A probe is fitted in one pass: it learns at no rate.
        const probe = run.started?.config?.training?.recipe === "probe";
        /** @type {[string, string][]} */
        const figures = [
          ...(latest.images_per_second === null ? [] : [/** @type {[string, string]} */ ([t("figure.images_per_second"), format.number(latest.images_per_second)])]),
          ...(probe ? [] : [/** @type {[string, string]} */ ([t("figure.learning_rate"), format.small(latest.learning_rate)])]),
          [t("figure.epoch_s"), format.duration(latest.epoch_s)],
          ...others.map(({ name }) => /** @type {[string, string]} */ ([t(`metric.${name}`), format.figure(latest.metrics[`val_${name}`])])),
        ];
        fill(byId("other-figures"), ...figures.map(([label, value]) => make("div", {}, make("dt", { text: label }), make("dd", { text: value }))));
      },
      /** @param {State} state */
      slice: (state) => [shownRun(state)?.id, shownRun(state)?.epochs, shownRun(state)?.started, shownRun(state)?.outcome, state.session.state, state.welcome],
    };
  }

  BreastAI.views.tiles = { create };
})();
