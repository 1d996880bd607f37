/* What a run would train on, as tables and lines: counts by class and split, questions, warnings, files left out. */
(function () {
  "use strict";

  const { make, name, said, table, scroller } = BreastAI.elements;
  const { t, className, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  const SPLITS = /** @type {const} */ (["train", "val", "test"]);

  /** @param {string} uri */
  function isPicture(uri) {
    // Only pictures of the server's own making; anything else stays out.
    return uri.startsWith("data:image/jpeg;base64,");
  }

  /**
   * Which breast in which view, where a DICOM header says so.
   * @param {{ laterality: "L" | "R" | "B" | null, view: string | null }} said
   */
  function headerText(said) {
    return [said.laterality === null ? null : t(`answers.laterality.${said.laterality}`), said.view].filter((part) => part !== null).join(" · ");
  }

  /** @param {Record<string, number>} counts */
  function total(counts) {
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  /** @param {Wire.DataWarning} warning */
  function warningText(warning) {
    const { most, least, ratio, ...params } = warning.params;
    return t(`data_warning.${warning.code}`, { ...params, most, least, ratio: format.number(ratio, 1) });
  }

  /**
   * What a run would ask before it begins, each with the answers there are: a click puts one into the form.
   * @param {Wire.DataDescribed} found @param {(path: string, value: unknown) => void} answer
   */
  function questionsOf(found, answer) {
    if (!found.questions.length) return null;
    /** @param {Wire.DataQuestion} question @returns {[string, string, unknown][]} */
    const answers = ({ params }) => {
      // Only a question for the class in question comes with an example, only one about a class of masks with its name.
      if (params.example !== undefined && params.class_names !== undefined) {
        const names = /** @type {string[]} */ (params.candidates ?? params.class_names);
        return names.map((each) => [t("data.question.answer", { class_name: className(each) }), "evaluation.target_class", each]);
      }
      return params.class_name !== undefined ? [[t("data.question.keep"), "data.masks", "keep"]] : [[t("data.question.accept"), "data.accept_classes", true]];
    };
    const items = found.questions.map((question) =>
      make(
        "li",
        {},
        make("p", {}, ...BreastAI.elements.linked(BreastAI.i18n.errorText(question))),
        ...answers(question).map(([text, path, value]) => make("button", { text, attributes: { type: "button" }, on: { click: () => answer(path, value) } })),
      ),
    );
    return make("ul", { class: "banner warning data-questions" }, ...items);
  }

  /** What a run would train on, in a table. @param {Wire.DataDescribed} found */
  function countsTable(found) {
    const splits = SPLITS.filter((split) => found.counts[split] !== undefined);
    const head = [t("data.class"), ...splits.map((split) => t(`split.${split}`)), t("data.total")];
    /** @param {string} label @param {(split: string) => number} count @param {Node | string} title */
    const row = (label, count, title) => [title || label, ...splits.map((split) => format.integer(count(split))), format.integer(splits.reduce((sum, split) => sum + count(split), 0))];
    const rows = found.class_names.map((label) => row(label, (split) => found.counts[split]?.[label] ?? 0, BreastAI.elements.label(label)));
    rows.push(row(t("data.total"), (split) => total(found.counts[split] ?? {}), ""));
    return scroller(t("data.counts"), table({ caption: t("data.counts"), captionHidden: true, head, rows, numeric: true, class: "totals" }));
  }

  /** @param {Wire.DataDescribed} found @param {(path: string, value: unknown) => void} answer @returns {(Node | null)[]} */
  function described(found, answer) {
    const facts = [
      found.target_class === null ? null : t("data.target_class", { class_name: className(found.target_class) }),
      found.set_aside === null ? t("data.own_validation") : t("data.set_aside", { share: format.percent(found.set_aside) }),
      found.patients === null ? null : plural("data.patients_known", found.patients),
      found.masks > 0 ? plural("data.masks_left_out", found.masks) : null,
      found.looked_at < found.images ? t("data.looked_at", { looked: found.looked_at, images: found.images }) : null,
    ].filter((fact) => fact !== null);
    const warnings = found.warnings.map((warning) => make("li", { text: warningText(warning) }));
    return [
      questionsOf(found, answer),
      countsTable(found),
      make("p", { class: "muted", text: facts.join(" ") }),
      warnings.length ? make("ul", { class: "banner warning data-warnings" }, ...warnings) : null,
    ];
  }

  /** @param {Wire.DataDescribed} found */
  function skippedOf(found) {
    if (found.skipped_total === 0) return make("p", { class: "empty", text: t("data.nothing_skipped") });
    const rows = found.skipped.map(({ split, file, reason }) => [name(file), t(`split.${split}`), said(reason)]);
    const head = ["data.file", "data.split", "data.reason"].map((key) => t(key));
    const more = found.skipped_total - found.skipped.length;
    return make(
      "div",
      {},
      scroller(t("data.skipped"), table({ caption: t("data.skipped"), captionHidden: true, head, rows, class: "stacking" })),
      more > 0 ? make("p", { class: "muted", text: plural("audit.more", more) }) : null,
    );
  }

  /**
   * What is trained on, in a few lines, for the form that starts a run.
   * @param {Wire.DataDescribed} found @param {(path: string, value: unknown) => void} answer
   */
  function summary(found, answer) {
    const parts = SPLITS.filter((split) => found.counts[split] !== undefined).map((split) => {
      const counts = found.counts[split];
      const classes = Object.entries(counts).map(([label, count]) => make("span", { class: "summary-class" }, BreastAI.elements.label(label), ` ${format.integer(count)}`));
      return make("li", {}, make("b", { text: `${t(`split.${split}`)} ${format.integer(total(counts))}` }), make("span", { class: "muted summary-classes" }, ...classes));
    });
    const warnings = found.warnings.map((warning) => make("li", { text: warningText(warning) }));
    return make(
      "div",
      {},
      // It may be another folder than the form's by now.
      make("div", {}, name(Object.values(found.folders)[0] ?? "")),
      make("ul", { class: "before-start" }, ...parts),
      found.target_class === null ? null : make("p", { text: t("data.target_class", { class_name: className(found.target_class) }) }),
      questionsOf(found, answer),
      found.skipped_total > 0 ? make("p", { text: plural("data.files_skipped", found.skipped_total) }) : null,
      warnings.length ? make("ul", { class: "before-warnings" }, ...warnings) : null,
      make("a", { text: t("data.see"), attributes: { href: "#data" } }),
    );
  }

  BreastAI.views.dataDescription = { described, skippedOf, summary, isPicture, headerText };
})();
