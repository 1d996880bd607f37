/* The settings of the form, drawn from the server's schema: the quick ones, the folded rest, presets, marks and faults. */
(function () {
  "use strict";

  const { byId, make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { settings } = BreastAI;

  /** Shown above the fold, when the schema has them; all others are in the folded form. */
  const QUICK = ["model.architecture", "training.epochs"];

  /** @param {FormValues} values @param {FieldHandlers} handlers @param {HTMLSelectElement} preset */
  function create(values, handlers, preset) {
    /** @type {DrawnField[]} */
    let drawn = [];
    /** @type {State["page"] | null} */
    let followed = null;
    const filter = BreastAI.views.settingsFilter.create(() => drawn, values.isOpen);

    /** @param {Wire.ConnectionEstablished} welcome */
    function draw(welcome) {
      const fields = settings.fields(welcome.config_schema, BreastAI.catalog.choices(welcome.catalog));
      const quick = QUICK.map((path) => fields.find((field) => field.path === path)).filter((field) => field !== undefined);
      const quickDrawn = quick.map((field) => BreastAI.schemaForm.drawField(field, handlers));
      fill(byId("quick-settings"), ...quickDrawn.map(({ element }) => element));
      const rest = fields.filter((field) => !quick.includes(field));
      // New controls show what holds; what was typed into the old ones and can't be used is typed into them again.
      const typed = drawn.filter(({ field }) => values.faults.has(field.path)).map(({ field, typed }) => ({ path: field.path, text: typed() }));
      values.faults.clear();
      drawn = [...quickDrawn, ...BreastAI.schemaForm.draw(byId("settings-form"), rest, handlers)];
      for (const { path, text } of typed) drawn.find(({ field }) => field.path === path)?.type(text);
      drawPresets(welcome);
    }

    /** @param {Wire.ConnectionEstablished} welcome */
    function drawPresets(welcome) {
      const names = BreastAI.catalog.names(welcome.catalog, "presets");
      fill(
        preset,
        make("option", { text: t("preset.none"), attributes: { value: "" } }),
        ...names.map((name) => make("option", { text: t(`preset.${name}`), attributes: { value: name } })),
      );
      preset.value = names.includes(values.preset()) ? values.preset() : "";
    }

    /** What a preset changes, by the words of the settings themselves. @param {string} name */
    function presetText(name) {
      const help = `preset.${name}.help`;
      return BreastAI.i18n.has(help) ? t(help) : "";
    }

    /** Show values, marks and faults; the controls stay as they are. @param {Map<string, string>} fromServer faults by path */
    function show(fromServer) {
      for (const { field, show } of drawn) {
        const fault = values.faults.get(field.path) ?? fromServer.get(field.path) ?? null;
        // What can't be used stays as typed, to be corrected.
        show(values.faults.has(field.path) ? undefined : values.at(field.path), values.isOpen(field.path), fault);
      }
      countChanges();
      filter.apply();
      byId("preset-help").textContent = preset.value === "" ? t("preset.none_help") : presetText(preset.value);
    }

    function countChanges() {
      const open = drawn.filter(({ field }) => values.isOpen(field.path));
      byId("settings-changed").textContent = open.length ? BreastAI.i18n.plural("start.changed", open.length) : "";
      for (const group of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".settings-group"))) {
        const count = open.filter(({ field }) => field.section === group.dataset.section && !QUICK.includes(field.path)).length;
        const badge = group.querySelector(".changed-count");
        if (badge !== null) badge.textContent = count ? BreastAI.format.integer(count) : "";
      }
    }

    /** @param {string} path */
    const drawnOf = (path) => drawn.find(({ field }) => field.path === path);

    /** Open what the setting lies in that the address names, and go there, once. @param {State["page"]} page */
    function follow(page) {
      if (page === followed || drawn.length === 0) return;
      followed = page;
      const found = drawnOf(page.tab);
      if (found === undefined) return;
      filter.reveal(found);
      const control = /** @type {HTMLElement} */ (found.element.querySelector("input, select"));
      control.scrollIntoView({ block: "center" });
      control.focus();
    }

    return { draw, show, follow, fields: () => drawn.map(({ field }) => field), tell: (/** @type {string} */ path, /** @type {string} */ text) => drawnOf(path)?.tell(text) };
  }

  /** A setting's name, leading to its field. @param {string} path */
  function link(path) {
    const address = BreastAI.address.ofSetting(path);
    // Pressed again, it leads there again, though the address is the same.
    const again = () => location.hash === address && dispatchEvent(new HashChangeEvent("hashchange"));
    return make("a", { text: t(`setting.${path}.label`), attributes: { href: address }, on: { click: again } });
  }

  BreastAI.views.settingsPanel = { create, link };
})();
