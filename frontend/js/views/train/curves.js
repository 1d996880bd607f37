/* The curves of a run, what is asked of all of them at once, and the same figures as a table of epochs. */
(function () {
  "use strict";

  const { byId, fill } = BreastAI.elements;
  const { t, className } = BreastAI.i18n;
  const { format, catalog, charts, series, download } = BreastAI;
  const { shownRun, pinnedEpoch, bestEpoch, isBare } = BreastAI.pageState;
  const LONG = 100;
  /** Drawn for each class, when the epochs have them. */
  const BY_CLASS = ["sensitivity", "specificity"];

  /**
   * Every chart of a run: its lines, each with where its value is in an epoch.
   * @param {Wire.Catalog} from
   * @param {string[]} classNames
   * @returns {{ name: string, title: string, first: boolean, value?: (value: any) => string, lines: { label: string, value: (row: Wire.TrainingUpdate) => unknown }[] }[]}
   */
  function chartsOf(from, classNames) {
    const metrics = catalog.curves(from).map(({ family, first, series: parts }) => ({
      name: family,
      title: catalog.familyName(family),
      first,
      lines: parts.map(({ key, name, part }) => ({ label: part === null ? catalog.metricName(name) : t(`part.${part}`), value: (/** @type {Wire.TrainingUpdate} */ row) => row.metrics[key] })),
    }));
    const byClass = BY_CLASS.map((figure) => ({
      name: figure,
      title: t("curves.by_class", { name: t(`metric.${figure}`) }),
      first: false,
      lines: classNames.map((label) => ({ label: className(label), value: (/** @type {Wire.TrainingUpdate} */ row) => row.val_per_class[label]?.[figure] })),
    }));
    const rate = { name: "learning_rate", title: t("figure.learning_rate"), first: false, value: format.small, lines: [{ label: t("figure.learning_rate"), value: (/** @type {Wire.TrainingUpdate} */ row) => row.learning_rate }] };
    return [...metrics, ...byClass, rate];
  }

  /** @param {Context} context */
  function create({ store }) {
    /** @type {{ card: ChartCard, first: boolean, lines: { label: string, value: (row: Wire.TrainingUpdate) => unknown }[], value?: (value: any) => string }[]} */
    let drawn = [];
    let drawnFor = "";
    /** @type {Wire.Catalog | null} */
    let drawnFrom = null;
    /** @type {unknown} */
    let shown = null;
    /** @type {Wire.TrainingUpdate[]} */
    let epochs = [];
    /** @type {string} */
    let runId = "";
    /** @type {ChartMarks} */
    let marks = { best: null, pinned: null };
    /** @type {Span | null} */
    let range = null;
    let weight = 0;
    /** What is left to do, a step at a time, so that the page answers in between. @type {(() => void)[]} */
    let waiting = [];
    /** @type {number | undefined} */
    let timer;
    const tools = BreastAI.views.curveTools.create({ onRange: zoom, onWeight: (to) => { weight = to; show(); }, onPin: pin, onSave: save });

    /** @param {Wire.Catalog} from @param {string[]} classNames */
    function draw(from, classNames) {
      for (const { card } of drawn) card.destroy();
      waiting = [];
      fill(byId("charts"));
      fill(byId("charts-more"));
      drawn = chartsOf(from, classNames).map(({ name, title, first, value, lines }) => {
        const card = BreastAI.views.chartCard.create({ name, title, x: t("figure.epoch"), value, whole: true, onRange: zoom, onPoint: point, onPin: (epoch) => pin(epoch === marks.pinned ? null : epoch) });
        byId(first ? "charts" : "charts-more").append(card.element);
        return { card, first, lines, value };
      });
    }

    /** Show the values of an epoch on all charts. @param {number | null} epoch */
    function point(epoch) {
      for (const { card } of drawn) card.point(epoch);
    }

    /** Keep an epoch in view: its values, its matrix and its classes. @param {number | null} epoch */
    function pin(epoch) {
      const known = epoch !== null && epochs.some((row) => row.epoch === epoch);
      store.dispatch({ type: "@pin", pinned: known ? { run: runId, epoch } : null });
    }

    /** @param {Span | null} to */
    function zoom(to) {
      range = to;
      tools.show(range, epochs, marks);
      show();
    }

    /** @param {typeof drawn[number]} chart */
    function showOne({ card, lines, value = format.figure }) {
      const latest = epochs.at(-1);
      // The curve in words, for those who do not see it.
      const description = latest === undefined ? "" : lines.map(({ label, value: of }) => `${label} ${value(of(latest) ?? null)}`).join(", ");
      card.show(lines.map(({ label, value: of }) => ({ label, points: series.points(epochs, of) })), { range, weight, description, marks });
    }

    /** Those that are not folded away. */
    function seen() {
      return drawn.filter(({ first }) => first || more.open);
    }

    /** Of a long run a chart at a time. */
    function show() {
      if (epochs.length < LONG) {
        waiting = [];
        seen().forEach(showOne);
      } else begin(seen().flatMap((chart) => [chart.card.prepare, () => showOne(chart)]));
    }

    /** @param {(() => void)[]} steps */
    function begin(steps) {
      waiting = steps;
      timer ??= setTimeout(next);
    }

    function next() {
      timer = undefined;
      waiting.shift()?.();
      if (waiting.length) begin(waiting);
    }

    /** Every figure of every epoch, as numbers. */
    function save() {
      const lines = drawn.flatMap(({ lines: of }) => of);
      const names = chartsOf(/** @type {Wire.Catalog} */ (drawnFrom), classes(epochs)).flatMap(({ title, lines: of }) => of.map(({ label }) => (of.length === 1 ? title : `${title} · ${label}`)));
      const rows = epochs.map((row) => [row.epoch, ...lines.map(({ value }) => value(row) ?? null), row.epoch_s, row.images_per_second]);
      const head = [t("figure.epoch"), ...names, `${t("figure.epoch_s")} (s)`, t("figure.images_per_second")];
      download.saveText(`${runId || "run"}.csv`, series.csv([head, ...rows]), "text/csv");
    }

    /** @param {Wire.TrainingUpdate[]} of */
    function classes(of) {
      return Object.keys(of.at(-1)?.val_per_class ?? {});
    }

    const more = /** @type {HTMLDetailsElement} */ (byId("more-curves"));
    more.addEventListener("toggle", () => {
      if (more.open) show();
    });
    const details = /** @type {HTMLDetailsElement} */ (byId("epochs-details"));
    byId("charts-absent").hidden = charts.available();
    if (!charts.available()) details.open = true;

    return {
      within: "cards",
      /** @param {State} state */
      render(state) {
        const run = shownRun(state);
        byId("curves-card").hidden = run === null || isBare(state, run);
        if (run === null || state.welcome === null) return;
        epochs = run.epochs;
        if (runId !== run.id) {
          runId = run.id;
          range = null;
        }
        const names = classes(epochs);
        const wanted = JSON.stringify([BreastAI.i18n.current(), names]);
        if (charts.available() && (drawnFrom !== state.welcome.catalog || drawnFor !== wanted)) {
          drawnFrom = state.welcome.catalog;
          drawnFor = wanted;
          shown = null;
          draw(drawnFrom, names);
        }
        // While a long run's epochs come in, page after page, they are not drawn each time.
        const coming = run.lastEpoch >= LONG && BreastAI.store.missingEpochs(state) !== null;
        if (coming) begin(seen().map(({ card }) => card.prepare));
        const pinned = pinnedEpoch(state)?.epoch ?? null;
        if (pinned !== marks.pinned) {
          marks = { ...marks, pinned };
          tools.show(range, epochs, marks);
          for (const { card } of drawn) card.mark(marks);
        }
        if (shown !== epochs && !coming) {
          shown = epochs;
          marks = { best: bestEpoch(epochs), pinned };
          tools.show(range, epochs, marks);
          show();
        }
        if (details.open) BreastAI.views.epochsTable.show(state, epochs);
      },
      /** @param {() => void} again */
      listen(again) {
        details.addEventListener("toggle", again);
      },
      restyle() {
        for (const { card } of drawn) card.restyle();
      },
      /** @param {State} state */
      slice: (state) => [shownRun(state)?.id, shownRun(state)?.epochs, shownRun(state)?.outcome, state.session.state, state.welcome, state.pinned],
    };
  }

  BreastAI.views.curves = { create };
})();
