/* Boxes round lesions, drawn on the pictures of answers, for models that look at a lesion's surroundings alone. */
(function () {
  "use strict";

  const { byId, make } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  /** By the image's id: x, y, width and height in pixels of the image as stored. @type {Map<string, [number, number, number, number]>} */
  const drawn = new Map();

  /** Whether a model asked for a mark, or was given one. @param {Wire.ImageAnswer} answer */
  function wants(answer) {
    const codes = answer.answers.flatMap(({ prediction }) => [...(prediction.notes ?? []), prediction.error_text]);
    return drawn.has(answer.image) || codes.some((each) => each !== null && typeof each === "object" && ["note.no_mark", "reason.no_mark"].includes(each.code));
  }

  /** The boxes of images, in their order; none where nothing is drawn. @param {string[]} images */
  function boxesOf(images) {
    return images.some((image) => drawn.has(image)) ? images.map((image) => drawn.get(image) ?? null) : [];
  }

  function clear() {
    drawn.clear();
    show();
  }

  function show() {
    byId("lesion-ask").hidden = drawn.size === 0;
  }

  /** The box between two corners, as shares of the picture, in pixels. @param {number[]} corners @param {number} width @param {number} height @returns {[number, number, number, number]} */
  function boxBetween(corners, width, height) {
    const [left, right] = [corners[0], corners[2]].map((share) => Math.round(Math.min(1, Math.max(0, share)) * width)).sort((a, b) => a - b);
    const [top, bottom] = [corners[1], corners[3]].map((share) => Math.round(Math.min(1, Math.max(0, share)) * height)).sort((a, b) => a - b);
    return [Math.min(left, width - 1), Math.min(top, height - 1), Math.max(1, right - left), Math.max(1, bottom - top)];
  }

  /** Lay a drawn box over its picture. @param {HTMLElement} mark @param {[number, number, number, number]} box @param {number} width @param {number} height */
  function place(mark, box, width, height) {
    mark.hidden = false;
    mark.style.left = `${(100 * box[0]) / width}%`;
    mark.style.top = `${(100 * box[1]) / height}%`;
    mark.style.width = `${(100 * box[2]) / width}%`;
    mark.style.height = `${(100 * box[3]) / height}%`;
  }

  /** Let a box be drawn on a picture. @param {HTMLElement} frame @param {Wire.ImageAnswer} answer */
  function attach(frame, answer) {
    const { width, height } = answer;
    if (!wants(answer) || width === null || height === null) return;
    const mark = make("div", { class: "lesion-box", attributes: { title: t("lesion.box") } });
    mark.hidden = true;
    const known = drawn.get(answer.image);
    if (known !== undefined) place(mark, known, width, height);
    frame.classList.add("drawable");
    frame.append(mark);
    /** @type {number[] | null} */
    let corners = null;
    /** @param {PointerEvent} event */
    const at = (event) => {
      const edges = frame.getBoundingClientRect();
      return [(event.clientX - edges.left) / edges.width, (event.clientY - edges.top) / edges.height];
    };
    frame.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      frame.setPointerCapture(event.pointerId);
      corners = [...at(event), ...at(event)];
    });
    frame.addEventListener("pointermove", (event) => {
      if (corners === null) return;
      corners = [corners[0], corners[1], ...at(event)];
      place(mark, boxBetween(corners, width, height), width, height);
    });
    frame.addEventListener("pointerup", () => {
      if (corners === null) return;
      drawn.set(answer.image, boxBetween(corners, width, height));
      corners = null;
      show();
    });
    frame.addEventListener("pointercancel", () => {
      corners = null;
    });
  }

  /** What is said below a picture on which a lesion can be marked. @param {Wire.ImageAnswer} answer */
  function help(answer) {
    return wants(answer) && answer.width !== null ? make("p", { class: "muted", text: t("lesion.help") }) : null;
  }

  BreastAI.views.lesionBox = { attach, boxesOf, clear, help, show };
})();
