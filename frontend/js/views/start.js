/* The form that starts a run: image folder, preset, and the settings as the server's schema has them. */
(function () {
  "use strict";

  const { byId, make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { settings } = BreastAI;

  /** Shown above the fold, when the schema has them; all others are in the folded form. */
  const QUICK = ["model.architecture", "training.epochs"];

  /** The values of data.on_leak with which somebody may have to be asked, and the errors that ask. */
  const UNDECIDED = ["auto", "ask", undefined];
  const QUESTIONS = ["data.leaks_doubtful", "data.twins_found"];

  /** @param {Context} context */
  function create(context) {
    const { connection, store } = context;
    const folder = /** @type {HTMLInputElement} */ (byId("data-path"));
    const preset = /** @type {HTMLSelectElement} */ (byId("preset"));
    const form = /** @type {HTMLFormElement} */ (byId("start-form"));
    const start = /** @type {HTMLButtonElement} */ (form.querySelector("[data-action=start_training]"));
    const save = /** @type {HTMLButtonElement} */ (form.querySelector("[data-action=save_config]"));

    /** @type {Map<string, unknown>} what the user changed, by path */
    const changed = new Map();
    /** @type {Map<string, string>} faults of what is typed, by path */
    const faults = new Map();
    /** @type {DrawnField[]} */
    let drawn = [];
    /** @type {Wire.ConnectionEstablished | null} */
    let drawnFor = null;
    let folderTouched = false;
    /** @type {string[]} what the server says of the form as it is */
    let checked = [];
    /** @type {unknown} */
    let taken = null;
    /** What this form's own question was answered: of another folder's images it says nothing. @type {unknown} */
    let describedHere = null;
    const own = BreastAI.views.ownSettings.create(context, {
      order,
      effective: () => settings.overlay(base(), changes()),
      use: take,
      told(problems) {
        checked = problems;
        refresh();
      },
    });

    /** @type {FieldHandlers} */
    const handlers = {
      onChange(field, value) {
        faults.delete(field.path);
        if (settings.same(value, settings.at(base(), field.path))) changed.delete(field.path);
        else changed.set(field.path, value);
        refresh();
        own.check();
      },
      onFault(field, text) {
        faults.set(field.path, text);
        refresh();
      },
      onReset(field) {
        faults.delete(field.path);
        changed.delete(field.path);
        refresh();
        own.check();
      },
    };

    /** What the run would have without the user's changes. */
    function base() {
      const welcome = store.state().welcome;
      if (welcome === null) return {};
      const row = BreastAI.catalog.rowsOf(welcome.catalog, "presets").find(({ name }) => name === preset.value);
      const { name: _, ...values } = row ?? { name: "" };
      return settings.overlay(welcome.config, /** @type {any} */ (values));
    }

    /** The user's changes as a partial configuration. */
    function changes() {
      return [...changed].reduce((config, [path, value]) => settings.overlay(config, settings.branch(path, value)), /** @type {Record<string, unknown>} */ ({}));
    }

    /** Put a configuration on the form, over what config.json and the preset say. @param {Record<string, unknown>} config */
    function take(config) {
      faults.clear();
      changed.clear();
      for (const [path, value] of BreastAI.views.ownSettings.differing(config, base(), drawn.map(({ field }) => field))) changed.set(path, value);
      const root = settings.dataFolder(settings.overlay(base(), config));
      if (root !== "") {
        folder.value = root;
        folderTouched = true;
      }
      /** @type {HTMLDetailsElement} */ (byId("all-settings")).open = true;
      refresh();
      own.check();
    }

    function drawForm() {
      const welcome = store.state().welcome;
      if (welcome === null) return;
      const fields = settings.fields(welcome.config_schema, BreastAI.catalog.choices(welcome.catalog));
      const quick = QUICK.map((path) => fields.find((field) => field.path === path)).filter((field) => field !== undefined);
      const quickDrawn = quick.map((field) => BreastAI.schemaForm.drawField(field, handlers));
      fill(byId("quick-settings"), ...quickDrawn.map(({ element }) => element));
      const rest = fields.filter((field) => !quick.includes(field));
      // New controls show what holds; what was typed into the old ones and can't be used is typed into them again.
      const typed = drawn.filter(({ field }) => faults.has(field.path)).map(({ field, typed }) => ({ path: field.path, text: typed() }));
      faults.clear();
      drawn = [...quickDrawn, ...BreastAI.schemaForm.draw(byId("settings-form"), rest, handlers)];
      for (const { path, text } of typed) drawn.find(({ field }) => field.path === path)?.type(text);
      drawPresets(welcome);
    }

    /** @param {Wire.ConnectionEstablished} welcome */
    function drawPresets(welcome) {
      const chosen = preset.value;
      const names = BreastAI.catalog.names(welcome.catalog, "presets");
      fill(
        preset,
        make("option", { text: t("preset.none"), attributes: { value: "" } }),
        ...names.map((name) => make("option", { text: t(`preset.${name}`), attributes: { value: name } })),
      );
      preset.value = names.includes(chosen) ? chosen : "";
    }

    /** Faults the server found, by setting. @returns {Map<string, string>} */
    function serverFaults() {
      /** @type {Map<string, string>} */
      const found = new Map();
      for (const line of [...store.state().problems, ...checked]) {
        const path = settings.pathOf(line);
        if (path !== null) found.set(path, BreastAI.i18n.problem(line));
      }
      return found;
    }

    /** Show values, marks and faults; the controls stay as they are. */
    function refresh() {
      const welcome = store.state().welcome;
      const values = base();
      const fromServer = serverFaults();
      for (const { field, show } of drawn) {
        const value = changed.has(field.path) ? changed.get(field.path) : settings.at(values, field.path);
        const fault = faults.get(field.path) ?? fromServer.get(field.path) ?? null;
        // What can't be used stays as typed, to be corrected.
        show(faults.has(field.path) ? undefined : value, changed.has(field.path) || faults.has(field.path), fault);
      }
      countChanges();
      const paths = new Set(drawn.map(({ field }) => field.path));
      own.showRest(checked.filter((line) => !paths.has(settings.pathOf(line) ?? "")));
      const wrong = faults.size > 0 || checked.length > 0;
      if (welcome !== null && !folderTouched && document.activeElement !== folder) folder.value = settings.dataFolder(welcome.config);
      folder.placeholder = welcome === null ? "" : String(/** @type {any} */ (welcome.config).data?.train_dir ?? "");
      byId("preset-help").textContent = preset.value === "" ? t("preset.none_help") : presetText(preset.value);
      start.dataset.blocked = wrong ? "reason.invalid_settings" : "";
      save.dataset.blocked = wrong ? "reason.invalid_settings" : changed.size === 0 ? "reason.no_changes" : "";
      queue.dataset.blocked = wrong ? "reason.invalid_settings" : "";
      crossval.dataset.blocked = wrong ? "reason.invalid_settings" : "";
      // Offered where the start itself would be refused, or come before those that wait.
      queue.hidden = store.state().session.state === "idle" && !store.state().queue?.entries.length;
      byId("queue-help").hidden = queue.hidden;
      BreastAI.actions.markAll(form, store.state());
      byId("start-reason").textContent = start.disabled ? start.title : "";
      const { described } = store.state();
      fill(byId("start-data"), described === null || described !== describedHere ? null : BreastAI.views.data.summary(described, answer));
      const estimate = store.state().estimate;
      const told = estimate === null ? null : BreastAI.store.lines.bench?.(estimate);
      byId("start-estimate").textContent = told?.key ? t(told.key, told.params) : "";
    }

    /** What a preset changes, by the words of the settings themselves. @param {string} name */
    function presetText(name) {
      const help = `preset.${name}.help`;
      return BreastAI.i18n.has(help) ? t(help) : "";
    }

    function countChanges() {
      const open = drawn.filter(({ field }) => changed.has(field.path) || faults.has(field.path));
      byId("settings-changed").textContent = open.length ? BreastAI.i18n.plural("start.changed", open.length) : "";
      for (const group of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".settings-group"))) {
        const count = open.filter(({ field }) => field.section === group.dataset.section && !QUICK.includes(field.path)).length;
        const badge = group.querySelector(".changed-count");
        if (badge !== null) badge.textContent = count ? BreastAI.format.integer(count) : "";
      }
    }

    /** The fields of the request. */
    function order() {
      const config = changes();
      const root = folder.value.trim();
      if (root !== "" && root !== settings.dataFolder(store.state().welcome?.config)) config.data_path = root;
      return preset.value === "" ? { config } : { config, preset: preset.value };
    }

    /**
     * Start the run; where the user has not said what to do about duplicates and leaks, look for them first, by the
     * form's own folders, patient rule and frames, and show what there is.
     * @param {Record<string, any>} wanted
     */
    async function begin(wanted) {
      store.dispatch({ type: "@twins_decided" });
      const data = /** @type {any} */ (settings.overlay(base(), changes())).data;
      if (UNDECIDED.includes(data?.on_leak) && !data?.split_file) {
        const root = folder.value.trim();
        const usual = ["train_dir", "val_dir", "test_dir", "pool_val"].every((key) => !changed.has(`data.${key}`));
        const audit = await connection.request("audit_data", usual && root !== "" ? { ...wanted, data: root } : wanted);
        if (audit.type !== "audit") return;
        const shared = audit.findings.some((/** @type {Wire.Finding} */ { code }) => code === "patients.across_splits");
        const doubtful = audit.findings.some((/** @type {Wire.Finding} */ { code }) => code === "twins.doubtful");
        // What is doubtful the run asks itself, with the number of images that each answer would cost.
        if (!doubtful && (audit.groups_total > 0 || shared)) {
          store.dispatch({ type: "@ask_twins", request: "start_training", order: wanted });
          location.hash = "#audit";
          return;
        }
      }
      await ask("start_training", wanted);
    }

    /** Send a request that may be answered by a question about leaks: then show it. @param {string} request @param {Record<string, any>} wanted */
    async function ask(request, wanted) {
      try {
        await connection.request(request, wanted);
      } catch (error) {
        if (store.state().asked !== null && QUESTIONS.includes(/** @type {Error} */ (error).message)) location.hash = "#audit";
        throw error;
      }
    }

    context.order = order;
    context.ask = ask;
    context.values = () => settings.overlay(base(), changes());
    context.adopt = (path, value) => {
      const field = drawn.find((each) => each.field.path === path)?.field;
      if (field !== undefined) handlers.onChange(field, value);
    };
    function describe() {
      connection.request("describe_data", order()).then((found) => {
        describedHere = found;
        refresh();
      }, () => {});
    }
    /** Answer a question about the classes, and look again. @param {string} path @param {unknown} value */
    function answer(path, value) {
      context.adopt?.(path, value);
      describe();
    }
    form.querySelector("[data-action=describe_data]")?.addEventListener("click", describe);
    const queue = /** @type {HTMLButtonElement} */ (form.querySelector("[data-action=queue_training]"));
    const crossval = /** @type {HTMLButtonElement} */ (form.querySelector("[data-action=start_crossval]"));
    crossval.addEventListener("click", () => ask("start_crossval", order()).catch(() => {}));
    queue.addEventListener("click", () => ask("start_training", { ...order(), queue: true }).catch(() => {}));

    folder.addEventListener("input", () => {
      folderTouched = true;
    });
    preset.addEventListener("change", () => {
      faults.clear();
      changed.clear();
      refresh();
      own.check();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (start.disabled) return;
      begin(order()).catch(() => {});
    });
    form.querySelector("[data-action=estimate_cost]")?.addEventListener("click", () => connection.request("estimate_cost", order()).catch(() => {}));
    save.addEventListener("click", () => {
      connection.request("save_config", { config: changes() }).then(() => { changed.clear(); refresh(); }, () => {});
    });
    form.querySelector("[data-action=get_config]")?.addEventListener("click", () => connection.request("get_config").catch(() => {}));
    byId("reset-settings").addEventListener("click", () => {
      faults.clear();
      changed.clear();
      refresh();
      own.check();
    });
    BreastAI.i18n.onChange(() => {
      drawnFor = null;
    });

    return {
      /** Other views hand settings to the form, so it is drawn once whatever is seen. */
      get within() {
        return drawnFor === null ? undefined : "training";
      },
      /** @param {State} state */
      render(state) {
        if (state.welcome !== null && (drawnFor === null || drawnFor.config_schema !== state.welcome.config_schema)) {
          drawnFor = state.welcome;
          drawForm();
        }
        if (state.offered !== null && state.offered !== taken && state.welcome !== null) {
          taken = state.offered;
          take(state.offered);
        }
        refresh();
      },
      /** @param {State} state */
      slice: (state) => [state.welcome, state.connection.phase, state.session.state, state.pending, state.problems, state.queue, state.described],
    };
  }

  BreastAI.views.start = { create };
})();
