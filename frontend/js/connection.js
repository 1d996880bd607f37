/* The socket: requests with their answers, reconnecting with back-off, and catching up on what was missed. */
(function () {
  "use strict";

  const BACK_OFF_S = [0.5, 1, 2, 4, 8, 15];
  const HEARTBEAT_S = 20;
  const SILENCE_S = 15;
  const WELCOME_S = 20;
  /** Of what was missed, the events that still matter: to a new page the latest, to one that comes back what its log keeps. */
  const REPLAYED = { first: 300, again: 3000 };

  /** The page's own place when served, which a proxy may have under a path; this machine when opened as a file. @param {Location} location */
  function defaultUrl(location) {
    if (location.protocol === "http:" || location.protocol === "https:") {
      const folder = location.pathname.replace(/[^/]*$/, "");
      return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${folder === "/" ? "" : folder}`;
    }
    return "ws://localhost:8765";
  }

  /** @param {string} url */
  function isSocketUrl(url) {
    try {
      return ["ws:", "wss:"].includes(new URL(url).protocol);
    } catch {
      return false;
    }
  }

  /**
   * @param {Store} store
   * @returns {Connection}
   */
  function create(store) {
    /** @type {WebSocket | null} */
    let socket = null;
    let url = "";
    let wanted = false;
    let attempt = 0;
    let openings = 0;
    let requests = 0;
    /** @type {number | undefined} */
    let retryTimer;
    /** @type {number | undefined} */
    let heartbeatTimer;
    /** @type {number | undefined} */
    let silenceTimer;
    // Answers may be broadcast: ids must differ between tabs.
    const prefix = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    /** @type {Map<string, { resolve: (event: any) => void, reject: (error: Error) => void }>} */
    const waiting = new Map();

    /** @param {Partial<ConnectionState>} connection */
    function tell(connection) {
      store.dispatch({ type: "@connection", connection });
    }

    function open() {
      clearTimeout(retryTimer);
      tell({ phase: "connecting", url, retryInS: null });
      openings += 1;
      const opening = openings;
      BreastAI.token.read().then(() => {
        if (wanted && opening === openings) openSocket();
      });
    }

    function openSocket() {
      let opened;
      try {
        opened = new WebSocket(BreastAI.token.addedTo(url));
      } catch {
        lost();
        return;
      }
      socket = opened;
      // Where a network goes nowhere a connection may neither open nor fail.
      silenceTimer = setTimeout(lost, WELCOME_S * 1000);
      opened.addEventListener("message", (message) => {
        if (socket === opened) receive(String(message.data));
      });
      opened.addEventListener("close", () => {
        if (socket === opened) lost();
      });
    }

    function lost() {
      clearInterval(heartbeatTimer);
      clearTimeout(silenceTimer);
      const dropped = socket;
      socket = null;
      dropped?.close();
      for (const answer of waiting.values()) answer.reject(new Error("connection lost"));
      waiting.clear();
      if (!wanted) {
        tell({ phase: "disconnected", attempt: 0, retryInS: null, failed: false });
        return;
      }
      const base = BACK_OFF_S[Math.min(attempt, BACK_OFF_S.length - 1)];
      // When a server is back all its pages knock: spread over twice the time, they come one after the other.
      const delayS = base * (0.5 + Math.random());
      attempt += 1;
      tell({ phase: "waiting", attempt, retryInS: delayS, failed: true });
      retryTimer = setTimeout(open, delayS * 1000);
    }

    /** @param {string} text */
    function receive(text) {
      clearTimeout(silenceTimer);
      /** @type {any} */
      let event;
      try {
        event = JSON.parse(text);
      } catch {
        return;
      }
      if (typeof event?.type !== "string") return;
      // Only what a run or its worker tells says when it happened; the moment an answer came is its time.
      event.time ??= new Date().toISOString();
      if (event.type === "connection_established") {
        attempt = 0;
        const seen = store.state().run;
        tell({ phase: "connected", attempt: 0, retryInS: null, failed: false });
        store.dispatch(event);
        catchUp(event.snapshot, seen);
        heartbeatTimer = setInterval(heartbeat, HEARTBEAT_S * 1000);
        return;
      }
      store.dispatch(event);
      const answer = event.request_id === undefined ? undefined : waiting.get(event.request_id);
      if (answer !== undefined) {
        waiting.delete(event.request_id);
        if (event.type === "error") answer.reject(Object.assign(new Error(event.code), { event }));
        else answer.resolve(event);
      }
    }

    /**
     * Ask for the latest events of the run that the page has not seen. Of a run it meets for the first time, or was
     * away from for long, the epochs come by get_history.
     * @param {Wire.Snapshot} snapshot
     * @param {Run | null} seen
     */
    function catchUp(snapshot, seen) {
      if (snapshot.run_id === null) return;
      const known = seen !== null && seen.id === snapshot.run_id;
      const asked = { run_id: snapshot.run_id, last_seq: known ? seen.seq : 0, most: known ? REPLAYED.again : REPLAYED.first };
      request("get_status", asked).then(
        (answer) => {
          if (known && answer.left_out) store.dispatch({ type: "@refill" });
        },
        () => {},
      );
    }

    // A cable pulled out closes nothing: only silence tells.
    function heartbeat() {
      request("ping", {}).catch(() => {});
      clearTimeout(silenceTimer);
      silenceTimer = setTimeout(lost, SILENCE_S * 1000);
    }

    /**
     * Send a request; the promise holds its answer, or fails when the answer is an error.
     * @param {string} type
     * @param {Record<string, unknown>} [fields]
     * @param {{ quiet?: boolean, form?: boolean }} [how] quiet: of an error no notice is made; form: it is what the form says, where what refuses it is shown
     * @returns {Promise<any>}
     */
    function request(type, fields = {}, { quiet = false, form = false } = {}) {
      if (socket === null || socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error("not connected"));
      requests += 1;
      const id = `${prefix}-${requests}`;
      const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
      store.dispatch({ type: "@sent", request: type, request_id: id, quiet, form });
      socket.send(JSON.stringify({ type, ...fields, request_id: id }));
      return answer;
    }

    /** @param {string} to */
    function connect(to) {
      if (!isSocketUrl(to)) {
        store.dispatch({ type: "@failed", code: "page.address", params: { url: to }, message: "" });
        return;
      }
      wanted = true;
      url = BreastAI.token.taken(to);
      attempt = 0;
      clearInterval(heartbeatTimer);
      clearTimeout(silenceTimer);
      const old = socket;
      socket = null;
      old?.close();
      open();
    }

    function disconnect() {
      wanted = false;
      clearTimeout(retryTimer);
      if (socket !== null && socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ type: "disconnect", request_id: `${prefix}-goodbye` }));
      }
      lost();
    }

    /** The network is back, or the page is looked at again: no need to wait. */
    function retryNow() {
      if (wanted && socket === null) open();
    }

    return { connect, disconnect, request, retryNow };
  }

  BreastAI.connection = { defaultUrl, isSocketUrl, create };
})();
