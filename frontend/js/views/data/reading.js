/* What a place would be read as: its layout, counts, pictures, what is left out and what is doubtful; corrected, kept, trained on. */
(function () {
  "use strict";

  const { byId, make, fill, name, label, said, table, scroller, terms } = BreastAI.elements;
  const { t, plural } = BreastAI.i18n;
  const { format } = BreastAI;

  const PICTURES = 4;
  /** Of so many classes pictures are shown; more would hide the form below. */
  const SHOWN_CLASSES = 12;
  /** A correction is looked at once nothing was typed for so long. */
  const REST_MS = 500;

  /** @param {Record<string, number>} counts @param {string} caption @param {string} head @param {(key: string) => Node | string} told */
  function countsOf(counts, caption, head, told) {
    if (Object.keys(counts).length === 0) return null;
    const rows = Object.entries(counts).map(([key, count]) => [told(key), format.integer(count)]);
    return scroller(caption, table({ caption, head: [head, t("data.total")], rows, numeric: true }));
  }

  /** Where on the page a doubt is answered; "" where there is no such place. @param {Wire.Text | string} doubt */
  function adviceOf(doubt) {
    return typeof doubt !== "string" && BreastAI.i18n.has(`${doubt.code}.page`) ? ` ${t(`${doubt.code}.page`, doubt.params)}` : "";
  }

  /** @param {Reading} found */
  function factsOf(found) {
    /** @type {[string, string][]} */
    const facts = [
      [t("reading.layout"), BreastAI.i18n.has(`layout.${found.layout}`) ? t(`layout.${found.layout}`) : found.layout],
      [t("reading.images"), format.integer(found.images)],
      [t("data.patients"), found.patients === null ? t("data.patients_unknown") : format.integer(found.patients)],
    ];
    if (found.breasts !== null) facts.push([t("reading.breasts"), format.integer(found.breasts)]);
    if (found.masks > 0) facts.push([t("data.masks"), format.integer(found.masks)]);
    return terms(facts);
  }

  /** A few images of each class. @param {Wire.ImageEntry[]} pictures */
  function picturesOf(pictures) {
    const { isPicture } = BreastAI.views.dataDescription;
    const classes = [...new Set(pictures.map(({ class_name }) => class_name))].slice(0, SHOWN_CLASSES);
    return classes.map((each) =>
      make(
        "figure",
        { class: "reading-class" },
        make("figcaption", {}, label(each)),
        make(
          "div",
          { class: "reading-pictures" },
          ...pictures
            .filter(({ class_name }) => class_name === each)
            .map((entry) => (entry.picture !== null && isPicture(entry.picture) ? make("img", { attributes: { src: entry.picture, alt: t("audit.picture", { file: entry.file }) } }) : said(entry.problem ?? "", "no-picture"))),
        ),
      ),
    );
  }

  /** What is left out, and why. @param {Reading} found */
  function leftOutOf(found) {
    if (found.left_out === 0) return make("p", { class: "muted", text: t("data.nothing_skipped") });
    const reasons = found.reasons.map(({ reason, count, files }) =>
      make("li", {}, said(reason), ` · ${format.integer(count)}`, files.length ? make("details", {}, make("summary", { text: plural("audit.files", count) }), make("ul", {}, ...files.map((file) => make("li", {}, name(file))))) : null),
    );
    return make("details", {}, make("summary", { text: plural("data.files_skipped", found.left_out) }), make("ul", { class: "findings" }, ...reasons));
  }

  /** A name for the data set: that of its folder or file, as far as names of data sets allow. @param {string} place */
  function nameOf(place) {
    const last = place.split("/").filter((part) => part !== "").at(-1) ?? "";
    const plain = last.replace(/\.[^.]+$/, "").normalize("NFD").replace(/\p{Diacritic}/gu, "");
    return plain.replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "") || "images";
  }

  /** @param {Context} context */
  function create(context) {
    const { connection } = context;
    const field = /** @type {HTMLInputElement} */ (byId("reading-name"));
    const changes = BreastAI.views.readingChanges.create(byId("reading-changes"), () => {
      clearTimeout(timer);
      timer = setTimeout(() => look(false), REST_MS);
    });
    let path = "";
    /** @type {number | undefined} */
    let timer;
    let asked = 0;
    /** @type {ReadingFound | null} */
    let shown = null;

    /** @param {boolean} isNew whether another place is looked at */
    async function look(isNew) {
      asked += 1;
      const mine = asked;
      byId("reading-body").setAttribute("aria-busy", "true");
      try {
        const found = await connection.request("inspect_dataset", { path, changes: changes.values(), pictures: PICTURES }, { quiet: isNew });
        // Of several questions the last counts.
        if (mine === asked) show(found, isNew);
      } catch {
        // A correction that can't be is told in a notice, and what stood here before stays. Of another place the usual look tells.
        if (mine === asked && isNew) {
          byId("reading-card").hidden = true;
          context.look?.();
        }
      } finally {
        if (mine === asked) byId("reading-body").removeAttribute("aria-busy");
      }
    }

    /** @param {ReadingFound} found @param {boolean} isNew */
    function show(found, isNew) {
      shown = found;
      byId("reading-card").hidden = false;
      draw();
      if (!isNew) changes.follow(found.inspection);
      else {
        changes.begin(found.inspection);
        byId("reading-title").focus();
      }
    }

    /** A button that keeps BI-RADS folders as the classes they are. @param {Wire.Text | string} doubt */
    function scaleButton(doubt) {
      const scale = typeof doubt === "string" || doubt.code !== "doubt.birads_folders" ? "" : String(doubt.params.scale ?? "");
      if (scale === "") return "";
      return make("button", { class: "button small", text: t("reading.keep_scale"), attributes: { type: "button" }, data: { reading: "scale" }, on: { click: () => changes.order(scale.split(",")) } });
    }

    function draw() {
      if (shown === null) return;
      const { inspection, pictures } = shown;
      const warnings = inspection.twins ? [...inspection.doubts, inspection.twins] : inspection.doubts;
      fill(
        byId("reading-body"),
        make("p", {}, name(inspection.path)),
        warnings.length ? make("ul", { class: "banner warning data-warnings" }, ...warnings.map((doubt) => make("li", {}, said(doubt), adviceOf(doubt), " ", scaleButton(doubt)))) : null,
        make(
          "div",
          { class: "reading-counts" },
          factsOf(inspection),
          countsOf(inspection.classes, t("reading.by_class"), t("data.class"), label),
          inspection.splits === null ? null : countsOf(inspection.splits, t("reading.by_part"), t("data.split"), (part) => t(`split.${part}`)),
        ),
        ...picturesOf(pictures),
        leftOutOf(inspection),
      );
      const readable = inspection.description !== null;
      byId("reading-train").dataset.blocked = !readable ? "reason.not_readable_set" : Object.keys(inspection.classes).length < 2 ? "reason.one_class" : "";
      byId("reading-correct").hidden = inspection.images === 0;
      BreastAI.actions.mark(/** @type {HTMLButtonElement} */ (byId("reading-save")), readable ? null : "reason.not_readable_set");
    }

    /** Keep it under its name; true when it is kept. */
    async function save() {
      try {
        await connection.request("add_dataset", { name: field.value.trim(), path, changes: changes.values() });
        context.useData?.(field.value.trim());
        context.listDatasets?.();
        context.look?.();
        return true;
      } catch {
        return false;
      }
    }

    byId("reading-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!(await save())) return;
      location.hash = "#training";
      context.begin?.(shown?.preset ?? "quick");
    });
    byId("reading-save").addEventListener("click", save);

    context.read = (place) => {
      path = place;
      changes.clear();
      field.value = nameOf(place);
      look(true);
    };
    BreastAI.i18n.onChange(draw);

    return {
      within: "data",
      /** @param {State} state */
      render(state) {
        const looks = BreastAI.store.isPending(state, "inspect_dataset") || BreastAI.store.isPending(state, "add_dataset");
        byId("reading-progress").hidden = !looks;
        byId("reading-progress").textContent = looks ? BreastAI.i18n.say(state.inspecting ?? { code: "progress.reading", params: {} }) : "";
      },
      /** @param {State} state */
      slice: (state) => [state.pending, state.inspecting],
    };
  }

  BreastAI.views.reading = { create };
})();
