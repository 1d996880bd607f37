/* Where one is on the page, as the address says it after its #: a view, the page of a run with its part, an evaluation. Pure. */
(function () {
  "use strict";

  const VIEWS = ["training", "data", "tuning", "queue", "runs", "checkpoints", "audit", "evaluation", "predict", "editor", "log", "system", "run"];

  /** @param {string} part */
  function decoded(part) {
    try {
      return decodeURIComponent(part);
    } catch {
      // As in "100%": typed by hand, and meant as it stands.
      return part;
    }
  }

  /** The place that an address names; the first view where it names none. @param {string} hash @returns {Place} */
  function placeOf(hash) {
    const [wanted = "", first = "", second = ""] = hash.replace(/^#/, "").split("/").map(decoded);
    const view = VIEWS.includes(wanted) && (wanted !== "run" || first !== "") ? wanted : VIEWS[0];
    const evaluation = view === "evaluation" && first !== "" && second !== "" ? { run: first, name: second } : null;
    return { view, run: view === "run" ? first : null, tab: (view === "run" && second) || (view === "training" && first) || "curves", evaluation };
  }

  /** The page of a run. @param {string} run @param {string} [tab] */
  function ofRun(run, tab = "curves") {
    return `#run/${encodeURIComponent(run)}/${tab}`;
  }

  /** The folder of images on the form that starts a run, beside its settings. */
  const FOLDER = "folder";

  /** A setting on the form that starts a run. @param {string} path */
  function ofSetting(path) {
    return `#training/${path}`;
  }

  /** An evaluation that is kept with its run. @param {string} run @param {string} name */
  function ofEvaluation(run, name) {
    return `#evaluation/${encodeURIComponent(run)}/${encodeURIComponent(name)}`;
  }

  /** The evaluation whose record is the file of a workspace; null where the path is of none. @param {string | null} path @returns {Place["evaluation"]} */
  function ofRecord(path) {
    const [, run, name] = /(?:^|\/)logs\/([^/]+)\/evaluations\/([^/]+)\.json$/.exec(path ?? "") ?? [];
    return run === undefined || name === undefined ? null : { run, name };
  }

  BreastAI.address = { VIEWS, FOLDER, placeOf, ofRun, ofSetting, ofEvaluation, ofRecord };
})();
