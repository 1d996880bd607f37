/* What was made of a run and is kept: its evaluations, reports and exports, each with links to open and to save it. */
(function () {
  "use strict";

  const { make, name, images, label, table, scroller } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {Wire.ResultEntry} entry @param {string} run */
  function titleOf(entry, run) {
    const kind = t(`result.${entry.kind}`);
    if (entry.kind !== "evaluation") return make("span", {}, kind);
    return make("a", { text: kind, attributes: { href: BreastAI.address.ofEvaluation(run, entry.name) } });
  }

  /** What was judged, written or exported. @param {Wire.ResultEntry} entry */
  function aboutOf(entry) {
    if (entry.kind === "report") return String(BreastAI.locales[entry.name]?.["language.name"] ?? entry.name);
    if (entry.kind === "export") return make("span", {}, name(entry.name), " ", make("span", { class: "muted", text: format.bytes(entry.size_bytes) }));
    const parts = [entry.split === null ? null : t(`split.${entry.split}`), entry.n === null ? null : plural(entry.kind === "sites" ? "result.sites_n" : "result.images_n", entry.n)].filter((part) => part !== null);
    return make("span", {}, images(entry), " ", make("span", { class: "muted", text: parts.join(" · ") }));
  }

  /** @param {Wire.ResultEntry} entry */
  function figuresOf(entry) {
    const figures = [["metric.auc_roc", entry.auc], ["metric.sensitivity", entry.sensitivity], ["metric.specificity", entry.specificity]].filter(([, value]) => value !== null);
    const target = entry.target_class === null || figures.length === 0 ? null : make("span", { class: "muted" }, label(entry.target_class));
    return make("span", { class: "result-figures" }, target, ...figures.map(([key, value]) => make("span", {}, make("small", { class: "muted", text: t(String(key)) }), " ", make("b", { text: format.figure(value) }))));
  }

  /** @param {State} state @param {Wire.ResultEntry} entry */
  function linksOf(state, entry) {
    const links = entry.files.map((file) => {
      const words = BreastAI.i18n.has(`format.${file.format}`) ? t(`format.${file.format}`) : file.format.toUpperCase();
      const opens = ["html", "pdf", "json"].includes(file.format) && entry.kind === "report";
      return make("a", { class: "button small", text: words, attributes: { href: BreastAI.servedFiles.address(state, file.url), target: opens ? "_blank" : null, rel: opens ? "noopener" : null, download: opens ? null : true, "aria-label": `${words} ${entry.name}` } });
    });
    return make("span", { class: "button-row" }, ...links);
  }

  /** @param {State} state @param {Wire.ResultsList} found @returns {Node[]} */
  function bodyOf(state, found) {
    const unread = found.unread.length ? [make("p", { class: "banner warning", text: t("result.unread", { files: found.unread.join(", ") }) })] : [];
    if (found.results.length === 0) return [...unread, make("p", { class: "empty", text: t("result.none") })];
    const head = ["result.what", "result.of", "result.figures", "result.when", "result.files"].map((key) => t(key));
    const rows = found.results.map((entry) => [titleOf(entry, found.results_of), aboutOf(entry), figuresOf(entry), format.date(entry.created), linksOf(state, entry)]);
    return [...unread, scroller(t("runpage.results"), table({ caption: t("runpage.results"), captionHidden: true, head, rows, class: "stacking" }))];
  }

  BreastAI.views.resultsList = { bodyOf };
})();
