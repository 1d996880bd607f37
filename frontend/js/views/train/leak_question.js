/* What is asked before a run begins, should images or patients stand on both sides of its split. */
(function () {
  "use strict";

  /** The values of data.on_leak with which somebody may have to be asked, and the errors that ask. */
  const UNDECIDED = ["auto", "ask", undefined];
  const QUESTIONS = ["data.leaks_doubtful", "data.twins_found"];

  /** @param {Context} context @param {FormValues} values @param {() => string} folder the folder of images, as typed */
  function create({ connection, store }, values, folder) {
    /**
     * Start the run; where the user has not said what to do about duplicates and leaks, look for them first, by the
     * form's own folders, patient rule and frames, and show what there is.
     * @param {Record<string, any>} wanted
     */
    async function begin(wanted) {
      store.dispatch({ type: "@twins_decided" });
      const data = /** @type {any} */ (values.effective()).data;
      if (UNDECIDED.includes(data?.on_leak) && !data?.split_file) {
        const root = folder();
        const usual = ["train_dir", "val_dir", "test_dir", "pool_val"].every((key) => !values.changed.has(`data.${key}`));
        const audit = await connection.request("audit_data", usual && root !== "" ? { ...wanted, data: root } : wanted);
        if (audit.type !== "audit") return;
        const shared = audit.findings.some((/** @type {Wire.Finding} */ { code }) => code === "patients.across_splits");
        const doubtful = audit.findings.some((/** @type {Wire.Finding} */ { code }) => code === "twins.doubtful");
        // What is doubtful the run asks itself, with the number of images that each answer would cost.
        if (!doubtful && (audit.groups_total > 0 || shared)) {
          store.dispatch({ type: "@ask_twins", request: "start_training", order: wanted });
          location.hash = "#audit";
          return;
        }
      }
      await ask("start_training", wanted);
    }

    /** Send a request that may be answered by a question about leaks: then show it. @param {string} request @param {Record<string, any>} wanted */
    async function ask(request, wanted) {
      try {
        await connection.request(request, wanted);
      } catch (error) {
        if (store.state().asked !== null && QUESTIONS.includes(/** @type {Error} */ (error).message)) location.hash = "#audit";
        throw error;
      }
    }

    return { begin, ask };
  }

  BreastAI.views.leakQuestion = { create };
})();
