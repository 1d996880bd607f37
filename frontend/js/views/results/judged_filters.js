/* What of an evaluation's images is shown: which evaluation, class, answer, referral, subgroup, and words of a name. */
(function () {
  "use strict";

  const { make, fill } = BreastAI.elements;
  const { t } = BreastAI.i18n;

  /** What the form was drawn for: it is drawn anew only for another evaluation, so that it keeps its focus. @type {WeakMap<Element, string>} */
  const drawnFor = new WeakMap();

  /** @param {string} id @param {string} words @param {[string, string][]} options @param {string} value @param {(value: string) => void} changed */
  function choice(id, words, options, value, changed) {
    const select = make("select", { attributes: { id }, on: { change: () => changed(select.value) } }, ...options.map(([each, text]) => make("option", { text, attributes: { value: each } })));
    select.value = value;
    return make("div", { class: "field" }, make("label", { text: words, attributes: { for: id } }), select);
  }

  /** @param {boolean | null} value */
  const plain = (value) => (value === null ? "" : String(value));
  /** @param {string} value */
  const meant = (value) => (value === "" ? null : value === "true");

  /**
   * @param {HTMLFormElement} form
   * @param {State} state
   * @param {Wire.JudgedList} found
   * @param {any} only what is shown now
   * @param {(changes: Record<string, unknown>, evaluation?: string) => void} narrow changes that, or the evaluation too
   */
  function show(form, state, found, only, narrow) {
    const evaluations = (state.results[found.judged_of]?.results ?? []).filter(({ kind }) => kind === "evaluation");
    const now = JSON.stringify([BreastAI.i18n.current(), found.judged_of, found.name, evaluations.length, found.class_names, Object.keys(found.subgroups), { ...only, search: "" }]);
    if (drawnFor.get(form) === now) return;
    const focused = form.contains(document.activeElement) ? document.activeElement?.id : undefined;
    // What is being typed is not what was asked for yet.
    const typed = focused === "judged-search" ? form.querySelector("input")?.value : undefined;
    drawnFor.set(form, now);
    form.setAttribute("aria-label", t("judged.filters"));
    /** With the words as they stand in their field: they may have been typed since. @param {Record<string, unknown>} changes @param {string} [evaluation] */
    const change = (changes, evaluation) => {
      clearTimeout(timer);
      narrow({ search: search.value, ...changes }, evaluation);
    };
    const any = /** @type {[string, string]} */ (["", t("judged.any")]);
    const classes = found.class_names.map((each) => /** @type {[string, string]} */ ([each, BreastAI.elements.label(each).textContent ?? each]));
    /** @param {string} yes @param {string} no @returns {[string, string][]} */
    const yesNo = (yes, no) => [any, ["true", t(yes)], ["false", t(no)]];
    const search = make("input", { attributes: { id: "judged-search", type: "search", value: typed ?? only.search, autocomplete: "off", maxlength: 200 } });
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => change({}), 250);
    });
    const groups = Object.entries(found.subgroups).flatMap(([group, values]) => values.map((value) => /** @type {[string, string]} */ ([JSON.stringify([group, value]), `${group}: ${value || "–"}`])));
    const shown = evaluations.length ? evaluations.map((entry) => /** @type {[string, string]} */ ([entry.name, `${entry.name} · ${entry.dataset ?? entry.data ?? ""}`])) : [/** @type {[string, string]} */ ([found.name, `${found.name} · ${found.dataset ?? found.data}`])];
    fill(
      form,
      choice("judged-evaluation", t("judged.evaluation"), shown, found.name, (name) => change({ subgroup: null, subgroup_value: null }, name)),
      choice("judged-label", t("judged.truth"), [any, ...classes], only.label ?? "", (value) => change({ label: value || null })),
      choice("judged-predicted", t("judged.predicted"), [any, ...classes], only.predicted ?? "", (value) => change({ predicted: value || null })),
      choice("judged-right", t("judged.answer"), yesNo("judged.right", "judged.wrong"), plain(only.right), (value) => change({ right: meant(value) })),
      choice("judged-refer", t("judged.refer"), yesNo("judged.yes", "judged.no"), plain(only.refer), (value) => change({ refer: meant(value) })),
      found.dataset === null ? null : choice("judged-corrected", t("judged.corrected"), yesNo("judged.yes", "judged.no"), plain(only.corrected), (value) => change({ corrected: meant(value) })),
      groups.length === 0 ? null : choice("judged-subgroup", t("judged.subgroup"), [any, ...groups], only.subgroup === null ? "" : JSON.stringify([only.subgroup, only.subgroup_value]), (value) => {
        const [subgroup, subgroup_value] = value === "" ? [null, null] : JSON.parse(value);
        change({ subgroup, subgroup_value });
      }),
      make("div", { class: "field" }, make("label", { text: t(found.patients ? "judged.search_patient" : "judged.search"), attributes: { for: "judged-search" } }), search),
    );
    if (focused) document.getElementById(focused)?.focus();
  }

  BreastAI.views.judgedFilters = { show };
})();
