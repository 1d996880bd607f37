/* What is asked of all curves at once: which epochs, how smooth, and their figures as a file. */
(function () {
  "use strict";

  const { byId } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  /**
   * @param {{ onRange: (range: Span | null) => void, onWeight: (weight: number) => void, onPin: (epoch: number | null) => void, onSave: () => void }} handlers
   */
  function create({ onRange, onWeight, onPin, onSave }) {
    const from = /** @type {HTMLInputElement} */ (byId("curves-from"));
    const to = /** @type {HTMLInputElement} */ (byId("curves-to"));
    const smoothing = /** @type {HTMLInputElement} */ (byId("curves-smoothing"));
    const whole = /** @type {HTMLButtonElement} */ (byId("curves-whole"));
    const pin = /** @type {HTMLInputElement} */ (byId("curves-pin"));
    const best = /** @type {HTMLButtonElement} */ (byId("curves-best"));
    let last = 1;
    /** @type {number | null} */
    let bestEpoch = null;

    /** The epoch typed in a field, `none` where nothing is; null, and the field marked, where it is no epoch. @param {HTMLInputElement} field @param {number} none */
    function epochIn(field, none) {
      const result = field.value.trim() === "" ? { value: none } : BreastAI.settings.readNumber(field.value, true);
      const problem = "problem" in result ? t(result.problem, result.params) : "";
      field.setAttribute("aria-invalid", String(problem !== ""));
      field.title = problem;
      return "value" in result ? result.value : null;
    }

    function read() {
      const [first, final] = [epochIn(from, 1), epochIn(to, last)];
      if (first === null || final === null) return;
      const low = Math.max(1, first);
      const high = Math.min(last, final);
      onRange(low < high && (low > 1 || high < last) ? { from: low, to: high } : null);
    }
    for (const field of [from, to]) {
      field.addEventListener("change", read);
      field.addEventListener("keydown", (event) => event.key === "Enter" && read());
    }
    function readPin() {
      const epoch = epochIn(pin, 0);
      if (epoch !== null) onPin(epoch === 0 ? null : epoch);
    }
    pin.addEventListener("change", readPin);
    pin.addEventListener("keydown", (event) => event.key === "Enter" && readPin());
    best.addEventListener("click", () => onPin(bestEpoch));
    whole.addEventListener("click", () => onRange(null));
    smoothing.addEventListener("input", () => {
      tell();
      onWeight(Number(smoothing.value));
    });
    byId("curves-save").addEventListener("click", onSave);

    function tell() {
      const weight = Number(smoothing.value);
      byId("curves-smoothing-value").textContent = weight === 0 ? t("curves.smoothing_off") : BreastAI.format.percent(weight);
    }

    return {
      /** @param {Span | null} range @param {Wire.TrainingUpdate[]} epochs @param {ChartMarks} marks */
      show(range, epochs, marks) {
        bestEpoch = marks.best;
        best.disabled = bestEpoch === null || bestEpoch === marks.pinned;
        if (document.activeElement !== pin || marks.pinned !== null) pin.value = marks.pinned === null ? "" : String(marks.pinned);
        pin.placeholder = t("curves.latest");
        last = epochs.at(-1)?.epoch ?? 1;
        // An end that is the run's own stays empty: whoever goes on to type there must not find a figure.
        if (document.activeElement !== from) from.value = range === null || range.from === 1 ? "" : String(range.from);
        if (document.activeElement !== to) to.value = range === null || range.to === last ? "" : String(range.to);
        from.placeholder = "1";
        to.placeholder = String(last);
        whole.disabled = range === null;
        tell();
      },
    };
  }

  BreastAI.views.curveTools = { create };
})();
