/* One judged image large: as it is, with its lesion outlined, with its heat map; arrows, zoom, and what it was answered. */
(function () {
  "use strict";

  const { make, fill, name, label, terms, actionButton } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;
  const ZOOMS = [1, 1.5, 2, 3, 4, 6];
  const KINDS = /** @type {const} */ (["image", "heat_map", "mask", "both"]);

  /**
   * `closed`: told of the image that was shown last.
   * @param {{ connection: Connection, store: Store, closed: (image: Wire.JudgedImage | null) => void, step: (image: Wire.JudgedImage, by: number) => Promise<Wire.JudgedImage | null>, correct: (action: CorrectionAction, images: Wire.JudgedImage[]) => Promise<void> }} context
   */
  function create({ connection, store, step, correct, closed }) {
    /** @type {Wire.JudgedList | null} */
    let list = null;
    /** @type {Wire.JudgedImage | null} */
    let image = null;
    /** @type {Wire.JudgedPictures | null} */
    let pictures = null;
    /** @type {Map<string, string>} the heat maps drawn while the page is open, by image */
    const drawn = new Map();
    /** @type {typeof KINDS[number]} */
    let kind = "image";
    let zoom = 0;
    const title = make("h2", { attributes: { id: "lightbox-title" } });
    const stage = make("div", { class: "lightbox-stage", attributes: { tabindex: 0, role: "group" } });
    const bar = make("div", { class: "button-row lightbox-bar" });
    const facts = make("div", { class: "lightbox-facts" });
    const close = make("button", { class: "button small lightbox-close", attributes: { type: "button" }, data: { lightbox: "close" }, on: { click: () => dialog.close() } });
    const dialog = make("dialog", { class: "lightbox", attributes: { "aria-labelledby": "lightbox-title" } }, title, close, bar, stage, facts);
    document.body.append(dialog);

    /** @param {Wire.JudgedImage} [of] */
    const key = (of) => `${list?.judged_of}/${list?.name}/${(of ?? image)?.number}`;

    /** Ask for the pictures of the image shown. */
    function load() {
      if (list === null || image === null) return;
      const now = key();
      const heat = drawn.get(now);
      connection.request("show_judged", { run_id: list.judged_of, name: list.name, number: image.number, ...(heat === undefined ? {} : { heat_map: heat }) }, { quiet: true }).then(
        (answer) => {
          if (key() !== now) return;
          [image, pictures] = [answer.image, answer.pictures];
          draw();
        },
        () => {},
      );
      draw();
    }

    /** @param {number} by */
    async function go(by) {
      const next = image === null ? null : await step(image, by);
      if (next === null) return;
      [image, pictures, zoom] = [next, null, 0];
      load();
    }

    /** Have a heat map drawn of the image shown, by the checkpoint that was evaluated. */
    function drawHeatMap() {
      if (list === null || !pictures?.path) return;
      const now = key();
      const { path } = pictures;
      // The button rests while the map is drawn, and keys pressed on it would be heard by nobody.
      stage.focus();
      connection.request("explain_images", { images: [path], checkpoint: list.checkpoint || `${list.judged_of}/best` }).then(
        () => {
          const map = store.state().heatMaps.filter(({ file }) => file === path).at(-1);
          if (!map?.path) return;
          drawn.set(now, map.path);
          // Another image may be shown by now, as one wants to see it.
          if (key() !== now) return;
          kind = "heat_map";
          load();
        },
        () => {},
      );
    }

    /** Whether there is such a picture: both are the image and, beside it, its heat map. @param {typeof KINDS[number]} which */
    const isThere = (which) => which === "image" || Boolean(pictures?.[which === "both" ? "heat_map" : which]);

    /** @param {typeof KINDS[number]} which */
    function show(which) {
      if (!isThere(which)) return;
      kind = which;
      draw();
    }

    /** @param {number} by */
    function scale(by) {
      // What is in the middle stays there.
      const [x, y] = [(stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth, (stage.scrollTop + stage.clientHeight / 2) / stage.scrollHeight];
      zoom = Math.max(0, Math.min(ZOOMS.length - 1, zoom + by));
      draw();
      stage.scrollTo(x * stage.scrollWidth - stage.clientWidth / 2, y * stage.scrollHeight - stage.clientHeight / 2);
    }

    /** A picture of the image, or why there is none. @param {Exclude<typeof KINDS[number], "both">} which @param {string} file */
    function pictureOf(which, file) {
      const uri = pictures === null ? null : (pictures[which] ?? pictures.image);
      if (uri !== null && BreastAI.views.dataDescription.isPicture(uri)) return make("img", { attributes: { src: uri, alt: t(`lightbox.${pictures?.[which] ? which : "image"}_alt`, { file }) } });
      return make("p", { class: "muted", text: pictures === null ? t("runpage.waits") : pictures.problem ? BreastAI.i18n.say(pictures.problem) : t("errors.gone") });
    }

    /** @param {string} words @param {string} action @param {() => void} click @param {Record<string, string | boolean | null>} [attributes] */
    const button = (words, action, click, attributes = {}) => make("button", { class: "button small", text: words, attributes: { type: "button", ...attributes }, data: { lightbox: action }, on: { click } });

    function drawBar() {
      const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.lightbox;
      const kinds = KINDS.map((each) => button(t(`lightbox.${each}`), each, () => show(each), { "aria-pressed": String(kind === each), disabled: !isThere(each) }));
      const heat = pictures?.heat_map ? null : actionButton("explain_images", t("lightbox.draw_heat_map"), { class: "small", data: { blocked: pictures?.path ? "" : "reason.waiting" }, on: { click: drawHeatMap } });
      const corrections = list?.dataset == null || image === null ? [] : /** @type {const} */ (["exclude", "relabel", "restore"]).map((action) => button(t(`judged.${action}`), action, () => image !== null && correct(action, [image]).then(load), { disabled: action === "restore" && image?.correction === null }));
      fill(bar, button(t("lightbox.previous"), "previous", () => go(-1)), button(t("lightbox.next"), "next", () => go(1)), ...kinds, heat, button(t("lightbox.smaller"), "smaller", () => scale(-1), { disabled: zoom === 0 }), button(t("lightbox.larger"), "larger", () => scale(1), { disabled: zoom === ZOOMS.length - 1 }), ...corrections);
      BreastAI.actions.markAll(bar, store.state());
      const again = focused === undefined ? null : /** @type {HTMLButtonElement | null} */ (bar.querySelector(`[data-lightbox="${focused}"]`));
      if (again !== null) (again.disabled ? stage : again).focus();
      else if (dialog.open && document.activeElement === document.body) stage.focus();
    }

    function draw() {
      if (image === null) return;
      const file = image.file ?? t("errors.gone");
      fill(title, name(file));
      close.textContent = t("lightbox.close");
      stage.setAttribute("aria-label", t("lightbox.stage", { file }));
      const beside = kind === "both" && isThere("both");
      stage.classList.toggle("both", beside);
      stage.style.setProperty("--zoom", String(ZOOMS[zoom]));
      fill(stage, ...(beside ? /** @type {const} */ (["image", "heat_map"]) : [kind === "both" ? "image" : kind]).map((which) => pictureOf(which, file)));
      /** @type {[string, Node | string][]} */
      const rows = [[t("judged.truth"), label(image.label)], [t("judged.predicted"), make("span", {}, label(image.predicted), ` (${format.figure(image.probability)})`)], [t("judged.given_to_truth"), format.figure(image.given_to_truth)], [t("judged.refer"), BreastAI.views.judgedImages.referOf(image.refer)]];
      if (image.patient !== null) rows.push([t("judged.patient"), name(image.patient)]);
      for (const [group, value] of Object.entries(image.subgroups)) rows.push([group, value || format.NONE]);
      fill(facts, BreastAI.views.judgedImages.correctionOf(image), terms(rows), make("p", { class: "muted", text: t("lightbox.keys") }));
      drawBar();
    }

    dialog.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      /** @type {Record<string, () => void>} */
      const keys = { ArrowLeft: () => go(-1), ArrowRight: () => go(1), "+": () => scale(1), "-": () => scale(-1), "0": () => scale(-ZOOMS.length), "1": () => show("image"), "2": () => show("heat_map"), "3": () => show("mask"), "4": () => show("both") };
      if (keys[event.key] === undefined) return;
      event.preventDefault();
      keys[event.key]();
    });
    dialog.addEventListener("close", () => closed(image));
    BreastAI.i18n.onChange(() => dialog.open && draw());
    return {
      /** @param {Wire.JudgedList} found @param {Wire.JudgedImage} first */
      open(found, first) {
        [list, image, pictures, kind, zoom] = [found, first, null, "image", 0];
        load();
        dialog.showModal();
        stage.focus();
      },
    };
  }

  BreastAI.views.lightbox = { create };
})();
