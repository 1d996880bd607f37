/* Some runs beside each other: their curves in one chart, their figures, and the settings that differ. */
(function () {
  "use strict";

  const { byId, make, fill, name, table, scroller } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** The figures of a run, as its entry names them. */
  const FIGURES = ["accuracy", "f1_weighted", "auc_roc", "loss"];
  const CURVES = ["val_loss", "val_accuracy", "val_f1_weighted", "val_auc_roc", "train_loss", "train_accuracy", "learning_rate"];

  /** @param {string} figure */
  function figureName(figure) {
    return BreastAI.catalog.metricName(figure);
  }

  /** @param {string} curve */
  function curveName(curve) {
    if (curve === "learning_rate") return t("figure.learning_rate");
    return figureName(curve);
  }

  /** @param {Wire.RunEntry} run */
  function stateOf(run) {
    return make("span", { class: `pill run-${run.state}`, text: t(`state.${run.state}`) });
  }

  /** @param {Wire.RunEntry} run */
  function epochsOf(run) {
    return run.epochs === null ? format.NONE : t("run.of", { n: format.integer(run.epochs_run ?? 0), total: format.integer(run.epochs) });
  }

  /** How many images it trained on, and how many chose its best epoch. @param {Wire.RunEntry} run */
  function imagesOf({ training_images: training, validation_images: validation }) {
    return training === null ? format.NONE : `${format.integer(training)}\u00a0+\u00a0${format.integer(validation)}`;
  }

  /** The images of an evaluation, their part in words; of what a fold held out, that alone. @param {string} on */
  function imagesIn(on) {
    const parts = [...new Set(on.split(" · "))];
    const last = `split.${parts.pop()}`;
    return [...parts, BreastAI.i18n.has(last) ? t(last) : last.slice("split.".length)].join(" · ");
  }

  /** @param {Wire.RunEntry} run */
  function sensitivityOf({ sensitivity, sensitivity_on: on }) {
    // It is of the latest evaluation, whatever images that was on: never a figure without its images.
    return sensitivity === null ? format.NONE : make("span", {}, format.figure(sensitivity), " ", make("small", { class: "muted" }, name(imagesIn(on ?? ""))));
  }

  /** @param {unknown} value @returns {Node | string} */
  function valueOf(value) {
    if (value === null || value === undefined) return t("field.none");
    if (typeof value === "boolean") return t(value ? "field.on" : "field.off");
    if (typeof value === "number") return format.number(value, 8);
    return name(typeof value === "string" ? value : JSON.stringify(value));
  }

  /** @param {Wire.ComparedRun} compared @param {string} key @returns {Line} */
  function lineOf(compared, key) {
    const epochs = compared.curves.epoch ?? [];
    const values = compared.curves[key] ?? [];
    return { label: compared.run.run_id, points: epochs.map((epoch, index) => ({ x: Number(epoch), y: values[index] ?? null })) };
  }

  /** @param {Context} context */
  function create({ store }) {
    const curve = /** @type {HTMLSelectElement} */ (byId("compared-curve"));
    /** @type {ChartCard | null} */
    let card = null;
    /** @type {unknown} */
    let drawnFor = null;

    curve.addEventListener("change", () => {
      drawnFor = null;
      showCompared(store.state());
    });
    BreastAI.i18n.onChange(() => {
      drawnFor = null;
    });

    /** @param {State} state */
    function showCompared(state) {
      const found = state.comparedRuns;
      byId("compared-card").hidden = found === null;
      if (found === null || drawnFor === found) return;
      drawnFor = found;
      const wanted = curve.value || CURVES[0];
      fill(curve, ...CURVES.map((key) => make("option", { text: curveName(key), attributes: { value: key } })));
      curve.value = wanted;
      card?.destroy();
      card = BreastAI.views.chartCard.create({ name: "runs", title: curveName(wanted), x: t("figure.epoch"), y: curveName(wanted), whole: true });
      fill(byId("compared-chart"), card.element);
      card.show(found.runs.map((compared) => lineOf(compared, wanted)));
      const thinned = found.runs.some(({ epochs, curves }) => (curves.epoch ?? []).length < epochs);
      byId("compared-thinned").hidden = !thinned;

      const warning = found.same_images === true ? null : make("p", { class: found.same_images === false ? "banner warning" : "muted", text: t(found.same_images === false ? "runs.other_images" : "runs.images_unknown") });
      fill(byId("compared-images"), warning);
      const names = found.runs.map(({ run }) => name(run.run_id));
      const facts = [
        [t("runs.state"), ...found.runs.map(({ run }) => stateOf(run))],
        [t("figure.epoch"), ...found.runs.map(({ run }) => epochsOf(run))],
        [t("runs.data"), ...found.runs.map(({ run }) => (run.data === null ? format.NONE : name(run.data)))],
        [t("runs.images"), ...found.runs.map(({ run }) => imagesOf(run))],
        [t("runs.best_epoch"), ...found.runs.map(({ run }) => format.integer(run.best_epoch))],
        [t("runs.sensitivity"), ...found.runs.map(({ run }) => sensitivityOf(run))],
        ...FIGURES.map((figure) => [t("runs.of_validation", { name: figureName(figure) }), ...found.runs.map(({ run }) => format.figure(run.metrics[figure]))]),
      ];
      const figures = table({ caption: t("runs.figures"), head: [t("evaluation.figure"), ...names], rows: facts, numeric: true });
      fill(byId("compared-figures"), scroller(t("runs.figures"), figures));
      if (found.differences.length === 0) {
        fill(byId("compared-settings"), make("p", { class: "empty", text: t("runs.same_settings") }));
        return;
      }
      const rows = found.differences.map(({ path, values }) => {
        const label = BreastAI.i18n.has(`setting.${path}.label`) ? t(`setting.${path}.label`) : path;
        return [make("span", { text: label, attributes: { title: path } }), ...values.map(valueOf)];
      });
      fill(byId("compared-settings"), scroller(t("runs.settings"), table({ caption: t("runs.settings"), head: [t("runs.setting"), ...found.runs.map(({ run }) => name(run.run_id))], rows, class: "stacking" })));
    }

    return {
      within: "runs",
      /** @param {State} state */
      render: (state) => showCompared(state),
      restyle: () => card?.restyle(),
      /** @param {State} state */
      slice: (state) => [state.comparedRuns],
    };
  }

  BreastAI.views.comparedRuns = { create, FIGURES, figureName, stateOf, epochsOf, imagesOf, imagesIn, sensitivityOf };
})();
