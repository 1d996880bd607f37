/* The box in which texts are written and read. The only file that knows ACE, which is loaded when the box is first seen. */
(function () {
  "use strict";

  const FOLDER = "node_modules/ace-builds/src-min-noconflict";
  const SCRIPTS = ["ace.js", "mode-json.js", "ext-language_tools.js", "ext-searchbox.js"];

  /** @param {string} source @returns {Promise<void>} */
  function load(source) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.addEventListener("load", () => resolve());
      script.addEventListener("error", () => reject(new Error(source)));
      document.head.append(script);
    });
  }

  /** @returns {Promise<any>} */
  async function loadAce() {
    const styles = BreastAI.elements.make("link", { attributes: { rel: "stylesheet", href: "node_modules/ace-builds/css/ace.css" } });
    document.head.append(styles);
    for (const script of SCRIPTS) await load(`${FOLDER}/${script}`);
    const ace = /** @type {any} */ (globalThis).ace;
    // Styles come from the file above and workers are not used, as the server's rules for the page want it.
    ace.config.set("useStrictCSP", true);
    ace.define("ace/theme/breastai", ["require", "exports"], (/** @type {any} */ _, /** @type {any} */ exports) => Object.assign(exports, { isDark: false, cssClass: "ace-breastai", cssText: "" }));
    return ace;
  }

  /**
   * @param {HTMLElement} parent
   * @param {{ label: string, onChange: () => void, onSave: () => void, suggest: (before: string) => { text: string, field: Field | null }[] }} spec
   * @returns {Promise<CodeBox>}
   */
  async function create(parent, spec) {
    const ace = await loadAce();
    const editor = ace.edit(parent, {
      theme: "ace/theme/breastai", useWorker: false, fontSize: 14, tabSize: 2, useSoftTabs: true, showPrintMargin: false,
      enableBasicAutocompletion: true, enableLiveAutocompletion: true, enableKeyboardAccessibility: true, scrollPastEnd: 0.2, wrap: true,
    });
    editor.textInput.getElement().setAttribute("aria-label", spec.label);
    editor.completers = [{
      /** @param {any} _ @param {any} session @param {any} position @param {string} prefix @param {(error: null, found: any[]) => void} done */
      getCompletions(_, session, position, prefix, done) {
        const before = session.getTextRange({ start: { row: 0, column: 0 }, end: position });
        const found = spec.suggest(before.slice(0, before.length - prefix.length));
        done(null, found.map(({ text, field }) => ({ caption: text.replace(/: $/, ""), value: text, docText: field === null ? "" : BreastAI.schemaForm.explained(field) })));
      },
    }];
    editor.commands.addCommand({ name: "save", bindKey: { win: "Ctrl-S", mac: "Command-S" }, exec: spec.onSave });
    let silent = false;
    editor.on("change", () => {
      if (!silent) spec.onChange();
    });
    return {
      text: () => editor.getValue(),
      show(text, { json, editable }) {
        silent = true;
        editor.session.setMode(json ? "ace/mode/json" : "ace/mode/text");
        editor.setValue(text, -1);
        editor.session.getUndoManager().reset();
        editor.setReadOnly(!editable);
        editor.renderer.setHighlightGutterLine(editable);
        editor.session.clearAnnotations();
        if (!editable) editor.gotoLine(editor.session.getLength(), 0, false);
        silent = false;
      },
      mark(faults) {
        editor.session.setAnnotations(faults.map(({ row, text }) => ({ row, column: 0, text, type: "error" })));
      },
      go(row) {
        editor.gotoLine(row + 1, 0, false);
        editor.focus();
      },
      find: () => editor.execCommand(editor.getReadOnly() ? "find" : "replace"),
      resize: () => editor.resize(),
    };
  }

  BreastAI.codeBox = { create };
})();
