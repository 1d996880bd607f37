/* What models that decide by breast, exam or patient say of each, from all its images: which of them count most. */
(function () {
  "use strict";

  const { byId, make, fill, name, said } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  /** The images of a unit, the one that counts most first. @param {Wire.UnitPrediction} said */
  function imagesOf({ images }) {
    const rows = images.map(({ file, share }) => make("li", {}, make("meter", { attributes: { min: 0, max: 1, value: share, "aria-label": `${file} ${format.percent(share, 0)}` } }), " ", name(file), " ", make("span", { class: "muted", text: format.percent(share, 0) })));
    return make("details", {}, make("summary", { text: plural("units.answer.images", images.length, { file: images[0].file, share: format.percent(images[0].share, 0) }) }), make("ul", { class: "shares" }, ...rows));
  }

  /** @param {Wire.UnitPrediction} answer @param {boolean} several whether several models were asked */
  function cardOf(answer, several) {
    const { decisionOf, plausibleOf, chances, referralOf } = BreastAI.views.answers;
    const plausible = plausibleOf(answer);
    return make(
      "li",
      { class: "answer unit-answer" },
      make("h4", {}, t(`units.one.${answer.unit}`), " ", name(answer.name), several && answer.model !== null ? make("span", { class: "muted" }, " · ", name(answer.model)) : null),
      make("p", { class: "decision", text: decisionOf(answer) }),
      plausible === null ? null : make("p", { class: "plausible", text: plausible }),
      chances(answer),
      referralOf(answer),
      imagesOf(answer),
      answer.failed > 0 ? make("p", { class: "banner warning", text: plural("units.answer.unread", answer.failed) }) : null,
    );
  }

  /** Show the answers by unit, where there are any. @param {NonNullable<State["asking"]>} asking */
  function show(asking) {
    const { units, notes } = asking;
    byId("answers-units").hidden = units.length + notes.length === 0;
    fill(byId("answers-units-notes"), ...notes.map((note) => make("p", { class: "banner" }, said(note))));
    fill(byId("answers-units-list"), ...units.map((unit) => cardOf(unit, asking.models.length > 1)));
  }

  BreastAI.views.unitAnswers = { show };
})();
