/* The editor: config.json and named configurations to write, logs, journals and records to read. Nothing else. */
(function () {
  "use strict";

  const { byId, make, fill } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format, jsonPlaces } = BreastAI;
  const CONFIG = { kind: "config", name: "config.json" };
  const CHECK_AFTER_MS = 400;
  const KINDS = ["config", "named_config", "server_log", "worker_log", "journal", "evaluation", "report", "manifest"];

  /** @param {Context} context */
  function create({ connection, store }) {
    const chooser = /** @type {HTMLSelectElement} */ (byId("editor-document"));
    const view = byId("view-editor");
    /** @param {string} name */
    const button = (name) => /** @type {HTMLButtonElement} */ (view.querySelector(`[data-editor=${name}]`));
    /** @type {CodeBox | null} */
    let box = null;
    let loading = false;
    /** @type {Wire.Document | null} */
    let shown = null;
    let dirty = false;
    /** @type {{ row: number, text: string }[]} */
    let faults = [];
    /** @type {number | undefined} */
    let timer;

    /** @param {{ kind: string, name: string }} of */
    const valueOf = ({ kind, name }) => JSON.stringify([kind, name]);

    function begin() {
      if (loading) return;
      loading = true;
      BreastAI.codeBox.create(byId("editor-box"), { label: t("editor.box"), onChange: changed, onSave: save, suggest }).then(
        (made) => {
          box = made;
          open(CONFIG);
        },
        () => {
          byId("editor-absent").hidden = false;
        },
      );
    }

    /** @param {{ kind: string, name: string }} of */
    function open({ kind, name }) {
      connection.request("list_documents").catch(() => {});
      connection.request("get_document", { kind, name }).catch(() => {});
    }

    /** @param {Wire.Document} found */
    function show(found) {
      shown = found;
      dirty = false;
      faults = [];
      const json = found.kind !== "server_log" && found.kind !== "worker_log" && found.kind !== "journal";
      box?.show(found.text, { json, editable: found.editable });
      if (found.editable) check();
    }

    /** @param {string} before */
    function suggest(before) {
      const { welcome } = store.state();
      if (shown === null || !shown.editable || welcome === null) return [];
      return jsonPlaces.suggestions(before, BreastAI.settings.fields(welcome.config_schema, BreastAI.catalog.choices(welcome.catalog)));
    }

    function changed() {
      dirty = true;
      clearTimeout(timer);
      timer = setTimeout(check, CHECK_AFTER_MS);
      tell();
    }

    async function check() {
      if (box === null || shown === null || !shown.editable) return;
      const text = box.text();
      const parsed = jsonPlaces.parse(text);
      if ("problem" in parsed) faults = [{ row: parsed.row, text: t("editor.not_json", { reason: parsed.problem }) }];
      else {
        const answer = await connection.request("check_config", { config: parsed.value, whole: true }).catch(() => null);
        if (answer === null || box.text() !== text) return;
        faults = answer.faults.map((/** @type {Wire.Text | string} */ fault) => ({ row: jsonPlaces.rowOfPath(text, BreastAI.settings.pathOf(fault) ?? ""), text: BreastAI.i18n.say(fault) }));
      }
      box.mark(faults);
      tell();
    }

    /** The object in the box, or null after telling what is wrong. */
    function values() {
      const parsed = jsonPlaces.parse(box?.text() ?? "");
      if ("value" in parsed) return parsed.value;
      store.dispatch({ type: "@failed", key: "editor.not_json", params: { reason: parsed.problem } });
      return null;
    }

    async function save() {
      const config = values();
      if (shown === null || !shown.editable || config === null) return;
      const { kind, name } = shown;
      const saved = await connection.request("save_config", kind === "config" ? { config, whole: true } : { config, name }).catch(() => null);
      if (saved !== null) open({ kind, name });
    }

    async function saveAs() {
      const config = values();
      if (config === null) return;
      const input = make("input", { attributes: { id: "editor-name", type: "text", autocomplete: "off", spellcheck: "false", maxlength: 95 } });
      const body = make("div", { class: "field" }, make("label", { text: t("editor.name"), attributes: { for: "editor-name" } }), input);
      if (!(await BreastAI.views.dialog.ask({ title: t("editor.save_as"), text: t("editor.save_as_help"), confirm: t("editor.save"), body }))) return;
      // Ports and folders of this server belong to its own config.json.
      const { server: _, ...rest } = config;
      const name = input.value.trim();
      const saved = await connection.request("save_config", { config: rest, name }).catch(() => null);
      if (saved !== null) open({ kind: "named_config", name });
    }

    async function remove() {
      const name = shown?.name ?? "";
      if (!(await BreastAI.views.dialog.ask({ title: t("editor.delete_title"), text: BreastAI.elements.name(name), confirm: t("editor.delete"), danger: true }))) return;
      const gone = await connection.request("delete_config", { name }).catch(() => null);
      if (gone !== null) open(CONFIG);
    }

    /** @returns {Promise<boolean>} whether what is written may be lost */
    async function mayLeave() {
      return !dirty || BreastAI.views.dialog.ask({ title: t("editor.unsaved_title"), text: t("editor.unsaved"), confirm: t("editor.leave"), danger: true });
    }

    function tell() {
      const editable = shown?.editable === true;
      const named = shown?.kind === "named_config";
      const { phase } = store.state().connection;
      const wanting = phase !== "connected" ? "reason.not_connected" : shown === null ? "editor.nothing" : null;
      const fixed = wanting ?? (editable ? null : "editor.read_only");
      const faulty = fixed ?? (faults.length ? "reason.invalid_settings" : null);
      BreastAI.actions.mark(button("save"), faulty ?? (dirty ? null : "reason.no_changes"));
      BreastAI.actions.mark(button("save-as"), faulty);
      BreastAI.actions.mark(button("use"), faulty);
      BreastAI.actions.mark(button("delete"), fixed ?? (named ? null : "editor.not_named"));
      BreastAI.actions.mark(button("reload"), wanting);
      BreastAI.actions.mark(button("find"), shown === null ? "editor.nothing" : null);
      const parts = shown === null ? [] : [t(editable ? (dirty ? "editor.changed" : "editor.unchanged") : "editor.read_only"), format.bytes(shown.size)];
      if (shown?.cut) parts.push(t("editor.cut"));
      if (editable) parts.push(faults.length ? plural("editor.faults", faults.length) : t("editor.no_faults"));
      const line = byId("editor-state");
      if (line.textContent !== parts.join(" · ")) line.textContent = parts.join(" · ");
      fill(byId("editor-faults"), ...faults.map(({ row, text }) => make("li", {}, make("button", { class: "button quiet small", text: `${t("editor.line", { line: row + 1 })} · ${text}`, attributes: { type: "button" }, on: { click: () => box?.go(row) } }))));
    }

    /** @param {State} state */
    function list(state) {
      const documents = [...(state.documents ?? [])];
      if (!documents.some(({ kind }) => kind === "config")) documents.unshift({ ...CONFIG, kind: "config", size: 0, modified: "" });
      const groups = KINDS.map((kind) => ({ kind, of: documents.filter((entry) => entry.kind === kind) })).filter(({ of }) => of.length);
      fill(chooser, ...groups.map(({ kind, of }) => make("optgroup", { attributes: { label: t(`document.${kind}`) } }, ...of.map((entry) => make("option", { text: entry.name, attributes: { value: valueOf(entry) } })))));
      chooser.value = valueOf(shown ?? CONFIG);
    }

    chooser.addEventListener("change", async () => {
      const [kind, name] = JSON.parse(chooser.value);
      if (await mayLeave()) open({ kind, name });
      else list(store.state());
    });
    button("save").addEventListener("click", save);
    button("save-as").addEventListener("click", saveAs);
    button("delete").addEventListener("click", remove);
    button("find").addEventListener("click", () => box?.find());
    button("reload").addEventListener("click", async () => {
      if (await mayLeave()) open(shown ?? CONFIG);
    });
    button("use").addEventListener("click", () => {
      const config = values();
      if (config === null) return;
      store.dispatch({ type: "@use_config", config });
      location.hash = "#training";
    });
    addEventListener("beforeunload", (event) => {
      if (dirty) event.preventDefault();
    });

    return {
      /** @param {State} state */
      render(state) {
        if (view.hidden) return;
        if (state.connection.phase === "connected") begin();
        if (state.document !== null && state.document !== shown && box !== null) show(state.document);
        list(state);
        box?.resize();
        tell();
      },
      /** @param {State} state */
      slice: (state) => [state.documents, state.document, state.connection.phase, location.hash],
    };
  }

  BreastAI.views.editor = { create };
})();
