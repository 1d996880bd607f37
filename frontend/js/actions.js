/* Which requests can be made now, and why not: the rule behind every button with a data-action. Pure. */
(function () {
  "use strict";

  /** What starts a job, so that no other may run; train_on_reading keeps a data set and then starts. */
  const NEEDS_IDLE = new Set(["start_training", "answer_leaks", "train_on_reading", "try_sample", "resume_training", "start_tuning", "start_crossval", "resume_study", "estimate_cost", "export_model", "evaluate_model", "adapt_model", "compare_models", "compare_readers", "find_doubts", "evaluate_predictions", "audit_data", "create_report", "restore_backup"]);

  /** Asked for by the page itself too, every few seconds: their buttons must not flicker. */
  const ASKED_BY_ITSELF = new Set(["ping", "system_diagnostics"]);

  /**
   * The key of the reason why `action` can't be made now, or null when it can.
   * @param {string} action
   * @param {State} state
   * @returns {string | null}
   */
  function blocked(action, state) {
    const { phase } = state.connection;
    if (action === "connect") return phase === "connected" ? "reason.already_connected" : null;
    if (action === "disconnect") return phase === "disconnected" ? "reason.already_disconnected" : null;
    if (phase !== "connected") return "reason.not_connected";
    if (action === "queue_training" || action === "adopt_settings" || action === "use_tuned") return null;
    const starting = ["start_training", "answer_leaks", "try_sample", "resume_training", "start_crossval", "start_tuning", "resume_study"].some((request) => BreastAI.store.isPending(state, request));
    if (action === "stop_training") return state.session.state === "idle" && !starting ? "reason.nothing_to_stop" : null;
    if (NEEDS_IDLE.has(action) && (starting || state.session.state !== "idle")) return "reason.busy";
    if (BreastAI.store.isPending(state, action) && !ASKED_BY_ITSELF.has(action)) return "reason.waiting";
    return null;
  }

  /**
   * Enable or disable a button; a disabled one says why.
   * @param {HTMLButtonElement} button
   * @param {string | null} reason a key
   */
  function mark(button, reason) {
    // Only what differs is written: every write makes the browser look at the page's style again.
    const title = reason === null ? "" : BreastAI.i18n.t(reason);
    if (button.disabled !== (reason !== null)) button.disabled = reason !== null;
    if (button.title !== title) button.title = title;
  }

  /** The button pressed last for each request, by its words: only it turns, and not its likes in every row. @type {Map<string, string>} */
  const pressed = new Map();

  /** @param {HTMLElement} button */
  function wordsOf(button) {
    return button.getAttribute("aria-label") ?? button.textContent ?? "";
  }

  /** Remember which button was pressed. @param {Event} event */
  function hear(event) {
    const button = event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest("button[data-action]")) : null;
    if (button !== null) pressed.set(String(button.dataset.action), wordsOf(button));
  }

  /**
   * Mark every button of the page that sends a request. A view's own reason (data-blocked) counts too.
   * @param {ParentNode} root
   * @param {State} state
   */
  function markAll(root, state) {
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (root.querySelectorAll("button[data-action]"))) {
      const action = String(button.dataset.action);
      mark(button, blocked(action, state) ?? (button.dataset.blocked || null));
      const waits = BreastAI.store.isPending(state, action) && !ASKED_BY_ITSELF.has(action) && pressed.get(action) === wordsOf(button);
      if (button.getAttribute("aria-busy") !== String(waits)) button.setAttribute("aria-busy", String(waits));
    }
  }

  BreastAI.actions = { blocked, mark, markAll, hear };
})();
