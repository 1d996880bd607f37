/* What is asked before a run begins, should images or patients stand on both sides of its split. */
(function () {
  "use strict";

  const { make } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  /** The values of data.on_leak with which somebody may have to be asked. */
  const UNDECIDED = ["auto", undefined];

  /** Where the question of a run is answered, as a link; null where its question does not wait. @param {State} state @param {string} run_id */
  function answerOf(state, run_id) {
    return state.asked?.run_id === run_id ? make("a", { class: "button small primary", text: t("jobbar.answer"), attributes: { href: "#audit" } }) : null;
  }

  /** @param {Context} context @param {FormValues} values */
  function create({ connection, store }, values) {
    /**
     * Start the run; where the user has not said what to do about duplicates and leaks, it asks when there are any. The
     * server looks, and keeps the question: any page answers it.
     * @param {Record<string, any>} wanted
     */
    async function begin(wanted) {
      const data = /** @type {any} */ (values.effective()).data;
      const undecided = UNDECIDED.includes(data?.on_leak) && !data?.split_file;
      await ask("start_training", undecided ? { ...wanted, config: BreastAI.settings.overlay(wanted.config, { data: { on_leak: "ask" } }) } : wanted);
    }

    /** Send a request that may be answered by a question about leaks: then show it. @param {string} request @param {Record<string, any>} wanted */
    async function ask(request, wanted) {
      try {
        await connection.request(request, wanted, { form: true });
      } catch (error) {
        if (store.state().asked?.code === /** @type {Error} */ (error).message) location.hash = "#audit";
        throw error;
      }
    }

    return { begin, ask };
  }

  BreastAI.views.leakQuestion = { create, answerOf };
})();
