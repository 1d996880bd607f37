/* The checkpoints: their figures, and what can be done with each. */
(function () {
  "use strict";

  const { byId, make, fill, name, said, table, scroller, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {Context} context */
  function create(context) {
    const { connection, store } = context;
    document.querySelector("[data-action=list_checkpoints]")?.addEventListener("click", () => connection.request("list_checkpoints").catch(() => {}));

    /** @param {Wire.CheckpointEntry} entry */
    async function resume(entry) {
      const epochs = make("input", { attributes: { id: "resume-epochs", type: "text", inputmode: "numeric", autocomplete: "off" } });
      const body = make("div", { class: "field" }, make("label", { text: t("checkpoints.resume_epochs"), attributes: { for: "resume-epochs" } }), epochs);
      const yes = await BreastAI.views.dialog.ask({ title: t("checkpoints.resume_title"), text: name(entry.checkpoint), confirm: t("checkpoints.resume"), body });
      if (!yes) return;
      const field = BreastAI.settings.fields(store.state().welcome?.config_schema ?? {}).find(({ path }) => path === "training.epochs");
      const read = epochs.value.trim() === "" || field === undefined ? { value: null } : BreastAI.settings.parse(field, epochs.value);
      if ("problem" in read) {
        store.dispatch({ type: "@failed", key: "checkpoints.epochs_invalid", params: { problem: t(read.problem, read.params) } });
        return;
      }
      location.hash = "#training";
      connection.request("resume_training", { checkpoint: entry.checkpoint, ...(read.value === null ? {} : { epochs: read.value }) }).catch(() => {});
    }

    /** @param {Wire.CheckpointEntry} entry */
    async function remove(entry) {
      const text = make("span", {}, t("checkpoints.delete_text"), " ", name(entry.checkpoint));
      const yes = await BreastAI.views.dialog.ask({ title: t("checkpoints.delete_title"), text, confirm: t("checkpoints.delete"), danger: true });
      if (yes) connection.request("delete_checkpoint", { checkpoint: entry.checkpoint }).catch(() => {});
    }

    /** @param {Wire.CheckpointEntry} entry */
    async function evaluate(entry) {
      const own = store.state().runs?.runs.find(({ run_id }) => run_id === entry.run_id)?.data ?? "";
      const data = make("input", { attributes: { id: "evaluate-folder", type: "text", autocomplete: "off", spellcheck: "false", value: BreastAI.settings.dataFolder({ data: { train_dir: own } }) || own, "aria-describedby": "evaluate-folder-help" } });
      const help = make("p", { class: "field-help", text: t("checkpoints.evaluate_help"), attributes: { id: "evaluate-folder-help" } });
      const body = make("div", { class: "field" }, make("label", { text: t("start.data_folder"), attributes: { for: "evaluate-folder" } }), data, help);
      const yes = await BreastAI.views.dialog.ask({ title: t("checkpoints.evaluate_title"), text: name(entry.checkpoint), confirm: t("checkpoints.evaluate"), body });
      if (!yes) return;
      location.hash = "#evaluation";
      const typed = data.value.trim();
      connection.request("evaluate_model", { checkpoint: entry.checkpoint, ...(typed === "" ? {} : { data: typed }) }).catch(() => {});
    }

    /** @param {Wire.ExportEntry} entry */
    async function removeExport(entry) {
      const text = make("span", {}, t("exports.delete_text"), " ", name(entry.path));
      const yes = await BreastAI.views.dialog.ask({ title: t("exports.delete_title"), text, confirm: t("checkpoints.delete"), danger: true });
      if (yes) connection.request("delete_export", { path: entry.path }).catch(() => {});
    }

    function whole() {
      return make("span", { class: "pill phase-connected", text: t("checkpoints.whole") });
    }

    /** @param {State} state */
    function showExported(state) {
      const entries = state.exported ?? [];
      if (entries.length === 0) {
        fill(byId("exported-list"), make("p", { class: "empty", text: t(state.exported === null ? "checkpoints.not_listed" : "exports.none") }));
        return;
      }
      const rows = entries.map((entry) => {
        /** @param {string} action @param {string} key @param {() => void} click @param {string} reason @param {string} [kind] */
        const button = (action, key, click, reason, kind = "") =>
          actionButton(action, t(key), { class: `small ${kind}`, data: { blocked: reason }, attributes: { "aria-label": `${t(key)} ${entry.path}` }, on: { click } });
        const title = make("div", { class: "checkpoint-name" }, name(entry.path), state.verified[entry.path] ? whole() : null);
        const formatName = BreastAI.i18n.has(`format.${entry.format}`) ? t(`format.${entry.format}`) : entry.format;
        const buttons = make(
          "div",
          { class: "button-row" },
          button("verify_export", "checkpoints.verify", () => connection.request("verify_export", { path: entry.path }).catch(() => {}), entry.path.endsWith(".onnx") ? "" : "reason.only_onnx"),
          BreastAI.servedFiles.link(store.state(), entry.path),
          button("delete_export", "checkpoints.delete", () => removeExport(entry), "", "danger"),
        );
        return [title, formatName, entry.checkpoint === null ? format.NONE : name(entry.checkpoint), format.bytes(entry.size), format.date(entry.created), buttons];
      });
      const head = ["exports.path", "checkpoints.format", "exports.checkpoint", "checkpoints.size", "checkpoints.created", "checkpoints.actions"].map((key) => t(key));
      fill(byId("exported-list"), scroller(t("exports.all"), table({ caption: t("exports.all"), captionHidden: true, head, rows, class: "stacking" })));
    }

    /** @param {Wire.CheckpointEntry} entry */
    function inUse(entry) {
      const { session, run } = store.state();
      return session.state !== "idle" && run?.id === entry.run_id;
    }

    /** @param {Wire.CheckpointEntry} entry */
    function buttons(entry) {
      const blocked = entry.problem === null ? "" : "reason.damaged";
      /** @param {string} action @param {string} key @param {() => void} click @param {string} [reason] @param {string} [kind] */
      const button = (action, key, click, reason = blocked, kind = "") =>
        actionButton(action, t(key), {
          class: `small ${kind}`,
          data: { blocked: reason },
          attributes: { "aria-label": `${t(key)} ${entry.checkpoint}` },
          on: { click },
        });
      return make(
        "div",
        { class: "button-row" },
        button("load_checkpoint", "checkpoints.load", () => connection.request("load_checkpoint", { checkpoint: entry.checkpoint }).catch(() => {})),
        button("resume_training", "checkpoints.resume", () => resume(entry), blocked || (entry.resumable ? "" : "reason.not_resumable")),
        button("verify_checkpoint", "checkpoints.verify", () => connection.request("verify_checkpoint", { checkpoint: entry.checkpoint }).catch(() => {}), ""),
        button("evaluate_model", "checkpoints.evaluate", () => evaluate(entry)),
        button("export_model", "checkpoints.export", () => BreastAI.views.exportDialog.ask(context, entry)),
        button("create_report", "checkpoints.report", () => BreastAI.servedFiles.askReport(connection, entry.run_id)),
        BreastAI.servedFiles.link(store.state(), entry.path),
        button("delete_checkpoint", "checkpoints.delete", () => remove(entry), inUse(entry) ? "reason.in_use" : "", "danger"),
      );
    }

    /** @param {Wire.CheckpointEntry} entry @param {string | null} current */
    function rowOf(entry, current) {
      const title = make("div", { class: "checkpoint-name" }, name(entry.checkpoint), make("span", { class: "muted", text: entry.architecture ?? "" }));
      if (entry.checkpoint === current) title.append(make("span", { class: "pill phase-connected", text: t("checkpoints.current") }));
      if (store.state().verified[entry.checkpoint] && entry.problem === null) title.append(whole());
      if (entry.problem !== null) title.append(said(entry.problem, "banner error"));
      /** @param {string} key */
      const metric = (key) => format.figure(entry.metrics[key]);
      return [title, format.integer(entry.epoch), format.figure(entry.accuracy), metric("f1_weighted"), metric("auc_roc"), format.bytes(entry.size), format.date(entry.created), buttons(entry)];
    }

    return {
      within: "checkpoints",
      /** @param {State} state */
      render(state) {
        const current = state.session.currentModel;
        fill(byId("current-model"), current === null ? t("checkpoints.no_current") : make("span", {}, t("checkpoints.current_is"), " ", name(current)));
        const entries = state.checkpoints;
        const head = ["checkpoints.name", "figure.epoch", "metric.accuracy", "metric.f1_weighted", "metric.auc_roc", "checkpoints.size", "checkpoints.created", "checkpoints.actions"].map((each) => t(each));
        if (entries === null || entries.length === 0) {
          fill(byId("checkpoints-list"), make("p", { class: "empty", text: t(entries === null ? "checkpoints.not_listed" : "checkpoints.none") }));
        } else {
          const rows = entries.map((entry) => rowOf(entry, current));
          fill(byId("checkpoints-list"), scroller(t("nav.checkpoints"), table({ caption: t("nav.checkpoints"), captionHidden: true, head, rows, class: "stacking" })));
        }
        showExports(state);
        showExported(state);
        showReports(state);
      },
      /** @param {State} state */
      slice: (state) => [state.checkpoints, state.session.state, state.run?.id, state.session.currentModel, state.exports, state.exported, state.verified, state.reports, state.connection.url],
    };

    /** @param {State} state */
    function showReports(state) {
      byId("reports-card").hidden = state.reports.length === 0;
      const rows = state.reports.map((done) =>
        make(
          "li",
          {},
          BreastAI.servedFiles.opens(state, done.url, t("reports.open", { run: done.report_of })),
          " ",
          make("span", { class: "muted" }, name(done.files.join(", "))),
        ),
      );
      fill(byId("reports-list"), ...rows);
    }

    /** @param {State} state */
    function showExports(state) {
      byId("exports-card").hidden = state.exports.length === 0;
      const rows = state.exports.map((done) => [
        name(done.path),
        BreastAI.i18n.has(`format.${done.format}`) ? t(`format.${done.format}`) : done.format,
        name(done.checkpoint),
        format.megabytes(done.size_mb),
        done.max_difference === null ? format.NONE : format.small(done.max_difference),
        said(done.compared ?? format.NONE),
      ]);
      const head = ["exports.path", "checkpoints.format", "exports.checkpoint", "checkpoints.size", "exports.difference", "exports.compared"].map((each) => t(each));
      fill(byId("exports-list"), scroller(t("exports.title"), table({ caption: t("exports.title"), captionHidden: true, head, rows, class: "stacking" })));
    }
  }

  BreastAI.views.checkpoints = { create };
})();
