/* What the latest epoch, or the one pinned, says of each class: confusion matrix, sensitivity, specificity. */
(function () {
  "use strict";

  const { byId, make, fill, label, table, scroller } = BreastAI.elements;
  const { t, className } = BreastAI.i18n;
  const { format, catalog } = BreastAI;
  const { shownRun, pinnedEpoch } = BreastAI.pageState;

  /**
   * The confusion matrix, rows true, columns predicted; the shade is the share of the row.
   * @param {number[][]} matrix
   * @param {string[]} names
   * @param {(label: string, predicted: string) => void} [open] what opens the images of a cell
   */
  function confusionTable(matrix, names, open) {
    const corner = make("span", { class: "corner", text: t("confusion.corner") });
    const rows = matrix.map((counts, row) => {
      const sum = counts.reduce((total, count) => total + count, 0);
      const cells = counts.map((count, column) => {
        const share = sum > 0 ? count / sum : null;
        const words = t("confusion.open", { label: className(names[row] ?? ""), predicted: className(names[column] ?? ""), count: format.integer(count) });
        const button = { attributes: { type: "button", "aria-label": words, title: words }, on: { click: () => open?.(names[row] ?? "", names[column] ?? "") } };
        const cell = make(open && count > 0 ? "button" : "span", { ...(open && count > 0 ? button : {}), class: `matrix-cell ${row === column ? "right" : "wrong"}` }, make("b", { text: format.integer(count) }), make("small", { text: format.percent(share) }));
        cell.style.setProperty("--share", String(share ?? 0));
        return cell;
      });
      return [label(names[row] ?? ""), ...cells, format.integer(sum)];
    });
    return table({ caption: t("confusion.caption"), captionHidden: true, head: [corner, ...names.map(label), t("confusion.total")], rows, class: "matrix", numeric: true });
  }

  /** @param {number | null} value */
  function meter(value) {
    const cell = make("span", { class: "meter-cell", text: format.figure(value) });
    cell.style.setProperty("--share", String(value ?? 0));
    return cell;
  }

  /** @param {Wire.TrainingUpdate} update @param {string[]} names @param {string[]} figures */
  function perClassTable(update, names, figures) {
    const rows = names.map((className) => {
      const values = update.val_per_class[className] ?? {};
      return [label(className), ...figures.map((figure) => (figure === "support" ? format.integer(values[figure]) : meter(values[figure] ?? null)))];
    });
    return table({ caption: t("per_class.caption"), captionHidden: true, head: [t("per_class.class"), ...figures.map((figure) => t(`metric.${figure}`))], rows, class: "per-class stacking", numeric: true });
  }

  function create() {
    return {
      within: "cards",
      /** @param {State} state */
      render(state) {
        const pinned = pinnedEpoch(state);
        const latest = pinned ?? shownRun(state)?.epochs.at(-1);
        byId("confusion-card").hidden = latest === undefined;
        byId("per-class-card").hidden = latest === undefined;
        if (latest === undefined) return;
        const names = shownRun(state)?.started?.class_names ?? Object.keys(latest.val_per_class);
        const figures = catalog.names(state.welcome?.catalog, "per_class_metrics");
        const epoch = t(pinned === null ? "classes.epoch" : "classes.pinned", { epoch: format.integer(latest.epoch) });
        /** @param {string} key */
        const above = (key) => make("p", { class: "muted", text: `${epoch}. ${t(key)}` });
        fill(byId("confusion"), above("confusion.caption"), scroller(t("confusion.title"), confusionTable(latest.val_confusion_matrix, names)));
        const known = figures.length ? figures : Object.keys(Object.values(latest.val_per_class)[0] ?? {});
        fill(byId("per-class"), above("per_class.caption"), scroller(t("per_class.title"), perClassTable(latest, names, known)));
      },
      /** @param {State} state */
      slice: (state) => [shownRun(state)?.epochs, shownRun(state)?.started, state.welcome, state.pinned],
    };
  }

  BreastAI.views.classes = { create, confusionTable };
})();
