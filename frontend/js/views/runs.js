/* The runs of the workspace, past ones too: looking for one, tags and notes, deleting, and comparing some of them. */
(function () {
  "use strict";

  const { byId, make, fill, name, table, scroller, actionButton } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  const PAGE = 50;
  const MOST_COMPARED = 6;
  const SEARCH_AFTER_MS = 250;
  /** The figures of a run, as its entry names them. */
  const FIGURES = ["accuracy", "f1_weighted", "auc_roc", "loss"];
  const CURVES = ["val_loss", "val_accuracy", "val_f1_weighted", "val_auc_roc", "train_loss", "train_accuracy", "learning_rate"];

  /** @param {string} figure */
  function figureName(figure) {
    return figure === "loss" ? t("family.loss") : t(`metric.${figure}`);
  }

  /** @param {string} curve */
  function curveName(curve) {
    if (curve === "learning_rate") return t("figure.learning_rate");
    const [part, figure] = [curve.slice(0, curve.indexOf("_")), curve.slice(curve.indexOf("_") + 1)];
    return `${figureName(figure)}, ${t(`part.${part}`)}`;
  }

  /** @param {Wire.RunEntry} run */
  function stateOf(run) {
    return make("span", { class: `pill run-${run.state}`, text: t(`state.${run.state}`) });
  }

  /** @param {Wire.RunEntry} run */
  function epochsOf(run) {
    return run.epochs === null ? format.NONE : t("run.of", { n: format.integer(run.epochs_run ?? 0), total: format.integer(run.epochs) });
  }

  /** @param {unknown} value @returns {Node | string} */
  function valueOf(value) {
    if (value === null || value === undefined) return t("field.none");
    if (typeof value === "boolean") return t(value ? "field.on" : "field.off");
    if (typeof value === "number") return format.number(value, 8);
    return name(typeof value === "string" ? value : JSON.stringify(value));
  }

  /** @param {Context} context */
  function create({ connection, store }) {
    const search = /** @type {HTMLInputElement} */ (byId("runs-search"));
    const compare = /** @type {HTMLButtonElement} */ (document.querySelector("[data-action=compare_runs]"));
    const curve = /** @type {HTMLSelectElement} */ (byId("compared-curve"));
    const more = /** @type {HTMLButtonElement} */ (byId("runs-more"));
    /** @type {Set<string>} the runs ticked, in the order they were */
    const chosen = new Set();
    /** @type {ChartCard | null} */
    let card = null;
    /** @type {unknown} */
    let drawnFor = null;
    /** @type {number | undefined} */
    let searchTimer;

    /** @param {number} first */
    function list(first) {
      connection.request("list_runs", { search: search.value.trim().slice(0, 200), first, limit: PAGE }).catch(() => {});
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
    curve.addEventListener("change", () => {
      drawnFor = null;
      showCompared(store.state());
    });

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

    /** @param {Wire.RunEntry} run */
    function rowOf(run) {
      const box = make("input", { attributes: { type: "checkbox", "aria-label": t("runs.choose", { run: run.run_id }), checked: chosen.has(run.run_id) }, data: { run: run.run_id } });
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(run.run_id);
        else chosen.delete(run.run_id);
        markCompare();
      });
      const tags = make("span", { class: "tags" }, ...run.tags.map((tag) => make("span", { class: "badge" }, name(tag))));
      const title = make("div", { class: "run-title" }, make("label", { class: "check" }, box, name(run.run_id)), tags, run.note === "" ? null : make("span", { class: "muted run-note" }, name(run.note)));
      /** @param {string} action @param {string} key @param {() => void} click @param {string} [reason] @param {string} [kind] */
      const button = (action, key, click, reason = "", kind = "") =>
        actionButton(action, t(key), { class: `small ${kind}`, data: { blocked: reason }, attributes: { "aria-label": `${t(key)}: ${run.run_id}` }, on: { click } });
      const buttons = make(
        "div",
        { class: "button-row" },
        button("annotate_run", "runs.annotate", () => annotate(run)),
        button("delete_run", "runs.delete", () => remove(run), run.state === "running" ? "reason.run_in_use" : "", "danger"),
      );
      return [title, stateOf(run), format.date(run.started), run.architecture ?? format.NONE, epochsOf(run), ...FIGURES.slice(0, 3).map((figure) => format.figure(run.metrics[figure])), buttons];
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
      const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.run;
      for (const run_id of chosen) if (state.run?.id !== run_id && !runs.some((run) => run.run_id === run_id) && found?.search === "") chosen.delete(run_id);
      byId("runs-total").textContent = found === null ? "" : plural("runs.total", found.total);
      more.hidden = found === null || runs.length >= found.total;
      if (runs.length === 0) {
        fill(byId("runs-list"), make("p", { class: "empty", text: t(found === null ? "checkpoints.not_listed" : found.search === "" ? "runs.none" : "runs.none_found") }));
        return;
      }
      const head = [t("runs.name"), t("runs.state"), t("runs.started"), t("setting.model.architecture.label"), t("figure.epoch"), ...FIGURES.slice(0, 3).map(figureName), t("checkpoints.actions")];
      fill(byId("runs-list"), scroller(t("nav.runs"), table({ caption: t("nav.runs"), captionHidden: true, head, rows: runs.map(rowOf), class: "stacking" })));
      if (focused !== undefined) /** @type {HTMLElement | null} */ (byId("runs-list").querySelector(`[data-run="${CSS.escape(focused)}"]`))?.focus();
    }

    /** @param {Wire.ComparedRun} compared @param {string} key @returns {Line} */
    function lineOf(compared, key) {
      const epochs = compared.curves.epoch ?? [];
      const values = compared.curves[key] ?? [];
      return { label: compared.run.run_id, points: epochs.map((epoch, index) => ({ x: Number(epoch), y: values[index] ?? null })) };
    }

    /** @param {State} state */
    function showCompared(state) {
      const found = state.comparedRuns;
      byId("compared-card").hidden = found === null;
      if (found === null || drawnFor === found) return;
      drawnFor = found;
      const wanted = curve.value || CURVES[0];
      fill(curve, ...CURVES.map((key) => make("option", { text: curveName(key), attributes: { value: key } })));
      curve.value = wanted;
      card?.destroy();
      card = BreastAI.views.chartCard.create({ name: "runs", title: curveName(wanted), x: t("figure.epoch"), y: curveName(wanted), whole: true });
      fill(byId("compared-chart"), card.element);
      card.show(found.runs.map((compared) => lineOf(compared, wanted)));
      const thinned = found.runs.some(({ epochs, curves }) => (curves.epoch ?? []).length < epochs);
      byId("compared-thinned").hidden = !thinned;

      const names = found.runs.map(({ run }) => name(run.run_id));
      const facts = [
        [t("runs.state"), ...found.runs.map(({ run }) => stateOf(run))],
        [t("figure.epoch"), ...found.runs.map(({ run }) => epochsOf(run))],
        [t("runs.best_epoch"), ...found.runs.map(({ run }) => format.integer(run.best_epoch))],
        ...FIGURES.map((figure) => [figureName(figure), ...found.runs.map(({ run }) => format.figure(run.metrics[figure]))]),
      ];
      const figures = table({ caption: t("runs.figures"), head: [t("evaluation.figure"), ...names], rows: facts, numeric: true });
      fill(byId("compared-figures"), scroller(t("runs.figures"), figures));
      if (found.differences.length === 0) {
        fill(byId("compared-settings"), make("p", { class: "empty", text: t("runs.same_settings") }));
        return;
      }
      const rows = found.differences.map(({ path, values }) => {
        const label = BreastAI.i18n.has(`setting.${path}.label`) ? t(`setting.${path}.label`) : path;
        return [make("span", { text: label, attributes: { title: path } }), ...values.map(valueOf)];
      });
      fill(byId("compared-settings"), scroller(t("runs.settings"), table({ caption: t("runs.settings"), head: [t("runs.setting"), ...found.runs.map(({ run }) => name(run.run_id))], rows, class: "stacking" })));
    }

    BreastAI.i18n.onChange(() => {
      drawnFor = null;
    });

    return {
      within: "runs",
      /** @param {State} state */
      render(state) {
        showList(state);
        showCompared(state);
        markCompare();
      },
      restyle: () => card?.restyle(),
      /** @param {State} state */
      slice: (state) => [state.runs, state.comparedRuns, state.connection.phase, state.session.state, state.pending],
    };
  }

  BreastAI.views.runs = { create };
})();
