/* The audit: what is wrong with the images, and what to do about it before a run. */
(function () {
  "use strict";

  const { byId, make, fill, name } = BreastAI.elements;
  const { t, plural, className } = BreastAI.i18n;
  const { format } = BreastAI;

  const SEVERITIES = /** @type {const} */ (["error", "warning", "info"]);
  const CHOICES = ["group", "exclude", "continue"];
  const SHARES = new Set(["claimed", "half_width", "wished"]);
  const FIGURES = new Set(["auc", "low", "high"]);

  /** How many cases of each class each part has. @param {{ split: string, class_name: string, n: number }[]} cases */
  function listed(cases) {
    const parts = [...new Set(cases.map(({ split }) => split))];
    const texts = parts.map((part) => {
      const counts = cases.filter(({ split }) => split === part).map(({ class_name, n }) => `${className(class_name)} ${format.integer(n)}`);
      return t("audit.part", { part: t(`split.${part}`), counts });
    });
    return texts.join(t("list.lines"));
  }

  /** The params of a finding as they are read. @param {Record<string, any>} params */
  function readable(params) {
    return Object.fromEntries(
      Object.entries(params).map(([key, value]) => {
        if (key === "listed" && Array.isArray(params.cases)) return [key, listed(params.cases)];
        if (key === "by_class") return [key, String(value).split(", ").map((part) => part.replace(/^.+(?= \d+$)/, className)).join(", ")];
        if (SHARES.has(key)) return [key, format.percent(value, 0)];
        if (FIGURES.has(key) && typeof value === "number") return [key, format.fixed(value, 2)];
        return [key, typeof value === "number" && !Number.isInteger(value) ? format.number(value, 2) : value];
      }),
    );
  }

  /** A text of a finding: ours, or what the server wrote. @param {Wire.Finding} finding @param {"message" | "why" | "advice"} part */
  function textOf(finding, part) {
    const key = `finding.${finding.code}.${part}`;
    if (!BreastAI.i18n.has(key)) return make("span", { text: finding[part], attributes: { lang: "en" } });
    // On the page one does not type commands.
    const own = BreastAI.i18n.has(`${key}.page`) ? `${key}.page` : key;
    return make("span", {}, ...BreastAI.elements.linked(t(own, readable(finding.params))));
  }

  /** @param {Wire.Finding} finding */
  function findingOf(finding) {
    const files = finding.files.slice(0, 20).map((file) => make("li", {}, name(BreastAI.format.place(file))));
    const more = finding.count - files.length;
    const rest = more > 0 ? make("p", { class: "muted", text: plural("audit.more", more) }) : null;
    const list = files.length ? make("details", {}, make("summary", { text: plural("audit.files", finding.count) }), make("ul", {}, ...files), rest) : null;
    return make(
      "li",
      { class: `finding ${finding.severity}` },
      make("p", {}, make("b", {}, textOf(finding, "message"))),
      make("p", { class: "muted" }, textOf(finding, "why"), " ", textOf(finding, "advice")),
      list,
    );
  }

  /** @param {Wire.AuditDone} audit @returns {(Node | null)[]} */
  function bodyOf(audit) {
    const summary = make("p", {}, name(audit.data), " · ", t("audit.summary", { images: audit.images, groups: format.integer(audit.groups_total) }));
    const limits = make("p", { class: "muted", text: t("audit.limits") });
    if (audit.findings.length === 0) return [summary, make("p", { class: "banner success", text: t("audit.clean") }), limits];
    const parts = SEVERITIES.map((severity) => {
      const found = audit.findings.filter((finding) => finding.severity === severity);
      if (found.length === 0) return null;
      return make("section", {}, make("h3", { text: t(`severity.${severity}`) }), make("ul", { class: "findings" }, ...found.map(findingOf)));
    });
    return [summary, ...parts, limits];
  }

  /** @param {Context} context */
  function create(context) {
    const { connection } = context;
    const folder = /** @type {HTMLInputElement} */ (byId("audit-path"));
    const doubtful = /** @type {HTMLInputElement} */ (byId("doubts-path"));
    /** The audit whose folder the field shows. @type {unknown} */
    let shownFor = null;
    const twins = BreastAI.views.twins.create(connection);
    byId("audit-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const data = folder.value.trim();
      if (data !== "") connection.request("audit_data", { ...context.order?.(), data }).catch(() => {});
    });

    /** What to do about duplicates and leaks, asked before a job. @param {Wire.LeakQuestion} found @param {number} groups */
    function question(found, groups) {
      const doubtful = found.code === "data.leaks_doubtful";
      const buttons = CHOICES.map((choice) =>
        BreastAI.elements.actionButton("answer_leaks", t(`audit.choose_${choice}`), {
          class: choice === "group" && !doubtful ? "primary" : "",
          on: {
            click: () => {
              location.hash = "#training";
              connection.request("answer_leaks", { choice }).catch(() => {});
            },
          },
        }),
      );
      const never = make("button", { class: "button quiet", text: t("dialog.cancel"), attributes: { type: "button" }, on: { click: () => connection.request("answer_leaks", { choice: null }).catch(() => {}) } });
      return make("div", { class: "banner warning" }, make("p", { text: doubtful ? t(`error.${found.code}`, found.params) : t(groups > 0 ? "audit.question" : "audit.question_patients") }), make("div", { class: "button-row" }, ...buttons, never));
    }

    return {
      within: "audit",
      /** @param {State} state */
      render(state) {
        const { audit, asked } = state;
        // What is shown below is of this folder.
        if (audit !== null && audit !== shownFor) {
          shownFor = audit;
          folder.value = doubtful.value = audit.data;
        }
        for (const field of [folder, doubtful]) if (field.value === "" && document.activeElement !== field) field.value = /** @type {HTMLInputElement} */ (byId("data-path")).value;
        fill(byId("audit-question"), asked !== null ? question(asked, Number(asked.params.groups ?? audit?.groups_total ?? 0)) : null);
        fill(byId("audit-body"), ...(audit === null ? [make("p", { class: "empty", text: t("audit.none") })] : bodyOf(audit)));
        twins.render(audit);
      },
      /** @param {State} state */
      slice: (state) => [state.audit, state.asked, state.welcome, state.session.state, state.connection.phase],
    };
  }

  BreastAI.views.audit = { create };
})();
