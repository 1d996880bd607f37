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
    return t("preflight.time", { low: format.roughly(low * 60).replace("~", ""), high: format.roughly(high * 60).replace("~", "") });
  }

  /** What an audit of these images found, if one was made. @param {State} state @param {Wire.PreFlightChecked} found */
  function duplicatesOf({ audit }, found) {
    const same = audit !== null && (found.data === audit.data || found.data.startsWith(`${audit.data}/`));
    return same ? plural("preflight.duplicates", audit.groups_total) : t("preflight.duplicates_later");
  }

  /** @param {State} state @param {Wire.PreFlightChecked} found @returns {Node[]} */
  function bodyOf(state, found) {
    const classes = Object.entries(found.classes).flatMap(([each, count], index) => [index ? " · " : "", label(each), ` ${format.integer(count)}`]);
    const marks = { here: "good", to_fetch: "fair", none: "bad" };
    /** @type {[string, Node | string, string][]} */
    const rows = [
      ["preflight.images", make("span", {}, ...classes, ` · ${t("preflight.validation", { n: found.validation })}`), ""],
      ["preflight.patients", found.patients === null ? t("preflight.patients_unknown") : format.integer(found.patients), found.patients === null ? "fair" : ""],
      ["preflight.duplicates_label", duplicatesOf(state, found), ""],
      ["preflight.weights", t(`preflight.weights.${found.weights}`), marks[found.weights]],
      ["preflight.duration", timeOf(found), ""],
      ["preflight.memory", found.memory_gb === null ? t("preflight.memory_unknown") : t("model.at_most", { memory: format.number(found.memory_gb, 1) }), ""],
    ];
    const list = make("dl", {}, ...rows.map(([key, value, mark]) => make("div", { class: mark }, make("dt", { text: t(key) }), make("dd", {}, value))));
    const advice = found.advice.length ? [make("ul", { class: "preflight-advice" }, ...found.advice.map((each) => make("li", {}, said(each))))] : [];
    return [make("p", { class: "preflight-of" }, name(found.data), " · ", found.architecture), list, ...advice];
  }

  /** @param {Context} context */
  function create(context) {
    /** @type {number | undefined} */
    let timer;
    let asked = 0;
    let askedFor = "";
    let failed = false;

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
          () => { if (mine === asked) tell(false); },
          () => { if (mine === asked) tell(true); },
        );
      }, LOOK_AFTER_MS);
    }

    /** @param {boolean} fault whether there is nothing to look at */
    function tell(fault) {
      failed = fault;
      show(context.store.state());
    }

    /** @param {State} state */
    function show(state) {
      const found = state.preFlight;
      byId("pre-flight").hidden = found === null && !failed;
      fill(byId("pre-flight-body"), ...(failed || found === null ? [make("p", { class: "field-help", text: t("preflight.nothing") })] : bodyOf(state, found)));
    }

    return {
      within: "training",
      /** @param {State} state */
      render(state) {
        look(state);
        show(state);
      },
      /** @param {State} state */
      slice: (state) => [state.form, state.welcome, state.connection.phase, state.session.state, state.preFlight, state.audit, state.estimate],
    };
  }

  BreastAI.views.preFlight = { create };
})();
