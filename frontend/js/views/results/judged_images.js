/* Every image of an evaluation in a table: sorted and filtered by the server, a page at a time, opened large, corrected, saved as CSV. */
(function () {
  "use strict";

  const { make, fill, name, label, actionButton } = BreastAI.elements;
  const { t, plural, className } = BreastAI.i18n;
  const { format } = BreastAI;
  const ROWS = 50;
  const MOST_AT_ONCE = 1000;
  /** @typedef {{ label: string | null, predicted: string | null, right: boolean | null, refer: boolean | null, corrected: boolean | null, search: string, subgroup: string | null, subgroup_value: string | null }} Only */
  /** @type {Only} */
  const ALL = { label: null, predicted: null, right: null, refer: null, corrected: null, search: "", subgroup: null, subgroup_value: null };

  /** What the page of a run is to show when it opens, as asked for elsewhere. @type {{ run: string, name: string | null, only: Only } | null} */
  let wanted = null;

  /** Open the images of an evaluation, of one cell of its matrix for one. @param {string} run @param {string | null} evaluation @param {Partial<Only>} only */
  function open(run, evaluation, only) {
    wanted = { run, name: evaluation, only: { ...ALL, ...only } };
    location.hash = BreastAI.address.ofRun(run, "images");
  }

  /** What a person has made of an image since. @param {Wire.JudgedImage} image */
  function correctionOf(image) {
    if (image.correction === null) return "";
    const words = image.correction === "exclude" ? t("judged.excluded") : t("judged.relabelled", { label: className(image.correction_label) });
    return make("span", { class: "badge", text: words, attributes: { title: image.correction_note || null } });
  }

  /** @param {boolean | null} refer */
  const referOf = (refer) => (refer === null ? format.NONE : t(refer ? "judged.yes" : "judged.no"));

  /** The columns: what each is called, sorted by and shows. @param {Wire.JudgedList} found @param {(image: Wire.JudgedImage) => Node} title */
  function columnsOf(found, title) {
    /** @type {DataColumn<Wire.JudgedImage>[]} */
    const columns = [{ sort: "file", words: t("judged.file"), cell: title }];
    if (found.patients) columns.push({ sort: "patient", words: t("judged.patient"), cell: (image) => (image.patient === null ? format.NONE : name(image.patient)) });
    columns.push({ sort: "label", words: t("judged.truth"), cell: (image) => label(image.label) });
    columns.push({ sort: "predicted", words: t("judged.predicted"), cell: (image) => make("span", { class: image.label === image.predicted ? "" : "judged-wrong" }, label(image.predicted), image.label === image.predicted ? "" : make("span", { class: "visually-hidden", text: ` (${t("judged.wrong")})` })) });
    columns.push({ sort: "probability", words: t("judged.probability"), cell: (image) => format.figure(image.probability) });
    columns.push({ sort: "given_to_truth", words: t("judged.given_to_truth"), cell: (image) => format.figure(image.given_to_truth) });
    if (found.target_class !== null) columns.push({ sort: "probability_of_target", words: t("judged.of_target", { name: className(found.target_class) }), cell: (image) => format.figure(image.probability_of_target) });
    columns.push({ sort: "refer", words: t("judged.refer"), cell: (image) => referOf(image.refer) });
    return columns;
  }

  /** @param {{ connection: Connection, store: Store }} context */
  function create({ connection, store }) {
    /** @type {{ run: string, name: string | null, only: Only, sort: string, descending: boolean, first: number }} */
    let asked = { run: "", name: null, only: ALL, sort: "given_to_truth", descending: false, first: 0 };
    /** @type {Wire.JudgedList | null} */
    let found = null;
    let fault = "";
    /** The run, and the connection over which its images were asked for. */
    let askedFor = "";
    /** How often was asked: a filter typed on outruns the answer to what was typed before. */
    let times = 0;
    const chosen = new Map(/** @type {[number, Wire.JudgedImage][]} */ ([]));
    const head = make("div");
    const filters = make("form", { class: "asking judged-filters", on: { submit: (event) => event.preventDefault() } });
    const tools = make("div", { class: "button-row judged-tools" });
    const list = make("div", { attributes: { "aria-live": "polite" } });
    const element = make("div", { class: "judged-images" }, head, filters, tools, list);
    const lightbox = BreastAI.views.lightbox.create({ connection, store, step, correct, closed });

    /** The table may have been drawn anew under the picture: its row is where one goes on. @param {Wire.JudgedImage | null} image */
    function closed(image) {
      /** @type {HTMLElement | null} */ (list.querySelector(`[data-open="${image?.number}"]`) ?? list.querySelector("button"))?.focus();
    }

    /** @param {Partial<typeof asked>} [changes] @returns {Promise<void>} */
    function ask(changes = {}) {
      asked = { ...asked, first: 0, ...changes };
      const { run, name: evaluation, only, sort, descending, first } = asked;
      times += 1;
      const mine = times;
      return connection.request("list_judged", { run_id: run, ...(evaluation === null ? {} : { name: evaluation }), only, sort, descending, first, limit: ROWS }, { quiet: true }).then(
        (answer) => {
          if (mine !== times) return;
          [found, fault] = [answer, ""];
          draw();
        },
        (error) => {
          if (mine !== times) return;
          [found, fault] = [null, error.message];
          draw();
        },
      );
    }

    /** @param {Partial<Only>} changes @param {string} [evaluation] */
    const narrow = (changes, evaluation) => ask({ only: { ...asked.only, ...changes }, ...(evaluation === undefined ? {} : { name: evaluation }) });

    /** The next or previous image of those meant, on another page too. @param {Wire.JudgedImage} image @param {number} by */
    async function step(image, by) {
      if (found === null) return null;
      const place = found.images.findIndex(({ number }) => number === image.number) + by;
      const absolute = found.first + place;
      if (absolute < 0 || absolute >= found.total) return null;
      if (place < 0 || place >= found.images.length) await ask({ first: Math.floor(absolute / ROWS) * ROWS });
      return found?.images[absolute - (found?.first ?? 0)] ?? null;
    }

    /** @param {CorrectionAction} action @param {Wire.JudgedImage[]} images */
    async function correct(action, images) {
      if (found === null) return;
      const done = await BreastAI.views.corrections.ask(connection, found, action, images, images.length === 1 && images[0].predicted !== images[0].label ? images[0].predicted : undefined);
      if (done === null) return;
      chosen.clear();
      await ask({ first: asked.first });
    }

    async function save() {
      if (found === null) return;
      const { run, name: evaluation, only, sort, descending } = asked;
      /** @type {Wire.JudgedImage[]} */
      const images = [];
      for (let first = 0; first < found.total; first += MOST_AT_ONCE) {
        const page = await connection.request("list_judged", { run_id: run, ...(evaluation === null ? {} : { name: evaluation }), only, sort, descending, first, limit: MOST_AT_ONCE });
        images.push(...page.images);
      }
      const groups = Object.keys(found.subgroups);
      const rows = images.map((image) => [image.file, image.patient, image.label, image.predicted, image.probability, image.given_to_truth, image.probability_of_target, image.refer, image.correction, image.correction_label, ...groups.map((group) => image.subgroups[group] ?? "")]);
      const columns = ["file", "patient", "label", "predicted", "probability", "given_to_truth", "probability_of_target", "refer", "correction", "correction_label", ...groups];
      BreastAI.download.saveText(`${found.judged_of}-${found.name}.csv`, BreastAI.series.csv([columns, ...rows]), "text/csv");
    }

    /** @param {Wire.JudgedList} now */
    function tableOf(now) {
      const title = (/** @type {Wire.JudgedImage} */ image) => {
        const box = make("input", { attributes: { type: "checkbox", checked: chosen.has(image.number), "aria-label": t("judged.choose", { file: image.file ?? format.NONE }) }, data: { choose: String(image.number) }, on: { change: () => { if (box.checked) chosen.set(image.number, image); else chosen.delete(image.number); drawTools(); } } });
        const button = make("button", { class: "link judged-file", attributes: { type: "button", disabled: image.file === null }, data: { open: String(image.number) }, on: { click: () => lightbox.open(now, image) } }, image.file === null ? t("errors.gone") : name(image.file));
        return make("span", { class: "check" }, now.dataset === null ? null : box, button, correctionOf(image));
      };
      /** @param {string} sort @param {boolean} descending */
      const change = (sort, descending) => ask({ sort, descending });
      return BreastAI.dataTable.create({ caption: t("judged.title"), columns: columnsOf(now, title), rows: now.images, sorting: { by: now.sort, descending: now.descending, falling: false, change } });
    }

    function drawTools() {
      if (found === null) return fill(tools);
      const some = [...chosen.values()];
      /** @param {CorrectionAction} action */
      const button = (action) => actionButton(`${action}_images`, t(`judged.${action}`), { class: "small", data: { blocked: some.length === 0 ? "reason.choose_images" : "" }, on: { click: () => correct(action, some) } });
      const corrections = found.dataset === null ? [make("span", { class: "muted", text: t("judged.no_dataset") })] : [make("span", { class: "muted", text: plural("judged.chosen", some.length) }), button("exclude"), button("relabel"), button("restore")];
      fill(tools, actionButton("save_judged", t("judged.csv"), { class: "small", on: { click: () => save().catch(() => {}) } }), ...corrections);
      BreastAI.actions.markAll(tools, store.state());
    }

    function draw() {
      fill(head, ...(fault === "" ? [] : [make("p", { text: t(fault === "evaluation.not_found" ? "errors.no_evaluation" : "judged.failed") }), fault === "evaluation.not_found" ? actionButton("evaluate_model", t("errors.evaluate"), { on: { click: () => evaluate() } }) : null]));
      const now = found;
      filters.hidden = tools.hidden = now === null;
      if (now === null) return fill(list);
      BreastAI.views.judgedFilters.show(filters, store.state(), now, asked.only, narrow);
      drawTools();
      const last = now.first + now.images.length;
      const counted = make("p", { class: "muted", text: t("judged.counts", { first: format.integer(now.total === 0 ? 0 : now.first + 1), last: format.integer(last), total: format.integer(now.total), cases: format.integer(now.cases) }) });
      /** @param {string} key @param {number} first @param {boolean} there */
      const turn = (key, first, there) => make("button", { class: "button small", text: t(key), attributes: { type: "button", disabled: !there }, data: { turn: key }, on: { click: () => ask({ first }) } });
      const pager = make("div", { class: "button-row pager" }, turn("judged.previous", Math.max(0, now.first - ROWS), now.first > 0), turn("judged.next", now.first + ROWS, last < now.total));
      BreastAI.dataTable.refill(list, now.split === "test" ? make("p", { class: "banner warning", text: t("errors.on_test") }) : null, counted, now.total === 0 ? make("p", { class: "empty", text: t("judged.none") }) : tableOf(now), now.total > ROWS ? pager : null);
    }

    function evaluate() {
      connection.request("evaluate_model", { checkpoint: `${asked.run}/best` }).then(() => ask()).catch(() => {});
    }

    BreastAI.i18n.onChange(() => draw());
    return {
      element,
      /** Show the images of a run: those asked for elsewhere, else as they were. @param {State} state @param {string} run */
      show(state, run) {
        if (state.connection.phase !== "connected") return;
        const now = `${state.connection.count} ${run}`;
        const isNew = asked.run !== run || wanted?.run === run;
        if (isNew) {
          const { name: evaluation, only } = wanted?.run === run ? wanted : { name: null, only: ALL };
          wanted = null;
          found = asked.run === run ? found : null;
          chosen.clear();
          ask({ run, name: evaluation, only });
        } else if (askedFor !== now) ask({ first: asked.first });
        else if (found !== null) BreastAI.views.judgedFilters.show(filters, state, found, asked.only, narrow);
        askedFor = now;
      },
    };
  }

  BreastAI.views.judgedImages = { create, open, correctionOf, referOf };
})();
