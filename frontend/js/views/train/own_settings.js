/* Settings that come and go as a file, and what the server says of those on the form while one types. */
(function () {
  "use strict";

  const { byId, make, fill } = BreastAI.elements;
  const { download, jsonPlaces } = BreastAI;
  const CHECK_AFTER_MS = 300;

  /**
   * @param {Context} context
   * @param {{ order: () => { config: Record<string, unknown>, preset?: string }, effective: () => Record<string, unknown>, use: (config: Record<string, unknown>) => void, told: (problems: (Wire.Text | string)[]) => void }} form
   */
  function create({ connection, store }, { order, effective, use, told }) {
    /** @type {number | undefined} */
    let timer;
    let asked = 0;
    let shownFaults = "";

    /** Ask the server about what is on the form, once it rests. */
    function check() {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        asked += 1;
        const mine = asked;
        const { config, preset } = order();
        const answer = await connection.request("check_config", preset === undefined ? { config } : { config, preset }).catch(() => null);
        if (answer !== null && mine === asked) told(answer.faults);
      }, CHECK_AFTER_MS);
    }

    /** @param {File} file */
    async function take(file) {
      const parsed = jsonPlaces.parse(await file.text());
      if ("problem" in parsed) {
        store.dispatch({ type: "@failed", key: "start.import_failed", params: { file: file.name, reason: parsed.problem } });
        return;
      }
      const answer = await connection.request("check_config", { config: parsed.value, whole: true }).catch(() => null);
      if (answer === null) return;
      if (answer.faults.length) store.dispatch({ type: "@failed", code: "config.invalid", params: { problems: answer.faults }, message: "" });
      else use(parsed.value);
    }

    byId("import-settings").addEventListener("click", () => {
      const input = make("input", { attributes: { type: "file", accept: ".json,application/json" } });
      input.addEventListener("change", () => {
        const file = input.files?.[0];
        if (file) take(file);
      });
      input.click();
    });
    byId("export-settings").addEventListener("click", () => {
      const { server: _, ...config } = effective();
      download.saveText("config.json", `${JSON.stringify(config, null, 2)}\n`, "application/json");
    });

    /** Every fault, those of a field with what leads there. @param {(Wire.Text | string)[]} lines of no field @param {Map<string, string>} byField */
    function showFaults(lines, byField) {
      const now = JSON.stringify([BreastAI.i18n.current(), lines, [...byField]]);
      if (now === shownFaults) return;
      shownFaults = now;
      const fields = [...byField].map(([path, text]) => make("li", {}, BreastAI.views.settingsPanel.link(path), ` ${text}`));
      fill(byId("settings-problems"), ...fields, ...lines.map((line) => make("li", { text: BreastAI.i18n.say(line) })));
    }

    return { check, showFaults };
  }

  BreastAI.views.ownSettings = { create };
})();
