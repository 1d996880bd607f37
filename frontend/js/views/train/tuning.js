/* The search for settings: begun here, gone on with, shown as it runs, and its best settings taken over. */
(function () {
  "use strict";

  const { byId, fill, name, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { verdictOf, factsOf, linesOf, importanceOf, trialsOf } = BreastAI.views.trials;

  /** @param {Context} context */
  function create(context) {
    const { connection, store } = context;
    const form = /** @type {HTMLFormElement} */ (byId("tuning-form"));
    const start = /** @type {HTMLButtonElement} */ (form.querySelector("[data-action=start_tuning]"));
    const inputs = { trials: "tuning-trials-asked", max_hours: "tuning-hours-asked", epochs: "tuning-epochs-asked" };
    /** @type {Set<string>} */
    const touched = new Set();
    /** @type {ChartCard | null} */
    let card = null;

    /** @param {string} id */
    const input = (id) => /** @type {HTMLInputElement} */ (byId(id));

    /** The fields of the search, as the server's schema has them. */
    function fields() {
      const welcome = store.state().welcome;
      return welcome === null ? [] : BreastAI.settings.fields(welcome.config_schema).filter(({ path }) => path.startsWith("tuning.") && path.slice(7) in inputs);
    }

    /** What was typed, and the first thing that is wrong with it. */
    function typed() {
      /** @type {Record<string, unknown>} */
      const values = {};
      let fault = "";
      for (const field of fields()) {
        const key = field.path.slice(7);
        const id = inputs[/** @type {keyof typeof inputs} */ (key)];
        const result = BreastAI.settings.parse(field, input(id).value);
        const wrong = "problem" in result ? `${t(`setting.${field.path}.label`)}: ${t(result.problem, result.params)}` : "";
        input(id).setAttribute("aria-invalid", String(wrong !== ""));
        if ("value" in result) values[key] = result.value;
        fault = fault || wrong;
      }
      return { values, fault };
    }

    function refresh() {
      const { fault } = typed();
      byId("tuning-fault").textContent = fault;
      start.dataset.blocked = fault === "" ? "" : "reason.invalid_settings";
      BreastAI.actions.markAll(byId("view-tuning"), store.state());
    }

    for (const id of Object.values(inputs)) {
      input(id).addEventListener("input", () => {
        touched.add(id);
        refresh();
      });
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (start.disabled) return;
      const { form, welcome } = store.state();
      // A probe, proposed for few images, has nothing to be searched.
      /** @type {Record<string, any>} */
      const order = { ...(context.order?.() ?? { config: {} }), ...(form.chosen || !welcome?.preset ? {} : { preset: welcome.preset }) };
      const config = BreastAI.settings.overlay(order.config, { tuning: typed().values });
      context.ask?.("start_tuning", { ...order, config }).catch(() => {});
    });
    byId("tuning-stop").addEventListener("click", () => connection.request("stop_training").catch(() => {}));

    byId("tuning-resume").addEventListener("click", () => {
      const id = store.state().study?.study_id;
      if (id !== undefined) connection.request("resume_study", { study_id: id }).catch(() => {});
    });

    /** Put the saved configuration on the form. @param {string} saved */
    async function take(saved) {
      const answer = await connection.request("get_document", { kind: "named_config", name: saved });
      if (answer.type !== "document") return;
      const parsed = BreastAI.jsonPlaces.parse(answer.text);
      if ("problem" in parsed) return;
      store.dispatch({ type: "@use_config", config: parsed.value });
      location.hash = "#training";
    }

    /** @param {State} state */
    function showForm(state) {
      const values = /** @type {any} */ (context.values?.() ?? state.welcome?.config ?? {});
      for (const [key, id] of Object.entries(inputs)) {
        const value = values.tuning?.[key];
        if (!touched.has(id) && document.activeElement !== input(id)) input(id).value = value === null || value === undefined ? "" : String(value);
      }
      input(inputs.epochs).placeholder = String(values.training?.epochs ?? "");
      refresh();
    }

    /** @param {Wire.Study} study @param {Wire.TuningState} tuning */
    function showStudy(study, tuning) {
      byId("tuning-name").replaceChildren(name(study.study_id));
      const state = byId("tuning-state");
      state.className = `pill run-${study.state}`;
      state.textContent = t(`studies.state.${study.state}`);
      byId("tuning-stop").hidden = study.state !== "running";
      byId("tuning-resume").hidden = study.state === "running" || study.state === "complete";
      byId("tuning-verdict").textContent = verdictOf(study, tuning);
      byId("tuning-optimistic").hidden = tuning.done < 2;
      const saved = tuning.config_name;
      fill(byId("tuning-use"), saved === null ? null : actionButton("use_tuned", t("tuning.use"), { class: "primary", on: { click: () => take(saved).catch(() => {}) } }));
      fill(byId("tuning-facts"), factsOf(study, tuning));
      card?.destroy();
      card = BreastAI.views.chartCard.create({ name: "tuning", title: t("tuning.chart"), x: t("tuning.trial"), y: t("tuning.auc"), whole: true });
      fill(byId("tuning-chart"), card.element);
      card.show(linesOf(study, tuning), { description: verdictOf(study, tuning) });
      fill(byId("tuning-importance"), ...importanceOf(tuning));
    }

    /** @type {unknown[]} what the upper part was drawn for: the chart need not move with every epoch */
    let shownFor = [];
    BreastAI.i18n.onChange(() => {
      shownFor = [];
    });

    return {
      within: "tuning",
      /** @param {State} state */
      render(state) {
        showForm(state);
        const { study } = state;
        const tuning = study?.tuning ?? null;
        byId("tuning-card").hidden = study === null || tuning === null;
        if (study === null || tuning === null) return;
        const now = [study.study_id, study.state, study.message, tuning, study.members.length];
        if (now.some((value, index) => value !== shownFor[index])) {
          shownFor = now;
          showStudy(study, tuning);
        }
        fill(byId("tuning-list"), trialsOf(study, tuning));
      },
      restyle: () => card?.restyle(),
      /** @param {State} state */
      slice: (state) => [state.study, state.welcome, state.connection.phase, state.session.state],
    };
  }

  BreastAI.views.tuning = { create };
})();
