/* The latest figures, each with its best so far. */
(function () {
  "use strict";

  const { byId, make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format, catalog } = BreastAI;

  /** @param {string} label @param {string} value @param {string} note @param {string} [kind] */
  function tile(label, value, note, kind = "") {
    return make("div", { class: `tile ${kind}`.trim() }, make("span", { class: "tile-label", text: label }), make("span", { class: "tile-value", text: value }), make("span", { class: "tile-note", text: note }));
  }

  function create() {
    return {
      /** @param {State} state */
      render(state) {
        const run = state.run;
        const latest = run?.epochs.at(-1);
        const tiles = byId("tiles");
        tiles.hidden = run === null;
        if (run === null) return;
        const epochs = run.started?.epochs ?? latest?.epochs ?? null;
        const shown = [tile(t("figure.epoch"), latest ? format.integer(latest.epoch) : format.NONE, epochs === null ? "" : t("tile.of", { epochs: format.integer(epochs) }), "first")];
        for (const { name, direction } of catalog.numbers(state.welcome?.catalog)) {
          const key = `val_${name}`;
          const best = catalog.best(run.epochs, key, direction);
          const value = latest === undefined ? null : /** @type {any} */ (latest)[key];
          const note = best === null ? "" : t("tile.best", { value: format.figure(best.value), epoch: format.integer(best.epoch) });
          shown.push(tile(t(`metric.${name}`), format.figure(value), note, best !== null && best.epoch === latest?.epoch && run.epochs.length > 1 ? "is-best" : ""));
        }
        shown.push(tile(t("figure.learning_rate"), format.small(latest?.learning_rate), ""));
        const speed = latest?.images_per_second ?? null;
        shown.push(tile(t("figure.images_per_second"), format.number(speed, 1), latest ? t("tile.epoch_took", { time: format.duration(latest.epoch_s) }) : ""));
        fill(tiles, ...shown);
      },
      /** @param {State} state */
      slice: (state) => [state.run, state.welcome],
    };
  }

  BreastAI.views.tiles = { create };
})();
