/* What is asked before an export: the format, and the other runs that are averaged with it into one model. */
(function () {
  "use strict";

  const { make, fill, name } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { catalog, format } = BreastAI;
  /** The request takes no more. */
  const MOST = 19;
  const AVERAGED = "onnx";
  let last = AVERAGED;

  /**
   * Why `other` can't be averaged with `entry`: the key of a text, or null where it can.
   * @param {Wire.CheckpointEntry} entry
   * @param {Wire.CheckpointEntry} other
   */
  function whyNot(entry, other) {
    if (other.problem !== null) return "export.not.damaged";
    if (JSON.stringify(other.class_names) !== JSON.stringify(entry.class_names)) return "export.not.classes";
    if (other.validated_on === null || other.validated_on !== entry.validated_on) return "export.not.validation";
    if (other.image_input !== entry.image_input) return "export.not.images";
    return other.sha256 === entry.sha256 ? "export.not.weights" : null;
  }

  /** @param {Wire.CheckpointEntry} entry @param {State} state @returns {HTMLSelectElement} */
  function formatField(entry, state) {
    const names = catalog.names(state.welcome?.catalog, "export_formats");
    const options = names.map((value) => make("option", { text: BreastAI.i18n.has(`format.${value}`) ? t(`format.${value}`) : value, attributes: { value } }));
    const select = make("select", { attributes: { id: "export-format" } }, ...options);
    if (names.includes(last)) select.value = last;
    return select;
  }

  /**
   * Ask, then send the request.
   * @param {Context} context
   * @param {Wire.CheckpointEntry} entry
   */
  async function ask({ connection, store }, entry) {
    const state = store.state();
    const select = formatField(entry, state);
    // Of each other run its best weights: those it would answer by.
    const others = (state.checkpoints ?? []).filter(({ checkpoint, run_id }) => run_id !== entry.run_id && checkpoint === `${run_id}/best`);
    const fitting = others.filter((other) => whyNot(entry, other) === null);
    const boxes = fitting.map((other) => make("input", { attributes: { type: "checkbox" }, data: { average: other.checkpoint } }));
    const chosen = () => boxes.filter(({ checked }) => checked).map((box) => String(box.dataset.average));

    const note = make("p", { class: "field-help", attributes: { role: "status" } });
    function show() {
      const count = chosen().length;
      if (count > 0) select.value = AVERAGED;
      select.disabled = count > 0;
      for (const box of boxes) box.disabled = !box.checked && count >= MOST;
      note.textContent = count === 0 ? "" : plural("export.averaged", count + 1);
    }
    for (const box of boxes) box.addEventListener("change", show);

    const rows = fitting.map((other, index) => make("li", {}, make("label", {}, boxes[index], " ", name(other.run_id), " ", make("small", { class: "muted", text: aboutOf(other) }))));
    const list = rows.length === 0 ? make("p", { class: "empty", text: t("export.average_none") }) : make("ul", { class: "plain-list export-others" }, ...rows);
    const unfit = others.filter((other) => !fitting.includes(other));
    const group = make(
      "fieldset",
      { class: "export-average" },
      make("legend", { text: t("export.average") }),
      make("p", { class: "field-help", text: t("export.average_help") }),
      list,
      note,
      unfit.length === 0 ? null : unfitList(entry, unfit),
      make("p", { class: "field-help" }, t("export.average_more"), " ", name(`logs/${entry.run_id}/split.json`)),
    );
    const body = make("div", {});
    fill(body, make("div", { class: "field" }, make("label", { text: t("checkpoints.format"), attributes: { for: "export-format" } }), select), group);
    const yes = await BreastAI.views.dialog.ask({ title: t("export.title"), text: name(entry.checkpoint), confirm: t("checkpoints.export"), body });
    if (!yes) return;
    if (chosen().length === 0) last = select.value;
    connection.request("export_model", { checkpoint: entry.checkpoint, format: select.value, others: chosen() }).catch(() => {});
  }

  /** @param {Wire.CheckpointEntry} other */
  function aboutOf(other) {
    const auc = other.metrics.auc_roc ?? null;
    return [other.architecture ?? "", auc === null ? "" : `${t("metric.auc_roc")} ${format.figure(auc)}`].filter((part) => part !== "").join(" · ");
  }

  /** @param {Wire.CheckpointEntry} entry @param {Wire.CheckpointEntry[]} unfit */
  function unfitList(entry, unfit) {
    const rows = unfit.map((other) => make("li", {}, name(other.run_id), " ", make("span", { class: "muted", text: t(String(whyNot(entry, other))) })));
    return make("details", {}, make("summary", { text: plural("export.unfit", unfit.length) }), make("ul", { class: "plain-list export-others" }, ...rows));
  }

  BreastAI.views.exportDialog = { ask };
})();
