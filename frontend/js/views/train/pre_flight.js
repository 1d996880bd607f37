/* What the run on the form meets, above Start: classes, patients, duplicates, weights, minutes, memory, wiser choices. It fills itself. */
(function () {
  "use strict";

  const { byId, make, fill, label, name, said } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;
  const LOOK_AFTER_MS = 600;

  /** @param {Wire.PreFlightChecked} found */
  function timeOf({ minutes_low: low, minutes_high: high }) {
    if (low === null || high === null) return t("preflight.time_unknown");
    return format.between(low * 60, high * 60);
  }

  /** What an audit of these images found, if one was made. @param {State} state @param {Wire.PreFlightChecked} found */
  function duplicatesOf({ audit }, found) {
    const same = audit !== null && (found.data === audit.data || found.data.startsWith(`${audit.data}/`));
    return same ? plural("preflight.duplicates", audit.groups_total) : t("preflight.duplicates_later");
  }

  /** What the rule of the form finds: some images with their patients, and how many patients there are. @param {State} state */
  function patientsText({ preFlight: found, preFlightFault: fault }) {
    if (fault !== null) return fault.code.startsWith("patient_id.") ? BreastAI.i18n.errorText(fault) : "";
    if (found === null || found.patients === null) return "";
    const examples = found.patient_examples.map(({ file, patient }) => `${patient} ← ${file.split("/").at(-1)}`);
    return [plural("preflight.patients_found", found.patients), examples.join(", ")].filter((part) => part !== "").join(" · ");
  }

  /** Nothing to look at is no fault, while one types. @param {Wire.Error} fault */
  function faultOf(fault) {
    if (["data.not_found", "data.path_not_found", "data.no_images"].includes(fault.code)) return make("p", { class: "field-help", text: t("preflight.nothing") });
    return make("p", { class: "field-fault" }, ...BreastAI.elements.linked(BreastAI.i18n.errorText(fault)));
  }

  /** What leads to a setting, named; nothing without one. @param {string} path */
  function linkTo(path) {
    return path === "" ? [] : [" ", BreastAI.views.settingsPanel.link(path)];
  }

  /** A button that takes the rule an advice offers; nothing for other advice. @param {Wire.Text | string} advice @param {Context} context */
  function offerOf(advice, context) {
    const rule = typeof advice === "string" ? undefined : advice.params.rule;
    if (typeof rule !== "string") return [];
    return [" ", make("button", { class: "button small", text: t("preflight.use_rule"), attributes: { type: "button", title: rule }, data: { preflight: "rule" }, on: { click: () => context.adopt?.("evaluation.patient_id", JSON.parse(rule)) } })];
  }

  /** @param {State} state @param {Wire.PreFlightChecked} found @param {Context} context @returns {Node[]} */
  function bodyOf(state, found, context) {
    const classes = Object.entries(found.classes).flatMap(([each, count], index) => [index ? " · " : "", label(each), ` ${format.integer(count)}`]);
    const marks = { here: "good", to_fetch: "fair", missing: "bad", none: "bad" };
    const atFault = found.advice.map((each) => (typeof each === "string" ? "" : String(each.params.setting ?? ""))).find((path) => path.startsWith("model."));
    /** Each with the setting that would mend it, where something is to be mended. @type {[string, Node | string, string, string][]} */
    const rows = [
      ["preflight.images", make("span", {}, ...classes, ` · ${t("preflight.validation", { n: found.validation })}`), "", ""],
      ["preflight.patients", found.patients === null ? t("preflight.patients_unknown") : patientsText(state), found.patients === null ? "fair" : "", "evaluation.patient_id"],
      ["preflight.duplicates_label", duplicatesOf(state, found), "", ""],
      ["preflight.weights", t(`preflight.weights.${found.weights}`), marks[found.weights], atFault ?? "model.architecture"],
      ["preflight.duration", timeOf(found), "", ""],
      ["preflight.memory", found.memory_gb === null ? t("preflight.memory_unknown") : t("model.at_most", { memory: format.number(found.memory_gb, 1) }), "", ""],
    ];
    const list = make("dl", {}, ...rows.map(([key, value, mark, setting]) => make("div", { class: mark }, make("dt", { text: t(key) }), make("dd", {}, value, ...linkTo(["fair", "bad"].includes(mark) ? setting : "")))));
    const advice = found.advice.length ? [make("ul", { class: "preflight-advice" }, ...found.advice.map((each) => make("li", {}, said(each), ...linkTo(typeof each === "string" ? "" : String(each.params.setting ?? "")), ...offerOf(each, context))))] : [];
    return [make("p", { class: "preflight-of" }, name(found.data), " · ", found.architecture), list, ...advice];
  }

  /** @param {Context} context */
  function create(context) {
    /** @type {number | undefined} */
    let timer;
    let asked = 0;
    let askedFor = "";
    /** Look once the form rests. @param {State} state */
    function look(state) {
      const order = context.order?.();
      if (order === undefined || state.connection.phase !== "connected" || state.session.state !== "idle") return;
      const now = JSON.stringify([order, state.connection.count, state.run?.outcome?.seq ?? null, state.estimate?.time ?? null]);
      clearTimeout(timer);
      if (now === askedFor) return;
      timer = setTimeout(() => {
        askedFor = now;
        asked += 1;
        const mine = asked;
        context.connection.request("pre_flight", order, { quiet: true }).then(
          () => {},
          ({ event }) => mine === asked && event && context.store.dispatch({ type: "@not_looked", fault: event }),
        );
      }, LOOK_AFTER_MS);
    }

    /** @param {State} state */
    function show(state) {
      const { preFlight: found, preFlightFault: fault } = state;
      byId("pre-flight").hidden = found === null && fault === null;
      if (fault !== null) fill(byId("pre-flight-body"), faultOf(fault));
      else if (found !== null) fill(byId("pre-flight-body"), ...bodyOf(state, found, context));
    }

    return {
      within: "training",
      /** @param {State} state */
      render(state) {
        look(state);
        show(state);
      },
      /** @param {State} state */
      slice: (state) => [state.form, state.welcome, state.connection.phase, state.session.state, state.preFlight, state.preFlightFault, state.audit, state.estimate],
    };
  }

  BreastAI.views.preFlight = { create, patientsText };
})();
