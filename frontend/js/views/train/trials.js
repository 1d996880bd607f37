/* The trials of a search for settings: how it stands, each trial, the best so far, and which setting mattered. */
(function () {
  "use strict";

  const { make, name, said, table, scroller, terms } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  const AUC = "auc_roc";
  const OVER = ["complete", "pruned", "failed"];

  /** The name of a setting by its path. @param {string} path */
  function settingName(path) {
    const key = `setting.${path}.label`;
    return make("span", { text: BreastAI.i18n.has(key) ? t(key) : path, attributes: { title: path } });
  }

  /** A value as tried. @param {string} path @param {unknown} value */
  function valueText(path, value) {
    if (typeof value === "boolean") return t(value ? "field.on" : "field.off");
    if (typeof value === "number") return format.small(value);
    const key = `option.${path}.${value}`;
    return BreastAI.i18n.has(key) ? t(key) : String(value);
  }

  /** The AUC of a trial: at its end, or the best so far. @param {Wire.StudyMember} member @returns {number | null} */
  function aucOf(member) {
    if (member.figures[AUC] !== undefined) return member.figures[AUC];
    const told = (member.curves.val_auc_roc ?? []).filter((value) => value !== null);
    return told.length ? Math.max(.../** @type {number[]} */ (told)) : null;
  }

  /** How the search stands, in a sentence. @param {Wire.Study} study @param {Wire.TuningState} tuning */
  function verdictOf(study, tuning) {
    const figures = { auc: format.figure(tuning.best_auc), before: format.figure(tuning.default_auc), images: tuning.val_images };
    if (tuning.done === 0) return t("tuning.no_trial_yet");
    const better = tuning.best !== null && tuning.best !== study.members[0]?.run_id;
    if (study.state === "complete" && tuning.config_name === null) return t("tuning.none_better", figures);
    return t(better ? "tuning.better" : "tuning.none_better_yet", figures);
  }

  /** @param {Wire.Study} study @param {Wire.TuningState} tuning */
  function factsOf(study, tuning) {
    const planned = tuning.epochs_run + tuning.epochs_saved;
    const saved = planned === 0 ? format.NONE : t("tuning.saved_of", { saved: format.integer(tuning.epochs_saved), planned: format.integer(planned), share: format.percent(tuning.epochs_saved / planned) });
    const time = tuning.max_hours === null ? format.duration(tuning.spent_s) : t("tuning.time_of", { time: format.duration(tuning.spent_s), hours: format.number(tuning.max_hours, 2) });
    /** @type {[string, Node | string][]} */
    const facts = [
      [t("tuning.trials"), t("run.of", { n: format.integer(tuning.done), total: format.integer(tuning.trials) })],
      [t("tuning.time"), time],
      [t("tuning.epochs_saved"), saved],
    ];
    if (tuning.config_name !== null) facts.push([t("tuning.saved_as"), name(tuning.config_name)]);
    return study.message === "" ? terms(facts) : make("div", {}, make("p", { class: "banner error" }, said(study.message)), terms(facts));
  }

  /** Trials by their number: each one's AUC, the best so far, and the configuration as it is. @param {Wire.Study} study @param {Wire.TuningState} tuning @returns {Line[]} */
  function linesOf(study, tuning) {
    const told = study.members.filter((member) => OVER.includes(member.state));
    /** @param {Wire.StudyMember} member */
    const place = (member) => (member.trial ?? 0) + 1;
    let best = /** @type {number | null} */ (null);
    const soFar = told.map((member) => {
      const auc = member.state === "complete" ? aucOf(member) : null;
      if (auc !== null && (best === null || auc > best)) best = auc;
      return { x: place(member), y: best };
    });
    return [
      { label: t("tuning.best_so_far"), points: soFar },
      { label: t("tuning.each_trial"), points: told.map((member) => ({ x: place(member), y: aucOf(member) })) },
      { label: t("tuning.as_configured"), points: told.map((member) => ({ x: place(member), y: tuning.default_auc })) },
    ];
  }

  /** @param {Wire.TuningState} tuning @returns {Node[]} */
  function importanceOf(tuning) {
    if (tuning.importance.length === 0) return [make("p", { class: "muted", text: t("tuning.importance_later") })];
    const rows = tuning.importance.map(({ setting, share }) => {
      const bar = make("span", { class: "meter-cell wide", text: format.percent(share) });
      bar.style.setProperty("--share", String(share ?? 0));
      return [settingName(setting), bar];
    });
    const shown = table({ caption: t("tuning.importance"), captionHidden: true, head: [t("runs.setting"), t("tuning.share")], rows });
    return [scroller(t("tuning.importance"), shown), make("p", { class: "muted", text: plural("tuning.importance_help", tuning.done) })];
  }

  /** @param {Wire.Study} study @param {Wire.TuningState} tuning @returns {Node} */
  function trialsOf(study, tuning) {
    const paths = Object.keys(study.members[0]?.values ?? {});
    const head = [t("tuning.trial"), t("runs.state"), t("tuning.auc"), t("figure.epoch"), ...paths.map(settingName)];
    const rows = [...study.members].reverse().map((member) => {
      const number = make("span", {}, format.integer((member.trial ?? 0) + 1), member.trial === 0 ? make("span", { class: "muted", text: ` ${t("tuning.as_is")}` }) : null);
      if (member.run_id === tuning.best) number.append(make("span", { class: "badge", text: t("tuning.best") }));
      const state = make("span", { class: `pill run-${member.state}`, text: t(`tuning.state.${member.state}`) });
      const epochs = t("run.of", { n: format.integer(member.epoch), total: format.integer(member.epochs) });
      return [number, state, format.figure(aucOf(member)), epochs, ...paths.map((path) => valueText(path, member.values[path]))];
    });
    return scroller(t("tuning.trials"), table({ caption: t("tuning.trials"), captionHidden: true, head, rows, class: "stacking" }));
  }

  BreastAI.views.trials = { settingName, valueText, verdictOf, factsOf, linesOf, importanceOf, trialsOf };
})();
