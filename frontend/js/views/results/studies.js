/* The studies: cross-validations, searches for settings and runs by seed, past ones too, and showing one where it was begun. */
(function () {
  "use strict";

  const { byId, make, fill, name, table, scroller, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** Where each kind is shown. */
  const VIEW_OF = { crossval: "training", tuning: "tuning", seeds: "training" };

  /** @param {Context} context */
  function create({ connection, store }) {
    /** @type {unknown[]} what the list was asked for: it is asked again when a study has begun or ended */
    let askedFor = [];
    const more = byId("studies-more");
    more.addEventListener("click", () => connection.request("list_studies", { first: heard(store.state().studyList) }).catch(() => {}));

    /** How many studies the page knows of. @param {Wire.StudiesList | null} list */
    function heard(list) {
      return list === null ? 0 : list.studies.length + list.unreadable.length;
    }

    /** @param {State} state */
    function ask(state) {
      const now = [state.welcome, state.study?.study_id, state.study?.state];
      if (state.connection.phase !== "connected" || now.every((value, index) => value === askedFor[index])) return;
      askedFor = now;
      connection.request("list_studies").catch(() => {});
    }

    /** @param {Wire.StudyEntry} entry */
    function show({ study_id, kind }) {
      connection.request("get_study", { study_id }).then(
        () => {
          location.hash = `#${VIEW_OF[kind]}`;
          if (VIEW_OF[kind] === "training") byId("crossval-card").scrollIntoView();
        },
        () => {},
      );
    }

    /** Of folds with how far they spread; of a search the best, which has no spread. @param {Wire.StudyEntry} entry */
    function aucOf({ auc_roc, auc_low, auc_high }) {
      if (auc_low === null || auc_high === null) return format.figure(auc_roc);
      const range = t("evaluation.interval", { low: format.figure(auc_low), high: format.figure(auc_high) });
      return make("span", {}, format.figure(auc_roc), " ", make("small", { class: "muted", text: range }));
    }

    /** @param {Wire.StudyEntry} entry @param {Wire.Study | null} shown */
    function rowOf(entry, shown) {
      const isRunning = shown?.state === "running" && shown.study_id !== entry.study_id;
      const button = actionButton("get_study", t("studies.show"), {
        class: "small",
        data: { blocked: isRunning ? "reason.study_running" : "" },
        attributes: { "aria-label": `${t("studies.show")} ${entry.study_id}` },
        on: { click: () => show(entry) },
      });
      return [
        make("span", { class: "shown-name" }, name(entry.study_id), " ", shown?.study_id === entry.study_id ? make("span", { class: "badge", text: t("studies.shown") }) : null),
        t(`studies.kind.${entry.kind}`),
        make("span", { class: `pill run-${entry.state === "interrupted" ? "unknown" : entry.state}`, text: t(`studies.state.${entry.state}`) }),
        format.date(entry.created),
        t("run.of", { n: format.integer(entry.done), total: format.integer(entry.planned) }),
        aucOf(entry),
        button,
      ];
    }

    return {
      within: "runs",
      /** @param {State} state */
      render(state) {
        ask(state);
        const list = state.studyList;
        if (list === null || list.studies.length === 0) {
          fill(byId("studies-list"), make("p", { class: "empty", text: t("studies.none") }));
        } else {
          const head = ["studies.name", "studies.kind", "runs.state", "studies.begun", "studies.done", "metric.auc_roc", "checkpoints.actions"].map((key) => t(key));
          const rows = list.studies.map((entry) => rowOf(entry, state.study));
          fill(byId("studies-list"), scroller(t("studies.title"), table({ caption: t("studies.title"), captionHidden: true, head, rows, class: "stacking" })));
        }
        more.hidden = list === null || heard(list) >= list.total;
        if (list !== null && list.unreadable.length > 0) {
          byId("studies-list").append(make("p", { class: "banner warning" }, t("studies.unreadable"), " ", name(list.unreadable.join(", "))));
        }
      },
      /** @param {State} state */
      slice: (state) => [state.studyList, state.welcome, state.connection.phase, state.study?.study_id, state.study?.state],
    };
  }

  BreastAI.views.studies = { create };
})();
