/* The runs of the workspace, past ones too: looking for one, tags and notes, deleting, and choosing some to compare. */
(function () {
  "use strict";

  const { byId, make, fill, name, actionButton } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  const PAGE = 50;
  const MOST_COMPARED = 6;
  const SEARCH_AFTER_MS = 250;

  /** @param {Context} context */
  function create({ connection, store }) {
    const search = /** @type {HTMLInputElement} */ (byId("runs-search"));
    const compare = /** @type {HTMLButtonElement} */ (document.querySelector("[data-action=compare_runs]"));
    const more = /** @type {HTMLButtonElement} */ (byId("runs-more"));
    /** @type {Set<string>} the runs ticked, in the order they were */
    const chosen = new Set();
    /** Of hundreds of runs only those that are new are drawn. */
    const cells = BreastAI.dataTable.keptCells();
    /** @type {Set<string>} the studies whose runs are unfolded */
    const open = new Set();
    /** @type {number | undefined} */
    let searchTimer;

    const only = /** @type {HTMLSelectElement} */ (byId("runs-state"));
    const columns = BreastAI.views.runsTable.create(() => showList(store.state()));

    /** @param {number} first @param {Record<string, unknown>} [order] */
    function list(first, order = {}) {
      const { sort, descending } = BreastAI.views.runsTable.asked(store.state());
      const state = only.value === "" ? {} : { state: only.value };
      connection.request("list_runs", { search: search.value.trim().slice(0, 200), sort, descending, ...state, ...order, first, limit: PAGE }).catch(() => {});
    }

    only.addEventListener("change", () => list(0));
    BreastAI.i18n.onChange(() => showStates());
    showStates();

    /** The states by which the list can be filtered. */
    function showStates() {
      const now = only.value;
      fill(only, ...["", "running", "complete", "stopped", "asked", "failed", "unknown"].map((each) => make("option", { text: t(each === "" ? "runs.any_state" : `state.${each}`), attributes: { value: each } })));
      only.value = now;
    }

    search.addEventListener("input", () => {
      clearTimeout(searchTimer);
      searchTimer = setTimeout(() => list(0), SEARCH_AFTER_MS);
    });
    byId("runs-form").addEventListener("submit", (event) => {
      event.preventDefault();
      list(0);
    });
    more.addEventListener("click", () => list(store.state().runs?.runs.length ?? 0));
    compare.addEventListener("click", () => connection.request("compare_runs", { run_ids: [...chosen] }).catch(() => {}));

    /** @param {Wire.RunEntry} run */
    async function annotate(run) {
      const tags = make("input", { attributes: { id: "run-tags", type: "text", autocomplete: "off", value: run.tags.join(", "), "aria-describedby": "run-tags-help" } });
      const note = make("textarea", { text: run.note, attributes: { id: "run-note", rows: 5, maxlength: 4000 } });
      const body = make(
        "div",
        {},
        make("div", { class: "field" }, make("label", { text: t("runs.tags"), attributes: { for: "run-tags" } }), tags, make("p", { class: "field-help", text: t("runs.tags_help"), attributes: { id: "run-tags-help" } })),
        make("div", { class: "field" }, make("label", { text: t("runs.note"), attributes: { for: "run-note" } }), note),
      );
      const yes = await BreastAI.views.dialog.ask({ title: t("runs.annotate_title"), text: name(run.run_id), confirm: t("runs.save"), body });
      if (!yes) return;
      const typed = tags.value.split(",").map((tag) => tag.trim().slice(0, 40)).filter((tag) => tag !== "");
      connection.request("annotate_run", { run_id: run.run_id, tags: typed.slice(0, 20), note: note.value.slice(0, 4000) }).catch(() => {});
    }

    /** @param {Wire.RunEntry} run */
    async function remove(run) {
      const text = make("span", {}, t("runs.delete_text", { size: format.bytes(run.size_bytes) }), " ", name(run.run_id));
      const yes = await BreastAI.views.dialog.ask({ title: t("runs.delete_title"), text, confirm: t("runs.delete"), danger: true });
      if (yes) connection.request("delete_run", { run_id: run.run_id }).catch(() => {});
    }

    /** A study with how many runs it has; pressed, they unfold. @param {{ study: string, runs: Wire.RunEntry[], open: boolean }} row */
    function studyTitle({ study, runs, open: isOpen }) {
      const toggle = () => {
        if (!open.delete(study)) open.add(study);
        showList(store.state());
      };
      return make("div", { class: "run-title" }, make("button", { class: "sort", attributes: { type: "button", "aria-expanded": String(isOpen) }, data: { study }, on: { click: toggle } }, make("span", { attributes: { "aria-hidden": "true" }, text: isOpen ? "▾ " : "▸ " }), name(study)), make("span", { class: "muted run-note", text: plural("runs.in_study", runs.length) }));
    }

    /** The run's name, the box that chooses it, and what was noted of it. @param {Wire.RunEntry} run */
    function titleOf(run) {
      const box = make("input", { attributes: { type: "checkbox", "aria-label": t("runs.choose", { run: run.run_id }), checked: chosen.has(run.run_id) }, data: { run: run.run_id } });
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(run.run_id);
        else chosen.delete(run.run_id);
        markCompare();
      });
      const unread = [run.unread_lines > 0 ? plural("runs.unread_lines", run.unread_lines) : null, run.unread_files.length > 0 ? t("runs.unread_files", { files: run.unread_files.join(", ") }) : null];
      const asks = run.state === "asked" ? make("span", { class: "run-note" }, t("runs.asks"), " ", BreastAI.views.leakQuestion.answerOf(store.state(), run.run_id)) : null;
      const tags = make("span", { class: "tags" }, ...run.tags.map((tag) => make("span", { class: "badge" }, name(tag))));
      return make("div", { class: "run-title" }, make("span", { class: "check" }, box, make("a", { attributes: { href: BreastAI.address.ofRun(run.run_id) } }, name(run.run_id))), asks, tags, run.note === "" ? null : make("span", { class: "muted run-note" }, name(run.note)), ...unread.map((text) => (text === null ? null : make("span", { class: "muted run-note", text }))));
    }

    /** @param {Wire.RunEntry} run */
    function buttonsOf(run) {
      /** @param {string} action @param {string} key @param {() => void} click @param {string} [reason] @param {string} [kind] */
      const button = (action, key, click, reason = "", kind = "") =>
        actionButton(action, t(key), { class: `small ${kind}`, data: { blocked: reason, of: run.run_id }, attributes: { "aria-label": `${t(key)}: ${run.run_id}` }, on: { click } });
      return make(
        "div",
        { class: "button-row" },
        button("annotate_run", "runs.annotate", () => annotate(run)),
        button("delete_run", "runs.delete", () => remove(run), run.state === "running" ? "reason.run_in_use" : "", "danger"),
      );
    }

    function markCompare() {
      const reason = chosen.size < 2 ? "reason.choose_two" : chosen.size > MOST_COMPARED ? "reason.choose_fewer" : "";
      compare.dataset.blocked = reason;
      byId("runs-chosen").textContent = plural("runs.chosen", chosen.size);
      BreastAI.actions.markAll(byId("view-runs"), store.state());
    }

    /** @param {State} state */
    function showList(state) {
      const found = state.runs;
      const runs = found?.runs ?? [];
      for (const run_id of chosen) if (state.run?.id !== run_id && !runs.some((run) => run.run_id === run_id) && found?.search === "" && (found?.state ?? null) === null) chosen.delete(run_id);
      byId("runs-total").textContent = found === null ? "" : plural("runs.total", found.total);
      more.hidden = found === null || runs.length >= found.total;
      if (runs.length === 0) {
        fill(byId("runs-list"), make("p", { class: "empty", text: t(found === null ? "checkpoints.not_listed" : found.search === "" ? "runs.none" : "runs.none_found") }));
        return;
      }
      const { sort, descending } = BreastAI.views.runsTable.asked(state);
      /** @param {string} by @param {boolean} falls */
      const change = (by, falls) => list(0, { sort: by, descending: falls });
      /** @type {DataColumn<RunRow>[]} */
      const drawn = [
        { words: t("runs.name"), cell: (row) => ("study" in row ? studyTitle(row) : make("div", { class: row.member ? "study-member" : "" }, titleOf(row.run))) },
        ...columns.chosen(),
        { words: t("checkpoints.actions"), cell: (row) => ("study" in row ? "" : buttonsOf(row.run)) },
      ];
      const all = drawn.map((column) => ({ ...column, cell: (/** @type {RunRow} */ row) => ("study" in row ? column.cell(row) : BreastAI.dataTable.kept(cells, row.run, `${column.words} ${row.member} ${state.asked?.run_id === row.run.run_id}`, () => column.cell(row))) }));
      BreastAI.dataTable.update(byId("runs-list"), { caption: t("nav.runs"), columns: all, rows: BreastAI.views.runsTable.rowsOf(runs, open), sorting: { by: sort, descending, change } });
    }

    return {
      within: "runs",
      /** @param {State} state */
      render(state) {
        showList(state);
        markCompare();
      },
      /** @param {State} state */
      slice: (state) => [state.runs, state.connection.phase, state.session.state, state.asked],
    };
  }

  BreastAI.views.runs = { create };
})();
