/* Leaving images out, giving them another class, or taking that back: asked first, and of test images said so. */
(function () {
  "use strict";

  const { make, label } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;

  /** The classes that images can be given: those seen, and of a data set that names its classes in order all of them. @param {Connection} connection @param {string} dataset @param {string[]} seen */
  async function classesOf(connection, dataset, seen) {
    try {
      const { datasets } = /** @type {Wire.DatasetsList} */ (await connection.request("list_datasets", {}, { quiet: true }));
      const described = datasets.find(({ name }) => name === dataset)?.class_names ?? [];
      return [...described, ...seen.filter((each) => !described.includes(each))];
    } catch {
      return seen;
    }
  }

  /**
   * Ask, then have the description of the data set corrected; returns what was, null where nothing was.
   * @param {Connection} connection
   * @param {{ dataset: string | null, split: string | null, class_names: string[] }} found
   * @param {CorrectionAction} action
   * @param {{ dataset_file: string | null, label: string }[]} images
   * @param {string} [proposed] the class that is likely
   * @returns {Promise<Wire.DatasetCorrected | null>}
   */
  async function ask(connection, found, action, images, proposed) {
    const files = images.map(({ dataset_file: file }) => file).filter((file) => file !== null);
    if (found.dataset === null || files.length === 0) return null;
    // Images judged as a whole, by no part of a run's own, are test images too.
    const tests = found.split === "test" || found.split === null;
    const classes = action === "relabel" ? await classesOf(connection, found.dataset, found.class_names) : [];
    const select = make("select", { attributes: { id: "correction-label" } }, ...classes.map((each) => make("option", { text: label(each).textContent ?? each, attributes: { value: each } })));
    const first = images[0]?.label;
    select.value = proposed ?? classes.find((each) => each !== first) ?? classes[0] ?? "";
    const note = make("input", { attributes: { id: "correction-note", type: "text", maxlength: 500, autocomplete: "off" } });
    const body = make(
      "div",
      {},
      tests ? make("p", { class: "banner warning", text: t("corrections.of_test") }) : null,
      action === "relabel" ? make("div", { class: "field" }, make("label", { text: t("corrections.label"), attributes: { for: "correction-label" } }), select) : null,
      action === "restore" ? null : make("div", { class: "field" }, make("label", { text: t("corrections.note"), attributes: { for: "correction-note" } }), note),
    );
    const text = `${plural("corrections.images", files.length, { name: found.dataset })} ${t(`corrections.${action}_text`)}`;
    const yes = await BreastAI.views.dialog.ask({ title: t(`corrections.${action}_title`), text, confirm: t(`judged.${action}`), danger: tests, body });
    if (!yes) return null;
    const fields = { name: found.dataset, action, files, note: note.value.trim(), test_images: tests, ...(action === "relabel" ? { label: select.value } : {}) };
    return connection.request("correct_dataset", fields).catch(() => null);
  }

  BreastAI.views.corrections = { ask };
})();
