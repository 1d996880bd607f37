/* Duplicates that an audit found, side by side: which labels and splits they have, and buttons that correct those of a data set that is kept. */
(function () {
  "use strict";

  const { byId, make, fill, label } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const SHOWN = 4;

  /** @param {Connection} connection */
  function create(connection) {
    /** What was corrected here since the audit was told of. @type {Map<string, Wire.DatasetCorrected>} */
    let since = new Map();
    /** @type {Wire.AuditDone | null} */
    let shown = null;

    /** What was decided, in words. @param {Wire.DatasetCorrected | undefined} done */
    function decisionOf(done) {
      if (done === undefined || done.action === "restore") return "";
      return done.action === "exclude" ? t("judged.excluded") : t("judged.relabelled", { label: label(done.label ?? "").textContent ?? "" });
    }

    /** @param {Wire.AuditDone} audit @param {Wire.TwinGroup} group @param {number} index */
    function memberOf({ dataset, class_names }, group, index) {
      const [file, className, split] = [group.files[index], group.classes[index], group.splits[index]];
      const done = since.get(file);
      const image = { file, label: className, dataset_file: group.dataset_files[index] ?? null };
      const tools = BreastAI.views.imageCase.tools(connection, { dataset, split: split || "all", class_names }, image, {
        proposed: group.classes.find((each) => each !== className),
        actions: done === undefined || done.action === "restore" ? ["exclude", "relabel"] : ["restore"],
        told: decisionOf(done),
        decided: (corrected) => {
          since.set(file, corrected);
          draw();
        },
      });
      const picture = { picture: group.pictures[index] ?? null, alt: t("audit.picture", { file }), file: BreastAI.format.place(file) };
      return BreastAI.views.imageCase.create(picture, make("span", {}, make("span", { class: "badge" }, label(className))), ...tools);
    }

    /** @param {Wire.AuditDone} audit @param {Wire.TwinGroup} group */
    function groupOf(audit, group) {
      const members = group.files.slice(0, SHOWN).map((_, index) => memberOf(audit, group, index));
      const differs = new Set(group.classes).size > 1;
      const crosses = new Set(group.splits).size > 1;
      const told = [differs ? t("audit.differs") : null, crosses ? t("audit.crosses") : null].filter((text) => text !== null).join(" · ");
      const more = group.files.length - members.length;
      return make(
        "li",
        { class: `twins ${differs ? "error" : crosses ? "warning" : ""}` },
        told ? make("p", { class: "twins-told", text: told }) : null,
        make("ul", { class: "thumbnails wrong-cases" }, ...members),
        more > 0 ? make("p", { class: "muted", text: plural("audit.more", more) }) : null,
      );
    }

    function draw() {
      const audit = shown;
      const groups = audit?.groups ?? [];
      byId("twins-card").hidden = groups.length === 0;
      if (audit === null) return;
      const more = audit.groups_total - groups.length;
      fill(
        byId("twins-body"),
        audit.dataset === null ? make("p", { class: "muted", text: t("judged.no_dataset") }) : null,
        make("ul", { class: "twins-list" }, ...groups.map((group) => groupOf(audit, group))),
        more > 0 ? make("p", { class: "muted", text: plural("audit.more_groups", more) }) : null,
      );
    }

    return {
      /** @param {Wire.AuditDone | null} audit */
      render(audit) {
        if (audit !== shown) since = new Map();
        shown = audit;
        draw();
      },
    };
  }

  BreastAI.views.twins = { create };
})();
