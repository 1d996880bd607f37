/* The audit: what is wrong with the images, twins side by side, and what to do about them before a run. */
(function () {
  "use strict";

  const { byId, make, fill, name } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  const SEVERITIES = /** @type {const} */ (["error", "warning", "info"]);
  const CHOICES = ["group", "exclude", "continue"];
  const SHARES = new Set(["claimed", "half_width", "wished"]);

  /** The params of a finding as they are read. @param {Record<string, any>} params */
  function readable(params) {
    return Object.fromEntries(
      Object.entries(params).map(([key, value]) => {
        if (SHARES.has(key)) return [key, format.percent(value, 0)];
        return [key, typeof value === "number" && !Number.isInteger(value) ? format.number(value, 2) : value];
      }),
    );
  }

  /** A text of a finding: ours, or what the server wrote. @param {Wire.Finding} finding @param {"message" | "why" | "advice"} part */
  function textOf(finding, part) {
    const key = `finding.${finding.code}.${part}`;
    if (!BreastAI.i18n.has(key)) return make("span", { text: finding[part], attributes: { lang: "en" } });
    return make("span", { text: t(key, readable(finding.params)) });
  }

  /** @param {Wire.Finding} finding */
  function findingOf(finding) {
    const files = finding.files.slice(0, 20).map((file) => make("li", {}, name(file)));
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

  /** @param {Wire.TwinGroup} group */
  function twinsOf(group) {
    const members = group.files.slice(0, 4).map((file, index) => {
      const uri = group.pictures[index] ?? "";
      // Only pictures of the server's own making; anything else stays out.
      const picture = uri.startsWith("data:image/jpeg;base64,") ? make("img", { attributes: { src: uri, alt: t("audit.picture", { file }), loading: "lazy" } }) : null;
      return make("figure", {}, picture, make("figcaption", {}, name(file), " ", make("span", { class: "badge", text: group.classes[index] ?? "" })));
    });
    const differs = new Set(group.classes).size > 1;
    const crosses = new Set(group.splits).size > 1;
    const told = [differs ? t("audit.differs") : null, crosses ? t("audit.crosses") : null].filter((text) => text !== null).join(" · ");
    const more = group.files.length - members.length;
    return make(
      "li",
      { class: `twins ${differs ? "error" : crosses ? "warning" : ""}` },
      told ? make("p", { class: "twins-told", text: told }) : null,
      make("div", { class: "twins-row" }, ...members),
      more > 0 ? make("p", { class: "muted", text: plural("audit.more", more) }) : null,
    );
  }

  /** @param {Wire.AuditDone} audit @returns {(Node | null)[]} */
  function bodyOf(audit) {
    const summary = make("p", {}, name(audit.data), " · ", t("audit.summary", { images: format.integer(audit.images), groups: format.integer(audit.groups_total) }));
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
    /** The audit whose folder the field shows. @type {unknown} */
    let shownFor = null;
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
          folder.value = audit.data;
        }
        if (folder.value === "" && document.activeElement !== folder) folder.value = /** @type {HTMLInputElement} */ (byId("data-path")).value;
        fill(byId("audit-question"), asked !== null ? question(asked, Number(asked.params.groups ?? audit?.groups_total ?? 0)) : null);
        fill(byId("audit-body"), ...(audit === null ? [make("p", { class: "empty", text: t("audit.none") })] : bodyOf(audit)));
        const groups = audit?.groups ?? [];
        byId("twins-card").hidden = groups.length === 0;
        const more = (audit?.groups_total ?? 0) - groups.length;
        fill(
          byId("twins-body"),
          make("ul", { class: "twins-list" }, ...groups.map(twinsOf)),
          more > 0 ? make("p", { class: "muted", text: plural("audit.more_groups", more) }) : null,
        );
        BreastAI.actions.markAll(byId("view-audit"), state);
      },
      /** @param {State} state */
      slice: (state) => [state.audit, state.asked, state.welcome, state.session.state, state.connection.phase],
    };
  }

  BreastAI.views.audit = { create };
})();
