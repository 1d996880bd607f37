/* The question before something that can't be undone. */
(function () {
  "use strict";

  const { byId, fill } = BreastAI.elements;

  /**
   * Ask, and tell whether the answer was yes.
   * @param {{ title: string, text: Node | string, confirm: string, danger?: boolean, body?: Node }} question
   * @returns {Promise<boolean>}
   */
  function ask(question) {
    const dialog = /** @type {HTMLDialogElement} */ (byId("dialog"));
    const confirm = byId("dialog-confirm");
    byId("dialog-title").textContent = question.title;
    fill(byId("dialog-text"), question.text);
    fill(byId("dialog-body"), question.body ?? null);
    confirm.textContent = question.confirm;
    confirm.classList.toggle("danger", question.danger === true);
    confirm.classList.toggle("primary", question.danger !== true);
    return new Promise((resolve) => {
      const listening = new AbortController();
      const options = { signal: listening.signal };
      /** @param {boolean} answer */
      const end = (answer) => {
        listening.abort();
        dialog.close();
        resolve(answer);
      };
      confirm.addEventListener("click", () => end(true), options);
      byId("dialog-cancel").addEventListener("click", () => end(false), options);
      dialog.addEventListener("close", () => end(false), options);
      dialog.showModal();
      (question.danger === true ? byId("dialog-cancel") : confirm).focus();
    });
  }

  BreastAI.views.dialog = { ask };
})();
