/* The catalog of the welcome message, read in one place: which architectures, metrics, formats and presets there are. */
(function () {
  "use strict";

  const { t } = BreastAI.i18n;

  /** What is looked at first, when the catalog has it; everything else follows in the catalog's order. */
  const FIRST = ["loss", "accuracy", "f1", "auc_roc"];
  const AVERAGES = ["weighted", "macro"];

  /**
   * The rows of a table of the catalog, each with its name.
   * @param {Wire.Catalog | undefined} catalog
   * @param {string} table
   * @returns {CatalogRow[]}
   */
  function rowsOf(catalog, table) {
    const value = catalog?.[table];
    if (Array.isArray(value)) return value.map((row) => (typeof row === "string" ? { name: row } : row));
    if (value === null || typeof value !== "object") return [];
    return Object.entries(value).map(([name, row]) => ({ ...(row !== null && typeof row === "object" ? row : {}), name }));
  }

  /** @param {Wire.Catalog | undefined} catalog @param {string} table */
  function names(catalog, table) {
    return rowsOf(catalog, table).map((row) => row.name);
  }

  /** The metric a figure belongs to: f1 for f1_weighted. @param {string} name */
  function family(name) {
    for (const average of AVERAGES) {
      if (name.endsWith(`_${average}`)) return name.slice(0, -average.length - 1);
    }
    return name;
  }

  /** A metric in words, f1_macro, or what of it early stopping watches, val_f1_macro. @param {string} name @returns {string} */
  function metricName(name) {
    const part = ["train", "val"].find((each) => name.startsWith(`${each}_`));
    return part === undefined ? t(`metric.${name}`) : `${metricName(name.slice(part.length + 1))}, ${t(`part.${part}`)}`;
  }

  /** The metrics of one chart in words. @param {string} name */
  function familyName(name) {
    return BreastAI.i18n.has(`family.${name}`) ? t(`family.${name}`) : metricName(name);
  }

  /**
   * The figures that are one number, what is looked at first in front.
   * @param {Wire.Catalog | undefined} catalog
   * @returns {CatalogRow[]}
   */
  function numbers(catalog) {
    const rows = rowsOf(catalog, "metrics").filter((row) => (row.kind ?? "number") === "number");
    /** @param {CatalogRow} row */
    const place = (row) => {
      const at = FIRST.indexOf(family(row.name));
      return at < 0 ? FIRST.length : at;
    };
    return rows.map((row, index) => ({ row, index })).sort((a, b) => place(a.row) - place(b.row) || a.index - b.index).map(({ row }) => row);
  }

  /**
   * The figures shown large, one for each metric that is looked at first; and all others.
   * @param {Wire.Catalog | undefined} catalog
   */
  function headline(catalog) {
    const rows = numbers(catalog);
    /** @param {string} metric */
    const chosen = (metric) => [metric, ...AVERAGES.map((average) => `${metric}_${average}`)].map((name) => rows.find((row) => row.name === name)).find((row) => row !== undefined);
    const large = FIRST.map(chosen).filter((row) => row !== undefined);
    return { large, others: rows.filter((row) => !large.includes(row)) };
  }

  /**
   * The figures by metric: one chart each, loss and accuracy with training's curve beside validation's.
   * @param {Wire.Catalog | undefined} catalog
   * @returns {{ family: string, first: boolean, series: { key: string, name: string, part: string | null }[] }[]}
   */
  function curves(catalog) {
    /** @type {Map<string, { key: string, name: string, part: string | null }[]>} */
    const families = new Map();
    for (const { name } of numbers(catalog)) {
      const series = families.get(family(name)) ?? [];
      // Training's own figures exist for what is as cheap as the loss; a curve without a value is not drawn.
      if (family(name) === name) series.push({ key: `train_${name}`, name, part: "train" });
      series.push({ key: `val_${name}`, name, part: family(name) === name ? "val" : null });
      families.set(family(name), series);
    }
    return [...families].map(([name, series]) => ({ family: name, first: FIRST.includes(name), series }));
  }

  /**
   * The best value of a figure over the epochs, by the catalog's direction.
   * @param {Wire.TrainingUpdate[]} epochs
   * @param {string} key
   * @param {string | null | undefined} direction
   * @returns {{ value: number, epoch: number } | null}
   */
  function best(epochs, key, direction) {
    /** @type {{ value: number, epoch: number } | null} */
    let found = null;
    for (const row of epochs) {
      const value = row.metrics[key];
      if (typeof value !== "number") continue;
      if (found === null || (direction === "lower" ? value < found.value : value > found.value)) found = { value, epoch: row.epoch };
    }
    return found;
  }

  /** The settings whose values the catalog lists. @param {Wire.Catalog} catalog @returns {Record<string, string[]>} */
  function choices(catalog) {
    return {
      "model.architecture": names(catalog, "architectures"),
      "training.early_stopping.monitor": names(catalog, "monitors"),
    };
  }

  BreastAI.catalog = { rowsOf, names, family, metricName, familyName, numbers, headline, curves, best, choices };
})();
