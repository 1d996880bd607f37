/* How far a job is: the steps of a training, one bar that never goes back, what is counted now, and about how long is left. */
(function () {
  "use strict";

  const { make } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;
  const { STEPS, isRunning } = BreastAI.pageState;
  const STEP_NAMES = ["images", "measure", "train", "finish"];
  /** What is counted in per cent, and not in images. */
  const IN_PERCENT = ["auditing"];

  /** @param {string} label @param {number | null} value @param {string} text */
  function bar(label, value, text) {
    const progress = make("progress", { attributes: { max: 1, "aria-label": label, value: value ?? null } });
    return make("div", { class: "progress-line" }, make("span", { class: "progress-label", text: label }), progress, make("span", { class: "progress-value", text }));
  }

  /** Whether the job is a single training, which has steps. @param {State} state */
  function isTraining(state) {
    return ["train", "resume"].includes(state.session.job ?? "");
  }

  /** @param {State} state */
  function stepsOf(state) {
    const items = STEPS.map((_, index) => {
      const when = index < state.step ? "done" : index === state.step ? "now" : "to-come";
      return make("li", { class: when, text: t(`step.${STEP_NAMES[index]}`), attributes: { "aria-current": when === "now" ? "step" : null } });
    });
    return make("ol", { class: "job-steps", attributes: { "aria-label": t("step.title") } }, ...items);
  }

  /** What is counted within the step. @param {Wire.ProgressUpdate} progress */
  function countOf(progress) {
    const batches = progress.batch_progress;
    if (batches === null) return null;
    const share = batches.batch / Math.max(1, batches.total_batches);
    if (IN_PERCENT.includes(progress.stage)) return bar(t("run.step"), share, format.percent(share));
    // Training goes by batches and the choice of a plan by measurements; the other stages count images, and so do the
    // features of a network that isn't trained.
    const counted = /** @type {Record<string, string>} */ ({ training: "run.batches", tuning: "run.measurements" });
    const batched = typeof progress.text === "string" || progress.text?.code !== "progress.features";
    return bar(t((batched ? counted[progress.stage] : undefined) ?? "run.images"), share, t("run.of", { n: format.integer(batches.batch), total: format.integer(batches.total_batches) }));
  }

  /** What is being done, in words. @param {State} state @returns {string} */
  function doing(state) {
    const { progress } = state;
    if (progress === null) return "";
    const parts = [t(`stage.${progress.stage}`)];
    const epochs = progress.epochs ?? (isRunning(state, state.run) ? state.run?.started?.epochs : null) ?? null;
    if (progress.epoch !== null && epochs !== null) {
      parts.push(t("run.epoch_of", { epoch: format.integer(progress.epoch), epochs: format.integer(epochs) }));
    } else {
      const words = BreastAI.i18n.say(progress.text ?? progress.message);
      // Most texts of a step begin with what the step is called; what is looked for among images says it better.
      const plain = BreastAI.i18n.plain(words);
      if (plain.startsWith(BreastAI.i18n.plain(parts[0])) || (progress.stage === "auditing" && words)) parts.pop();
      if (words) parts.push(words);
    }
    return parts.join(" · ");
  }

  /** Seconds left, where two like epochs have told. @param {State} state @returns {number | null} */
  function left(state) {
    return state.progress?.eta_s ?? (isRunning(state, state.run) ? state.run?.epochs.at(-1)?.eta_s : null) ?? null;
  }

  /** @param {State} state @returns {string} */
  function leftText(state) {
    const seconds = left(state);
    return seconds === null ? "" : t("run.left", { time: format.roughly(seconds) });
  }

  /** @param {State} state @returns {(Node | null)[]} */
  function bodyOf(state) {
    const { progress, done } = state;
    const whole = t(isTraining(state) ? "run.whole" : "run.job");
    if (progress === null) return [bar(whole, null, "")];
    const loss = progress.batch_progress?.current_loss ?? null;
    const words = [doing(state), loss === null ? "" : `${t("figure.loss_now")} ${format.figure(loss)}`].filter((part) => part !== "").join(" · ");
    const line = make("p", { class: "run-stage" }, make("span", { text: words }));
    const time = leftText(state);
    if (time !== "") line.append(make("span", { class: "time-left", text: time }));
    return [isTraining(state) ? stepsOf(state) : null, bar(whole, done, done === null ? "" : format.percent(done)), countOf(progress), line];
  }

  BreastAI.views.progress = { bodyOf, doing, leftText, isTraining };
})();
