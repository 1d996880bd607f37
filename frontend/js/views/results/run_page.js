/* The page of a run, any of the past too: its curves, what was made of it, its images, settings and log, each at an address. */
(function () {
  "use strict";

  const { byId, make, fill, name, table, scroller, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format, settings } = BreastAI;
  const { shownRun } = BreastAI.pageState;
  const TABS = ["curves", "results", "images", "settings", "log"];

  /** @param {State} state @param {Run} run @param {Wire.RunEntry | undefined} entry */
  function factsOf(state, run, entry) {
    const config = /** @type {any} */ (run.started?.config);
    const folder = settings.dataFolder(config) || (entry?.data ?? "");
    const duration = run.outcome?.type === "training_complete" ? format.duration(run.outcome.duration_s) : "";
    const parts = [folder === "" ? null : name(folder), run.started?.architecture ?? null, entry?.started ? format.date(entry.started) : null, duration === "" ? null : duration].filter((part) => part !== null);
    return parts.flatMap((part, index) => (index === 0 ? [part] : [" · ", part]));
  }

  /** What a run asked that did not begin. @param {Run} run */
  const askedBy = (run) => (run.outcome?.type === "training_stopped" ? (run.outcome.question ?? null) : null);

  /** That a run did not begin, and how its question is answered: here while it waits, else by beginning again. @param {State} state @param {Run} run @param {Store} store */
  function questionOf(state, run, store) {
    const question = askedBy(run);
    if (question === null) return null;
    const again = () => {
      store.dispatch({ type: "@use_config", config: question.config });
      location.hash = "#training";
    };
    const answer = BreastAI.views.leakQuestion.answerOf(state, run.id) ?? actionButton("adopt_settings", t("next.again"), { class: "small", on: { click: again } });
    return make("div", { class: "banner warning" }, make("p", { text: t("event.training_stopped.asked") }), answer);
  }

  /** The settings of the run that are not the usual ones first; all of them below. @param {State} state @param {Run} run */
  function settingsOf(state, run) {
    const config = /** @type {any} */ (run.started?.config ?? askedBy(run)?.config);
    if (!config || state.welcome === null) return [make("p", { class: "empty", text: t("runpage.no_settings") })];
    const fields = settings.fields(state.welcome.config_schema, BreastAI.catalog.choices(state.welcome.catalog)).filter(({ section }) => section !== "server");
    const rows = fields.map((field) => ({ field, value: settings.at(config, field.path) })).filter(({ value }) => value !== undefined);
    const changed = rows.filter(({ field, value }) => !settings.same(value, field.fallback));
    /** @param {typeof rows} some @param {string} caption */
    const tableOf = (some, caption) => scroller(caption, table({ caption, captionHidden: true, head: [t("runs.setting"), t("runpage.value")], rows: some.map(({ field, value }) => [make("span", { text: BreastAI.i18n.has(`setting.${field.path}.label`) ? t(`setting.${field.path}.label`) : field.path, attributes: { title: field.path } }), name(BreastAI.schemaForm.valueText(field, value))]) }));
    return [
      make("h3", { text: t("runpage.changed_settings") }),
      changed.length ? tableOf(changed, t("runpage.changed_settings")) : make("p", { class: "empty", text: t("runpage.all_usual") }),
      make("details", {}, make("summary", { text: t("runpage.every_setting") }), tableOf(rows, t("runpage.every_setting"))),
    ];
  }

  /** @param {Record<string, any>[]} events */
  function logOf(events) {
    const lines = events.map((event) => ({ event, content: BreastAI.store.rows[/** @type {keyof Wire.Events} */ (event.type)]?.line?.(/** @type {any} */ (event)) })).filter(({ content }) => content !== undefined);
    if (lines.length === 0) return [make("p", { class: "empty", text: t("log.empty") })];
    return [make("ol", { class: "log-lines console", attributes: { tabindex: 0, "aria-label": t("runpage.log") } }, ...lines.map(({ event, content }) => BreastAI.views.log.lineElement({ .../** @type {LineContent} */ (content), time: event.time })))];
  }

  /** @param {Context} context */
  function create({ connection, store }) {
    const images = BreastAI.views.judgedImages.create({ connection, store });
    let askedFor = "";
    let shownFor = "";

    /** Ask for what the page shows. @param {State} state @param {string} id */
    function ask(state, id) {
      const now = `${state.connection.count} ${id} ${state.page.tab} ${state.session.state === "idle"} ${state.evaluation?.record ?? ""} ${state.reports.length} ${state.exports.length}`;
      if (askedFor === now || state.connection.phase !== "connected") return;
      askedFor = now;
      const lists = ["results", "images"].includes(state.page.tab);
      // A model adapted to a site has results and no run: there, its list says whether it is known.
      connection.request("show_run", { run_id: id }, { quiet: lists }).catch(() => {});
      if (lists) connection.request("list_results", { run_id: id }).catch(() => {});
    }

    /** @param {State} state @param {string} id @param {Run} run @returns {Node[]} */
    function partOf(state, id, run) {
      const waits = make("p", { class: "empty", text: t("runpage.waits") });
      if (state.page.tab === "results") return state.results[id] ? BreastAI.views.resultsList.bodyOf(state, state.results[id]) : [waits];
      if (state.page.tab === "settings") return settingsOf(state, run);
      return state.pastRuns[id] ? logOf(state.pastRuns[id].log) : [waits];
    }

    return {
      within: "run",
      /** @param {State} state */
      render(state) {
        const id = state.page.run;
        if (id === null) return;
        ask(state, id);
        const past = state.pastRuns[id];
        const run = shownRun(state) ?? past?.run ?? BreastAI.pageState.newRun(id);
        const tab = TABS.includes(state.page.tab) ? state.page.tab : TABS[0];
        fill(byId("run-page-title"), name(id));
        const now = BreastAI.views.runCards.stateOf(state, run);
        fill(byId("run-page-state"), past || run.started ? make("span", { class: `pill run-${now}`, text: t(`state.${now}`) }) : null);
        fill(byId("run-page-facts"), ...factsOf(state, run, past?.entry));
        fill(byId("run-page-asked"), questionOf(state, run, store));
        const tabsFor = `${BreastAI.i18n.current()} ${id} ${tab}`;
        if (shownFor !== tabsFor) {
          shownFor = tabsFor;
          fill(byId("run-page-tabs"), ...TABS.map((each) => make("a", { text: t(`runpage.${each}`), attributes: { href: BreastAI.address.ofRun(id, each), "aria-current": each === tab ? "page" : null } })));
        }
        byId("run-page-body").hidden = tab === "curves";
        if (tab === "images") {
          // It keeps its own parts, so that a filter being typed is not drawn anew.
          if (images.element.parentElement === null) fill(byId("run-page-body"), images.element);
          images.show(state, id);
        } else if (tab !== "curves") fill(byId("run-page-body"), ...partOf(state, id, run));
      },
      /** @param {State} state */
      slice: (state) => [state.page, state.pastRuns, state.results, state.session.state, state.session.run, state.connection.phase, state.connection.count, state.evaluation, state.reports, state.exports, state.welcome, state.run?.started, state.run?.outcome, state.asked],
    };
  }

  BreastAI.views.runPage = { create };
})();
