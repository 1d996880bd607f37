/* The queue: the job that runs, those that wait, and giving them another place. */
(function () {
  "use strict";

  const { byId, make, fill, name, table, scroller, actionButton } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @type {Wire.QueueEntry[]} */
  const NO_ENTRIES = [];

  /** @param {string} job */
  function jobName(job) {
    return BreastAI.i18n.has(`job.${job}`) ? t(`job.${job}`) : job;
  }

  /** What a job is about: network and epochs, folder, checkpoint. @param {Wire.QueueEntry} entry */
  function about(entry) {
    const parts = [entry.architecture, entry.epochs === null ? null : plural("queue.epochs", entry.epochs)].filter((part) => part !== null).join(" · ");
    const names = [entry.data, entry.checkpoint].filter((part) => part !== null).map((part) => name(part));
    return make("div", { class: "about" }, parts === "" ? null : make("span", { text: parts }), ...names);
  }

  /** @param {Context} context */
  function create({ connection, store }) {
    const hold = /** @type {HTMLButtonElement} */ (document.querySelector("[data-action=hold_queue]"));
    hold.addEventListener("click", () => connection.request("hold_queue", { held: !(store.state().queue?.held ?? false) }).catch(() => {}));

    /** What the list was drawn for: a run tells of its progress many times while nothing here changes. @type {unknown} */
    let drawnFor = null;
    BreastAI.i18n.onChange(() => {
      drawnFor = null;
    });

    /** The button pressed last: the list is drawn anew, and the keyboard is to stay where it was. */
    let pressed = "";

    function keepFocus() {
      if (pressed === "" || document.activeElement !== document.body) return;
      const again = /** @type {HTMLButtonElement | null} */ (byId("queue-list").querySelector(`[data-focus="${pressed}"]`));
      const beside = again?.dataset.blocked ? /** @type {HTMLButtonElement | null} */ (again.parentElement?.querySelector("button:enabled")) : again;
      if (beside && !beside.disabled) {
        beside.focus();
        pressed = "";
      }
    }

    /** Whether a job is to leave the queue, with its settings. @param {Wire.QueueEntry} entry */
    function isSure(entry) {
      const body = make("div", {}, make("p", { text: jobName(entry.job) }), about(entry));
      return BreastAI.views.dialog.ask({ title: t("queue.cancel_title"), text: t("queue.cancel_text"), confirm: t("queue.cancel"), danger: true, body });
    }

    /** @param {Wire.QueueEntry} entry @param {number} place @param {number} last */
    function buttons(entry, place, last) {
      const label = `${jobName(entry.job)}, ${t("queue.place")} ${format.integer(place)}`;
      /** @param {string} action @param {string} key @param {Record<string, unknown>} fields @param {string} reason @param {string} [kind] */
      const button = (action, key, fields, reason, kind = "") =>
        actionButton(action, t(key), {
          class: `small ${kind}`,
          data: { blocked: reason, focus: `${key}-${entry.entry}` },
          attributes: { "aria-label": `${t(key)}: ${label}` },
          on: {
            click: async () => {
              if (action === "cancel_job" && !(await isSure(entry))) return;
              pressed = `${key}-${entry.entry}`;
              connection.request(action, { entry: entry.entry, ...fields }).catch(() => {});
            },
          },
        });
      return make(
        "div",
        { class: "button-row" },
        button("move_job", "queue.up", { place: place - 1 }, place === 1 ? "reason.first_in_queue" : ""),
        button("move_job", "queue.down", { place: place + 1 }, place === last ? "reason.last_in_queue" : ""),
        button("cancel_job", "queue.cancel", {}, "", "danger"),
      );
    }

    /** @param {Wire.QueueEntry[]} entries */
    function showList(entries) {
      if (entries.length === 0) {
        fill(byId("queue-list"), make("p", { class: "empty", text: t("queue.empty") }));
        return;
      }
      const focused = document.activeElement;
      if (focused instanceof HTMLElement && byId("queue-list").contains(focused)) pressed = focused.dataset.focus ?? pressed;
      const head = ["queue.place", "queue.job", "queue.about", "queue.since", "checkpoints.actions"].map((key) => t(key));
      const rows = entries.map((entry, index) => [format.integer(index + 1), jobName(entry.job), about(entry), format.date(entry.queued), buttons(entry, index + 1, entries.length)]);
      fill(byId("queue-list"), scroller(t("nav.queue"), table({ caption: t("nav.queue"), captionHidden: true, head, rows, class: "stacking" })));
    }

    /** The job that runs, or null. @param {State} state */
    const nowOf = ({ session }) => (session.state === "idle" ? null : session.job);

    return {
      /** @param {State} state */
      render(state) {
        const held = state.queue?.held ?? false;
        const now = nowOf(state);
        hold.textContent = t(held ? "queue.release" : "queue.hold");
        byId("queue-held").hidden = !held;
        const unread = state.queue?.unread ?? 0;
        byId("queue-unread").hidden = unread === 0;
        byId("queue-unread").textContent = plural("queue.unread", unread);
        byId("queue-now").textContent = now === null ? t("queue.nothing_now") : t("queue.now", { job: jobName(now) });
        const entries = state.queue?.entries ?? NO_ENTRIES;
        byId("queue-count").textContent = entries.length ? format.integer(entries.length) : "";
        if (drawnFor !== entries) {
          drawnFor = entries;
          showList(entries);
        }
        BreastAI.actions.markAll(byId("view-queue"), store.state());
        keepFocus();
      },
      /** @param {State} state */
      slice: (state) => [state.queue, nowOf(state), state.connection.phase, ["move_job", "cancel_job"].some((request) => BreastAI.store.isPending(state, request))],
    };
  }

  BreastAI.views.queue = { create };
})();
