/* What refused the form when it was sent, said where it can be mended: at the setting, which is brought into view. */
(function () {
  "use strict";

  const { byId } = BreastAI.elements;
  const { refusals, address } = BreastAI;
  const FOLDER = "data.train_dir";

  /** What a fault says, a setting in it by its label. @param {Wire.Text | string} text */
  function words(text) {
    return BreastAI.elements.linked(BreastAI.i18n.say(text)).map((part) => (typeof part === "string" ? part : part.textContent)).join("");
  }

  /** The address of a setting as the form has it: a folder of images is named by its own field. @param {string} path @param {FormValues} values */
  function fieldOf(path, values) {
    return path === FOLDER && !values.isOpen(FOLDER) ? address.FOLDER : path;
  }

  /** @param {Context} context @param {FormValues} values */
  function create({ store }, values) {
    /** @type {Wire.Error | null} */
    let seen = null;

    /** The faults of the refusal, by field. @returns {Map<string, string>} */
    function faults() {
      const { refused } = store.state();
      return new Map(refused === null ? [] : refusals.faultsOf(refused).map(([path, text]) => [fieldOf(path, values), words(text)]));
    }

    /** Go to the first field at fault; to who looks at another view meanwhile, it is told in a notice. */
    function follow() {
      const { refused, session } = store.state();
      // Until the job has ended, what is drawn for it would move the field away again.
      if (refused === seen || session.state !== "idle") return;
      seen = refused;
      const [first] = faults().keys();
      if (refused === null || first === undefined) return;
      if (byId("view-training").hidden) store.dispatch({ type: "@failed", code: refused.code, params: refused.params, message: refused.message });
      else BreastAI.views.settingsPanel.open(first);
    }
    // Once all who hear of the state have heard of it.
    store.subscribe(() => store.state().refused !== seen && setTimeout(follow));

    return {
      faults,
      /** What is wrong with the folder of images, at its field. @param {Map<string, string>} found */
      showFolder(found) {
        const fault = found.get(address.FOLDER) ?? "";
        const folder = byId("data-path");
        if (byId("data-path-fault").textContent !== fault) byId("data-path-fault").textContent = fault;
        folder.setAttribute("aria-invalid", String(fault !== ""));
      },
    };
  }

  BreastAI.views.refusal = { create };
})();
