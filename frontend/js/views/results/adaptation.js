/* A model adapted to a site: asking for it, and both models side by side on the images that the sample left. */
(function () {
  "use strict";

  const { actionButton, byId, make, fill, name, said, table, figureCell, scroller } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  const OF_TARGET = ["auc_roc", "sensitivity_at_operating_point", "specificity_at_operating_point"];

  /** @param {Record<string, number>} counts */
  const countsText = (counts) => Object.entries(counts).map(([label, count]) => `${label} ${format.integer(count)}`).join(", ");

  /** The report of an adapted model, and the page of what was made of it. @param {Connection} connection @param {string} run */
  function linksOf(connection, run) {
    const report = actionButton("create_report", t("checkpoints.report"), { class: "small", on: { click: () => BreastAI.servedFiles.askReport(connection, run) } });
    return make("div", { class: "button-row" }, report, make("a", { class: "button small", text: t("runpage.results"), attributes: { href: BreastAI.address.ofRun(run, "results") } }));
  }

  /** @param {Connection} connection @param {Wire.ModelAdapted} found @returns {(Node | null)[]} */
  function bodyOf(connection, found) {
    const { sample, norms, norm_layers: layers, norm_prior_images: prior, head_strength: strength, novelty_images: novelty } = found.adaptation;
    const figures = [...OF_TARGET.map((figure) => `${figure}.${found.target_class}`), "balanced_accuracy", "brier"].filter((figure) => found.before[figure] !== undefined && found.after[figure] !== undefined);
    const rows = figures.map((figure) => [t(`adapt.${figure.split(".")[0]}`), figureCell(found.before[figure]), figureCell(found.after[figure])]);
    const caption = t("adapt.figures");
    const told = [
      t("adapt.sample", { units: plural(`sites.units.${sample.unit}`, sample.units), counts: countsText(sample.counts) }),
      t("adapt.rest", { units: plural(`sites.units.${sample.unit}`, sample.rest_units), counts: countsText(sample.rest_counts) }),
      t(`adapted.norms.${norms}`, { layers, prior }),
      strength === null ? t("adapt.head_kept") : t("adapt.head_refitted", { strength: format.number(strength, 1) }),
      novelty === null ? t("adapt.no_novelty") : plural("adapt.novelty", novelty),
    ];
    return [
      make("p", {}, name(found.checkpoint), " · ", name(found.adaptation.checkpoint), " → ", name(found.adaptation.data)),
      make("ul", {}, ...told.map((text) => make("li", { text }))),
      make("h4", { text: caption }),
      scroller(caption, table({ caption, captionHidden: true, head: ["", t("adapt.before"), t("adapt.after")], rows, numeric: true })),
      make("ul", { class: "muted" }, ...found.notes.map((note) => make("li", {}, said(note)))),
      linksOf(connection, found.checkpoint.split("/")[0]),
    ];
  }

  /** @param {Context} context */
  function create({ connection }) {
    const places = /** @type {HTMLTextAreaElement} */ (byId("sites-places"));
    const map = /** @type {HTMLTextAreaElement} */ (byId("sites-map"));
    const sample = /** @type {HTMLInputElement} */ (byId("sites-sample"));
    const button = byId("adapt-run");

    /** The one site named, "" of none or several. */
    function site() {
      const named = places.value.split("\n").map((line) => line.trim()).filter(Boolean);
      return named.length === 1 ? named[0] : "";
    }

    button.addEventListener("click", () => {
      if (site() === "" || !(Number(sample.value) > 0)) {
        (site() === "" ? places : sample).focus();
        return;
      }
      const asked = { data: site(), class_map: BreastAI.views.sites.readMap(map.value), local_sample: Number(sample.value) };
      connection.request("adapt_model", asked).then(() => connection.request("list_checkpoints")).catch(() => {});
    });

    return {
      within: "evaluation",
      /** @param {State} state */
      render(state) {
        button.dataset.blocked = state.session.currentModel === null ? "reason.no_model" : "";
        byId("adapted-card").hidden = state.adapted === null;
        if (state.adapted !== null) fill(byId("adapted-body"), ...bodyOf(connection, state.adapted));
      },
      /** @param {State} state */
      slice: (state) => [state.adapted, state.session.currentModel, state.session.state, state.pending],
    };
  }

  BreastAI.views.adaptation = { create };
})();
