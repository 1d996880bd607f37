/* The backups: which there are, whether each is whole, keeping one elsewhere, putting one back, deleting it. */
(function () {
  "use strict";

  const { byId, make, fill, name, table, scroller, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {Context} context */
  function create({ connection, store }) {
    document.querySelector("[data-action=list_backups]")?.addEventListener("click", () => connection.request("list_backups").catch(() => {}));

    /** @param {Wire.BackupEntry} entry */
    async function restore(entry) {
      const text = make("span", {}, t("backups.restore_text"), " ", name(entry.name));
      const yes = await BreastAI.views.dialog.ask({ title: t("backups.restore_title"), text, confirm: t("backups.restore"), danger: true });
      if (yes) connection.request("restore_backup", { name: entry.name }).catch(() => {});
    }

    /** @param {Wire.BackupEntry} entry */
    async function remove(entry) {
      const text = make("span", {}, t("backups.delete_text"), " ", name(entry.name));
      const yes = await BreastAI.views.dialog.ask({ title: t("backups.delete_title"), text, confirm: t("checkpoints.delete"), danger: true });
      if (yes) connection.request("delete_backup", { name: entry.name }).catch(() => {});
    }

    /** @param {Wire.BackupEntry} entry @param {boolean} verified */
    function rowOf(entry, verified) {
      /** @param {string} action @param {string} key @param {() => void} click @param {string} [kind] */
      const button = (action, key, click, kind = "") =>
        actionButton(action, t(key), { class: `small ${kind}`, attributes: { "aria-label": `${t(key)} ${entry.name}` }, on: { click } });
      const title = make("div", { class: "checkpoint-name" }, name(entry.name));
      if (verified) title.append(make("span", { class: "pill phase-connected", text: t("backups.whole") }));
      return [
        title,
        t(`backups.kind.${entry.kind}`),
        format.date(entry.created),
        format.bytes(entry.size_mb * 1e6),
        make(
          "div",
          { class: "button-row" },
          button("verify_backup", "backups.verify", () => connection.request("verify_backup", { name: entry.name }).catch(() => {})),
          BreastAI.servedFiles.link(store.state(), `backups/${entry.name}`),
          button("restore_backup", "backups.restore", () => restore(entry), "danger"),
          button("delete_backup", "checkpoints.delete", () => remove(entry), "danger"),
        ),
      ];
    }

    /** What a backup that was put back asked for beyond this workspace, and what stays: a notice goes, this is to be read. @param {Wire.BackupRestored | null} restored */
    function heldBackOf(restored) {
      const held = restored?.held_back ?? [];
      if (restored === null || held.length === 0) return null;
      const caption = t("backups.held_back");
      const rows = held.map((each) => [each.setting === "" ? name(each.file) : BreastAI.elements.said(each.setting), name(each.asked), each.kept === "" ? format.NONE : name(each.kept)]);
      return make(
        "div",
        { class: "banner warning" },
        make("p", {}, t("backups.held_back_text"), " ", name(restored.name)),
        scroller(caption, table({ caption, captionHidden: true, head: [t("runs.setting"), t("backups.asked"), t("backups.kept")], rows, class: "stacking" })),
      );
    }

    return {
      within: "system",
      /** @param {State} state */
      render(state) {
        // Also after one was made or put back.
        if (state.backups === null && state.connection.phase === "connected" && state.welcome !== null && !BreastAI.store.isPending(state, "list_backups")) {
          connection.request("list_backups", {}, { quiet: true }).catch(() => {});
        }
        fill(byId("backups-held"), heldBackOf(state.restored));
        const entries = state.backups;
        if (entries === null || entries.length === 0) {
          fill(byId("backups-list"), make("p", { class: "empty", text: t(entries === null ? "backups.not_listed" : "backups.none") }));
        } else {
          const head = ["backups.name", "backups.kind", "checkpoints.created", "checkpoints.size", "checkpoints.actions"].map((each) => t(each));
          const rows = entries.map((entry) => rowOf(entry, state.verified[entry.name] === true));
          fill(byId("backups-list"), scroller(t("backups.title"), table({ caption: t("backups.title"), captionHidden: true, head, rows, class: "stacking" })));
        }
      },
      /** @param {State} state */
      slice: (state) => [state.backups, state.restored, state.verified, state.session.state, state.connection, state.welcome],
    };
  }

  BreastAI.views.backups = { create };
})();
