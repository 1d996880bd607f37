/* The form that starts a run: image folder, preset, settings, what the server says of them, and its buttons. */
(function () {
  "use strict";

  const { byId, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { settings } = BreastAI;

  /** @param {Context} context */
  function create(context) {
    const { connection, store } = context;
    const folder = /** @type {HTMLInputElement} */ (byId("data-path"));
    const preset = /** @type {HTMLSelectElement} */ (byId("preset"));
    const form = /** @type {HTMLFormElement} */ (byId("start-form"));
    /** @param {string} action */
    const button = (action) => /** @type {HTMLButtonElement} */ (form.querySelector(`[data-action=${action}]`));
    const [start, save, queue, crossval] = ["start_training", "save_config", "queue_training", "start_crossval"].map(button);

    const values = BreastAI.views.formValues.create(store);
    const memory = BreastAI.views.formMemory.create(context, changedByUser);
    const leaks = BreastAI.views.leakQuestion.create(context, values);
    const refusal = BreastAI.views.refusal.create(context, values);
    /** @type {Wire.ConnectionEstablished | null} */
    let drawnFor = null;
    /** @type {(Wire.Text | string)[]} what the server says of it */
    let checked = [];
    /** @type {unknown} the configuration taken over last */
    let taken = null;
    /** What this form's own question was answered: of another folder's images it says nothing. @type {unknown} */
    let describedHere = null;

    /** @type {FieldHandlers} */
    const handlers = {
      onChange(field, value) {
        values.set(field.path, value);
        changedByUser();
      },
      onFault(field, text) {
        values.faults.set(field.path, text);
        refresh();
      },
      onReset(field) {
        values.reset(field.path);
        changedByUser();
      },
    };
    const panel = BreastAI.views.settingsPanel.create(values, handlers, preset);
    const own = BreastAI.views.ownSettings.create(context, {
      order,
      effective: values.effective,
      use: take,
      told(problems) {
        checked = problems;
        refresh();
      },
    });

    function changedByUser() {
      refresh();
      own.check();
    }

    function startAgain() {
      memory.replace("start.discarded", values.clear);
      changedByUser();
    }

    /** Put a configuration on the form, over what config.json and the preset say. @param {Record<string, unknown>} config */
    function take(config) {
      memory.replace("start.discarded", () => values.take(config, panel.fields()));
      const root = settings.dataFolder(settings.overlay(values.base(), config));
      if (root !== "") memory.keep({ folder: root, images: root });
      /** @type {HTMLDetailsElement} */ (byId("all-settings")).open = true;
      changedByUser();
    }

    /** Faults the server found, by field. */
    function serverFaults() {
      const found = refusal.faults();
      for (const line of checked) found.set(settings.pathOf(line) ?? "", BreastAI.i18n.say(line));
      return found;
    }

    function refresh() {
      memory.propose();
      const faults = serverFaults();
      panel.show(faults);
      refusal.showFolder(faults);
      const paths = new Set([BreastAI.address.FOLDER, ...panel.fields().map(({ path }) => path)]);
      own.showFaults(checked.filter((line) => !paths.has(settings.pathOf(line) ?? "")), new Map([...faults, ...values.faults].filter(([path]) => paths.has(path))));
      panel.tell("evaluation.patient_id", BreastAI.views.preFlight.patientsText(store.state()));
      memory.show(folder, preset);
      showButtons();
      const { described, estimate } = store.state();
      fill(byId("start-data"), described === null || described !== describedHere ? null : BreastAI.views.dataDescription.summary(described, answer));
      const told = estimate === null ? null : BreastAI.store.rows.bench?.line?.(estimate);
      byId("start-estimate").textContent = told?.key ? [estimate?.time && store.state().estimates?.[0] === estimate ? t("start.estimated", { date: BreastAI.format.date(estimate.time) }) : "", t(told.key, told.params)].join(" ").trim() : "";
    }

    function showButtons() {
      const wrong = values.faults.size > 0 || checked.length > 0 ? "reason.invalid_settings" : "";
      for (const each of [start, queue, crossval]) each.dataset.blocked = wrong;
      save.dataset.blocked = wrong || (values.changed.size === 0 ? "reason.no_changes" : "");
      // Offered where the start itself would be refused, or come before those that wait.
      queue.hidden = store.state().session.state === "idle" && !store.state().queue?.entries.length;
      byId("queue-help").hidden = queue.hidden;
      BreastAI.actions.markAll(form, store.state());
      byId("start-reason").textContent = start.disabled ? start.title : "";
    }

    /** The fields of the request. */
    function order() {
      const config = values.changes();
      const root = folder.value.trim();
      if (root !== "" && root !== settings.dataFolder(store.state().welcome?.config)) config.data_path = root;
      return preset.value === "" ? { config } : { config, preset: preset.value };
    }

    function describe() {
      connection.request("describe_data", order(), { form: true }).then((found) => {
        describedHere = found;
        refresh();
      }, () => {});
    }

    /** Answer a question about the classes, and look again. @param {string} path @param {unknown} value */
    function answer(path, value) {
      context.adopt?.(path, value);
      describe();
    }

    context.useData = (data) => {
      memory.settle(data, data);
      refresh();
    };
    context.begin = (quick) => {
      if (!store.state().form.chosen && values.changed.size === 0) {
        memory.keep({ preset: quick, chosen: true });
        changedByUser();
      }
      leaks.begin(order()).catch(() => {});
    };
    context.order = order;
    context.ask = leaks.ask;
    context.values = values.effective;
    context.adopt = (path, value) => {
      const field = panel.fields().find((each) => each.path === path);
      if (field !== undefined) handlers.onChange(field, value);
    };

    folder.addEventListener("input", () => memory.keep({ folder: folder.value }));
    preset.addEventListener("change", () => {
      memory.keep({ preset: preset.value, chosen: true });
      memory.kept(values.changed.size);
      changedByUser();
    });
    byId("reset-settings").addEventListener("click", startAgain);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!start.disabled) leaks.begin(order()).catch(() => {});
    });
    crossval.addEventListener("click", () => leaks.ask("start_crossval", order()).catch(() => {}));
    queue.addEventListener("click", () => leaks.ask("start_training", { ...order(), queue: true }).catch(() => {}));
    button("describe_data").addEventListener("click", describe);
    button("estimate_cost").addEventListener("click", () => connection.request("estimate_cost", order(), { form: true }).catch(() => {}));
    button("get_config").addEventListener("click", () => connection.request("get_config").catch(() => {}));
    save.addEventListener("click", () => {
      connection.request("save_config", { config: values.toSave() }, { form: true }).then(() => { values.clear(); refresh(); }, () => {});
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
          panel.draw(state.welcome);
        }
        if (state.offered !== null && state.offered !== taken && state.welcome !== null) {
          taken = state.offered;
          take(state.offered);
        }
        refresh();
        panel.follow(state.page);
      },
      /** @param {State} state */
      slice: (state) => [state.welcome, state.page, state.preFlight, state.preFlightFault, state.connection.phase, state.session.state, BreastAI.store.isPending(state, "start_training"), state.refused, state.queue, state.described, state.estimate],
    };
  }

  BreastAI.views.start = { create };
})();
