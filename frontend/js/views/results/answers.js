/* What models said of the images handed over: the picture under its heat map, probabilities, the decision, and where two models differ. */
(function () {
  "use strict";

  const { byId, make, fill, name } = BreastAI.elements;
  const { t, className } = BreastAI.i18n;
  const { format } = BreastAI;

  /** @param {string | null} uri */
  function isMap(uri) {
    return uri !== null && uri.startsWith("data:image/png;base64,");
  }

  /** Whether all models of an answer decide the same; an image none could read is no difference. @param {Wire.ImageAnswer} answer */
  function agree(answer) {
    // A model without a threshold calls nothing: that is no disagreement with one that has one.
    const called = answer.answers.map(({ prediction }) => prediction.called).filter((each) => each !== null);
    return new Set(answer.answers.map(({ prediction }) => prediction.decision ?? prediction.label)).size <= 1 && new Set(called).size <= 1;
  }

  /** Why an image is of another kind than those learnt from. @type {Set<string>} */
  const NO_ANSWER = new Set(["unlike", "modality"]);

  /** What was done to an image, in words. @param {Wire.Processing} done */
  function processingText(done) {
    const parts = [
      t("data.size", { width: format.integer(done.width), height: format.integer(done.height) }),
      t(done.colour ? "preview.colour" : "preview.grey"),
      done.crop === null ? null : t("answers.cropped", { width: format.integer(done.crop[2]), height: format.integer(done.crop[3]) }),
      done.flipped ? t("answers.mirrored") : null,
      t("answers.resized", { how: BreastAI.i18n.has(`option.preprocessing.resize.${done.resize}`) ? t(`option.preprocessing.resize.${done.resize}`) : done.resize, side: format.integer(done.image_size) }),
      done.clahe ? "CLAHE" : null,
    ];
    return parts.filter((part) => part !== null).join(" · ");
  }

  /** The one answer and the threshold it rests on, in a sentence. @param {Said} said */
  function decisionOf(said) {
    // To an image of another kind there is no answer, whatever the network computes.
    if (NO_ANSWER.has(said.refer_reason ?? "")) return t("answers.no_answer");
    const decision = className(said.decision ?? said.label);
    if (said.called === null || said.target_class === null) return t("answers.no_operating_point", { decision });
    return t(said.called ? "answers.called" : "answers.not_called", {
      decision,
      class_name: className(said.target_class),
      probability: format.figure(said.probabilities?.[said.target_class]),
      threshold: format.figure(said.threshold),
    });
  }

  /** Which classes can't be ruled out, in a sentence; null in answers that don't say. @param {Said} said */
  function plausibleOf(said) {
    if (NO_ANSWER.has(said.refer_reason ?? "")) return null;
    if (said.plausible.length > 0) return t("answers.plausible", { classes: said.plausible.map(className) });
    if (said.sets_offered === null || said.sets_offered === undefined) return null;
    return t(said.sets_offered ? "answers.none_plausible" : "answers.no_sets");
  }

  /** Whether a human should decide, and why. @param {Said} said */
  function referralOf(said) {
    if (said.refer === null) return make("p", { class: "muted", text: t("answers.refer_unknown") });
    // Who can't say which classes are plausible knows half of the reasons: that is no green light.
    if (!said.refer && said.sets_offered === false) return make("p", { class: "banner", text: t("answers.no_refer_by_novelty") });
    if (!said.refer) return make("p", { class: "banner success", text: t("answers.no_refer") });
    const values = { classes: said.plausible.map(className), decision: className(said.decision), novelty: format.number(said.novelty, 2), limit: format.number(said.novelty_limit, 2), modality: said.modality, known: said.known_modalities };
    const why = said.refer_reason === null ? "" : t(`answers.refer.${said.refer_reason}`, values);
    return make("p", { class: "banner warning" }, make("b", { text: t("answers.refer") }), " ", why);
  }

  /** @param {Said} said */
  function chances(said) {
    const rows = Object.entries(said.probabilities ?? {})
      .sort((one, other) => other[1] - one[1])
      .map(([label, value]) =>
        make("div", {}, make("dt", {}, BreastAI.elements.label(label)), make("dd", {}, make("meter", { attributes: { min: 0, max: 1, value, "aria-label": `${className(label)} ${format.figure(value)}` } }), make("b", { text: format.figure(value) }))),
      );
    const list = make("dl", { class: "chances" }, ...rows);
    return NO_ANSWER.has(said.refer_reason ?? "") ? make("details", {}, make("summary", { text: t("answers.computed") }), list) : list;
  }

  function create() {
    const opacity = /** @type {HTMLInputElement} */ (byId("answers-opacity"));
    const differing = /** @type {HTMLInputElement} */ (byId("answers-differing"));
    /** @type {State["asking"]} */
    let shown = null;

    /** Lay the maps over their pictures as strongly as the slider says. */
    function applyOpacity() {
      for (const map of /** @type {NodeListOf<HTMLElement>} */ (byId("answers-list").querySelectorAll(".heat"))) map.style.opacity = String(Number(opacity.value) / 100);
      byId("answers-opacity-told").textContent = format.percent(Number(opacity.value) / 100, 0);
    }

    /** @param {Wire.ImageAnswer} answer @param {Wire.ModelAnswer} said */
    function pictureOf(answer, said) {
      if (answer.picture === null || !BreastAI.views.dataDescription.isPicture(answer.picture)) return null;
      const crop = said.prediction.processing?.crop ?? null;
      const whole = said.prediction.processing;
      const frame = make("div", { class: "stack" }, make("img", { attributes: { src: answer.picture, alt: t("answers.picture_alt", { file: answer.name }) } }));
      if (said.heat_map !== null && isMap(said.heat_map)) frame.append(make("img", { class: "heat", attributes: { src: said.heat_map, alt: t("answers.map_alt", { class_name: className(said.prediction.decision ?? said.prediction.label) }) } }));
      if (crop !== null && whole !== null) {
        const box = make("div", { class: "crop-box", attributes: { title: t("answers.crop_box") } });
        box.style.left = `${(100 * crop[0]) / whole.width}%`;
        box.style.top = `${(100 * crop[1]) / whole.height}%`;
        box.style.width = `${(100 * crop[2]) / whole.width}%`;
        box.style.height = `${(100 * crop[3]) / whole.height}%`;
        frame.append(box);
      }
      BreastAI.views.lesionBox.attach(frame, answer);
      return frame;
    }

    /** @param {Wire.ImageAnswer} answer @param {Wire.ModelAnswer} said */
    function answerOf(answer, said) {
      const { prediction } = said;
      const title = make("h5", {}, name(said.model));
      if (prediction.error !== null) return make("section", { class: "model-answer" }, title, pictureOf(answer, said), BreastAI.views.lesionBox.help(answer), make("p", { class: "banner error" }, BreastAI.elements.said(prediction.error_text ?? prediction.error)));
      return make(
        "section",
        { class: "model-answer" },
        title,
        pictureOf(answer, said),
        BreastAI.views.lesionBox.help(answer),
        said.heat_map === null && answer.answers.some(({ heat_map: map }) => map !== null) ? make("p", { class: "muted", text: t("answers.no_map") }) : null,
        BreastAI.views.dataDescription.headerText(prediction) === "" ? null : make("p", { class: "muted", text: BreastAI.views.dataDescription.headerText(prediction) }),
        make("p", { class: "decision", text: decisionOf(prediction) }),
        plausibleOf(prediction) === null ? null : make("p", { class: "plausible", text: plausibleOf(prediction) ?? "" }),
        chances(prediction),
        referralOf(prediction),
        ...(prediction.notes ?? []).map((note) => make("p", { class: "banner warning" }, BreastAI.elements.said(note))),
        prediction.processing === null ? null : make("p", { class: "muted", text: `${t("answers.done_to_it")} ${processingText(prediction.processing)}` }),
      );
    }

    /** @param {Wire.ImageAnswer} answer */
    function rowOf(answer) {
      const two = answer.answers.length > 1;
      const same = agree(answer);
      const verdict = two ? make("span", { class: `pill ${same ? "phase-connected" : "phase-waiting"}`, text: t(same ? "answers.same" : "answers.different") }) : null;
      return make("li", { class: "answer", data: { same: String(same) } }, make("h4", {}, name(answer.name), " ", verdict), make("div", { class: "model-answers" }, ...answer.answers.map((said) => answerOf(answer, said))));
    }

    /** @param {NonNullable<State["asking"]>} asking */
    function show(asking) {
      const two = asking.models.length > 1;
      const read = asking.answers.filter((answer) => answer.picture !== null);
      const same = read.filter(agree).length;
      const progress = t("answers.progress", { n: format.integer(asking.answers.length), total: format.integer(asking.count) });
      const compared = two && read.length > 0 ? t("answers.agreement", { same, total: format.integer(read.length), different: format.integer(read.length - same) }) : null;
      byId("answers-summary").textContent = [progress, compared].filter((part) => part !== null).join(" ");
      byId("answers-filter").hidden = !two;
      byId("answers-slider").hidden = !asking.answers.some(({ answers }) => answers.some(({ heat_map: map }) => map !== null));
      const wanted = two && differing.checked ? asking.answers.filter((answer) => !agree(answer)) : asking.answers;
      fill(byId("answers-list"), ...wanted.map(rowOf));
      BreastAI.views.unitAnswers.show(asking);
      applyOpacity();
    }

    opacity.addEventListener("input", applyOpacity);
    differing.addEventListener("change", () => {
      if (shown !== null) show(shown);
    });

    return {
      /** @param {State} state */
      render(state) {
        shown = state.asking;
        byId("answers-card").hidden = shown === null;
        BreastAI.views.lesionBox.show();
        if (shown !== null) show(shown);
      },
      /** @param {State} state */
      slice: (state) => [state.asking],
    };
  }

  BreastAI.views.answers = { create, decisionOf, plausibleOf, chances, referralOf };
})();
