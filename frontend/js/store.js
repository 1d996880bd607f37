/* The store: each event goes to its row (store/), into the log and to the notices. Pure: no DOM, no clock, no socket. */
(function () {
  "use strict";

  const MOST_LOG_LINES = 3000;
  const MOST_NOTICES = 5;
  const { initial, sessionState } = BreastAI.pageState;
  const { runEvents, studyEvents, resultEvents, dataEvents, fileEvents, refusals } = BreastAI;

  /**
   * What an event changes in the state, the line of the log it becomes, and whether that line is told in a notice too.
   * What is absent happens not: an event without a row changes nothing.
   * @type {EventRows}
   */
  const rows = { ...runEvents.rows, ...studyEvents.rows, ...resultEvents.rows, ...dataEvents.rows, ...fileEvents.rows };

  // --- the log and the notices ------------------------------------------------------------------

  /**
   * The log with the event's line in its place; an event seen before adds nothing.
   * @param {LogLine[]} log
   * @param {LogLine} line
   */
  function withLine(log, line) {
    let at = log.length;
    if (line.run && line.seq) {
      while (at > 0 && log[at - 1].run === line.run && (log[at - 1].seq ?? 0) > line.seq) at -= 1;
      if (at > 0 && log[at - 1].run === line.run && log[at - 1].seq === line.seq) return log;
    }
    const next = [...log.slice(0, at), line, ...log.slice(at)];
    return next.length > MOST_LOG_LINES ? next.slice(next.length - MOST_LOG_LINES) : next;
  }

  /** @param {State} state @param {LineContent} content @param {{ sticky?: boolean }} [options] @returns {State} */
  function withNotice(state, content, options = {}) {
    const id = state.noticeCount + 1;
    const notice = { id, sticky: options.sticky ?? content.level === "error", ...content };
    return { ...state, noticeCount: id, notices: [...state.notices, notice].slice(-MOST_NOTICES) };
  }

  // --- what the page itself does ----------------------------------------------------------------

  /** @type {{ [name: string]: (state: State, action: any) => State }} */
  const own = {
    "@connection": (state, action) => ({
      ...state,
      connection: { ...state.connection, ...action.connection, count: state.connection.count + (action.connection.phase === "connected" ? 1 : 0) },
      // Answers to requests of a connection that is gone will not come.
      pending: action.connection.phase === "connected" ? state.pending : {},
    }),
    "@sent": (state, action) => {
      const pending = { ...state.pending, [action.request_id]: action.request };
      const next = { ...state, pending, quiet: action.quiet ? [...state.quiet, action.request_id] : state.quiet, ...(action.form ? { ofForm: [...state.ofForm, action.request_id], refused: null } : {}) };
      return action.request === "stop_training" && state.session.state !== "idle" ? sessionState(next, "stopping") : next;
    },
    "@failed": (state, action) => withNotice(state, { level: "error", key: action.key, code: action.code, params: action.params, message: action.message }),
    // So much was missed that the epochs on the page may have been run again: all are asked for anew.
    "@refill": (state) => ({ ...state, run: state.run && { ...state.run, epochs: [], filledTo: 0 } }),
    "@asking": (state, action) => ({ ...state, asking: { models: action.models, count: action.count, answers: [], units: [], notes: [] } }),
    "@pong": (state, action) => ({ ...state, pongMs: action.ms }),
    // What is changed may have been what was refused.
    "@form": (state, action) => ({ ...state, refused: null, form: { ...state.form, ...action.form } }),
    "@not_looked": (state, action) => ({ ...state, preFlightFault: action.fault }),
    "@pin": (state, action) => ({ ...state, pinned: action.pinned }),
    "@show": (state, action) => ({ ...state, page: { run: action.run, tab: action.tab, evaluation: action.evaluation } }),
    "@dismiss_outcome": (state, action) => ({ ...state, dismissed: action.run }),
    "@not_described": (state) => ({ ...state, described: null, images: null, preview: null }),
    "@use_config": (state, action) => ({ ...state, offered: action.config }),
    "@dismiss": (state, action) => ({ ...state, notices: state.notices.filter((notice) => notice.id !== action.id) }),
    "@clear_log": (state) => ({ ...state, log: [] }),
  };

  /** @param {State} state @param {Wire.AnyEvent} event @returns {State} */
  function answered(state, event) {
    if (event.request_id === undefined || !Object.hasOwn(state.pending, event.request_id)) return state;
    const { [event.request_id]: _, ...pending } = state.pending;
    const began = event.type === "training_started" && state.ofForm.includes(String(event.request_id));
    const [quiet, ofForm] = [state.quiet, state.ofForm].map((ids) => ids.filter((id) => id !== event.request_id));
    return { ...state, pending, quiet, ofForm, formRun: began ? (event.run_id ?? null) : state.formRun };
  }

  /**
   * The state after an event of the wire or an action of the page's own ("@…").
   * @param {State} state
   * @param {Wire.AnyEvent | { type: string, [field: string]: unknown }} action
   * @returns {State}
   */
  function reduce(state, action) {
    if (Object.hasOwn(own, action.type)) return own[action.type](state, action);
    const event = /** @type {Wire.AnyEvent} */ (action);
    // Replayed: the page knows of later events of the same run. Its line and its epoch may be new, its state is old.
    const late = Boolean(event.run_id && event.seq && event.run_id === state.run?.id && event.seq <= state.run.seq);
    let next = answered(state, event);
    // Without a row: nothing to say about it, as of an event of a newer server than this page.
    const row = /** @type {EventRow<Wire.AnyEvent> | undefined} */ (Object.hasOwn(rows, event.type) ? rows[event.type] : undefined);
    if (row === undefined) return next;
    if (row.line !== undefined) {
      const content = row.line(event);
      const isQuiet = event.request_id !== undefined && state.quiet.includes(String(event.request_id));
      // What the page asked by itself is no fault of anyone's.
      const level = isQuiet && content.level === "error" ? "debug" : content.level;
      next = { ...next, log: withLine(next.log, { ...content, level, run: event.run_id, seq: event.seq, time: event.time }) };
      // What a job asks stands in the audit's view, with its answers; a run that ends with a question has not failed.
      const isAsked = (event.type === "training_stopped" && event.question != null) || (content.code !== undefined && content.code === state.asked?.code);
      const isRefused = event.type === "error" && !late && !isAsked && refusals.isOfForm(state, event) && refusals.faultsOf(event).length > 0;
      if (isRefused) next = { ...next, refused: event };
      // That a run failed is said by its error, which stays until it is dismissed, or at the setting that was at fault.
      const isSaid = event.type === "training_stopped" && event.reason === "error" && (next.refused !== null || next.notices.some(({ level, sticky }) => level === "error" && sticky));
      const isAtFields = isRefused && refusals.isOfSettings(event);
      if (!late && !isAsked && !isQuiet && !isSaid && !isAtFields && row.notice) next = withNotice(next, content);
    }
    if (late && event.type !== "training_update") return next;
    return row.state === undefined ? next : row.state(next, event);
  }

  // --- questions --------------------------------------------------------------------------------

  /**
   * The epochs of the run that are not on the page, at most 200, or null when none is missing.
   * @param {State} state
   * @returns {{ from: number, to: number } | null}
   */
  function missingEpochs(state) {
    const run = BreastAI.pageState.shownRun(state);
    if (run === null || run.filledTo >= run.lastEpoch) return null;
    // Asked after every event: as a rule nothing is missing, and that is seen without going through all.
    if (run.epochs.length === run.lastEpoch && run.epochs[0]?.epoch === 1) return null;
    const known = new Set(run.epochs.map((row) => row.epoch));
    for (let epoch = run.filledTo + 1; epoch <= run.lastEpoch; epoch += 1) {
      if (!known.has(epoch)) return { from: epoch, to: Math.min(epoch + 199, run.lastEpoch) };
    }
    return null;
  }

  /** @param {State} state @param {string} request */
  function isPending(state, request) {
    return Object.values(state.pending).includes(request);
  }

  /** A store: the state, and who wants to know when it changes. @returns {Store} */
  function create() {
    let state = initial();
    /** @type {Set<(state: State) => void>} */
    const listeners = new Set();
    return {
      state: () => state,
      dispatch(action) {
        const next = reduce(state, action);
        if (next === state) return;
        state = next;
        for (const listener of listeners) listener(state);
      },
      subscribe(listener) {
        listeners.add(listener);
      },
    };
  }

  BreastAI.store = { initial, reduce, rows, missingEpochs, isPending, stoppedText: runEvents.stoppedText, create };
})();
