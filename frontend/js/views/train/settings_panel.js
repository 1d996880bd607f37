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
    const all = /** @type {HTMLDetailsElement} */ (byId("all-settings"));
    /** @type {Field[]} */
    let fields = [];
    /** @type {DrawnField[]} */
    let drawn = [];
    /** The folded groups that are drawn when there is time, or when they are wanted: what draws each. @type {(() => void)[]} */
    let later = [];
    /** @type {Map<string, string>} what is told of a setting */
    const told = new Map();
    /** @type {Map<string, string>} */
    let faultsOfServer = new Map();
    /** @type {State["page"] | null} */
    let followed = null;
    const filter = BreastAI.views.settingsFilter.create(() => drawn, values.isOpen);

    /** @param {Wire.ConnectionEstablished} welcome */
    function draw(welcome) {
      fields = settings.fields(welcome.config_schema, BreastAI.catalog.choices(welcome.catalog));
      const quick = QUICK.map((path) => fields.find((field) => field.path === path)).filter((field) => field !== undefined);
      // New controls show what holds; what was typed into the old ones and can't be used is typed into them again.
      const typed = drawn.filter(({ field }) => values.faults.has(field.path)).map(({ field, typed }) => ({ path: field.path, text: typed() }));
      values.faults.clear();
      drawn = quick.map((field) => BreastAI.schemaForm.drawField(field, handlers));
      fill(byId("quick-settings"), ...drawn.map(({ element }) => element));
      later = groups(fields.filter((field) => !quick.includes(field)));
      if (all.open || typed.length) drawLater();
      else BreastAI.steps.whenIdle(showInSteps);
      for (const { path, text } of typed) drawn.find(({ field }) => field.path === path)?.type(text);
      drawPresets(welcome);
    }

    /** @param {Field[]} folded @returns {(() => void)[]} */
    function groups(folded) {
      const parent = byId("settings-form");
      // Drawn anew in another language, what was open stays open.
      const open = new Set([.../** @type {NodeListOf<HTMLElement>} */ (parent.querySelectorAll("details[open]"))].map(({ dataset }) => dataset.section));
      fill(parent);
      const sections = [...new Set(folded.map(({ section }) => section))];
      return sections.map((section) => () => {
        drawn.push(...BreastAI.schemaForm.drawGroup(parent, section, folded.filter((field) => field.section === section), open.has(section), handlers));
      });
    }

    function drawLater() {
      for (const group of later.splice(0)) group();
    }

    function showLater() {
      if (later.length === 0) return;
      drawLater();
      show(faultsOfServer);
    }

    /** A group after the other, as long as nobody wants them all at once. */
    function showInSteps() {
      const mine = later;
      BreastAI.steps.run((function* () {
        while (mine === later && mine.length) yield () => mine.shift()?.();
        yield () => show(faultsOfServer);
      })());
    }

    // A press unfolds what is there; who unfolds otherwise sees it a moment later.
    all.querySelector("summary")?.addEventListener("click", showLater);
    all.addEventListener("toggle", showLater);

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

    /** What the workspace's own configuration begins. */
    function ownText() {
      const [architecture, size, epochs] = ["model.architecture", "data.image_size", "training.epochs"].map((path) => BreastAI.settings.at(values.base(), path));
      return t("preset.none_help", { architecture, size, epochs });
    }

    /** Show values, marks and faults; the controls stay as they are. @param {Map<string, string>} fromServer faults by path */
    function show(fromServer) {
      faultsOfServer = fromServer;
      for (const { field, show } of drawn) {
        const fault = values.faults.get(field.path) ?? fromServer.get(field.path) ?? null;
        // What can't be used stays as typed, to be corrected.
        show(values.faults.has(field.path) ? undefined : values.at(field.path), values.isOpen(field.path), fault);
      }
      for (const [path, text] of told) drawnOf(path)?.tell(text);
      countChanges();
      filter.apply();
      byId("preset-help").textContent = preset.value === "" ? ownText() : presetText(preset.value);
    }

    function countChanges() {
      const open = fields.filter(({ path }) => values.isOpen(path));
      byId("settings-changed").textContent = open.length ? BreastAI.i18n.plural("start.changed", open.length) : "";
      for (const group of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".settings-group"))) {
        const count = open.filter(({ path, section }) => section === group.dataset.section && !QUICK.includes(path)).length;
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
      if (fields.some(({ path }) => path === page.tab)) showLater();
      const found = drawnOf(page.tab);
      if (found !== undefined) filter.reveal(found);
      const control = /** @type {HTMLElement | null | undefined} */ (page.tab === BreastAI.address.FOLDER ? byId("data-path") : found?.element.querySelector("input, select"));
      if (!control) return;
      control.scrollIntoView({ block: "center" });
      control.focus();
    }

    return {
      draw,
      show,
      follow,
      fields: () => fields,
      /** @param {string} path @param {string} text */
      tell(path, text) {
        told.set(path, text);
        drawnOf(path)?.tell(text);
      },
    };
  }

  /** Lead to a field where the address is its already. @param {string} address */
  function again(address) {
    if (location.hash === address) dispatchEvent(new HashChangeEvent("hashchange"));
  }

  /** Go to a field of the form. @param {string} path */
  function open(path) {
    const address = BreastAI.address.ofSetting(path);
    again(address);
    location.hash = address;
  }

  /** A field's name, leading to it. @param {string} path */
  function link(path) {
    const address = BreastAI.address.ofSetting(path);
    const text = t(path === BreastAI.address.FOLDER ? "start.data_folder" : `setting.${path}.label`);
    return make("a", { text, attributes: { href: address }, on: { click: () => again(address) } });
  }

  BreastAI.views.settingsPanel = { create, link, open };
})();
