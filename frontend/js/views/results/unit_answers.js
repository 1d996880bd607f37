/* What models that decide by breast, exam or patient say of each, from all its images: which of them count most. */
(function () {
  "use strict";

  const { byId, make, fill, name } = BreastAI.elements;
  const { t } = BreastAI.i18n;
  const { format } = BreastAI;

  /** The images of a unit, the one that counts most first. @param {Wire.UnitPrediction} said */
  function imagesOf({ images }) {
    const rows = images.map(({ file, share }) => make("li", {}, make("meter", { attributes: { min: 0, max: 1, value: share, "aria-label": `${file} ${format.percent(share, 0)}` } }), " ", name(file), " ", make("span", { class: "muted", text: format.percent(share, 0) })));
    return make("details", {}, make("summary", { text: t("units.answer.images", { images: format.integer(images.length), file: images[0].file, share: format.percent(images[0].share, 0) }) }), make("ul", { class: "shares" }, ...rows));
  }

  /** @param {Wire.UnitPrediction} said @param {boolean} several whether several models were asked */
  function cardOf(said, several) {
    const { decisionOf, plausibleOf, chances, referralOf } = BreastAI.views.answers;
    const plausible = plausibleOf(said);
    return make(
      "li",
      { class: "answer unit-answer" },
      make("h4", {}, t(`units.one.${said.unit}`), " ", name(said.name), several && said.model !== null ? make("span", { class: "muted" }, " · ", name(said.model)) : null),
      make("p", { class: "decision", text: decisionOf(said) }),
      plausible === null ? null : make("p", { class: "plausible", text: plausible }),
      chances(said),
      referralOf(said),
      imagesOf(said),
    );
  }

  /** Show the answers by unit, where there are any. @param {NonNullable<State["asking"]>} asking */
  function show(asking) {
    const units = asking.units ?? [];
    byId("answers-units").hidden = units.length === 0;
    fill(byId("answers-units-list"), ...units.map((said) => cardOf(said, asking.models.length > 1)));
  }

  BreastAI.views.unitAnswers = { show };
})();
