/* What refused the form: the settings at fault, and whether the form was what asked. Pure. */
(function () {
  "use strict";

  /**
   * What an error says of single settings: each by its path, with its words.
   * @param {Wire.Error} error
   * @returns {[string, Wire.Text | string][]}
   */
  function faultsOf({ code, params, setting, message }) {
    const problems = /** @type {unknown} */ (params?.problems);
    if (Array.isArray(problems)) {
      return problems.flatMap((line) => {
        const path = BreastAI.settings.pathOf(line);
        return path === null ? [] : [/** @type {[string, Wire.Text | string]} */ ([path, line])];
      });
    }
    if (!setting) return [];
    return [[setting, BreastAI.i18n.has(`error.${code}`) ? { code: `error.${code}`, params: params ?? {} } : message]];
  }

  /** Whether everything an error says stands at a setting. @param {Wire.Error} error */
  function isOfSettings(error) {
    const problems = /** @type {unknown} */ (error.params?.problems);
    const found = faultsOf(error).length;
    return found > 0 && (!Array.isArray(problems) || found === problems.length);
  }

  /**
   * Whether an error refuses what the form asked for: it answers the form, or ends the form's run before its first epoch.
   * @param {State} state before the error
   * @param {Wire.Error} error
   */
  function isOfForm({ ofForm, formRun, run }, error) {
    if (error.request_id !== undefined && ofForm.includes(String(error.request_id))) return true;
    return formRun !== null && error.run_id === formRun && run?.id === formRun && run.epochs.length === 0;
  }

  BreastAI.refusals = { faultsOf, isOfSettings, isOfForm };
})();
