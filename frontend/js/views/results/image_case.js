/* An image in a list of cases: its picture, its name and what is said of it, and buttons that leave it out or give it another class. */
(function () {
  "use strict";

  const { make, fill, name, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  /** Only pictures of the server's own making. @param {string | null} uri @param {string} [alt] */
  function pictureOf(uri, alt = "") {
    if (uri === null || !BreastAI.views.dataDescription.isPicture(uri)) return make("span", { class: "no-picture", text: t("errors.gone") });
    return make("img", { attributes: { src: uri, alt, loading: "lazy" } });
  }

  /** @param {{ picture: string | null, alt?: string, file: string | null }} image @param {...(Node | null)} told */
  function create({ picture, alt, file }, ...told) {
    return make("li", {}, pictureOf(picture, alt), make("span", { class: "thumbnail-name" }, file === null ? BreastAI.format.NONE : name(file)), ...told);
  }

  /**
   * Buttons for an image of a data set that is kept, and below them what was decided.
   * @param {Connection} connection
   * @param {{ dataset: string | null, split: string | null, class_names: string[] }} found
   * @param {{ file: string, dataset_file: string | null, label: string }} image
   * @param {{ proposed?: string, actions?: CorrectionAction[], told?: string, decided: (done: Wire.DatasetCorrected, tell: (words: string) => void) => void }} how
   * @returns {HTMLElement[]}
   */
  function tools(connection, found, image, { proposed, actions = ["exclude", "relabel"], told = "", decided }) {
    const line = make("span", { class: "muted", attributes: { role: "status" } }, told);
    /** @param {CorrectionAction} action */
    async function decide(action) {
      const done = await BreastAI.views.corrections.ask(connection, found, action, [image], proposed);
      if (done !== null) decided(done, (words) => fill(line, words));
    }
    /** @param {CorrectionAction} action */
    const button = (action) => actionButton(`${action}_images`, t(`judged.${action}`), { class: "small", attributes: { "aria-label": `${t(`judged.${action}`)} ${image.file}` }, on: { click: () => decide(action) } });
    const there = found.dataset !== null && image.dataset_file !== null;
    return [make("span", { class: "button-row" }, ...(there ? actions.map(button) : [])), line];
  }

  BreastAI.views.imageCase = { pictureOf, create, tools };
})();
